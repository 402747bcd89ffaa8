//! The distinct texts of a column.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Texts with indices from 0 in the order of their first occurrence. Each text is stored once; the hash table stores indices, not
/// texts, so that even a vocabulary as large as the file fits in memory.
#[derive(Debug, Clone, Default)]
pub struct Words {
    list: Vec<String>,
    /// An open-addressing hash table of indices plus one; 0 is free. Its size is a power of two, and at most three quarters are in use.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Words {
    pub fn list(&self) -> &[String] {
        &self.list
    }

    pub fn into_list(self) -> Vec<String> {
        self.list
    }

    /// The index of a text, which is added if it is new.
    pub fn number(&mut self, text: &str) -> u32 {
        if (self.list.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let mut at = self.start(text);
        loop {
            match self.slots[at] {
                0 => {
                    self.list.push(text.to_string());
                    self.slots[at] = self.list.len() as u32;
                    return self.list.len() as u32 - 1;
                }
                n if self.list[n as usize - 1] == text => return n - 1,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    fn start(&self, text: &str) -> usize {
        self.hasher.hash_one(text) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(16)];
        for n in 0..self.list.len() {
            let mut at = self.start(&self.list[n]);
            while self.slots[at] != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = n as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn texts_are_numbered_once() {
        let mut words = Words::default();
        for round in 0..2 {
            for i in 0..1000u32 {
                assert_eq!(words.number(&format!("w{i}")), i, "round {round}");
            }
        }
        assert_eq!(words.number(""), 1000);
        assert_eq!(words.list()[7], "w7");
        assert_eq!(words.into_list().len(), 1001);
    }
}
