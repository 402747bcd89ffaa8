[(body) (list) (arguments) (parameters)] @indent.begin
["}" "]" ")"] @indent.branch @indent.end
