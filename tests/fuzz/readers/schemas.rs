//! Mutated schema items: what is read is written and read again as the same, and a spec that stands on one compiles or is
//! refused, whatever the facts.

use mtlc::data::Schema;
use mtlc::hir::Options;

use crate::dice::Dice;
use crate::mutate::tokens;
use crate::runner::Target;
use crate::seeds::Seeds;
use crate::specs::{Files, spec_laws};

const SPEC: &str = r#"mtl 1

data d { format = csv, train = "d.csv" }

schema d {
  format = csv
  missing = ["?", ""]
  file "d.csv" { bytes = 4096, sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  split train { rows = 80 }
  split validation { rows = 10 }
  split test { rows = 0 }
  column age { kind = numeric, mean = 38.5, std = 12.25, min = 17, max = 90 }
  column image { kind = numeric, shape = [1, 8, 8], mean = 0.5, std = 0.25, min = 0, max = 1, range = [0, 16] }
  column work {
    kind = category, missing = 3
    values = ["clerk", "nurse", "a \"b\", c"]
    counts = [50, 20, 7]
  }
  column pay { kind = numeric, mean = 1, std = 0.5, min = 0, max = 3, groups = [targets] }
}

input x: fields { from = d[age, work] }
input y: f32[1, 8, 8] { from = d.image, scale = [-1, 1] }
task rank: classes { label = d.pay }
task work: classes { label = d.work, mask = d.age > 20 }
task each[*]: regression { from = d.targets }

backbone net(x, y) {
  stage s1 { from = [x], out = embedding(4) -> concat_fields -> linear(8) }
  stage s2 { from = [y, s1], out = concat(y -> flatten, s1) -> linear(4) }
}

head for * = linear(outputs)
"#;

pub struct Schemas {
    seeds: Seeds,
    files: Files,
}

impl Schemas {
    pub fn new() -> Schemas {
        Schemas { seeds: Seeds::new(vec![SPEC.into()], |_| true), files: Files::new() }
    }
}

impl Target for Schemas {
    fn name(&self) -> &'static str {
        "schemas"
    }
    fn ending(&self) -> &'static str {
        ".schema.mtl"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 300)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let times = 1 + dice.roll(4);
        let text = match dice.roll(4) {
            0 => crate::mutate::tree::mutate(SPEC, &self.seeds.all[0].nodes, &self.seeds, dice),
            1 => tokens::mutate(SPEC, &self.seeds, times, dice),
            _ => tokens::gentle(SPEC, &self.seeds, times, dice),
        };
        text.into_bytes()
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        let text = String::from_utf8_lossy(input);
        let how = spec_laws(&self.files, &text);
        let compiled = self.files.compile(&text, &Options::default());
        for d in compiled.checked.iter().flat_map(|c| &c.spec.data) {
            let Some(schema) = &d.schema else { continue };
            let text = schema.to_mtl(&d.name);
            let back = Schema::from_ast(&crate::support::item(&text), &|_| unreachable!());
            assert_eq!(back.as_ref(), Ok(schema), "a schema changes by being written\n{text}");
        }
        how
    }
}
