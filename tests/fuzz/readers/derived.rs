//! Mutated derived files. One whose digest still agrees means what was derived: judged without the digest.

use std::path::Path;

use mtlc::artifact::{self, Derivation, Provenance};
use mtlc::check::Checked;
use mtlc::driver::Compiled;
use mtlc::experiment::verify::{Verdict, untouched};
use mtlc::hir::Options;
use mtlc::ir::ChoiceKind;
use mtlc::ir::derive::{Decision, derive};
use mtlc::{ir, plan};

use crate::dice::Dice;
use crate::judge;
use crate::mutate::{bytes, tokens, tree};
use crate::runner::Target;
use crate::seeds::Seeds;
use crate::specs::Files;

pub struct Derived {
    seeds: Seeds,
    files: Files,
    /// Meaning by the digest that a derived file carries.
    meanings: std::collections::HashMap<String, Vec<String>>,
}

impl Derived {
    pub fn new() -> Derived {
        let files = Files::new();
        let mut paths: Vec<_> = files.by_path.keys().cloned().collect();
        paths.sort();
        let mut texts = Vec::new();
        for path in paths {
            // The large ones would take most of the time and show no more.
            let text = &files.by_path[&path];
            if text.len() < 6_000 {
                texts.extend((0..3).filter_map(|n| derived(&files, text, &mut Dice::new(n, "derived", 0))));
            }
        }
        assert!(texts.len() > 20, "only {} derived files", texts.len());
        let mut meanings = std::collections::HashMap::new();
        for text in &texts {
            let c = files.compile(text, &Options::default());
            let own = own_digest(&c).expect("a derived file carries its digest");
            assert!(holds(&c), "a derived file that is fresh:\n{text}");
            meanings.insert(own, meaning(&c).expect("a derived file is clean"));
        }
        Derived { seeds: Seeds::new(texts, |_| true), files, meanings }
    }
}

fn own_digest(c: &Compiled) -> Option<String> {
    own(c.checked.as_ref()?)
}

/// Whether a file passes for what was derived: what `mtlc verify` asks. A file whose data have no schema cannot be told from one
/// of other data, and is judged like one that passes.
fn holds(c: &Compiled) -> bool {
    let of = |c: &Checked| own(c).is_some() && untouched("the file", c).verdict != Verdict::Differs;
    c.checked.as_ref().is_some_and(of)
}

fn own(c: &Checked) -> Option<String> {
    c.spec.provenance.as_ref().map(|p| p.args.str("self").to_string())
}

fn meaning(c: &Compiled) -> Option<Vec<String>> {
    let checked = c.checked.as_ref()?;
    let network = checked.fixed.as_ref()?;
    Some(match plan::lower(checked, network) {
        Ok((plan, _)) => judge::meaning(checked, &plan),
        // Open sizes: what is written beside the network is judged all the same.
        Err(_) => judge::beside(checked),
    })
}

/// A derived file of a spec: its own topology, or one that chance decides.
fn derived(files: &Files, text: &str, dice: &mut Dice) -> Option<String> {
    let c = files.compile(text, &Options::default());
    let checked = c.checked.as_ref()?;
    let topology = match (&checked.spec.topology, &checked.spec.space, &checked.supernet) {
        (Some(t), ..) => t.clone(),
        (None, Some(space), Some(network)) => {
            let one = |c: &ir::Choice, dice: &mut Dice| match &c.kind {
                ChoiceKind::Some { queries } => {
                    let some: Vec<usize> = (0..c.candidates).filter(|_| dice.one_in(2)).collect();
                    let some = if some.is_empty() { vec![0] } else { some };
                    Decision::Some(some, dice.roll(queries.len()))
                }
                _ => Decision::One(dice.roll(c.candidates)),
            };
            let decisions: Vec<Decision> = network.choices.iter().map(|c| one(c, dice)).collect();
            derive(&checked.spec, space, network, &decisions).topology
        }
        _ => return None,
    };
    let provenance = Provenance::new(&checked.spec, "learn_to_branch", 7, vec![("validation_loss".into(), 0.25)]);
    let text = artifact::derived_file(Derivation {
        sources: &c.sources,
        spec: &checked.spec,
        topology: &topology,
        folder: Path::new("examples"),
        provenance: &provenance,
    });
    let back = files.compile(&text, &Options::default());
    assert!(!back.has_errors(), "a derived file has errors: {:?}\n{text}", back.diagnostics);
    back.checked.as_ref()?.fixed.as_ref().map(|_| text)
}

impl Target for Derived {
    fn name(&self) -> &'static str {
        "derived"
    }
    fn ending(&self) -> &'static str {
        ".derived.mtl"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 300)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let seed = self.seeds.pick(dice);
        let times = [1, 1, 2, 3][dice.roll(4)];
        match dice.roll(10) {
            0..=2 => tree::mutate(&seed.text, &seed.nodes, &self.seeds, dice).into_bytes(),
            3..=6 => tokens::gentle(&seed.text, &self.seeds, times, dice).into_bytes(),
            7 => tokens::mutate(&seed.text, &self.seeds, times, dice).into_bytes(),
            8 => tokens::relayout(&seed.text, dice).into_bytes(),
            _ => {
                let mut data = seed.text.clone().into_bytes();
                bytes::mutate(&mut data, b"", dice);
                data
            }
        }
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        let text = String::from_utf8_lossy(input);
        let c = self.files.compile(&text, &Options::default());
        if c.checked.is_none() {
            return "errors";
        }
        if !holds(&c) {
            return if own_digest(&c).is_some() { "edited" } else { "not derived any more" };
        }
        let own = own_digest(&c).expect("it holds");
        // Two mutations may make a digest that is right for what no seed means only by breaking sha256.
        let wanted = self.meanings.get(&own).expect("a digest of no derived file agrees");
        assert_eq!(meaning(&c).as_ref(), Some(wanted), "a file that means something else passes for what was derived");
        "untouched"
    }
}
