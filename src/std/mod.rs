//! The standard library: `.mtl` files embedded in the binary and read like any other. `prelude` holds blocks that are always in
//! scope; the other modules are brought by `use std.NAME`. Adding a module: a file here and a line in [`modules`].

static MODULES: &[(&str, &str)] = &[
    ("prelude", include_str!("prelude.mtl")),
    ("resnet18", include_str!("resnet18.mtl")),
    ("thin_vgg", include_str!("thin_vgg.mtl")),
    ("deep_wide", include_str!("deep_wide.mtl")),
    ("mmoe", include_str!("mmoe.mtl")),
];

/// Name and text of every module.
pub fn modules() -> &'static [(&'static str, &'static str)] {
    MODULES
}
