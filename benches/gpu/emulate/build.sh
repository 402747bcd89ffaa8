#!/usr/bin/env bash
# Builds the emulation into a folder: one library under the names of the driver, cuBLAS, cuRAND and cuDNN.
#
#     bash benches/gpu/emulate/build.sh TOOLKIT FOLDER PROGRAM
#
# TOOLKIT is what benches/gpu/toolkit.sh laid out (for its headers), PROGRAM what will run under it (for the names that it asks for).
# Kernels: ours, and those of candle that f32, f64 and integers need.
set -euo pipefail
toolkit=${1:?} folder=${2:?} program=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
candle=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/candle-kernels-0.11.1/src | head -n 1)
mkdir -p "$folder/candle/cuda/std"
cp "$candle"/*.cu "$candle"/*.cuh "$folder/candle/"
# Half precision is left out, and with it what candle works around in old toolkits.
for header in cuda_fp16.h cuda_bf16.h cuda.h; do echo '#pragma once' > "$folder/candle/$header"; done
printf '#pragma once\n#include "cuda_fp8.h"\n' > "$folder/candle/compatibility.cuh"
cat > "$folder/candle/cuda_fp8.h" <<'END'
#pragma once
enum { __NV_E4M3 };
struct __nv_fp8_e4m3 {
    unsigned char __x;
    __nv_fp8_e4m3(float = 0) {}
};
inline int __nv_cvt_fp8_to_halfraw(unsigned char, int) { return 0; }
inline float __half2float(int) { return 0; }
END
printf '#include <limits>\nnamespace cuda { namespace std { using ::std::numeric_limits; } }\n' > "$folder/candle/cuda/std/limits"
plain=(g++ -O1 -fPIC -w -std=c++17)
kernel=("${plain[@]}" -D__CUDA_ARCH__=500 -D__CUDACC_VER_MAJOR__=13 -D__CUDACC_VER_MINOR__=0 -include "$here/device.h" -I "$folder/candle")
"${plain[@]}" -I "$toolkit/include" -c "$here/driver.cpp" -o "$folder/driver.o"
"${kernel[@]}" -x c++ -c "$here/../../../src/ops/cuda/kernels.cu" -o "$folder/own.o"
for name in affine binary cast conv fill indexing reduce ternary unary; do
  "${kernel[@]}" -x c++ -c "$folder/candle/$name.cu" -o "$folder/candle_$name.o"
done
# What the program asks for and the emulation lacks fails when it is called.
nm -D --undefined-only "$program" | grep -oE '\b(cu[A-Z]|cublas[A-Z]|curand[A-Z]|cudnn[A-Z])[A-Za-z0-9_]*' | grep -vE '^cublasLt' | sort -u |
  sed 's/.*/__attribute__((weak)) int &(void) { return missing("&"); }/' > "$folder/names"
{ echo '#include <stdio.h>'; echo 'static int missing(const char* n) { fprintf(stderr, "emulated: %s is not there\n", n); return 1; }'
  cat "$folder/names"; } > "$folder/missing.c"
gcc -fPIC -w -fno-builtin -c "$folder/missing.c" -o "$folder/missing.o"
# Every file of candle brings the same helpers along.
g++ -shared -Wl,-Bsymbolic -Wl,-z,muldefs -o "$folder/libemulated.so" "$folder"/*.o -ldl
for name in libcuda.so.1 libcublas.so.13 libcurand.so.10 libcudnn.so.9; do ln -sfn libemulated.so "$folder/$name"; done
