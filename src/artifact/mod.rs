//! placeholder until merged
use std::collections::HashMap;
use std::path::Path;
pub struct DerivedFile<'a> {
    pub compiled: &'a crate::driver::Compiled,
    pub topology: &'a crate::hir::Topology,
    pub schemas: &'a HashMap<String, crate::data::Schema>,
    pub folder: &'a Path,
    pub strategy: &'a str,
    pub seed: u64,
    pub searched: &'a [(&'a str, f64)],
}
pub fn derived_file(_: &DerivedFile) -> String { String::new() }
