[(body) (list) (arguments) (parameters)] @fold
