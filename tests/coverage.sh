#!/usr/bin/env bash
# Coverage of the kernels (src/ops/kernel) by their tests: prints a table by file, then every line that no test reaches.
#
#   tests/coverage.sh              lines
#   BRANCHES=1 tests/coverage.sh   lines and branches, with a nightly compiler
#
# It needs the LLVM tools of the version that `rustc -vV` prints; on Debian, they are in packages such as `llvm-22`. It builds in the
# folder TARGET, which is kept, or in a temporary folder, which is deleted at the end. KERNELS is the number of random shapes per kernel.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=()
options="-C instrument-coverage"
if [ "${BRANCHES:-0}" = 1 ]; then
  toolchain=(+nightly)
  options="$options -Z coverage-options=branch"
fi
llvm=$(rustc "${toolchain[@]}" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
for tool in llvm-profdata llvm-cov; do
  command -v "$tool-$llvm" >/dev/null || {
    echo "coverage.sh: needs \`$tool-$llvm\` (apt-get install llvm-$llvm)" >&2
    exit 1
  }
done

if [ -n "${TARGET:-}" ]; then
  mkdir -p "$TARGET"
  work=$(cd "$TARGET" && pwd)
  rm -rf "$work/profiles"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi

# Only this package is instrumented, so that its dependencies run at full speed.
printf '#!/bin/sh\nexec "$@" %s\n' "$options" >"$work/instrument"
chmod +x "$work/instrument"
export RUSTC_WORKSPACE_WRAPPER=$work/instrument CARGO_TARGET_DIR=$work CARGO_INCREMENTAL=0
export LLVM_PROFILE_FILE=$work/profiles/%p-%m.profraw

tests=(--test kernels --test ops --test engine --test training_kit)
cargo "${toolchain[@]}" test "${tests[@]}" --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | grep '/deps/' >"$work/programs"
binaries=()
while read -r program; do
  # The build also runs instrumented programs; only the tests are counted.
  "$program" 2>&1 | grep -E '^test result|FAILED|skipped' || true
  if [ ${#binaries[@]} -gt 0 ]; then binaries+=(-object); fi
  binaries+=("$program")
done <"$work/programs"
"llvm-profdata-$llvm" merge -sparse "$work"/profiles/*.profraw -o "$work/all.profdata"

cov() {
  local command=$1
  shift
  "llvm-cov-$llvm" "$command" "${binaries[@]}" -instr-profile "$work/all.profdata" -sources "$@"
}

cov report src/ops/kernel/*.rs
echo
echo "lines that no test reaches (levels of vector instructions that this processor lacks are named above as skipped):"
for file in src/ops/kernel/*.rs; do
  cov show "$file" | awk -F'|' -v file="$file" '$2 ~ /^ *0$/ { sub(/^ */, "", $1); print file ":" $1 ":" $3 }'
done
