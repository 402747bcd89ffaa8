vim.filetype.add({ extension = { mtl = 'mtl' } })
