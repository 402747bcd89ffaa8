//! What names mean in arithmetic: the parameters of the file, and what hides them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::eval::Const;

/// Names with a value: parameters of the file, and before them those of a block or a backbone, or the index of a repetition.
/// A clone costs what its local names cost, however many parameters the file has.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    file: Rc<HashMap<String, Const>>,
    /// Names that hide the file's.
    local: HashMap<String, Const>,
    /// Parameters of the file that were read, here and in all scopes made from this one.
    used: Rc<RefCell<HashSet<String>>>,
    /// A file could not be read that may declare any name: then no name is wrong.
    pub any_name: bool,
}

impl Scope {
    /// Gives a value to a parameter of the file.
    pub fn declare(&mut self, name: &str, value: Const) {
        Rc::make_mut(&mut self.file).insert(name.to_string(), value);
    }
    /// Gives a value to a name that hides a parameter of the file.
    pub fn set(&mut self, name: &str, value: Const) {
        self.local.insert(name.to_string(), value);
    }
    pub fn get(&self, name: &str) -> Option<&Const> {
        if let Some(found) = self.local.get(name) {
            return Some(found);
        }
        let found = self.file.get(name)?;
        if !self.used.borrow().contains(name) {
            self.used.borrow_mut().insert(name.to_string());
        }
        Some(found)
    }
    /// Whether anything read this parameter of the file.
    pub fn was_used(&self, name: &str) -> bool {
        self.used.borrow().contains(name)
    }
    /// All names in alphabetical order. They are sorted only when the first is asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self).flat_map(|s| {
            let hidden = |n: &&String| !s.local.contains_key(*n);
            let mut names: Vec<&str> = s.local.keys().chain(s.file.keys().filter(hidden)).map(String::as_str).collect();
            names.sort_unstable();
            names
        })
    }
}
