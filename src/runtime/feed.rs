//! Data to batches of tensors: loads and encodes what a checked spec reads, freezes schemas, gathers batches.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::RunError;
use super::reader::readers;
use crate::check::{Checked, runs};
use crate::data::axes::Order;
use crate::data::{
    self, Batch, Batches, Dataset, InputFrom, InputSpec, LabelData, LabelSpec, LoadContext, Raw, Schema, Table,
};
use crate::hir::{Data, Spec, Task};
use crate::objective::{self, LossDef};
use crate::ops::{TensorType, send};
use crate::random::Randomness;
use crate::schema::{Args, Value};

/// Reads a data set according to its format and its frozen schema.
pub fn load(data: &Data) -> Result<Raw, RunError> {
    Ok(data.format.read(&data.args, &LoadContext { base: &data.base, schema: data.schema.as_ref() })?)
}

/// Reads a data set to freeze it: according to its format, without its present schema.
pub fn load_open(data: &Data) -> Result<Raw, RunError> {
    Ok(data.format.read(&data.args, &LoadContext { base: &data.base, schema: None })?)
}

/// By the data set's name: what was frozen, and the samples that were read for it.
pub type Frozen = (HashMap<String, Schema>, HashMap<String, Raw>);

/// Freezes every data set that the spec has no schema for; reads only those.
pub fn freeze(spec: &Spec) -> Result<Frozen, RunError> {
    let (mut schemas, mut raws) = (HashMap::new(), HashMap::new());
    for d in spec.data.iter().filter(|d| d.schema.is_none()) {
        let raw = load(d)?;
        schemas.insert(d.name.clone(), Schema::freeze(&raw));
        raws.insert(d.name.clone(), raw);
    }
    Ok((schemas, raws))
}

