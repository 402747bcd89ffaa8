//! Mutated `search.json` of a run: what is derived from it is the topology that it decides, or nothing.

use std::path::Path;

use mtlc::artifact::{self, Standing};
use mtlc::driver::Compiled;
use mtlc::experiment::{RunFolder, SearchResult, apply, rederive};
use mtlc::hir::Options;

use super::Folder;
use crate::dice::Dice;
use crate::mutate::bytes;
use crate::runner::Target;
use crate::specs::Files;

const SPEC: &str = "mtl 1\ninput x: f32[3]\ntask a: binary\ntask b: binary\ntask c: binary\nbackbone net(x) {\n  stage s1 = mlp(4)\n  \
    stage s2 = mlp(4)\n}\nhead for * = linear(outputs)\nspace trees over net {\n  level s1 { copies = 2 }\n  level s2 { copies = 3 }\n}\n\
    search learn_to_branch { epochs = 3 }\n";

const GOOD: &str = r#"{"version": 1, "strategy": "learn_to_branch", "seed": 7, "epochs": 3, "steps": 9, "supernet_params": 9, "validation": {"loss": 0.25, "tasks": []},
  "choices": ["s2.a", "s2.b", "s2.c", "heads.a", "heads.b", "heads.c"], "decisions": [0, 1, 0, 0, 1, 2],
  "logits": [[0.1, 0.2]], "seconds": 1.5}"#;

pub struct Records {
    folder: Folder,
    files: Files,
    compiled: Compiled,
}

impl Records {
    pub fn new() -> Records {
        let files = Files::new();
        let compiled = files.compile(SPEC, &Options::default());
        assert!(compiled.checked.is_some(), "{:?}", compiled.diagnostics);
        Records { folder: Folder::new(), compiled, files }
    }
}

impl Target for Records {
    fn name(&self) -> &'static str {
        "records"
    }
    fn ending(&self) -> &'static str {
        ".search.json"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 300)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut text = GOOD.to_string();
        for _ in 0..dice.roll(4) {
            let (from, to) = *dice.pick(&[
                ("0,", "1,"),
                ("1,", "0,"),
                ("0,", "18446744073709551615,"),
                ("1,", "-1,"),
                ("2]", "3]"),
                ("2]", "2, 0]"),
                ("2]", "]"),
                ("0.25", "1e308"),
                ("0.25", "1e999"),
                ("0.25", "null"),
                ("0.25", "-0.0"),
                ("0.25", "NaN"),
                ("7", "18446744073709551615"),
                ("7", "9223372036854775808"),
                ("7", "7.0"),
                ("learn_to_branch", "other words"),
                ("learn_to_branch", ""),
                ("learn_to_branch", "a\\\"b\\n#"),
                ("learn_to_branch", "train"),
                ("3", "18446744073709551615"),
                ("\"seed\"", "\"sead\""),
                ("{", "[[[["),
                ("\"heads.a\", ", ""),
                ("}", ""),
            ]);
            let places: Vec<usize> = text.match_indices(from).map(|(i, _)| i).collect();
            if !places.is_empty() {
                let at = *dice.pick(&places);
                text.replace_range(at..at + from.len(), to);
            }
        }
        let mut data = text.into_bytes();
        if dice.one_in(3) {
            for _ in 0..1 + dice.roll(3) {
                bytes::mutate(&mut data, GOOD.as_bytes(), dice);
            }
        }
        data
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        self.folder.write("run.json", b"{}");
        self.folder.write("search.json", input);
        let folder = RunFolder::open(self.folder.path()).expect("it has a `run.json`");
        let saved: SearchResult = match folder.read_json("search.json") {
            Ok(saved) => saved,
            Err(e) => {
                assert!(e.to_string().contains("search.json"), "{e}");
                return "refused";
            }
        };
        let text = match rederive(&self.compiled, &saved, Path::new("net.mtl")) {
            Ok(text) => text,
            Err(e) => {
                assert!(e.to_string().contains("search.json"), "{e}");
                return "not derived";
            }
        };
        let back = self.files.compile(&text, &Options::default());
        assert!(!back.has_errors(), "the derived file has errors: {:?}\n{text}", back.diagnostics);
        let checked = back.checked.as_ref().expect("no errors");
        assert_eq!(artifact::verify_self(&checked.spec), Standing::Untouched, "\n{text}");
        let wanted = apply(self.compiled.checked.as_ref().expect("clean"), &saved.decisions).topology;
        let found = checked.spec.topology.as_ref().expect("it has one");
        assert!(artifact::same_meaning(&checked.spec, found, &wanted), "another topology than decided:\n{text}");
        "derived"
    }
}
