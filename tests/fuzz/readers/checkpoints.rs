//! Mutated weights through the safetensors reader, and into a model.

use mtlc::plan;
use mtlc::random::Randomness;
use mtlc::runtime::checkpoint::{load, load_model, save_model};
use mtlc::runtime::model::Model;

use super::Folder;
use crate::dice::Dice;
use crate::mutate::bytes;
use crate::runner::Target;
use crate::specs::Files;

const SPEC: &str = "mtl 1\ninput x: f32[3]\ntask a: binary\ntask b: regression(2)\nbackbone net(x) { stage s = linear(4) -> relu }\n\
    head for * = linear(outputs)\ntopology over net {\n  s.a <- x\n  a, b <- s.a\n}\n";

pub struct Checkpoints {
    folder: Folder,
    model: Model,
    good: Vec<u8>,
    /// Weights of the same names, other sizes.
    other: Vec<u8>,
}

fn model(text: &str) -> Model {
    let compiled = Files::new().compile(text, &Default::default());
    let checked = compiled.checked.expect("the spec is clean");
    let (plan, symbols) = plan::lower(&checked, checked.fixed.as_ref().expect("a topology")).expect("no open sizes");
    Model::new(plan, symbols, Randomness::new(7), &candle_core::Device::Cpu).expect("a small model")
}

impl Checkpoints {
    pub fn new() -> Checkpoints {
        let folder = Folder::new();
        let (model, wide) = (model(SPEC), model(&SPEC.replace("linear(4)", "linear(6)")));
        let path = folder.path().join("w");
        let saved = |m: &Model| {
            let held = mtlc::source::Folder::open(folder.path()).expect("a folder");
            save_model(&held, "w", m, "network").expect("it is written");
            std::fs::read(&path).expect("it was written")
        };
        let (good, other) = (saved(&model), saved(&wide));
        Checkpoints { model, good, other, folder }
    }
}

/// The length of the header, the header, the values.
fn parts(file: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let length = usize::try_from(u64::from_le_bytes(file.get(..8)?.try_into().ok()?)).ok()?;
    let end = length.checked_add(8)?;
    Some((length, file.get(8..end)?, &file[end..]))
}

