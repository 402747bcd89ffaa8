-- Read by `vim.lsp.enable('mtlc')` of Neovim 0.11.
return {
  cmd = { 'mtlc', 'lsp' },
  filetypes = { 'mtl' },
  root_markers = { '.git' },
}
