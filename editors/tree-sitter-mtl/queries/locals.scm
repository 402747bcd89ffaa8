[(body) (parameters)] @local.scope
(parameter name: (identifier) @local.definition)
