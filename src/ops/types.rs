//! Types of values in the network, batch left out.

use std::fmt;
use std::sync::Arc;

/// A size; open while a data schema is not frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    Known(usize),
    Open,
}

impl Dim {
    pub fn known(self) -> Option<usize> {
        match self {
            Dim::Known(n) => Some(n),
            Dim::Open => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::Known(n)
    }
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TensorType {
    /// f32 with these sizes.
    Dense(Vec<Dim>),
    /// Columns of a table, numeric and categorical mixed: an f32 tensor `[batch, columns]` that holds standardised numbers
    /// and category numbers (0 is "missing or never seen in training").
    Fields(Fields),
}

/// The columns of a table; `None` until the schema is frozen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fields(pub Option<Arc<[Field]>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Numeric,
    /// Category numbers `0..values`, the 0 for "missing or unknown" counted.
    Category {
        values: usize,
    },
}

impl TensorType {
    pub fn dense(dims: impl IntoIterator<Item = usize>) -> TensorType {
        TensorType::Dense(dims.into_iter().map(Dim::Known).collect())
    }

    /// Sizes if all are known; the number of columns for fields.
    pub fn sizes(&self) -> Option<Vec<usize>> {
        match self {
            TensorType::Dense(dims) => dims.iter().map(|d| d.known()).collect(),
            TensorType::Fields(Fields(columns)) => columns.as_ref().map(|c| vec![c.len()]),
        }
    }

    /// Values per sample; as many as a number can say where they are more.
    pub fn elements(&self) -> Option<usize> {
        self.sizes().map(|s| s.iter().fold(1usize, |n, d| n.saturating_mul(*d)))
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(n) => write!(f, "{n}"),
            Dim::Open => f.write_str("?"),
        }
    }
}

/// As in the language: `f32[64, 8, 8]`, `fields(37)`.
impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorType::Dense(dims) => {
                f.write_str("f32[")?;
                for (i, d) in dims.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{d}")?;
                }
                f.write_str("]")
            }
            TensorType::Fields(Fields(Some(columns))) => write!(f, "fields({})", columns.len()),
            TensorType::Fields(Fields(None)) => f.write_str("fields(?)"),
        }
    }
}
