//! Columns of a table as numbers: embedding and one-hot.

use candle_core::{CpuStorage, DType, Device, Result, Shape, Storage, Tensor, TensorId, bail};
use rayon::prelude::*;

use super::record::{self, Call, Host};
use super::{Kernel, Real, View, buffer, view};
use crate::ops::Field;
use crate::ops::grad::Grad;
use crate::ops::rows::Rows;

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
        self.numbers([table, weight, bias], dy, wanted)
    }
}

impl Embed {
    /// Gradients as they are, of which the shapes of the inputs are all that is read. Of a table without rows none is found.
    fn numbers<T: Real>(
        &self,
        [table, weight, bias]: [View<T>; 3],
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (f, size) = (self.columns.len(), table.dims[1]);
        let mut dtable = vec![T::zero(); table.count()];
        let (mut dweight, mut dbias) = (vec![T::zero(); weight.count()], vec![T::zero(); bias.count()]);
        // Rows of a table collide between samples: samples in order, on one thread.
        for (dy, x) in dy.chunks_exact(f * size).zip(self.batch.chunks_exact(f)) {
            for ((dy, value), column) in dy.chunks_exact(size).zip(x).zip(&self.columns) {
                let at = Embed::row(*column, *value)? * size;
                match column {
                    Column::Category { .. } if dtable.is_empty() => {}
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

    /// The rows of the table that the batch read, with the sums of their gradients in the order of the samples.
    fn rows<T: Real>(&self, table: &Shape, dy: &[T]) -> Result<Rows> {
        let size = table.dims()[1];
        let mut places = Vec::with_capacity(self.batch.len());
        for (i, value) in self.batch.iter().enumerate() {
            let column = self.columns[i % self.columns.len()];
            if let Column::Category { .. } = column {
                places.push((Embed::row(column, *value)?, i));
            }
        }
        // Of one row in the order of the samples.
        places.sort_unstable();
        let mut rows: Vec<usize> = Vec::new();
        let mut values: Vec<T> = Vec::new();
        for (row, i) in places {
            if rows.last() != Some(&row) {
                rows.push(row);
                values.resize(values.len() + size, T::zero());
            }
            let first = values.len() - size;
            for (d, g) in values[first..].iter_mut().zip(&dy[i * size..]) {
                *d += *g;
            }
        }
        Rows::new(rows, values, table.clone())
    }
}

/// One call of [`Embed`], whose gradient of a large table is the rows that it read.
struct Looked {
    kernel: Embed,
    ids: Vec<TensorId>,
    gave: TensorId,
    /// Shapes of table, weight and bias, in the order of the kernel's inputs.
    shapes: [Shape; 3],
    /// Places of those that were given.
    given: Vec<usize>,
}

impl Embed {
    /// Runs it on those of table, weight and bias that there are, by their places, with the others empty; notes the call.
    pub fn run(self, given: &[(usize, &Tensor)], size: usize) -> Result<Tensor> {
        let Some((_, first)) = given.first() else { bail!("an embedding of nothing") };
        match first.dtype() {
            DType::F32 => self.typed::<f32>(given, size),
            DType::F64 => self.typed::<f64>(given, size),
            _ => bail!("embedding knows f32 and f64 only"),
        }
    }

    fn typed<T: Real>(self, given: &[(usize, &Tensor)], size: usize) -> Result<Tensor> {
        let mut shapes: [Shape; 3] = std::array::from_fn(|_| (0, size).into());
        let tensors: Vec<(usize, Tensor)> =
            given.iter().map(|(place, t)| Ok((*place, t.contiguous()?.detach()))).collect::<Result<_>>()?;
        tensors.iter().for_each(|(place, t)| shapes[*place] = t.shape().clone());
        let all: Vec<_> = tensors.iter().map(|(place, t)| (*place, t.storage_and_layout())).collect();
        let mut views: [View<T>; 3] = std::array::from_fn(|i| View { data: &[], dims: shapes[i].dims() });
        for (place, (storage, layout)) in &all {
            match &**storage {
                Storage::Cpu(s) => views[*place] = view::<T>(s, layout)?,
                _ => bail!("embedding runs on the CPU only"),
            }
        }
        let (values, shape) = Kernel::<3>::forward(&self, views)?;
        let output = Tensor::from_vec(values, shape, &Device::Cpu)?;
        let ids = given.iter().map(|(_, t)| t.id()).collect();
        let places = given.iter().map(|(place, _)| *place).collect();
        drop(all);
        record::note(Box::new(Looked { kernel: self, ids, gave: output.id(), shapes, given: places }));
        Ok(output)
    }
}

impl Looked {
    fn typed<T: Real>(&self, grad: &[T], wanted: &[bool]) -> Result<Vec<Option<Grad>>> {
        let mut asked = [false; 3];
        self.given.iter().zip(wanted).for_each(|(place, wanted)| asked[*place] = *wanted);
        let [table, weight, bias] = &self.shapes;
        fn view<T>(shape: &Shape) -> View<'_, T> {
            View { data: &[], dims: shape.dims() }
        }
        // As many rows as numbers are read make a table as large as what they came from.
        let few = self.kernel.batch.len() < table.dims()[0];
        let found: [Option<Grad>; 3] = if few {
            let rows = if asked[0] { Some(self.kernel.rows::<T>(table, grad)?) } else { None };
            let none: Shape = (0, table.dims()[1]).into();
            let [_, dweight, dbias] = self.kernel.numbers([view(&none), view(weight), view(bias)], grad, asked)?;
            [rows.map(Grad::Rows), host(dweight, weight), host(dbias, bias)]
        } else {
            let [dtable, dweight, dbias] = self.kernel.numbers([view(table), view(weight), view(bias)], grad, asked)?;
            [host(dtable, table), host(dweight, weight), host(dbias, bias)]
        };
        let mut found = found.map(Some);
        Ok(self.given.iter().map(|place| found[*place].take().flatten()).collect())
    }
}

fn host<T: Real>(values: Option<Vec<T>>, shape: &Shape) -> Option<Grad> {
    values.map(|v| Grad::Host(Host { values: T::to_cpu_storage_owned(v), shape: shape.clone() }))
}

impl Call for Looked {
    fn arguments(&self) -> &[TensorId] {
        &self.ids
    }

    fn output(&self) -> TensorId {
        self.gave
    }

    fn backward(&self, grad: Grad, wanted: &[bool], _: bool) -> Result<Vec<Option<Grad>>> {
        match grad.host()?.values {
            CpuStorage::F32(g) => self.typed(&g, wanted),
            CpuStorage::F64(g) => self.typed(&g, wanted),
            _ => bail!("embedding knows f32 and f64 only"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a table, and sums of columns, are what the dense gradient has, to the last bit; the other rows are zero.
    #[test]
    fn rows_are_those_of_the_dense_gradient() {
        let fields = [Field::Category { values: 40 }, Field::Numeric, Field::Category { values: 300 }];
        let (size, samples) = (5, 50);
        let batch: Vec<f64> =
            (0..samples).flat_map(|i| [(i * i % 7) as f64, i as f64 / 9.0, (i * 13 % 31) as f64]).collect();
        let kernel = Embed { columns: columns(&fields), batch };
        let dy: Vec<f32> = (0..samples * 3 * size).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect();
        let (table, one): (Shape, Shape) = ((340, size).into(), (1, size).into());
        fn view(shape: &Shape) -> View<'_, f32> {
            View { data: &[], dims: shape.dims() }
        }
        let dense = kernel.numbers([view(&table), view(&one), view(&one)], &dy, [true; 3]).unwrap();
        let rows = kernel.rows(&table, &dy).unwrap();
        assert!(rows.rows().len() < 60 && rows.rows().len() > 20);
        assert_eq!(Some(rows.dense::<f32>().unwrap()), dense[0]);
    }
}
