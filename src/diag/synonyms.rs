//! What other tools call it: their words, and ours for the same thing or the nearest one.

/// Theirs in small letters without `_`, ours: the same thing under another name. A fix may replace the one with the other.
const SAME: &[(&str, &[&str])] = &[
    // attributes and arguments
    ("batchsize", &["batch"]),
    ("bs", &["batch"]),
    ("minibatch", &["batch"]),
    ("learningrate", &["lr"]),
    ("numepochs", &["epochs"]),
    ("nepochs", &["epochs"]),
    ("maxepochs", &["epochs"]),
    ("warmupepochs", &["warmup"]),
    ("wd", &["weight_decay"]),
    ("kernelsize", &["kernel", "k"]),
    ("ksize", &["kernel", "k"]),
    ("strides", &["stride", "s"]),
    ("optim", &["optimizer"]),
    ("optimiser", &["optimizer"]),
    ("criterion", &["loss"]),
    ("losses", &["loss"]),
    ("metric", &["metrics"]),
    ("scheduler", &["schedule"]),
    ("lrschedule", &["schedule"]),
    ("lrscheduler", &["schedule"]),
    ("clipnorm", &["clip"]),
    ("sep", &["delimiter"]),
    ("separator", &["delimiter"]),
    ("numerical", &["numeric"]),
    ("ignoreindex", &["ignore"]),
    ("ignorelabel", &["ignore"]),
    ("usecols", &["columns"]),
    ("val", &["validation"]),
    ("valid", &["validation"]),
    // ops
    ("dense", &["linear"]),
    ("fc", &["linear"]),
    ("fullyconnected", &["linear"]),
    ("conv2d", &["conv"]),
    ("convolution", &["conv"]),
    ("convolution2d", &["conv"]),
    ("maxpooling", &["max_pool"]),
    ("maxpool2d", &["max_pool"]),
    ("maxpooling2d", &["max_pool"]),
    ("avgpooling", &["avg_pool"]),
    ("avgpool2d", &["avg_pool"]),
    ("averagepooling", &["avg_pool"]),
    ("gap", &["global_avg_pool"]),
    ("globalaveragepooling", &["global_avg_pool"]),
    ("globalaveragepooling2d", &["global_avg_pool"]),
    ("globalavgpool2d", &["global_avg_pool"]),
    ("bn", &["batch_norm"]),
    ("batchnorm2d", &["batch_norm"]),
    ("batchnormalization", &["batch_norm"]),
    ("layernormalization", &["layer_norm"]),
    ("concatenate", &["concat"]),
    ("cat", &["concat"]),
    ("swish", &["silu"]),
    // kinds of tasks
    ("bool", &["binary"]),
    ("boolean", &["binary"]),
    ("binaryclassification", &["binary"]),
    // losses and metrics
    ("crossentropyloss", &["cross_entropy"]),
    ("ce", &["cross_entropy"]),
    ("bcewithlogits", &["bce"]),
    ("mseloss", &["mse"]),
    ("l1", &["mae"]),
    ("acc", &["accuracy"]),
    ("rocauc", &["auc"]),
    ("auroc", &["auc"]),
    ("r2score", &["r2"]),
    // units
    ("iter", &["steps"]),
    ("iters", &["steps"]),
    ("iterations", &["steps"]),
    ("iteration", &["step", "steps"]),
    ("batches", &["steps"]),
];

