//! `one_hot`: columns of a table as numbers, without anything learned.

use candle_core::{Result, Tensor};

use super::kernel::table;
use super::{Arity, Dim, Field, Fields, Op, OpDef, Pass, TensorType, input, path};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "one_hot",
        doc: "Columns as numbers, in their order: a category becomes as many numbers as it has values (the first for missing \
              and unknown), one of them 1; a number stays itself.",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| Ok(vec![Box::new(OneHot { fields: input::fields(&inputs[0])?.clone() })]),
};

#[derive(Debug)]
struct OneHot {
    fields: Fields,
}

impl OneHot {
    fn width(&self) -> Option<usize> {
        let width = |f: &Field| match f {
            Field::Numeric => 1,
            Field::Category { values } => *values,
        };
        self.fields.0.as_ref().map(|fields| fields.iter().map(width).sum())
    }
}

impl Op for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    fn output(&self) -> TensorType {
        TensorType::Dense(vec![self.width().map_or(Dim::Open, Dim::Known)])
    }

    /// Without a gradient for its input, which is data.
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let (Some(fields), Some(width)) = (&self.fields.0, self.width()) else {
            candle_core::bail!("one_hot ran before its columns were known")
        };
        let x = inputs[0].detach();
        if path::own_kernel(&x) {
            let (n, flat) = (x.dim(0)?, x.flatten_all()?);
            return match x.dtype() {
                candle_core::DType::F64 => {
                    Tensor::from_vec(table::one_hot(fields, width, &flat.to_vec1::<f64>()?), (n, width), x.device())
                }
                _ => Tensor::from_vec(table::one_hot(fields, width, &flat.to_vec1::<f32>()?), (n, width), x.device()),
            };
        }
        self.composed(fields, width, &x)
    }
}

impl OneHot {
    /// Every output column reads one column: its number, or whether it is a certain category.
    fn composed(&self, fields: &[Field], width: usize, x: &Tensor) -> Result<Tensor> {
        let (mut from, mut wanted, mut category) = (Vec::new(), Vec::new(), Vec::new());
        for (i, field) in fields.iter().enumerate() {
            let values = match field {
                Field::Numeric => 1,
                Field::Category { values } => *values,
            };
            for v in 0..values {
                from.push(i as u32);
                wanted.push(v as f64);
                category.push(u8::from(matches!(field, Field::Category { .. })));
            }
        }
        let device = x.device();
        let spread = x.index_select(&Tensor::from_vec(from, width, device)?, 1)?;
        let wanted = Tensor::from_vec(wanted, (1, width), device)?.to_dtype(x.dtype())?;
        let hot = spread.broadcast_eq(&wanted)?.to_dtype(x.dtype())?;
        let category = Tensor::from_vec(category, (1, width), device)?.broadcast_as(spread.shape())?;
        category.where_cond(&hot, &spread)
    }
}
