//! From columns to plain numbers: standardised fields, scaled arrays, labels and masks ([`labels`]), all flat `f32`, row after row.
//!
//! Statistics and vocabularies are the frozen schema's, so encoding does not depend on which rows are read.

mod labels;
mod measure;

pub use labels::{LabelData, LabelSpec, Marks, Mask, Reading, channels, marks};
pub use measure::measure;

use std::collections::HashMap;

use super::DataError;
use super::album::{Album, Drawn};
use super::axes::{self, Order};
use super::freeze::{ColumnFacts, Facts, Schema};
use super::label_facts::LabelFacts;
use super::raw::{MISSING, Raw, Values};
use super::vocabulary;
use crate::objective::Units;

/// What an input takes from the data.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    pub name: String,
    pub from: InputFrom,
}

#[derive(Debug, Clone, PartialEq)]
pub enum InputFrom {
    /// `fields`: one f32 per column. A number is standardised by the training mean and deviation (missing: 0, the mean);
    /// a category is its number in the vocabulary (missing or unknown: 0).
    Fields {
        columns: Vec<String>,
        /// The fraction of categories that training reads as unknown.
        unknown: f64,
    },
    /// `f32[...]`: the values of these columns side by side.
    Dense {
        columns: Vec<String>,
        /// The declared sizes.
        sizes: Vec<usize>,
        /// The order of the axes in the columns.
        order: Order,
        /// The ends that the storage range maps to.
        scale: Option<[f64; 2]>,
        /// Subtract the training mean and divide by the deviation (after `scale` nothing remains of it, so one or none).
        normalize: bool,
        /// Whether pictures are rotated according to their EXIF orientation.
        exif: bool,
    },
}

/// All splits, encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    pub train: Table,
    pub validation: Table,
    pub test: Table,
    /// Things worth telling the user that are no errors.
    pub notes: Vec<String>,
}

/// One split, encoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub rows: usize,
    /// As in the list of inputs given to [`encode`].
    pub inputs: Vec<InputData>,
    /// As in the list of labels given to [`encode`].
    pub labels: Vec<LabelData>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InputData {
    pub name: String,
    /// Values per sample, pictures' with them.
    pub size: usize,
    /// What is held in memory: `[rows * n]`, where n is `size` less the values of pictures.
    pub values: Vec<f32>,
    /// Columns that are read from files when a batch is gathered, in the order of their places.
    pub pictures: Vec<Placed>,
    pub unknown: Unknown,
}

/// Replaces random categories by unknown during training, so that the network learns to handle texts that training does not contain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unknown {
    pub share: f64,
    /// The positions of the categories in a sample.
    pub places: Vec<usize>,
}

impl Unknown {
    /// Replaces categories of gathered rows. The selection is a function of the seed, the epoch, the input and the row.
    pub fn replace(&self, values: &mut [f32], size: usize, rows: &[u32], input: usize, drawn: Drawn) {
        if self.share == 0.0 || self.places.is_empty() {
            return;
        }
        let draws = drawn.random.counter("unknown", [drawn.epoch, input as u64, 0]);
        for (sample, row) in values.chunks_exact_mut(size).zip(rows) {
            let first = u64::from(*row) * self.places.len() as u64;
            for (n, place) in self.places.iter().enumerate() {
                if draws.chance(first + n as u64, self.share) {
                    sample[*place] = 0.0;
                }
            }
        }
    }
}

/// A column of pictures in an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// Where its values begin in a sample.
    pub at: usize,
    pub album: Album,
    scaling: Scaling,
}

impl Placed {
    /// The encoded values of a row.
    pub fn encoded(&self, row: usize, drawn: Option<Drawn>) -> Result<Vec<f32>, DataError> {
        let mut values = self.album.read(row, drawn)?;
        // Pixels and the ends of a scale are finite, so is what comes of them.
        values.iter_mut().for_each(|v| *v = self.scaling.of(f64::from(*v)));
        Ok(values)
    }
}

/// A linear map, in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scaling {
    shift: f64,
    factor: f64,
    base: f64,
}

impl Scaling {
    const NONE: Scaling = Scaling { shift: 0.0, factor: 1.0, base: 0.0 };

