-- Headless Neovim drives the built server: everything that the issue of an editor asks, asserted. `EDITORS` and `MTLC` come from the
-- environment.
local editors, mtlc = vim.env.EDITORS, vim.env.MTLC
vim.opt.runtimepath:prepend(editors .. '/neovim')
vim.opt.swapfile = false

local function fail(text)
  io.stderr:write('FAILED: ' .. text .. '\n')
  vim.cmd('cquit 1')
end
local function check(ok, text)
  if not ok then
    fail(text)
  end
  io.stdout:write('ok: ' .. text .. '\n')
end

local dir = vim.fn.tempname()
vim.fn.mkdir(dir, 'p')
local path = dir .. '/spec.mtl'
local spec = vim.fn.readfile(vim.env.HERE .. '/spec.mtl')
local broken = vim.tbl_map(function(l) return (l:gsub('unit%(width%)', 'unit(widht)')) end, spec)
vim.fn.writefile(broken, path)

vim.lsp.config('mtlc', { cmd = { mtlc, 'lsp' } })
dofile(editors .. '/neovim/ftdetect/mtl.lua')
vim.cmd.runtime('plugin/mtl.lua')
vim.lsp.enable('mtlc')
vim.cmd.edit(path)
local buf = vim.api.nvim_get_current_buf()
check(vim.bo.filetype == 'mtl', 'the file type is known')
check(vim.wait(10000, function() return #vim.diagnostic.get(buf) > 0 end), 'diagnostics come')
local d = vim.diagnostic.get(buf)[1]
check(d.code == 'mtl::name::unknown' and d.lnum == 12 and d.col == 18, 'a diagnostic has code and place')

local function ask(method, params)
  local answers = vim.lsp.buf_request_sync(buf, method, params, 5000) or {}
  for _, a in pairs(answers) do
    if a.error then
      fail(method .. ': ' .. vim.inspect(a.error))
    end
    return a.result
  end
  fail('no answer to ' .. method)
end
local client = vim.lsp.get_clients({ name = 'mtlc' })[1]
local document = { uri = vim.uri_from_bufnr(buf) }
local function place(pattern, shift)
  for i, line in ipairs(vim.api.nvim_buf_get_lines(buf, 0, -1, false)) do
    local from = line:find(pattern, 1, true)
    if from then
      return { textDocument = document, position = { line = i - 1, character = from - 1 + (shift or 0) } }
    end
  end
  fail('no `' .. pattern .. '`')
end
local function text()
  return table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
end

-- A code action, applied.
local range = { start = { line = 12, character = 18 }, ['end'] = { line = 12, character = 23 } }
local actions = ask('textDocument/codeAction', { textDocument = document, range = range, context = { diagnostics = {} } })
local fix = vim.iter(actions):find(function(a) return a.kind == 'quickfix' end)
vim.lsp.util.apply_workspace_edit(fix.edit, client.offset_encoding)
check(text() == table.concat(spec, '\n'), 'a fix applied mends the text')
check(vim.wait(10000, function() return #vim.diagnostic.get(buf) == 0 end), 'and its diagnostic goes')

local hover = ask('textDocument/hover', place('stage c2', 6))
check(hover.contents.value:find('f32[32, 8, 8]', 1, true) ~= nil, 'hover tells the type')
local definition = ask('textDocument/definition', place('level c2', 6))
check(definition.range.start.line == 13, 'definition')
local refs = place('stage c2', 6)
refs.context = { includeDeclaration = true }
check(#ask('textDocument/references', refs) == 2, 'references')
local items = ask('textDocument/completion', place('max_pool(2)', 3)).items
check(vim.iter(items):any(function(i) return i.label == 'max_pool' end), 'completion')
local rename = place('stage c2', 6)
rename.newName = 'middle'
vim.lsp.util.apply_workspace_edit(ask('textDocument/rename', rename), client.offset_encoding)
check(text() == (table.concat(spec, '\n'):gsub('c2', 'middle')), 'rename')
vim.cmd.undo()
vim.api.nvim_buf_set_lines(buf, 12, 13, false, { '      stage   c1= unit(width)->max_pool(2)' })
vim.lsp.buf.format({ bufnr = buf, timeout_ms = 5000 })
check(text() == table.concat(spec, '\n'), 'formatting')
local whole = { start = { line = 0, character = 0 }, ['end'] = { line = 99, character = 0 } }
local hints = ask('textDocument/inlayHint', { textDocument = document, range = whole })
check(#hints == 5 and hints[1].label == ': f32[16, 16, 16]', 'inlay hints')
check(#ask('textDocument/semanticTokens/full', { textDocument = document }).data > 300, 'semantic tokens')
check(vim.lsp.inlay_hint.is_enabled({ bufnr = buf }), 'hints are on')
check(ask('mtlc/preview', { textDocument = document, format = 'text' }).drawing:find('branching', 1, true) ~= nil, 'preview')

-- Colours from tree-sitter, where the parser is built.
if vim.env.PARSER and vim.env.PARSER ~= '' then
  vim.treesitter.language.add('mtl', { path = vim.env.PARSER })
  local parser = vim.treesitter.get_parser(buf, 'mtl')
  local tree = parser:parse()[1]
  check(not tree:root():has_error(), 'tree-sitter reads the file')
  local query = vim.treesitter.query.get('mtl', 'highlights')
  local seen = {}
  for id, node in query:iter_captures(tree:root(), buf) do
    seen[query.captures[id] .. ' ' .. vim.treesitter.get_node_text(node, buf)] = true
  end
  for _, want in ipairs({ 'keyword backbone', 'keyword stage', 'function.builtin relu', 'property copies', 'number 16', 'type net' }) do
    check(seen[want], 'highlight: ' .. want)
  end
  vim.treesitter.start(buf, 'mtl')
  check(vim.treesitter.highlighter.active[buf] ~= nil, 'the highlighter runs')
end
io.stdout:write('neovim: all passed\n')
vim.cmd('qall!')
