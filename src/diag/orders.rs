//! The order of arguments in other tools, where it is not ours: for reports of arguments that need their names.

/// How another tool reads the arguments without names.
pub struct Order {
    /// What it is called here.
    pub name: &'static str,
    pub tool: &'static str,
    pub form: &'static str,
    /// Our names in their order; empty for what is not written here, because the input says it.
    pub names: &'static [&'static str],
}

const fn torch(name: &'static str, form: &'static str, names: &'static [&'static str]) -> Order {
    Order { name, tool: "PyTorch", form, names }
}

static TABLE: &[Order] = &[
    torch(
        "conv",
        "Conv2d(in_channels, out_channels, kernel_size, stride, padding)",
        &["", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"],
    ),
    torch("linear", "Linear(in_features, out_features, bias)", &["", "units", "bias"]),
    torch("embedding", "Embedding(num_embeddings, embedding_dim)", &["", "size"]),
    torch("batch_norm", "BatchNorm2d(num_features, eps, momentum)", &["", "eps", "momentum"]),
    torch("layer_norm", "LayerNorm(normalized_shape, eps)", &["", "eps"]),
    torch("group_norm", "GroupNorm(num_groups, num_channels, eps)", &["groups", "", "eps"]),
    torch("upsample", "Upsample(size, scale_factor, mode)", &["", "factor", "mode"]),
    torch("step", "StepLR(step_size, gamma)", &["every", "rate"]),
    torch("exponential", "ExponentialLR(gamma)", &["rate"]),
    torch("cosine", "CosineAnnealingLR(T_max, eta_min)", &["over", "to"]),
    torch(
        "sgd",
        "SGD(lr, momentum, dampening, weight_decay)",
        &["lr", "momentum", "dampening", "weight_decay", "nesterov"],
    ),
];

/// The order of another tool for what is called this here.
pub fn of(name: &str) -> Option<&'static Order> {
    TABLE.iter().find(|o| o.name == name)
}

/// All lines.
pub fn table() -> &'static [Order] {
    TABLE
}
