//! Matrix products on one thread over borrowed memory, checked; callers split the work by sizes alone.

use ::gemm::Parallelism;

use super::Real;

/// A matrix inside a slice: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Rows one after the other.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Matrix<'a, T> {
        Matrix::with_stride(data, rows, columns, columns)
    }

    /// Rows `stride` apart.
    pub fn with_stride(data: &'a [T], rows: usize, columns: usize, stride: usize) -> Matrix<'a, T> {
        assert!(rows == 0 || (columns <= stride && data.len() >= (rows - 1) * stride + columns));
        Matrix { data, rows, columns, row: stride, column: 1 }
    }

    /// The transpose of what is there.
    pub fn t(self) -> Matrix<'a, T> {
        Matrix { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }

    /// Rows `from..from + rows`.
    pub fn rows(self, from: usize, rows: usize) -> Matrix<'a, T> {
        assert!(from + rows <= self.rows);
        Matrix { data: &self.data[(from * self.row).min(self.data.len())..], rows, ..self }
    }
}

/// `out = a b`, or `out += a b`; the rows of `out` are `stride` apart.
pub fn multiply<T: Real>(a: Matrix<T>, b: Matrix<T>, out: &mut [T], stride: usize, accumulate: bool) {
    assert_eq!(a.columns, b.rows);
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    assert!(b.columns <= stride && out.len() >= (a.rows - 1) * stride + b.columns);
    // SAFETY: constructors and the assertions above keep every index within its slice; `out` is borrowed exclusively.
    unsafe {
        ::gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        )
    }
}
