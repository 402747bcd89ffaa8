//! Mutated array files through the readers of idx, npy and npz.

use mtlc::data::LoadContext;

use super::{Folder, data_laws, says_what};
use crate::dice::Dice;
use crate::mutate::bytes;
use crate::runner::Target;
use crate::support::{self, gzip, idx, npy, zip};

const WAYS: &[&str] = &[
    r#"format = idx, images = "a", labels = "b", validation = share(0.25)"#,
    r#"format = npy, train = ["a"], validation = share(0.25), columns = [x]"#,
    r#"format = npy, train = "a.npz", validation = share(0.25)"#,
];

pub struct Arrays {
    folder: Folder,
}

impl Arrays {
    pub fn new() -> Arrays {
        let folder = Folder::new();
        folder.write("b", &idx(&[4], &[0, 1, 2, 1]));
        Arrays { folder }
    }
}

/// A header of an array, its sizes mostly wrong.
fn array(dice: &mut Dice) -> Vec<u8> {
    let dtype = *dice.pick(&["<f4", "<f8", "<i4", "<i8", "|u1", "|b1", "<f2", ">f4", "", "<f4'", "O"]);
    let size = |dice: &mut Dice| *dice.pick(&[0, 1, 2, 3, 4, 8, 1 << 32, 1 << 62, usize::MAX]);
    let mut shape = vec![4, 2];
    if dice.one_in(2) {
        shape = (0..dice.roll(5)).map(|_| size(dice)).collect();
    }
    let body: Vec<u8> = (0..dice.roll(90)).map(|i| if dice.one_in(9) { dice.next() as u8 } else { i as u8 }).collect();
    npy(dtype, dice.one_in(9), &shape, &body)
}

impl Target for Arrays {
    fn name(&self) -> &'static str {
        "arrays"
    }
    fn ending(&self) -> &'static str {
        ".array"
    }
    fn rounds(&self) -> (u64, u64) {
        (10, 400)
    }

    fn make(&mut self, dice: &mut Dice) -> Vec<u8> {
        let way = dice.roll(WAYS.len());
        let mut data = match way {
            0 => {
                let sizes: Vec<u32> = match dice.roll(3) {
                    0 => (0..dice.roll(6)).map(|_| *dice.pick(&[0, 1, 2, 4, 255, 65_536, u32::MAX])).collect(),
                    _ => vec![4, 2, 3],
                };
                let mut made = idx(&sizes, &(0..24).collect::<Vec<u8>>());
                if dice.one_in(3) {
                    made[2] = *dice.pick(&[8, 9, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f]);
                }
                made
            }
            1 => array(dice),
            _ => {
                let members: Vec<(&str, Vec<u8>, bool)> = (0..1 + dice.roll(3))
                    .map(|i| (["x.npy", "y.npy", "../../z.npy"][i], array(dice), dice.one_in(2)))
                    .collect();
                zip(&members)
            }
        };
        let times = [0, 1, 1, 2, 4][dice.roll(5)];
        for _ in 0..times {
            // Headers decide: most changes go there.
            let most = if dice.one_in(2) { data.len().min(80) } else { data.len() };
            let tail = data.split_off(most);
            bytes::mutate(&mut data, &tail, dice);
            data.extend(tail);
        }
        if dice.one_in(10) {
            data = gzip(&data);
            if dice.one_in(2) {
                bytes::mutate(&mut data, b"", dice);
            }
        }
        data.insert(0, way as u8);
        data
    }

    fn run(&mut self, input: &[u8]) -> &'static str {
        let Some((way, data)) = input.split_first() else { return "nothing" };
        let way = WAYS[usize::from(*way) % WAYS.len()];
        self.folder.write("a", data);
        self.folder.write("a.npz", data);
        let (def, args) = support::attributes(way);
        match (def.load)(&args, &LoadContext { base: self.folder.path(), schema: None }) {
            Ok(raw) => {
                data_laws(&raw);
                "read"
            }
            Err(e) => {
                says_what(&e);
                "refused"
            }
        }
    }
}
