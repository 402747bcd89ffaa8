//! Mutated states of a training: a state that is read is, to the bit, one that was saved.

use candle_core::{DType, Device, Tensor};
use mtlc::runtime::state::{Best, Header, Marks, Position, State};

use super::Folder;
use crate::dice::Dice;
use crate::mutate::bytes;
use crate::runner::Target;

pub struct States {
    saved: Vec<(Vec<u8>, State)>,
}

fn state(step: u64, salt: f64) -> State {
    let values = |n: usize| (0..n).map(|i| i as f64 * salt - 1.0).collect::<Vec<f64>>();
    let tensor = |n: usize, dtype| Tensor::new(values(n), &Device::Cpu).and_then(|t| t.to_dtype(dtype)).expect("small");
    let validation = mtlc::runtime::record::SplitScores { loss: 0.25 * salt, tasks: Vec::new() };
    let train = mtlc::runtime::record::SplitLosses { loss: 0.5 * salt, tasks: Vec::new() };
    let header = Header {
        run: "0123456789abcdef".into(),
        phase: "search".into(),
        position: Position { epoch: 2, cursor: 3, step, learning_rate: salt, ..Position::default() },
        best: Some(Best { epoch: 1, train: train.clone(), validation: validation.clone() }),
        train: Some(train),
        validation: Some(validation),
        last_losses: vec![("left".into(), salt)],
        marks: Marks { metrics: 120, search: 40 },
    };
    let tensors = vec![
        ("weight/a".to_string(), tensor(6, DType::F32)),
        ("choice/0".to_string(), tensor(3, DType::F64)),
        ("optimizer/a/step".to_string(), Tensor::new(step as i64, &Device::Cpu).expect("small")),
    ];
    State { header, tensors }
}

impl States {
    pub fn new() -> States {
        let folder = Folder::new();
        let saved = [state(7, 0.5), state(8, 0.75)].map(|state| {
            let path = folder.path().join("s");
            let held = mtlc::source::Folder::open(folder.path()).expect("a folder");
            state.write(&held, "s").expect("it is written");
            (std::fs::read(&path).expect("it was written"), state)
        });
        States { saved: saved.into() }
    }
}

impl Target for States {
    fn name(&self) -> &'static str {
        "states"
    }
    fn ending(&self) -> &'static str {
        ".state"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 400)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut data = self.saved[0].0.clone();
        if dice.one_in(2) {
            for _ in 0..1 + dice.roll(4) {
                bytes::mutate(&mut data, &self.saved[1].0, dice);
            }
            return data;
        }
        // One sign for another, which leaves the header's length and the JSON whole more often.
        for _ in 0..1 + dice.roll(3) {
            let at = 8 + dice.roll(data.len() - 8);
            data[at] = *dice.pick(b"0123456789aftF[]{},:.-\"\\ en");
        }
        data
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        match State::from_bytes(input) {
            Ok(read) => {
                let same = |(_, s): &&(Vec<u8>, State)| s.header == read.header && numbers(s) == numbers(&read);
                assert!(self.saved.iter().any(|s| same(&s)), "a state that was never saved is read: {read:?}");
                "read"
            }
            Err(why) => {
                assert!((10..2000).contains(&why.len()), "{why}");
                "refused"
            }
        }
    }
}

/// Names, types, shapes and bits, by name.
fn numbers(state: &State) -> Vec<(String, DType, Vec<usize>, Vec<u64>)> {
    let mut all: Vec<_> = state
        .tensors
        .iter()
        .map(|(n, t)| {
            let flat = t.flatten_all().and_then(|t| t.to_dtype(DType::F64)).and_then(|t| t.to_vec1::<f64>());
            let bits = flat.expect("small").into_iter().map(f64::to_bits).collect();
            (n.clone(), t.dtype(), t.dims().to_vec(), bits)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}
