(body "}" @end) @indent
(list "]" @end) @indent
(arguments ")" @end) @indent
