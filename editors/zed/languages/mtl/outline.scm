(item keyword: (keyword) @context name: (path) @name) @item
(nested keyword: (keyword) @context name: (path) @name) @item