/// What a network is fed: encoded splits and the shapes of its inputs.
pub struct Feed {
    pub dataset: Dataset,
    /// The index of the data set in the spec.
    pub data: usize,
    /// Its facts, including the statistics of labels and the vocabularies that the program leaves out.
    pub schema: Schema,
    /// Spec input of each encoded input, and its sizes per sample.
    pub(super) inputs: Vec<(usize, Vec<usize>)>,
    /// Spec task of each encoded label.
    pub tasks: Vec<usize>,
    /// The loss of each encoded label, in the units in which it is learned.
    pub(super) losses: Vec<(&'static LossDef, Args)>,
    /// Per split, the line or sample of its file that each row was; empty where rows are generated or counted from 0.
    pub origin: [Vec<u32>; 3],
    /// Threads that read ahead.
    pub readers: usize,
}

/// Spec input of each encoded input, its sizes per sample, and how it is encoded.
type Intake = (Vec<(usize, Vec<usize>)>, Vec<InputSpec>);

/// How the inputs of a spec read their data set.
fn intake(spec: &Spec, schema: &Schema) -> Result<Intake, RunError> {
    let mut inputs = Vec::new();
    let mut specs = Vec::new();
    for (i, input) in spec.inputs.iter().enumerate() {
        let Some(from) = &input.from else {
            return Err(RunError::NotYet(runs::no_source(&input.name)));
        };
        let columns = match &from.names {
            Some(n) => n.clone(),
            None => schema.columns.iter().map(|c| c.name.clone()).collect(),
        };
        let kind = match &input.ty {
            TensorType::Fields(_) => InputFrom::Fields { columns, unknown: input.args.float("unknown") },
            TensorType::Dense(_) => InputFrom::Dense {
                columns,
                scale: match input.args.get("scale") {
                    Some(Value::List(v)) => match (v.first().map(|v| &v.value), v.get(1).map(|v| &v.value)) {
                        (Some(Value::Float(a)), Some(Value::Float(b))) => Some([*a, *b]),
                        _ => None,
                    },
                    _ => None,
                },
                normalize: input.args.bool("normalize"),
                sizes: input.ty.sizes().unwrap_or_default(),
                order: input.args.opt_str("layout").map_or(Order::Chw, Order::from_word),
                exif: exif(&input.args),
            },
        };
        let sizes =
            input.ty.sizes().ok_or_else(|| RunError::NotYet(format!("the input `{}` has an open size", input.name)))?;
        inputs.push((i, sizes));
        specs.push(InputSpec { name: input.name.clone(), from: kind });
    }
    Ok((inputs, specs))
}

/// Whether the pictures of an input are rotated according to their EXIF orientation.
fn exif(args: &Args) -> bool {
    args.get("exif").is_none() || args.bool("exif")
}

/// How the label of a task is read from its data set; `None` if that is not known yet.
fn label(checked: &Checked, t: usize) -> Option<LabelSpec> {
    let task = &checked.spec.tasks[t];
    Some(LabelSpec {
        task: task.name.clone(),
        kind: task.kind,
        label: task.label.as_ref()?.label.clone(),
        mask: task.mask.as_ref().map(|m| m.label.clone()),
        standardize: task.standardize,
        reading: task.reading.clone(),
        pixels: checked.heads[t].as_ref().and_then(|h| match h.ty.sizes()?.as_slice() {
            [_, h, w] => Some([*h, *w]),
            _ => None,
        }),
    })
}

/// How the labels of a spec are read from their data set.
fn labels(checked: &Checked) -> Result<Vec<LabelSpec>, RunError> {
    let none = |task: &Task| RunError::NotYet(format!("the task `{}` has no label", task.name));
    checked.spec.tasks.iter().enumerate().map(|(t, task)| label(checked, t).ok_or_else(|| none(task))).collect()
}

/// The labels of the tasks that read this data set, without tasks whose label is not known yet.
pub fn labels_of(checked: &Checked, data: usize) -> Vec<LabelSpec> {
    let reads = |t: &usize| checked.spec.tasks[*t].label.as_ref().is_some_and(|l| l.data.0 == data);
    (0..checked.spec.tasks.len()).filter(reads).filter_map(|t| label(checked, t)).collect()
}

/// Loads (or takes) and encodes the data of a checked spec.
pub fn feed(checked: &Checked, raws: HashMap<String, Raw>) -> Result<Feed, RunError> {
    feed_and_raw(checked, raws).map(|(feed, _)| feed)
}

/// The feed of a checked spec, and the samples that it was encoded from.
pub fn feed_and_raw(checked: &Checked, mut raws: HashMap<String, Raw>) -> Result<(Feed, Raw), RunError> {
    let spec = &checked.spec;
    let used = runs::data_sets(spec);
    let [only] = used.as_slice() else {
        return Err(RunError::NotYet(match used.is_empty() {
            true => {
                "the program names no data to train on: declare a `data` item, give its inputs `from = DATA` and its \
                     tasks `label` or `from`"
                    .into()
            }
            false => runs::several(spec),
        }));
    };
    let data = &spec.data[*only];
    let raw = match raws.remove(&data.name) {
        Some(r) => r,
        None => load(data)?,
    };
    let mut schema = match &data.schema {
        Some(s) => {
            if let Err(differences) = s.verify(&raw) {
                let first = differences.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
                return Err(RunError::Data(data::DataError::Option {
                    message: format!("the data `{}` is not what its frozen schema describes: {first}", data.name),
                    help: "bring back the data that was frozen, or freeze again with `mtlc data freeze`".into(),
                }));
            }
            s.clone()
        }
        None => Schema::freeze(&raw),
    };
    schema.restore(&raw);
    let (inputs, specs) = intake(spec, &schema)?;
    let labels = labels(checked)?;
    // The statistics depend on the training rows, which are those of the schema, and on the present label expression.
    let facts = data::measure(&raw, &schema, &labels)?;
    let written = std::mem::replace(&mut schema.labels, facts);
    let mut dataset = data::encode(&raw, &schema, &specs, &labels)?;
    for old in &written {
        if schema.label(&old.task).is_some_and(|new| new != old) {
            dataset.notes.push(format!(
                "the label of task `{}` has another mean and deviation than the schema: those of the training rows are used; \
                 `mtlc data freeze` writes them",
                old.task
            ));
        }
    }
    for crossing in data::split::crossings(&raw, &data::split::groups(&data.args)) {
        dataset.notes.push(crossing.message());
    }
    if dataset.validation.rows == 0 {
        return Err(RunError::Data(data::DataError::EmptySplit {
            split: "validation",
            why: "weights are selected by the validation loss: give the data a `validation` file or share".into(),
        }));
    }
    if dataset.test.rows == 0 {
        dataset
            .notes
            .push(format!("the data `{}` have no test split: the tables show the validation split", data.name));
    }
    let origin = raw.splits.each_ref().map(|s| s.origin.clone());
    let tasks = (0..spec.tasks.len()).collect();
    let losses = losses(spec, &dataset.train);
    Ok((Feed { dataset, data: *only, schema, inputs, tasks, losses, origin, readers: readers() }, raw))
}

/// A feed of no samples, for rows that come one piece at a time: how the inputs are encoded, and the name of the data set that
/// they read, whose schema must be frozen.
pub fn feed_inputs(spec: &Spec) -> Result<(Feed, Vec<InputSpec>, &Data), RunError> {
    let mut read: Vec<usize> = spec.inputs.iter().flat_map(|i| i.from.iter()).map(|f| f.data.0).collect();
    read.dedup();
    let [only] = read.as_slice() else {
        return Err(RunError::NotYet(match read.is_empty() {
            true => "the inputs of the program read no data: give them `from = DATA`".into(),
            false => runs::several(spec),
        }));
    };
    let data = &spec.data[*only];
    let schema = data.schema.as_ref().ok_or_else(|| RunError::NotYet(format!("`{}` has no schema", data.name)))?;
    let (inputs, specs) = intake(spec, schema)?;
    let none = || Table::default();
    let dataset = Dataset { train: none(), validation: none(), test: none(), notes: Vec::new() };
    let (tasks, losses, schema) = (Vec::new(), Vec::new(), schema.clone());
    let feed =
        Feed { dataset, data: *only, schema, inputs, tasks, losses, origin: Default::default(), readers: readers() };
    Ok((feed, specs, data))
}

/// The loss of every task with labels in this table.
pub(super) fn losses(spec: &Spec, table: &Table) -> Vec<(&'static LossDef, Args)> {
    let of = |(task, label): (&Task, &LabelData)| {
        let def = objective::find_loss(task.loss.name).expect("checked");
        let scale = label.units.as_ref().map_or(&[][..], |u| u.scale());
        (def, def.rescaled(&task.loss.args, scale))
    };
    spec.tasks.iter().zip(&table.labels).map(of).collect()
}

/// The marks of rows as a tensor, with one or several marks per row.
fn mask(marks: Vec<f32>, rows: usize, device: &Device) -> candle_core::Result<Tensor> {
    match marks.len() == rows {
        true => send::tensor(marks, rows, device),
        false => {
            let each = marks.len() / rows.max(1);
            send::tensor(marks, (rows, each), device)
        }
    }
}

/// One batch as tensors.
pub struct Fed {
    pub rows: usize,
    /// By spec input.
    pub inputs: HashMap<usize, Tensor>,
    /// By label of the feed: labels `[rows, n]`; a mask is `[rows]`, or `[rows, labels]` with a mark per label.
    pub labels: Vec<Tensor>,
    pub masks: Vec<Option<Tensor>>,
    /// By label of the feed: the number of labels that count. The loss is the mean over them.
    pub labelled: Vec<f64>,
}

impl Feed {
    /// Numbers of all inputs together, per row.
    pub fn values_per_row(&self) -> usize {
        self.inputs.iter().map(|(_, sizes)| sizes.iter().product::<usize>()).sum()
    }

