//! Rewritings of a plan that keep its values: what a compiler knows of the network and a framework does not. One file each; all of
//! them are on unless `MTLC_WITHOUT` in the environment names them, separated by commas.
//!
//! [`recompute`] stands beside the table: it knows the batch and a budget, and says what a training step forgets.
//!
//! Adding one: a file with a `pub static PASS: Rewrite`, and a line in [`table`].

mod fuse;
mod level;
pub mod recompute;
mod siblings;

use super::Plan;

/// An entry of the table.
pub struct Rewrite {
    pub name: &'static str,
    pub doc: &'static str,
    pub run: fn(&mut Plan),
}

static TABLE: &[&Rewrite] = &[&fuse::PASS, &level::PASS, &siblings::PASS];

/// In the order in which they run.
pub fn table() -> &'static [&'static Rewrite] {
    TABLE
}

/// Which passes run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    off: Vec<String>,
}

impl Switches {
    pub fn all() -> Switches {
        Switches::default()
    }

    pub fn without<'a>(names: impl IntoIterator<Item = &'a str>) -> Switches {
        Switches { off: names.into_iter().map(|n| n.trim().to_string()).filter(|n| !n.is_empty()).collect() }
    }

    pub fn none() -> Switches {
        Switches::without(table().iter().map(|p| p.name))
    }

    /// As the environment says.
    pub fn chosen() -> Switches {
        std::env::var("MTLC_WITHOUT").map_or_else(|_| Switches::all(), |names| Switches::without(names.split(',')))
    }

    /// Names that no pass has.
    pub fn unknown(&self) -> Vec<&str> {
        let known = |n: &str| n == recompute::NAME || table().iter().any(|p| p.name == n);
        self.off.iter().map(String::as_str).filter(|n| !known(n)).collect()
    }

    fn is_on(&self, name: &str) -> bool {
        !self.off.iter().any(|n| n == name)
    }
}

pub fn rewrite(plan: &mut Plan, switches: &Switches) {
    for pass in table().iter().filter(|p| switches.is_on(p.name)) {
        (pass.run)(plan);
    }
}
