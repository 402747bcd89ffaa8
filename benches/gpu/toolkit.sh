#!/usr/bin/env bash
# A CUDA 13.0 toolkit in a folder, from the wheels that NVIDIA publishes for Python: enough to compile and link mtlc with
# `--features cuda,cudnn` on a machine that has no GPU, no driver and no toolkit.
#
#     bash benches/gpu/toolkit.sh FOLDER          # 2.5 GB; needs python3 with pip, gcc and cargo
#     source FOLDER/env.sh
#     cargo build --release --features cuda,cudnn
#
# `env.sh` says for which GPU candle's kernels are compiled: CUDA_COMPUTE_CAP=90 (H100, H200) unless it is set before; 80 is A100, 89
# L4 and RTX 40, 120 RTX 50. The versions are those that PyTorch 2.11 for CUDA 13.0 comes with, so that both find one set of libraries.
# The first build takes about 16 minutes of one processor. The program needs libcuda.so.1, which comes with the driver, and
# the libraries of the folder to start; `env.sh` says where they are. A build without the features needs none of this.
set -euo pipefail

folder=${1:?the folder to lay the toolkit out in}
python=${PYTHON:-python3}
wheels=(
  nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-cccl==13.0.85
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.1.0.3 nvidia-curand==10.4.0.35
  nvidia-cudnn-cu13==9.19.0.56
)

mkdir -p "$folder/.laid"
folder=$(cd "$folder" && pwd)
# Every wheel once: unpacked beside, then merged into one tree of bin, include, lib and nvvm.
for wheel in "${wheels[@]}"; do
  [ -e "$folder/.laid/$wheel" ] && continue
  echo "$wheel"
  beside=$(mktemp -d "$folder/.unpack.XXXXXX")
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$beside" "$wheel"
  "$python" -m zipfile -e "$beside"/*.whl "$beside/tree"
  rm -f "$beside"/*.whl
  for part in cu13 cudnn; do
    if [ -d "$beside/tree/nvidia/$part" ]; then cp -a "$beside/tree/nvidia/$part/." "$folder/"; fi
  done
  rm -rf "$beside"
  touch "$folder/.laid/$wheel"
done

# What a wheel does not carry: permissions, the names that linkers look for, and the second name of the folder of libraries.
chmod -f +x "$folder"/bin/* "$folder"/nvvm/bin/* || true
ln -sfn lib "$folder/lib64"
for library in "$folder"/lib/lib*.so.*; do
  name=$(basename "$library")
  ln -sfn "$name" "$folder/lib/${name%%.so.*}.so"
done

# The driver's library belongs to the machine with the GPU. To link, one with the same entry points is enough: all that cudarc declares.
here=$(cd "$(dirname "$0")/../.." && pwd)
(cd "$here" && cargo fetch --quiet --locked)
declared=$(ls "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-0.19.*/src/driver/sys/mod.rs | sort -V | tail -n 1)
mkdir -p "$folder/driver"
grep -oE '\bfn cu[A-Z][A-Za-z0-9_]*' "$declared" | cut -c4- | sort -u | sed 's/.*/int &(void) { return 100; }/' > "$folder/driver/stub.c"
gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$folder/driver/libcuda.so" "$folder/driver/stub.c"

cat > "$folder/env.sh" <<END
export CUDA_HOME='$folder' CUDA_PATH='$folder' CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-90}"
export PATH='$folder/bin':"\$PATH"
export LIBRARY_PATH='$folder/lib:$folder/driver'"\${LIBRARY_PATH:+:\$LIBRARY_PATH}"
export LD_LIBRARY_PATH='$folder/lib'"\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export RUSTFLAGS="\${RUSTFLAGS:+\$RUSTFLAGS }-L native=$folder/lib -L native=$folder/driver"
END
echo "source $folder/env.sh"
