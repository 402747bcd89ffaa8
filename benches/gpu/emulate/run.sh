#!/usr/bin/env bash
# The tests of tests/cuda.rs where there is no GPU: on a stand-in for driver and libraries that runs kernels on the CPU.
#
#     source TOOLKIT/env.sh && bash benches/gpu/emulate/run.sh TOOLKIT [FOLDER] [-- TEST ...]
#
# TOOLKIT is what benches/gpu/toolkit.sh laid out; the emulation goes to FOLDER (default: beside the target folder). Training steps
# of the networks that are timed are left out, being too slow here; those of `tests/engine` run. What it cannot
# see: races, alignment, limits of a device, and cuBLAS, cuDNN and NVRTC themselves, except that NVRTC compiles the sources.
set -euo pipefail
toolkit=$(cd "${1:?the folder of the toolkit}" && pwd); shift
folder=${CARGO_TARGET_DIR:-target}/emulated
if [ $# -gt 0 ] && [ "$1" != -- ]; then folder=$1; shift; fi
[ "${1:-}" = -- ] && shift
cd "$(dirname "$0")/../../.."
mkdir -p "$folder"; folder=$(cd "$folder" && pwd)
program=$(cargo test --release --features cuda,cudnn --test cuda --no-run --message-format json |
  python3 -c 'import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if m.get("executable") and m["target"]["name"] == "cuda": print(m["executable"])' | tail -n 1)
bash benches/gpu/emulate/build.sh "$toolkit" "$folder" "$program"
EMULATED=1 LD_LIBRARY_PATH=$folder:$toolkit/lib:${LD_LIBRARY_PATH:-} "$program" --test-threads 1 "$@"
