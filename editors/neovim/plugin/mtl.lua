-- Starts the server for `.mtl`, and gives its commands a meaning here: what takes long runs in a terminal.
if vim.g.loaded_mtl then
  return
end
vim.g.loaded_mtl = true

vim.treesitter.language.register('mtl', 'mtl')

local function in_terminal(verb)
  return function(command)
    local client = vim.lsp.get_clients({ name = 'mtlc' })[1]
    local exe = client and client.config.cmd[1] or 'mtlc'
    vim.cmd('silent! update')
    vim.cmd('botright new')
    vim.fn.jobstart({ exe, verb, vim.uri_to_fname(command.arguments[1]) }, { term = true })
  end
end

vim.lsp.commands['mtlc.search'] = in_terminal('search')
vim.lsp.commands['mtlc.run'] = in_terminal('run')

vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(args)
    local client = vim.lsp.get_client_by_id(args.data.client_id)
    if client and client.name == 'mtlc' then
      vim.lsp.inlay_hint.enable(true, { bufnr = args.buf })
    end
  end,
})

-- The drawing as text, in a window beside.
vim.api.nvim_create_user_command('MtlPreview', function()
  local client = vim.lsp.get_clients({ name = 'mtlc', bufnr = 0 })[1]
  if not client then
    return vim.notify('mtlc does not serve this buffer')
  end
  local source = vim.api.nvim_get_current_buf()
  local shown = vim.api.nvim_create_buf(false, true)
  local function draw()
    local params = { textDocument = { uri = vim.uri_from_bufnr(source) }, format = 'text' }
    client:request('mtlc/preview', params, function(_, answer)
      if answer and type(answer.drawing) == 'string' and vim.api.nvim_buf_is_valid(shown) then
        vim.api.nvim_buf_set_lines(shown, 0, -1, false, vim.split(answer.drawing, '\n'))
      end
    end, source)
  end
  vim.cmd('vsplit')
  vim.api.nvim_win_set_buf(0, shown)
  draw()
  vim.api.nvim_create_autocmd('DiagnosticChanged', { buffer = source, callback = draw })
end, {})

vim.lsp.enable('mtlc')