    /// The index of the encoded label of a task of the spec.
    pub fn label_of(&self, task: usize) -> usize {
        self.tasks.iter().position(|t| *t == task).expect("every task is fed")
    }

    /// The loss of an encoded label and its arguments.
    pub fn loss(&self, label: usize) -> (&'static LossDef, &Args) {
        let (def, args) = &self.losses[label];
        (def, args)
    }

    /// Bytes of the encoded splits.
    pub fn bytes(&self) -> u64 {
        let of = |t: &Table| -> usize {
            let masks = t.labels.iter().filter_map(|l| l.mask.as_ref()).map(|m| m.marks.len()).sum::<usize>();
            let labels = t.labels.iter().map(|l| l.values.len()).sum::<usize>();
            4 * (t.inputs.iter().map(|i| i.values.len()).sum::<usize>() + labels) + masks
        };
        let d = &self.dataset;
        [&d.train, &d.validation, &d.test].map(of).iter().sum::<usize>() as u64
    }

    /// Sizes per row of an encoded input.
    pub fn sizes(&self, input: usize) -> &[usize] {
        &self.inputs[input].1
    }

    pub(super) fn tensors(&self, table: &Table, batch: Batch, device: &Device) -> candle_core::Result<Fed> {
        let mut inputs = HashMap::new();
        for ((input, sizes), values) in self.inputs.iter().zip(batch.inputs) {
            let mut shape = vec![batch.rows];
            shape.extend(sizes);
            inputs.insert(*input, send::tensor(values, shape, device)?);
        }
        let labelled = table.labels.iter().zip(&batch.masks).zip(&self.losses).map(|((l, mask), (def, _))| {
            let together = if def.whole { l.size / l.labels.max(1) } else { 1 };
            objective::labelled(mask.as_deref(), batch.rows, l.size, together)
        });
        let labelled = labelled.collect();
        let mut labels = Vec::new();
        for (values, column) in batch.labels.into_iter().zip(&table.labels) {
            labels.push(send::tensor(values, (batch.rows, column.size), device)?);
        }
        let mut masks = Vec::new();
        for m in batch.masks {
            masks.push(m.map(|m| mask(m, batch.rows, device)).transpose()?);
        }
        Ok(Fed { rows: batch.rows, inputs, labels, masks, labelled })
    }

    /// The batches of the training split according to these attributes, shuffled in each epoch.
    pub fn training(&self, args: &Args, random: Randomness) -> Batches {
        Batches::of(args, self.dataset.train.rows, random)
    }
}