    /// From the ends `[a, b]` to `[low, high]`.
    fn ends(column: &str, [a, b]: [f64; 2], [low, high]: [f64; 2]) -> Result<Scaling, DataError> {
        if a == b {
            return Err(DataError::Constant { column: column.into(), value: a });
        }
        Ok(Scaling { shift: a, factor: (high - low) / (b - a), base: low })
    }

    fn of(self, v: f64) -> f32 {
        ((v - self.shift) * self.factor + self.base) as f32
    }
}

/// Encodes all splits with the facts of the schema, which must include the statistics of each standardised label ([`measure`]).
pub fn encode(raw: &Raw, schema: &Schema, inputs: &[InputSpec], labels: &[LabelSpec]) -> Result<Dataset, DataError> {
    let mut notes = raw.notes.clone();
    let mut table = |s: usize| -> Result<Table, DataError> {
        Ok(Table {
            rows: raw.splits[s].rows,
            inputs: inputs.iter().map(|i| input(raw, schema, s, i, &mut notes)).collect::<Result<_, _>>()?,
            labels: labels
                .iter()
                .map(|l| labels::label(raw, schema, s, l, units(schema, l).as_ref(), &mut notes))
                .collect::<Result<_, _>>()?,
        })
    };
    let [train, validation, test] = [table(0)?, table(1)?, table(2)?];
    notes.extend(labels.iter().zip(&train.labels).flat_map(|(l, data)| without_spread(schema, l, data)));
    notes.dedup();
    Ok(Dataset { train, validation, test, notes })
}

/// The units in which a label is learned; `None`: its own units.
fn units(schema: &Schema, label: &LabelSpec) -> Option<Units> {
    label.standardize.then(|| schema.label(&label.task)).flatten().map(LabelFacts::units)
}

/// Notes about the components of a label that are equal in all training rows, which are only shifted, not scaled, and about those that no
/// training row has, unless no training row has a label at all.
fn without_spread<'a>(
    schema: &'a Schema,
    label: &'a LabelSpec,
    train: &'a LabelData,
) -> impl Iterator<Item = String> + 'a {
    let facts = schema.label(&label.task).filter(|_| label.standardize && !train.has_none());
    let all = facts.into_iter().flat_map(|f| f.mean.iter().zip(&f.std).enumerate().map(move |at| (f, at)));
    all.filter(|(_, (_, (_, std)))| **std == 0.0).map(|(f, (at, (mean, _)))| {
        let (task, several) = (&label.task, f.mean.len() > 1);
        let rows = train.values.len() / train.size.max(1);
        if several && !(0..rows).any(|row| train.counts(row, at)) {
            return format!("task `{task}`: no train row has component {at} of the label");
        }
        let which = if several { format!("component {at} of the label") } else { "the label".into() };
        format!(
            "task `{task}`: {which} is {mean} in all training rows that have a label: its standard deviation is 0, and there is \
             nothing to learn"
        )
    })
}

/// The inputs of one split alone, without labels: rows to predict. The same numbers as [`encode`] gives.
pub fn encode_inputs(raw: &Raw, schema: &Schema, split: usize, inputs: &[InputSpec]) -> Result<Table, DataError> {
    let inputs = inputs.iter().map(|i| input(raw, schema, split, i, &mut Vec::new())).collect::<Result<_, _>>()?;
    Ok(Table { rows: raw.splits[split].rows, inputs, labels: Vec::new() })
}

/// The note about a constant field.
pub fn constant(column: &str, value: f64) -> String {
    format!(
        "column `{column}` holds the same number, {value}, in every training row: it is encoded as 0 and carries no information"
    )
}

/// A column's values in a split, and its facts.
fn column<'a>(raw: &'a Raw, schema: &'a Schema, s: usize, name: &str) -> Result<Column<'a>, DataError> {
    let at = raw.index(name).into_iter().map(|at| (name, at)).collect();
    let facts = schema.column(name).into_iter().map(|facts| (name, facts)).collect();
    placed(raw, schema, s, name, &(at, facts))
}

