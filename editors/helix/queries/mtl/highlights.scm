; Written by `UPDATE=1 cargo test --test editors` from the compiler's tables. The first that fits wins up to Helix 25.01, then the last: both ways.

(edge (path (identifier) @variable))
((attribute key: (identifier) @property)
  (#any-of? @property
    "activations" "affinities" "alike" "alpha" "augment" "average" "b_std" "baseline"
    "batch" "beta" "beta1" "beta2" "better" "bias" "buckets" "budget"
    "by" "c" "categories" "channels" "choices" "choose" "clip" "clustering"
    "columns" "copies" "correlation" "cost" "count_include_pad" "dampening" "decay" "decimal"
    "delimiter" "delta" "delta_std" "derived" "dilation" "dim" "direction" "distinct"
    "distribution" "draws" "drop" "drop_last" "encoding" "entropy" "epochs" "eps"
    "every" "except" "exif" "factor" "families" "final_affine" "fine_tune" "format"
    "fraction" "from" "gain" "gamma" "gate" "group" "groups" "header"
    "held_out" "hidden" "idle" "ignore" "images" "index" "inputs" "k"
    "kernel" "label" "label_smoothing" "labels" "lambda" "layout" "leave_out" "loss"
    "lr" "mask" "measure" "memory" "metrics" "min_count" "minus" "missing"
    "mode" "momentum" "name" "nesterov" "noise_std" "noises" "normalize" "numeric"
    "of" "optimizer" "outputs" "over" "p" "padding" "pairs" "parts"
    "patience" "penalty" "per" "place" "pos_weight" "precision" "query" "range"
    "rate" "reads" "resize" "reward" "root" "sampler" "samples" "scale"
    "scale_gradients" "schedule" "searched" "seed" "select" "self" "shared" "shift"
    "size" "slope" "smooth" "spec" "split" "split_seed" "standardize" "start"
    "steps" "strategy" "stratify" "stride" "strip" "tasks" "temperature" "terms"
    "test" "test_images" "test_labels" "test_samples" "then" "thousands" "threshold" "time"
    "to" "tool" "train" "tuner" "unit" "units" "unknown" "validation"
    "validation_samples" "value" "warmup" "weight" "weight_decay" "weighting" "weights" "width"))
(attribute key: (identifier) @variable)
(argument name: (identifier) @property)
(parameter name: (identifier) @variable.parameter)
(nested name: (path (identifier) @function))
(item name: (path (identifier) @type))
((call callee: (path . (identifier) @function.builtin .))
  (#any-of? @function.builtin
    "add" "avg_pool" "batch_norm" "bias" "concat" "concat_fields" "conv" "dropout"
    "elu" "embedding" "flatten" "gelu" "global_avg_pool" "group_norm" "identity" "layer_norm"
    "leaky_relu" "linear" "match" "max_pool" "mean" "mix" "mul" "one_hot"
    "relu" "scale" "sigmoid" "silu" "softmax" "tanh" "upsample"))
(call callee: (path (identifier) @function))
((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin
    "add" "avg_pool" "batch_norm" "bias" "concat" "concat_fields" "conv" "dropout"
    "elu" "embedding" "flatten" "gelu" "global_avg_pool" "group_norm" "identity" "layer_norm"
    "leaky_relu" "linear" "match" "max_pool" "mean" "mix" "mul" "one_hot"
    "relu" "scale" "sigmoid" "silu" "softmax" "tanh" "upsample"))
((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin
    "accuracy" "adam" "adamw" "affinity" "all" "all_shared" "auc" "auto"
    "bce" "beam" "cagrad" "celeba" "column" "constant" "cosine" "cosine_similarity"
    "cross_entropy" "csv" "dselect_k" "dwa" "equal" "exact" "expected_cost" "exponential"
    "f1" "famo" "fold" "full" "gradnorm" "group" "hierarchy_synthetic" "huber"
    "idx" "independent" "inverse" "inverse_sqrt" "iou" "l1" "learn_to_branch" "log_loss"
    "ltb_synthetic" "mae" "mmoe_synthetic" "moving_average" "mse" "multi_mnist" "none" "npy"
    "one" "pairwise" "pcgrad" "r2" "random" "reinforce" "rlw" "rmse"
    "sgd" "share" "snr" "some" "static" "step" "uncertainty" "warmup"))
((identifier) @type.builtin
  (#any-of? @type.builtin "f32" "fields" "int" "float" "bool"
    "binary" "classes" "depth" "multilabel" "normals" "regression" "segmentation"))
((identifier) @constant.builtin
  (#any-of? @constant.builtin
    "advance" "any" "average" "best" "bf16" "bilinear" "chw" "complete"
    "copy" "cost" "diagonal" "dirichlet" "even" "f32" "false" "first_to_last"
    "fixed" "flip" "freeze" "gflops" "gumbel" "gumbel_each" "hard" "higher"
    "hwc" "independent" "joint" "last" "last_to_first" "latin1" "lower" "macro"
    "macs" "mean" "micro" "nearest" "normal" "out" "outputs" "params"
    "per_task" "previous" "random" "rsa" "share" "sigmoid" "softmax" "sum"
    "task" "test" "tf32" "train" "true" "uniform" "utf16" "utf16be"
    "utf16le" "utf8" "validation_auc" "validation_loss" "windows1252"))
["," ":" "."] @punctuation.delimiter
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["->" "<-" "=" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "%" ".."] @operator
["and" "or" "not" "in"] @keyword.operator
["for" "on" "over"] @keyword
(keyword) @keyword
(edition "mtl" @keyword)
(star) @operator
(unit) @keyword
(number) @number
(string) @string
(comment) @comment
(identifier) @variable

