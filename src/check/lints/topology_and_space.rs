//! A topology next to a space: each command uses one of them.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let (Some(topology), Some(space)) = (&spec.topology, &spec.space) else { return };
    let message = "a program with a space and a topology: no command uses both";
    let d = Diagnostic::new(codes::TOPOLOGY_AND_SPACE, topology.span.unwrap_or(space.span), message)
        .label("`run` and `search` do not read this topology")
        .also(space.span, "`train` does not read this space");
    diags.push(d.help("keep one of them, and put the other into a file of its own that shares the rest by `use`"));
}