/// The positions of columns in the data and their facts, by name.
type Places<'a, 'n> = (HashMap<&'n str, usize>, HashMap<&'n str, &'a ColumnFacts>);

/// Like [`column`], for a pass over many columns.
fn placed<'a>(
    raw: &'a Raw,
    schema: &'a Schema,
    s: usize,
    name: &str,
    places: &Places<'a, '_>,
) -> Result<Column<'a>, DataError> {
    let missing = |place: &str| DataError::Column {
        column: name.into(),
        context: format!(" in {place}"),
        help: format!(
            "its columns are {}",
            crate::diag::suggest::listing(schema.columns.iter().map(|c| c.name.as_str()))
        ),
    };
    let at = places.0.get(name).copied().ok_or_else(|| missing("the data"))?;
    let facts = places.1.get(name).copied().ok_or_else(|| missing("the schema"))?;
    let values = &raw.splits[s].columns[at];
    if values.is_text() != facts.facts.is_text() {
        return Err(DataError::option(
            format!("column `{name}` is of another kind than the frozen schema says"),
            "freeze the schema again with `mtlc data freeze`",
        ));
    }
    Ok(Column { at, values, facts })
}

struct Column<'a> {
    at: usize,
    values: &'a Values,
    facts: &'a ColumnFacts,
}

/// The category number of each dictionary entry: its position in the frozen vocabulary from 1, or 0 if it is not in there; for hashed
/// columns its bucket from 1.
fn numbering(dictionary: &[String], facts: &ColumnFacts) -> Vec<u32> {
    if let Facts::Hashed { buckets } = &facts.facts {
        return dictionary.iter().map(|w| vocabulary::bucket(w, *buckets) as u32 + 1).collect();
    }
    let Facts::Category { values } = &facts.facts else { return vec![0; dictionary.len()] };
    let place: HashMap<&str, u32> = values.iter().enumerate().map(|(i, (v, _))| (v.as_str(), i as u32 + 1)).collect();
    dictionary.iter().map(|w| place.get(w.as_str()).copied().unwrap_or(0)).collect()
}