/// Theirs, and the nearest thing of ours. It may differ in a detail, so the fix is offered and not made.
const LIKE: &[(&str, &[&str])] = &[
    ("stepsize", &["lr"]),
    ("l2", &["weight_decay"]),
    ("decay", &["weight_decay"]),
    ("k", &["kernel"]),
    ("earlystopping", &["patience"]),
    ("earlystoppingpatience", &["patience"]),
    ("gradclip", &["clip"]),
    ("tau", &["temperature"]),
    ("type", &["format"]),
    ("path", &["train"]),
    ("file", &["train"]),
    ("filename", &["train"]),
    ("source", &["train"]),
    ("target", &["label"]),
    ("y", &["label"]),
    ("output", &["label"]),
    ("layer", &["stage"]),
    ("categorical", &["categories"]),
    ("categoricalcolumns", &["categories"]),
    ("void", &["ignore"]),
    ("channelslast", &["layout"]),
    ("dataformat", &["layout"]),
    ("axes", &["layout"]),
    ("interpolation", &["resize"]),
    ("interpolate", &["resize"]),
    ("orientation", &["exif"]),
    ("exclude", &["except", "drop"]),
    ("dropcolumns", &["drop"]),
    ("adaptiveavgpool", &["global_avg_pool"]),
    ("adaptiveavgpool2d", &["global_avg_pool"]),
    ("dropout2d", &["dropout"]),
    ("onehotencoding", &["one_hot"]),
    ("upsampling", &["upsample"]),
    ("interpolate", &["upsample"]),
    ("sigmoid", &["binary"]),
    ("classification", &["classes"]),
    ("multiclass", &["classes"]),
    ("categorical", &["classes"]),
    ("softmax", &["classes"]),
    ("nll", &["cross_entropy"]),
    ("bceloss", &["bce"]),
    ("binarycrossentropy", &["bce"]),
    ("l2loss", &["mse"]),
    ("ep", &["epochs"]),
    ("eps", &["epochs"]),
];

/// Words of other tools that have no equal here. Some are one letter from a word of ours, and are no slips of the keyboard.
const OTHER: &[&str] = &[
    // activations
    "relu6",
    "prelu",
    "rrelu",
    "crelu",
    "selu",
    "celu",
    "mish",
    "hardswish",
    "hardtanh",
    "hardsigmoid",
    "softplus",
    "softsign",
    "softmin",
    "logsoftmax",
    "logsigmoid",
    "tanhshrink",
    "threshold",
    "glu",
    "swiglu",
    "geglu",
    "maxout",
    // layers
    "conv1d",
    "conv3d",
    "convtranspose",
    "convtranspose2d",
    "deconv",
    "bilinear",
    "instancenorm",
    "localresponsenorm",
    "rmsnorm",
    "maxpool1d",
    "maxpool3d",
    "avgpool1d",
    "avgpool3d",
    "alphadropout",
    "lstm",
    "gru",
    "rnn",
    // losses and metrics
    "mape",
    "smape",
    "msle",
    "rmsle",
    "nll",
    "ctc",
    "hinge",
    "dice",
    "poisson",
    "gaussiannll",
    "kldiv",
    "triplet",
    "auprc",
    "prauc",
    "ndcg",
    "map",
    "mrr",
    "f2",
    "fbeta",
    "medae",
    // optimisers and schedules
    "rmsprop",
    "adagrad",
    "adadelta",
    "adamax",
    "nadam",
    "radam",
    "sgdw",
    "lamb",
    "lars",
    "lion",
    "lbfgs",
    "ftrl",
    "steplr",
    "multisteplr",
    "exponentiallr",
    "cosineannealinglr",
    "reducelronplateau",
    "onecyclelr",
    "cycliclr",
    "lambdalr",
    "polynomiallr",
];

/// Small letters without `_` and `-`: two words that agree in this are one word.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['_', '-'], "")
}

/// The one of `candidates` that is the same thing, or the nearest thing, by another tool's name, or by other capitals and underscores.
pub fn find<'a>(word: &str, mut candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let theirs = plain(word);
    let same = candidates.clone().find(|c| plain(c) == theirs);
    same.or_else(|| {
        let ours = SAME.iter().chain(LIKE).filter(|(t, _)| *t == theirs).flat_map(|(_, ours)| *ours).copied();
        ours.into_iter().find_map(|o| candidates.find(|c| *c == o))
    })
}

/// Whether the two words name the same thing: one word in other capitals and underscores, or another tool's name of it.
pub fn same(word: &str, ours: &str) -> bool {
    let theirs = plain(word);
    theirs == plain(ours) || SAME.iter().any(|(t, o)| *t == theirs && o.contains(&ours))
}

/// Whether a word is another tool's name of something that is not quite, or not at all, known here.
pub fn differs(word: &str) -> bool {
    let theirs = plain(word);
    OTHER.contains(&theirs.as_str()) || LIKE.iter().any(|(t, _)| *t == theirs)
}
