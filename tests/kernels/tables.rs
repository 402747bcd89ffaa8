//! Columns of a table as numbers: embeddings and one-hot.

use candle_core::{Device, Tensor};
use mtlc::ops::Field;
use mtlc::ops::grad::Grad;
use mtlc::ops::kernel::record::recording;
use mtlc::ops::kernel::table::{Column, Embed, columns, one_hot};

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::values;
use crate::expected::{Array, Call, Expected, Rounded};

/// Columns, and a batch of them: numbers, and category numbers.
fn table(dice: &mut Dice) -> (Vec<Field>, usize, Vec<f64>) {
    let manner = dice.between(0, 3);
    let count = dice.between(1, 12);
    let field = |dice: &mut Dice| match manner {
        0 => Field::Numeric,
        1 => Field::Category { values: dice.size(&[1, 2, 64], 900) },
        _ if dice.one_in(2) => Field::Numeric,
        _ => Field::Category { values: dice.size(&[1, 2, 64], 900) },
    };
    let fields: Vec<Field> = (0..count).map(|_| field(dice)).collect();
    let draw = [dice.size(&[1, 64, 256], 600), count];
    let rows = dice.fit(draw, 6000)[0];
    let mut batch = Vec::new();
    for _ in 0..rows {
        for field in &fields {
            batch.push(match field {
                Field::Numeric => dice.real(-2.0, 2.0),
                Field::Category { values } => dice.between(0, values - 1) as f64,
            });
        }
    }
    (fields, rows, batch)
}

/// Table, weights and biases with their gradients, and the embedding.
struct Embedding {
    fields: Vec<Field>,
    rows: usize,
    size: usize,
    batch: Vec<f64>,
    inputs: [Array; 3],
    y: Expected,
    dy: Vec<f64>,
    grads: [Expected; 3],
}

fn embedding(dice: &mut Dice) -> Embedding {
    let ((fields, rows, batch), size) = (table(dice), dice.size(&[1, 4, 16], 40));
    let count = |category: bool| {
        let of = |f: &Field| match f {
            Field::Numeric => usize::from(!category),
            Field::Category { values } => {
                if category {
                    *values
                } else {
                    0
                }
            }
        };
        fields.iter().map(of).sum::<usize>()
    };
    let [categories, numbers] = [count(true), count(false)];
    let inputs = [values(dice, &[categories, size]), values(dice, &[numbers, size]), values(dice, &[numbers, size])];
    let dy = values(dice, &[rows * fields.len() * size]).data;
    let mut y = Expected::zeros(0, 2);
    let mut grads = [categories, numbers, numbers].map(|n| Expected::zeros(n * size, rows * fields.len()));
    for (cell, value) in batch.iter().enumerate() {
        let f = cell % fields.len();
        let before = &fields[..f];
        for i in 0..size {
            let g = dy[cell * size + i];
            match fields[f] {
                Field::Category { .. } => {
                    let first: usize =
                        before.iter().map(|f| if let Field::Category { values } = f { *values } else { 0 }).sum();
                    let at = (first + *value as usize) * size + i;
                    y.push(inputs[0].data[at], 0.0);
                    grads[0].add(at, g, g.abs());
                }
                Field::Numeric => {
                    let at = before.iter().filter(|f| matches!(f, Field::Numeric)).count() * size + i;
                    let (w, b) = (inputs[1].data[at], inputs[2].data[at]);
                    y.push(value * w + b, (value * w).abs() + b.abs());
                    grads[1].add(at, value * g, (value * g).abs());
                    grads[2].add(at, g, g.abs());
                }
            }
        }
    }
    Embedding { fields, rows, size, batch, inputs, y, dy, grads }
}

impl Embedding {
    fn shape(&self) -> String {
        let Embedding { fields, rows, size, .. } = self;
        format!("{rows} rows of {fields:?}, size {size}")
    }

    fn kernel(&self) -> impl Fn() -> Embed + 'static {
        let (columns, batch): (Vec<Column>, Vec<f64>) = (columns(&self.fields), self.batch.clone());
        move || Embed { columns: columns.clone(), batch: batch.clone() }
    }

    /// As the tape runs it: the gradient of a large table is the rows that were read.
    fn recorded<T: Rounded>(&self) -> Result<usize, String> {
        let tensor = |a: &Array| Tensor::from_vec(a.typed::<T>(), a.dims.clone(), &Device::Cpu).expect("a tensor");
        let values = |t: Tensor| t.flatten_all().and_then(|t| t.to_vec1::<T>()).expect("numbers");
        let tensors: Vec<Tensor> = self.inputs.iter().map(tensor).collect();
        let given: Vec<(usize, &Tensor)> =
            tensors.iter().enumerate().filter(|(i, _)| self.inputs[*i].dims[0] > 0).collect();
        let (y, calls) = recording(|| (self.kernel())().run(&given, self.size));
        let y = y.map_err(|e| e.to_string())?;
        let [call] = &calls[..] else { return Err(format!("{} calls are recorded", calls.len())) };
        let mut compared = self.y.compare("output", &values(y.clone()))?;
        let dy = Grad::of(&tensor(&Array { dims: y.dims().to_vec(), data: self.dy.clone() })).expect("a gradient");
        let found = call.backward(dy, &vec![true; given.len()], true).map_err(|e| e.to_string())?;
        for ((place, _), grad) in given.iter().zip(found) {
            let grad = grad.ok_or("no gradient")?.tensor(&Device::Cpu).expect("a tensor");
            compared += self.grads[*place].compare(&format!("gradient of input {place}"), &values(grad))?;
        }
        Ok(compared)
    }
}

#[test]
fn embeddings() {
    campaign("embedding", |dice| {
        let e = embedding(dice);
        let (shape, make, dims) = (e.shape(), e.kernel(), vec![e.rows, e.fields.len(), e.size]);
        Call { dims, y: e.y, dy: e.dy, grads: e.grads.map(Some), inputs: e.inputs }.trial(shape, make)
    });
}

#[test]
fn embeddings_that_are_recorded() {
    campaign("embedding, recorded", |dice| {
        let e = embedding(dice);
        let shape = e.shape();
        Trial { shape, run: Box::new(move || Ok(e.recorded::<f32>()? + e.recorded::<f64>()?)) }
    });
}

#[test]
fn one_hot_columns() {
    campaign("one-hot", |dice| {
        let (fields, rows, mut batch) = table(dice);
        // What is not in the vocabulary has zeros alone.
        for (i, value) in batch.iter_mut().enumerate() {
            if let (Field::Category { values }, true) = (&fields[i % fields.len()], dice.one_in(10)) {
                *value = dice.pick(&[-1.0, *values as f64]);
            }
        }
        let mut y = Expected::zeros(0, 1);
        for (i, value) in batch.iter().enumerate() {
            match fields[i % fields.len()] {
                Field::Numeric => y.push(*value, 0.0),
                Field::Category { values } => (0..values).for_each(|v| y.push(f64::from(*value == v as f64), 0.0)),
            }
        }
        let (shape, width) = (format!("{rows} rows of {fields:?}"), y.value.len() / rows);
        let single: Vec<f32> = batch.iter().map(|v| *v as f32).collect();
        let run = move || {
            Ok(y.compare("output", &one_hot(&fields, width, &single))?
                + y.compare("output", &one_hot(&fields, width, &batch))?)
        };
        Trial { shape, run: Box::new(run) }
    });
}
