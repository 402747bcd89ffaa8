//! `match(c, stride)`: the shortcut of a residual block (He et al. 2016, option B).

use super::batch_norm::BatchNorm;
use super::conv::Conv;
use super::input::{self, SIZE, STEP, Window};
use super::{Arity, Dim, Op, OpDef};
use crate::schema::{AttrDef, CallDef, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "match",
        doc: "Brings an image to `channels` channels at this stride: the image itself where it has them and the stride is \
              1, else a 1x1 convolution without bias and batch norm.",
        args: &[
            AttrDef { name: "channels", ty: SIZE, need: Need::Required, doc: "Channels to arrive at." },
            AttrDef { name: "stride", ty: STEP, need: Need::Default("1"), doc: "Stride to arrive at." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let (channels, stride) = (args.size("channels"), args.size("stride"));
        let [from, ..] = input::image(&inputs[0])?;
        if from == Dim::Known(channels) && stride == 1 {
            return Ok(Vec::new());
        }
        let window = Window { kernel: 1, stride, padding: 0, dilation: 1 };
        let conv = Conv::new(&inputs[0], channels, window, 1, false)?;
        let norm = BatchNorm::new(&conv.output())?;
        Ok(vec![Box::new(conv), Box::new(norm)])
    },
};