fn input(
    raw: &Raw,
    schema: &Schema,
    s: usize,
    spec: &InputSpec,
    notes: &mut Vec<String>,
) -> Result<InputData, DataError> {
    let rows = raw.splits[s].rows;
    let (names, dense) = match &spec.from {
        InputFrom::Fields { columns, .. } => (columns, None),
        InputFrom::Dense { columns, scale, normalize, .. } => (columns, Some((*scale, *normalize))),
    };
    let (order, exif) = match spec.from {
        InputFrom::Dense { order, exif, .. } => (order, exif),
        InputFrom::Fields { .. } => (Order::Chw, true),
    };
    let places = (raw.columns.iter().enumerate().map(|(at, c)| (c.name.as_str(), at)).collect(), schema.by_name());
    let columns = names.iter().map(|n| placed(raw, schema, s, n, &places)).collect::<Result<Vec<_>, _>>()?;
    if let InputFrom::Dense { sizes, .. } = &spec.from {
        let held: Vec<&[usize]> = columns.iter().map(|c| raw.columns[c.at].shape.as_slice()).collect();
        if !axes::stack(order, sizes, &held) {
            let (message, help) = axes::misfit(order, sizes, &spec.name, names, &held);
            return Err(DataError::option(message, help));
        }
    }
    // A cell of a table may be missing. An array has no missing cells; a NaN in it is an error.
    let gaps = raw.format == super::csv::DEF.call.name;
    let size = match dense {
        None => columns.len(),
        Some(_) => columns.iter().map(|c| raw.columns[c.at].elements()).sum(),
    };
    let held = |c: &Column| if matches!(c.values, Values::Pictures(_)) { 0 } else { raw.columns[c.at].elements() };
    let (whole, mut pictures) = (size, Vec::new());
    let size = if dense.is_some() { columns.iter().map(held).sum() } else { size };
    let mut values = vec![0f32; rows * size];
    let (mut offset, mut at) = (0, 0);
    for c in &columns {
        let k = raw.columns[c.at].elements();
        let shape = &raw.columns[c.at].shape;
        let name = &c.facts.name;
        match (c.values, &c.facts.facts, dense) {
            (Values::Text(codes), _, None) => {
                let numbers = numbering(&raw.columns[c.at].dictionary, c.facts);
                for (row, code) in codes.iter().enumerate() {
                    values[row * size + offset] = if *code == MISSING { 0.0 } else { numbers[*code as usize] as f32 };
                }
            }
            (Values::Text(_), ..) => {
                return Err(DataError::option(
                    format!("input `{}` holds numbers, and column `{name}` is text", spec.name),
                    "declare the input as `fields` to encode categories",
                ));
            }
            (_, facts, None) if k != 1 || *facts == Facts::Picture => {
                return Err(DataError::option(
                    format!("column `{name}` holds {k} numbers per sample; a field is one"),
                    "declare it as an input of its own, `f32[...]`",
                ));
            }
            (numbers, Facts::Picture, Some((scale, normalize))) => {
                if scale.is_none() && normalize {
                    return Err(DataError::option(
                        format!(
                            "input `{}` is to be normalized, and the mean of the pictures `{name}` is not known",
                            spec.name
                        ),
                        "give their pixels ends: `scale = [-1, 1]`",
                    ));
                }
                let scaling = match scale {
                    Some(ends) => Scaling::ends(name, c.facts.range.unwrap_or([0.0, 255.0]), ends)?,
                    None => Scaling::NONE,
                };
                match numbers {
                    Values::Pictures(album) => pictures.push(Placed { at, album: album.clone().turned(exif), scaling }),
                    // Decoded already: rows to predict.
                    _ => (0..rows).for_each(|row| {
                        for i in 0..k {
                            values[row * size + offset + i] =
                                scaling.of(numbers.number(row * k + order.source(shape, i)));
                        }
                    }),
                }
            }
            (numbers, Facts::Numeric { mean, std, min, max }, _) => {
                let (scale, normalize) = dense.unwrap_or((None, true));
                let scaling = match scale {
                    Some(ends) => Scaling::ends(name, c.facts.range.unwrap_or([*min, *max]), ends)?,
                    None if normalize && *std == 0.0 => {
                        let empty = c.facts.is_empty(schema.rows[0]);
                        if dense.is_some() && !empty {
                            return Err(DataError::Constant { column: name.clone(), value: *min });
                        }
                        if dense.is_some() {
                            return Err(DataError::option(
                                format!("column `{name}` is missing in every training row"),
                                format!("leave it out with `except = [{}]` or `drop`", super::schema_text::name(name)),
                            ));
                        }
                        if s == 0 {
                            notes.push(match empty {
                                true => format!("column `{name}` is missing in every training row: it is encoded as 0 and carries no information"),
                                false => constant(name, *min),
                            });
                        }
                        Scaling { shift: *mean, factor: 0.0, base: 0.0 }
                    }
                    None if normalize => Scaling { shift: *mean, factor: 1.0 / std, base: 0.0 },
                    None => Scaling::NONE,
                };
                for row in 0..rows {
                    for i in 0..k {
                        let v = numbers.number(row * k + order.source(shape, i));
                        if v.is_nan() && !gaps {
                            let place = raw.splits[s].place(row);
                            return Err(DataError::NotFinite { place, column: name.clone(), value: v });
                        }
                        // A missing number takes the training mean: 0 once standardised.
                        let v = if v.is_nan() { *mean } else { v };
                        let encoded = scaling.of(v);
                        // Far from all that training showed, or a deviation next to nothing.
                        if !encoded.is_finite() {
                            return Err(DataError::option(
                                format!(
                                    "{}, column `{name}`: {v} becomes {encoded} once it is encoded for input `{}`",
                                    raw.splits[s].place(row),
                                    spec.name
                                ),
                                "the training values lie too close together for it: correct the cell, or leave the column out",
                            ));
                        }
                        values[row * size + offset + i] = encoded;
                    }
                }
            }
            _ => unreachable!("`column` compared the kinds"),
        }
        offset += if dense.is_some() { held(c) } else { 1 };
        at += k;
    }
    let unknown = match &spec.from {
        InputFrom::Fields { unknown, .. } => {
            Unknown { share: *unknown, places: (0..columns.len()).filter(|c| columns[*c].values.is_text()).collect() }
        }
        InputFrom::Dense { .. } => Unknown::default(),
    };
    Ok(InputData { name: spec.name.clone(), size: whole, values, pictures, unknown })
}