(identifier) @variable
(comment) @comment
(string) @string
(number) @number
(unit) @keyword
(star) @operator
(edition "mtl" @keyword)
(keyword) @keyword
["for" "on" "over"] @keyword
["and" "or" "not" "in"] @keyword.operator
["->" "<-" "=" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "%" ".."] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter
((identifier) @constant.builtin
  (#any-of? @constant.builtin
    "advance" "any" "average" "best" "bf16" "bilinear" "chw" "complete"
    "copy" "cost" "diagonal" "dirichlet" "even" "f32" "false" "first_to_last"
    "fixed" "flip" "freeze" "gflops" "gumbel" "gumbel_each" "hard" "higher"
    "hwc" "independent" "joint" "last" "last_to_first" "latin1" "lower" "macro"
    "macs" "mean" "micro" "nearest" "normal" "out" "outputs" "params"
    "per_task" "previous" "random" "rsa" "share" "sigmoid" "softmax" "sum"
    "task" "test" "tf32" "train" "true" "uniform" "utf16" "utf16be"
    "utf16le" "utf8" "validation_auc" "validation_loss" "windows1252"))
((identifier) @type.builtin
  (#any-of? @type.builtin "f32" "fields" "int" "float" "bool"
    "binary" "classes" "depth" "multilabel" "normals" "regression" "segmentation"))
((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin
    "accuracy" "adam" "adamw" "affinity" "all" "all_shared" "auc" "auto"
    "bce" "beam" "cagrad" "celeba" "column" "constant" "cosine" "cosine_similarity"
    "cross_entropy" "csv" "dselect_k" "dwa" "equal" "exact" "expected_cost" "exponential"
    "f1" "famo" "fold" "full" "gradnorm" "group" "hierarchy_synthetic" "huber"
    "idx" "independent" "inverse" "inverse_sqrt" "iou" "l1" "learn_to_branch" "log_loss"
    "ltb_synthetic" "mae" "mmoe_synthetic" "moving_average" "mse" "multi_mnist" "none" "npy"
    "one" "pairwise" "pcgrad" "r2" "random" "reinforce" "rlw" "rmse"
    "sgd" "share" "snr" "some" "static" "step" "uncertainty" "warmup"))
((path . (identifier) @function.builtin .)
  (#any-of? @function.builtin
    "add" "avg_pool" "batch_norm" "bias" "concat" "concat_fields" "conv" "dropout"
    "elu" "embedding" "flatten" "gelu" "global_avg_pool" "group_norm" "identity" "layer_norm"
    "leaky_relu" "linear" "match" "max_pool" "mean" "mix" "mul" "one_hot"
    "relu" "scale" "sigmoid" "silu" "softmax" "tanh" "upsample"))
(call callee: (path (identifier) @function))
((call callee: (path . (identifier) @function.builtin .))
  (#any-of? @function.builtin
    "add" "avg_pool" "batch_norm" "bias" "concat" "concat_fields" "conv" "dropout"
    "elu" "embedding" "flatten" "gelu" "global_avg_pool" "group_norm" "identity" "layer_norm"
    "leaky_relu" "linear" "match" "max_pool" "mean" "mix" "mul" "one_hot"
    "relu" "scale" "sigmoid" "silu" "softmax" "tanh" "upsample"))
(item name: (path (identifier) @type))
(nested name: (path (identifier) @function))
(parameter name: (identifier) @variable.parameter)
(argument name: (identifier) @property)
(attribute key: (identifier) @variable)
((attribute key: (identifier) @property)
  (#any-of? @property
    "activations" "affinities" "alike" "alpha" "augment" "average" "b_std" "baseline"
    "batch" "beta" "beta1" "beta2" "better" "bias" "buckets" "budget"
    "by" "c" "categories" "channels" "choices" "choose" "clip" "clustering"
    "columns" "copies" "correlation" "cost" "count_include_pad" "dampening" "decay" "decimal"
    "delimiter" "delta" "delta_std" "derived" "dilation" "dim" "direction" "distinct"
    "distribution" "draws" "drop" "drop_last" "encoding" "entropy" "epochs" "eps"
    "every" "except" "exif" "factor" "families" "final_affine" "fine_tune" "format"
    "fraction" "from" "gain" "gamma" "gate" "group" "groups" "header"
    "held_out" "hidden" "idle" "ignore" "images" "index" "inputs" "k"
    "kernel" "label" "label_smoothing" "labels" "lambda" "layout" "leave_out" "loss"
    "lr" "mask" "measure" "memory" "metrics" "min_count" "minus" "missing"
    "mode" "momentum" "name" "nesterov" "noise_std" "noises" "normalize" "numeric"
    "of" "optimizer" "outputs" "over" "p" "padding" "pairs" "parts"
    "patience" "penalty" "per" "place" "pos_weight" "precision" "query" "range"
    "rate" "reads" "resize" "reward" "root" "sampler" "samples" "scale"
    "scale_gradients" "schedule" "searched" "seed" "select" "self" "shared" "shift"
    "size" "slope" "smooth" "spec" "split" "split_seed" "standardize" "start"
    "steps" "strategy" "stratify" "stride" "strip" "tasks" "temperature" "terms"
    "test" "test_images" "test_labels" "test_samples" "then" "thousands" "threshold" "time"
    "to" "tool" "train" "tuner" "unit" "units" "unknown" "validation"
    "validation_samples" "value" "warmup" "weight" "weight_decay" "weighting" "weights" "width"))
(edge (path (identifier) @variable))
