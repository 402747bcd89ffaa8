//! `embedding(size)`: a learned vector per category, and a learned line per numeric column.

use candle_core::{DType, Result, Tensor};

use super::input::{self, SIZE};
use super::kernel::table::{self, Column};
use super::kernel::{self, record};
use super::{Arity, Dim, Field, Fields, Held, Init, Op, OpDef, Pass, TensorType, Way, WeightDef, path};
use crate::schema::{AttrDef, CallDef, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "embedding",
        doc: "A vector for every column: `fields(k)` to `[k, size]`. A category is mapped to its row of a learned table, whose row 0 is \
              for missing and unknown categories (`unknown` of the input trains it); a number is mapped to a learned vector times the \
              number plus a learned bias vector. All start from U(-1/sqrt(size), 1/sqrt(size)), as in FT-Transformer (Gorishniy et \
              al. 2021).",
        args: &[AttrDef { name: "size", ty: SIZE, need: Need::Required, doc: "Size of each vector." }],
    },
    arity: Arity::One,
    make: |args, inputs| {
        Ok(vec![Box::new(Embedding { fields: input::fields(&inputs[0])?.clone(), size: args.size("size") })])
    },
};

#[derive(Debug)]
struct Embedding {
    fields: Fields,
    size: usize,
}

impl Embedding {
    /// Rows of the table of categories, and numeric columns; open until the schema is frozen.
    fn rows(&self) -> [Dim; 2] {
        let Some(fields) = &self.fields.0 else { return [Dim::Open; 2] };
        let rows = fields.iter().map(|f| match f {
            Field::Category { values } => [*values, 0],
            Field::Numeric => [0, 1],
        });
        rows.fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]).map(Dim::Known)
    }
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn output(&self) -> TensorType {
        let columns = self.fields.0.as_ref().map_or(Dim::Open, |f| Dim::Known(f.len()));
        TensorType::Dense(vec![columns, self.size.into()])
    }

    /// `table` for the categories of all columns, one column after the other; `weight` and `bias` for numeric columns. What a
    /// table without such columns would leave empty is left out.
    fn weights(&self) -> Vec<WeightDef> {
        let [categories, numbers] = self.rows();
        let init = Init::Uniform { bound: 1.0 / (self.size as f64).sqrt() };
        let weights = [("table", categories), ("weight", numbers), ("bias", numbers)].into_iter();
        weights
            .filter(|(_, rows)| *rows != Dim::Known(0))
            .map(|(name, rows)| WeightDef::trained(name, [rows, self.size.into()], init))
            .collect()
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let Some(fields) = &self.fields.0 else { candle_core::bail!("embedding ran before its columns were known") };
        let (x, columns) = (inputs[0].detach(), table::columns(fields));
        let Some(first) = weights.first() else { candle_core::bail!("a table without columns") };
        if !path::own_kernel(first) {
            return self.composed(&x, &columns, weights);
        }
        let batch = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let kernel = table::Embed { columns, batch };
        if record::is_on() {
            let given: Vec<(usize, &Tensor)> = match weights {
                [weight, bias] => vec![(1, weight), (2, bias)],
                _ => weights.iter().enumerate().collect(),
            };
            return kernel.run(&given, self.size);
        }
        // A kernel has a fixed number of inputs: rows that nothing reads stand for what is not there.
        let none = || Tensor::zeros((1, self.size), first.dtype(), first.device());
        match weights {
            [table, weight, bias] => kernel::apply3(kernel, table, weight, bias),
            [weight, bias] => kernel::apply3(kernel, &none()?, weight, bias),
            _ => kernel::apply3(kernel, first, &none()?, &none()?),
        }
    }

    fn held(&self) -> Held {
        // The batch in f64.
        Held::NOTHING.and(self.fields.0.as_ref().map(|f| 8 * f.len()))
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}

impl Embedding {
    fn composed(&self, x: &Tensor, columns: &[Column], weights: &[Tensor]) -> Result<Tensor> {
        let n = x.dim(0)?;
        let index = |at: Vec<u32>| {
            let len = at.len();
            Tensor::from_vec(at, len, x.device())
        };
        // Categories first, then numbers, then everything in the order of the columns.
        let of_kind = |category: bool| -> Vec<u32> {
            let is = |c: &Column| matches!(c, Column::Category { .. }) == category;
            (0..columns.len() as u32).filter(|i| is(&columns[*i as usize])).collect()
        };
        let (categories, numbers) = (of_kind(true), of_kind(false));
        let mut parts = Vec::new();
        if !categories.is_empty() {
            let firsts = columns.iter().filter_map(|c| match c {
                Column::Category { first, .. } => Some(*first as f64),
                Column::Numeric(_) => None,
            });
            // In f64: numbers of rows pass 2^24, where f32 stops counting.
            let firsts = Tensor::from_vec(firsts.collect(), (1, categories.len()), x.device())?;
            let at = x.index_select(&index(categories.clone())?, 1)?.to_dtype(DType::F64)?.broadcast_add(&firsts)?;
            let rows = at.flatten_all()?.to_dtype(DType::U32)?;
            parts.push(weights[0].index_select(&rows, 0)?.reshape((n, categories.len(), self.size))?);
        }
        if let (false, [.., weight, bias]) = (numbers.is_empty(), weights) {
            let values = x.index_select(&index(numbers.clone())?, 1)?.to_dtype(weight.dtype())?.unsqueeze(2)?;
            parts.push(values.broadcast_mul(&weight.unsqueeze(0)?)?.broadcast_add(&bias.unsqueeze(0)?)?);
        }
        let all = Tensor::cat(&parts, 1)?;
        let mut place = vec![0; columns.len()];
        for (from, to) in categories.iter().chain(&numbers).enumerate() {
            place[*to as usize] = from as u32;
        }
        all.index_select(&index(place)?, 1)
    }
}