impl Target for Checkpoints {
    fn name(&self) -> &'static str {
        "checkpoints"
    }
    fn ending(&self) -> &'static str {
        ".safetensors"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 400)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let file = if dice.one_in(5) { &self.other } else { &self.good };
        if dice.one_in(3) {
            let mut data = file.clone();
            for _ in 0..1 + dice.roll(4) {
                bytes::mutate(&mut data, &self.other, dice);
            }
            if dice.one_in(4) && data.len() >= 8 {
                let length = *dice.pick(&[0, 1, 2, u64::MAX, 1 << 63, (1 << 63) - 8, 100_000_001, data.len() as u64]);
                data[..8].copy_from_slice(&length.to_le_bytes());
            }
            return data;
        }
        // The header as text, its length made right again.
        let (_, header, values) = parts(file).expect("it was written here");
        let mut header = String::from_utf8(header.to_vec()).expect("JSON");
        let mut values = values.to_vec();
        for _ in 0..1 + dice.roll(3) {
            let (from, to) = *dice.pick(&[
                ("F32", "F64"),
                ("F32", "F16"),
                ("F32", "I64"),
                ("F32", "BF16"),
                ("F32", "BOOL"),
                ("F32", "X"),
                ("weight", "bias"),
                ("bias", "weight"),
                ("s.a", "s.b"),
                ("[4", "[9223372036854775807"),
                ("[4", "[4294967296,4294967296"),
                ("[4", "[-4"),
                ("[4", "[4.0"),
                ("[4", "[2,2"),
                ("[0,", "[8,"),
                ("[0,", "[18446744073709551615,"),
                ("4]", "4,0]"),
                ("{\"", "{\"__metadata__\":{\"a\":\"b\"},\""),
                (",", ",,"),
                ("\"", ""),
                ("shape", "shap"),
                ("dtype", "dtype\":\"F32\",\"dtype"),
                ("heads", "héads"),
                ("heads", "\\u0000"),
                ("]", ""),
                ("}", "}}"),
                ("[", "[["),
                (":", ":null,\"x\":"),
                ("3]", "3,1]"),
                ("16", "12"),
                ("0,16", "16,0"),
            ]);
            let places: Vec<usize> = header.match_indices(from).map(|(i, _)| i).collect();
            if !places.is_empty() {
                let at = *dice.pick(&places);
                header.replace_range(at..at + from.len(), to);
            }
        }
        if dice.one_in(4) {
            let most = if dice.one_in(2) { values.len() / 2 } else { values.len() + 9 };
            values.resize(dice.roll(most + 1), 0x7f);
        }
        if dice.one_in(3) && values.len() >= 4 {
            let at = dice.roll(values.len() / 4) * 4;
            let odd = *dice.pick(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e-45]);
            values[at..at + 4].copy_from_slice(&odd.to_le_bytes());
        }
        let mut data = (header.len() as u64).to_le_bytes().to_vec();
        data.extend(header.into_bytes());
        data.extend(values);
        data
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        let path = self.folder.write("w.safetensors", input);
        let before = self.model.snapshot().expect("small");
        let read = load(&path);
        let how = match load_model(&path, &self.model) {
            Ok(()) => {
                let read = read.expect("a model takes what is read");
                assert!(read.iter().all(|(_, t)| finite(t)), "weights that are not numbers are taken");
                judged(&read, input);
                "loaded"
            }
            Err(e) => {
                let text = e.to_string();
                assert!(text.len() > 10 && text.contains("w.safetensors"), "a failure names the file: {text}");
                assert!(text.len() < 2000, "a failure says too much: {} bytes", text.len());
                for (old, var) in before.iter().zip(&self.model.vars) {
                    let same = |a: &candle_core::Tensor, b| numbers(a) == numbers(b);
                    assert!(same(old, var.as_tensor()), "weights that are refused leave the model as it was");
                }
                if read.is_ok() { "read, not loaded" } else { "refused" }
            }
        };
        self.model.restore(&before).expect("its own values");
        how
    }
}

fn numbers(t: &candle_core::Tensor) -> Vec<u32> {
    t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("f32").into_iter().map(f32::to_bits).collect()
}

fn finite(t: &candle_core::Tensor) -> bool {
    numbers(t).into_iter().all(|b| f32::from_bits(b).is_finite())
}

/// What was read is what the header says, found without the library.
fn judged(read: &[(String, candle_core::Tensor)], file: &[u8]) {
    let (_, header, values) = parts(file).expect("a file that is read has a header");
    let header: serde_json::Value = serde_json::from_slice(header).expect("a header is JSON");
    let entries = header.as_object().expect("an object").iter().filter(|(name, _)| *name != "__metadata__");
    assert_eq!(entries.clone().count(), read.len(), "as many tensors as entries");
    for (name, entry) in entries {
        let (_, tensor) = read.iter().find(|(n, _)| n == name).expect("every entry is read");
        let number = |v: &serde_json::Value| v.as_u64().expect("a whole number") as usize;
        let shape: Vec<usize> = entry["shape"].as_array().expect("a shape").iter().map(number).collect();
        assert_eq!(tensor.dims(), shape, "{name}");
        let ends: Vec<usize> = entry["data_offsets"].as_array().expect("two ends").iter().map(number).collect();
        let bytes = &values[ends[0]..ends[1]];
        let wanted: Vec<u32> = match entry["dtype"].as_str() {
            Some("F32") => bytes.chunks(4).map(|c| u32::from_le_bytes(c.try_into().expect("four"))).collect(),
            Some("F64") => {
                bytes.chunks(8).map(|c| (f64::from_le_bytes(c.try_into().expect("eight")) as f32).to_bits()).collect()
            }
            other => panic!("{other:?} is read as numbers"),
        };
        assert_eq!(numbers(tensor), wanted, "{name}");
    }
}
