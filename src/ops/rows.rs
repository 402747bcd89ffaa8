//! The gradient of a table of which a step reads a few rows: those rows alone. All others are zero, and nowhere in memory.

use candle_core::{CpuStorage, DType, Device, Result, Shape, Tensor, WithDType, bail};

/// Rows of `[rows, size]`.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Which ones, in ascending order, each once.
    rows: Vec<usize>,
    /// f32 or f64: their numbers, one row after the other.
    values: CpuStorage,
    shape: Shape,
}

impl Rows {
    /// `values` has `size` numbers for each of `rows`, which ascend.
    pub fn new<T: WithDType>(rows: Vec<usize>, values: Vec<T>, shape: Shape) -> Result<Rows> {
        let [count, size] = *shape.dims() else { bail!("rows are of a table, and this is {shape:?}") };
        let ascending = rows.windows(2).all(|w| w[0] < w[1]) && rows.last().is_none_or(|r| *r < count);
        if !ascending || values.len() != rows.len() * size {
            bail!("{} numbers for {} rows of {shape:?}", values.len(), rows.len());
        }
        Ok(Rows { rows, values: T::to_cpu_storage_owned(values), shape })
    }

    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Numbers of a row.
    pub fn size(&self) -> usize {
        self.shape.dims()[1]
    }

    pub fn dtype(&self) -> DType {
        match self.values {
            CpuStorage::F64(_) => DType::F64,
            _ => DType::F32,
        }
    }

    pub fn values<T: WithDType>(&self) -> Result<&[T]> {
        self.values.as_slice::<T>()
    }

    /// With the zeros.
    pub fn dense<T: WithDType>(&self) -> Result<Vec<T>> {
        let (size, values) = (self.size(), self.values::<T>()?);
        let mut all = vec![T::zero(); self.shape.elem_count()];
        for (row, values) in self.rows.iter().zip(values.chunks_exact(size.max(1))) {
            all[row * size..][..size].copy_from_slice(values);
        }
        Ok(all)
    }

    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        match self.dtype() {
            DType::F64 => Tensor::from_vec(self.dense::<f64>()?, self.shape.clone(), device),
            _ => Tensor::from_vec(self.dense::<f32>()?, self.shape.clone(), device),
        }
    }

    /// The sum, row by row: what the sum of the dense ones would be, since to add a zero changes nothing. (No sum here is -0, having
    /// begun at 0.)
    pub fn plus(&self, other: &Rows) -> Result<Rows> {
        if self.shape != other.shape {
            bail!("gradients of one table are {:?} and {:?}", self.shape, other.shape);
        }
        match (self.dtype(), other.dtype()) {
            (DType::F32, DType::F32) => self.sum::<f32>(other),
            (DType::F64, DType::F64) => self.sum::<f64>(other),
            _ => bail!("gradients of one value differ in type"),
        }
    }

    fn sum<T: WithDType>(&self, other: &Rows) -> Result<Rows> {
        let (size, a, b) = (self.size(), self.values::<T>()?, other.values::<T>()?);
        let mut rows = Vec::with_capacity(self.rows.len() + other.rows.len());
        let mut values = Vec::with_capacity(a.len() + b.len());
        let (mut i, mut j) = (0, 0);
        while i < self.rows.len() || j < other.rows.len() {
            let (left, right) = (self.rows.get(i), other.rows.get(j));
            let row = left.into_iter().chain(right).copied().min().unwrap_or_default();
            let (from_left, from_right) = (left == Some(&row), right == Some(&row));
            let at = |v: &'_ [T], k: usize| v[k * size..][..size].to_vec();
            match (from_left, from_right) {
                (true, true) => values.extend(at(a, i).into_iter().zip(at(b, j)).map(|(a, b)| a + b)),
                (true, false) => values.extend(at(a, i)),
                _ => values.extend(at(b, j)),
            }
            rows.push(row);
            i += usize::from(from_left);
            j += usize::from(from_right);
        }
        Rows::new(rows, values, self.shape.clone())
    }

    /// A multiple.
    pub fn times(&self, factor: f64) -> Result<Rows> {
        let values = match &self.values {
            CpuStorage::F32(v) => CpuStorage::F32(v.iter().map(|x| x * factor as f32).collect()),
            CpuStorage::F64(v) => CpuStorage::F64(v.iter().map(|x| x * factor).collect()),
            _ => bail!("gradients are f32 or f64"),
        };
        Ok(Rows { rows: self.rows.clone(), values, shape: self.shape.clone() })
    }
}
