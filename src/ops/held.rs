//! What an op leaves for the way back of a training step, as the tape holds it with kernels of the CPU. `tests/memory` compares it
//! with what is allocated.

/// By reference, as a copy of its own, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Nothing,
    Same,
    /// Ops whose gradient is found by candle's graph read copies of the inputs that want one.
    Copy,
}

/// What the way back through an op reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub inputs: Reading,
    pub output: bool,
    /// The output is the input's numbers in another shape: no memory of its own.
    pub view: bool,
    /// Its gradient's memory becomes that of the input's.
    pub in_place: bool,
    /// Bytes a sample beside these: masks, places of maxima, what stands between.
    pub beside: u64,
    /// Bytes a sample that are there only while it runs, forward or back.
    pub room: u64,
}

impl Held {
    pub const NOTHING: Held =
        Held { inputs: Reading::Nothing, output: false, view: false, in_place: false, beside: 0, room: 0 };
    pub const INPUT: Held = Held { inputs: Reading::Same, ..Held::NOTHING };
    pub const OUTPUT: Held = Held { output: true, ..Held::NOTHING };
    pub const BOTH: Held = Held { inputs: Reading::Same, ..Held::OUTPUT };
    pub const GRAPH: Held = Held { inputs: Reading::Copy, ..Held::OUTPUT };
    pub const VIEW: Held = Held { view: true, in_place: true, ..Held::NOTHING };

    /// And so many bytes a sample.
    pub fn and(self, beside: Option<usize>) -> Held {
        Held { beside: beside.unwrap_or(0) as u64, ..self }
    }
}
