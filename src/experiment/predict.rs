//! A trained network and new rows. Needs its program (with frozen schemas) and its weights, and no training data.

use std::path::Path;

use candle_core::Device;

use super::{Failure, Prepared, loaded, networks, prepare};
use crate::data::fresh::{self, Layout, Wanted};
use crate::data::{DataError, Facts, InputFrom, InputSpec, SPLITS, Schema, encode_inputs};
use crate::driver::{self, Compiled};
use crate::hir::{Options, Task};
use crate::runtime::RunError;
use crate::runtime::answers::Answer;
use crate::runtime::control::Control;
use crate::runtime::evaluate::predictions;
use crate::runtime::feed::{self, Feed};
use crate::runtime::model::Model;

/// A network that is ready for rows.
pub struct Predictor {
    model: Model,
    feed: Feed,
    schema: Schema,
    specs: Vec<InputSpec>,
    pub answers: Vec<Answer>,
    /// What must be read; the caller may say how.
    pub wanted: Wanted,
}

impl Predictor {
    /// Loads `program` with weights. If the program has no frozen schemas, its training data are read to freeze them. `bound`: whether
    /// the weights must have been saved for the network that the program describes.
    pub fn open(
        program: &Path,
        set: &[(String, String)],
        (weights, bound): (&Path, bool),
        device: &Device,
    ) -> Result<Predictor, Failure> {
        let compiled = closed(program, set)?;
        let Some(checked) = &compiled.checked else { return Err(Failure::Spec(Box::new(compiled))) };
        if bound {
            networks::belong(checked, program, weights)?;
        }
        let spec = &checked.spec;
        let (feed, specs, data) = feed::feed_inputs(spec)?;
        let schema = data.schema.clone().ok_or_else(|| RunError::NotYet("the data have no schema".into()))?;
        let (_, model) = loaded(checked, weights, device)?;
        let names = specs.iter().flat_map(|s| match &s.from {
            InputFrom::Fields { columns, .. } | InputFrom::Dense { columns, .. } => columns,
        });
        let layout = Layout::of(data.format.call.name, &data.args);
        let mut wanted = Wanted::new(&schema, names, layout);
        if let Some(c) = wanted.columns.iter().find(|c| matches!(c.facts, Facts::Withheld { .. })) {
            return Err(Failure::Run(RunError::Data(DataError::Option {
                message: format!(
                    "the program was written without the vocabulary of column `{}`, so its texts have no numbers",
                    c.name
                ),
                help: "predict with the run itself, or train from this program where the data are: that run has the vocabulary"
                    .into(),
            })));
        }
        if let Some(InputFrom::Dense { order, exif, .. }) = specs.iter().map(|s| &s.from).next() {
            (wanted.order, wanted.exif) = (*order, *exif);
        }
        let answers = Answer::of(spec, &model);
        Ok(Predictor { model, feed, schema, specs, answers, wanted })
    }

    /// The outputs of the tasks in `keep`, as indices into [`Predictor::answers`], for the rows of a piece. The outputs of a row do not
    /// depend on the other rows of the piece.
    ///
    /// # Errors
    /// Inputs that cannot be encoded, and outputs of these tasks that are infinite or NaN.
    pub fn outputs(&self, piece: &fresh::Piece, keep: &[usize]) -> Result<Vec<Vec<f32>>, RunError> {
        let table = encode_inputs(&piece.raw, &self.schema, fresh::SPLIT, &self.specs)?;
        let mut all = predictions(&self.model, &self.feed, &table, &[], &Control::free())?;
        let outputs: Vec<Vec<f32>> = keep.iter().map(|i| std::mem::take(&mut all[*i])).collect();
        let kept = keep.iter().map(|i| &self.answers[*i]);
        finite(kept.zip(&outputs), piece.rows, |row| piece.raw.splits[fresh::SPLIT].place(row))?;
        Ok(outputs)
    }

    /// Rows that are well read at a time: some megabytes of them.
    pub fn rows_at_a_time(&self) -> usize {
        const VALUES: usize = 1 << 21;
        (VALUES / self.feed.values_per_row().max(1)).clamp(16, 1 << 13).next_power_of_two()
    }
}

/// The outputs of one split of the training data.
pub struct SplitOutputs {
    pub split: &'static str,
    /// Line or sample of each row in its file, as text.
    pub places: Vec<String>,
    /// Per answer, row after row.
    pub outputs: Vec<Vec<f32>>,
}

/// What the network gives for every row that it was not trained on: validation, then test.
pub fn split_outputs(
    prepared: &Prepared,
    weights: &Path,
    device: &Device,
) -> Result<(Vec<Answer>, Vec<SplitOutputs>), Failure> {
    let checked = prepared.checked();
    let (_, model) = loaded(checked, weights, device)?;
    let feed = &prepared.feed;
    let answers = Answer::of(&checked.spec, &model);
    let mut splits = Vec::new();
    for (s, table) in [(1, &feed.dataset.validation), (2, &feed.dataset.test)] {
        let place = |row: usize| feed.origin[s].get(row).map_or(row.to_string(), u32::to_string);
        let outputs = predictions(&model, feed, table, &[], &Control::free())?;
        let named = |row| format!("row {} of the {} split", place(row), SPLITS[s]);
        finite(answers.iter().zip(&outputs), table.rows, named)?;
        splits.push(SplitOutputs { split: SPLITS[s], places: (0..table.rows).map(place).collect(), outputs });
    }
    Ok((answers, splits))
}

/// Refuses outputs that are infinite or NaN. `outputs` has the values per answer, row after row; `place` names a row.
fn finite<'a>(
    outputs: impl Iterator<Item = (&'a Answer, &'a Vec<f32>)>,
    rows: usize,
    place: impl Fn(usize) -> String,
) -> Result<(), RunError> {
    for (answer, values) in outputs {
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let row = at / (values.len() / rows.max(1)).max(1);
            return Err(RunError::Output { task: answer.task.clone(), place: place(row), value: values[at] });
        }
    }
    Ok(())
}

/// A program with schemas of all data sets, including the statistics of every standardised label. Facts that are not in the program are
/// computed from the training data.
fn closed(program: &Path, set: &[(String, String)]) -> Result<Compiled, Failure> {
    let options = Options { set: set.to_vec(), ..Options::default() };
    let compiled = driver::compile(program, &options).map_err(|e| RunError::io(program, e))?;
    let Some(checked) = &compiled.checked else { return Err(Failure::Spec(Box::new(compiled))) };
    let spec = &checked.spec;
    let measured = |t: &Task| match &t.label {
        Some(l) if t.standardize && t.kind.has_units() => {
            spec.data[l.data.0].schema.as_ref().is_some_and(|s| s.label(&t.name).is_some())
        }
        _ => true,
    };
    if spec.data.iter().all(|d| d.schema.is_some()) && spec.tasks.iter().all(measured) {
        return Ok(compiled);
    }
    Ok(prepare(program, set)?.compiled)
}
