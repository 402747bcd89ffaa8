//! Columns of a table as numbers: embedding and one-hot.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::{Kernel, Real, View, buffer};
use crate::ops::Field;

/// Where each column of the table finds its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The row of the numeric weights.
    Numeric(usize),
    /// Rows `first..first + values` of the category table.
    Category { first: usize, values: usize },
}

/// Positions of every column's parameters: categories one after the other, numeric columns likewise.
pub fn columns(fields: &[Field]) -> Vec<Column> {
    let (mut rows, mut numbers) = (0, 0);
    let place = |field: &Field| match *field {
        Field::Numeric => {
            numbers += 1;
            Column::Numeric(numbers - 1)
        }
        Field::Category { values } => {
            rows += values;
            Column::Category { first: rows - values, values }
        }
    };
    fields.iter().map(place).collect()
}

/// `[n, columns]`, as given at construction, to `[n, columns, size]`. Inputs: the category table `[rows, size]`, and weight
/// and bias of the numeric columns, each `[columns, size]`.
pub struct Embed {
    pub columns: Vec<Column>,
    /// The batch: numbers, and category numbers.
    pub batch: Vec<f64>,
}

impl Embed {
    /// The row of the table that a category number means.
    fn row(column: Column, value: f64) -> Result<usize> {
        match column {
            Column::Category { first, values } if value >= 0.0 && value < values as f64 => Ok(first + value as usize),
            Column::Category { values, .. } => bail!("category number {value} is not one of the column's 0..{values}"),
            Column::Numeric(i) => Ok(i),
        }
    }
}

impl Kernel<3> for Embed {
    const NAME: &'static str = "embedding";

    fn forward<T: Real>(&self, [table, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (f, size) = (self.columns.len(), table.dims[1]);
        let mut y = buffer::<T>(self.batch.len() * size);
        let rows = y.par_chunks_mut(f * size).zip(self.batch.par_chunks(f));
        rows.try_for_each(|(y, x)| {
            for ((y, value), column) in y.chunks_exact_mut(size).zip(x).zip(&self.columns) {
                let at = Embed::row(*column, *value)? * size;
                match column {
                    Column::Category { .. } => y.copy_from_slice(&table.data[at..at + size]),
                    Column::Numeric(_) => {
                        let v = T::of(*value);
                        let line = weight.data[at..].iter().zip(&bias.data[at..]);
                        for (y, (w, b)) in y.iter_mut().zip(line) {
                            *y = v * *w + *b;
                        }
                    }
                }
            }
            Ok::<_, candle_core::Error>(())
        })?;
        Ok((y, (self.batch.len() / f, f, size).into()))
    }

    fn backward<T: Real>(
        &self,
        [table, weight, bias]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (f, size) = (self.columns.len(), table.dims[1]);
        let mut dtable = vec![T::zero(); table.data.len()];
        let (mut dweight, mut dbias) = (vec![T::zero(); weight.data.len()], vec![T::zero(); bias.data.len()]);
        // Rows of a table collide between samples: samples in order, on one thread.
        for (dy, x) in dy.chunks_exact(f * size).zip(self.batch.chunks_exact(f)) {
            for ((dy, value), column) in dy.chunks_exact(size).zip(x).zip(&self.columns) {
                let at = Embed::row(*column, *value)? * size;
                match column {
                    Column::Category { .. } => {
                        for (d, g) in dtable[at..at + size].iter_mut().zip(dy) {
                            *d += *g;
                        }
                    }
                    Column::Numeric(_) => {
                        let v = T::of(*value);
                        for ((dw, db), g) in dweight[at..].iter_mut().zip(&mut dbias[at..]).zip(dy) {
                            *dw += v * *g;
                            *db += *g;
                        }
                    }
                }
            }
        }
        Ok([wanted[0].then_some(dtable), wanted[1].then_some(dweight), wanted[2].then_some(dbias)])
    }
}

/// `[n, columns]` to `[n, width]`: categories one-hot, numbers as they are. Without gradient: columns are data.
pub fn one_hot<T: Real>(fields: &[Field], width: usize, batch: &[T]) -> Vec<T> {
    let mut y = vec![T::zero(); batch.len() / fields.len().max(1) * width];
    for (y, x) in y.chunks_exact_mut(width).zip(batch.chunks_exact(fields.len())) {
        let mut at = 0;
        for (field, v) in fields.iter().zip(x) {
            match *field {
                Field::Numeric => {
                    y[at] = *v;
                    at += 1;
                }
                Field::Category { values } => {
                    let v = v.to_f64();
                    if v >= 0.0 && v < values as f64 {
                        y[at + v as usize] = T::one();
                    }
                    at += values;
                }
            }
        }
    }
    y
}
