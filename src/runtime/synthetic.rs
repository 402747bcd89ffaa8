//! Random samples in the shapes of a spec, whose data are not looked at: what timing needs.

use rand::RngExt;

use super::RunError;
use super::feed::{Feed, losses};
use super::reader::readers;
use crate::check::Checked;
use crate::data::{Dataset, InputData, LabelData, Schema, Table, Unknown};
use crate::objective::TaskKind;
use crate::ops::{Field, Fields, TensorType};
use crate::random::Randomness;

/// A feed with a training split of `rows` samples and no others: inputs are uniform in -1..1, columns of categories and labels
/// uniform over what they may be.
pub fn feed(checked: &Checked, rows: usize, random: Randomness) -> Result<Feed, RunError> {
    let spec = &checked.spec;
    let (mut inputs, mut encoded, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (i, input) in spec.inputs.iter().enumerate() {
        let sizes = input.ty.sizes().ok_or_else(|| open("input", &input.name))?;
        let size: usize = sizes.iter().product();
        let mut rng = random.stream("synthetic input", [i as u64, 0, 0]);
        let columns: &[Field] = match &input.ty {
            TensorType::Fields(Fields(Some(columns))) => columns,
            _ => &[Field::Numeric],
        };
        let draw = |n: usize| match columns[n % columns.len()] {
            Field::Category { values } => rng.random_range(0..values.max(1)) as f32,
            Field::Numeric => rng.random_range(-1.0..1.0f32),
        };
        let (name, values) = (input.name.clone(), (0..rows * size).map(draw).collect());
        encoded.push(InputData { name, size, values, pictures: Vec::new(), unknown: Unknown::default() });
        inputs.push((i, sizes));
    }
    for (t, task) in spec.tasks.iter().enumerate() {
        let open = || open("task", &task.name);
        let outputs = checked.heads[t].as_ref().and_then(|h| h.ty.sizes()).ok_or_else(open)?;
        let numbers: usize = outputs.iter().product();
        let pixels: usize = outputs.iter().skip(1).product();
        let labels_each: usize = if task.kind.is_dense() {
            pixels
        } else if matches!(task.kind, TaskKind::Classes(_)) {
            1
        } else {
            numbers
        };
        let (size, classes) = match task.kind {
            TaskKind::Binary => (1, Some(2)),
            TaskKind::Classes(_) => (1, Some(numbers)),
            TaskKind::Multilabel(_) => (numbers, Some(2)),
            TaskKind::Segmentation(n) => (pixels, Some(n)),
            TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals => (numbers, None),
        };
        let mut rng = random.stream("synthetic label", [t as u64, 0, 0]);
        let draw = |_| match classes {
            Some(n) => rng.random_range(0..n) as f32,
            None => rng.random_range(-1.0..1.0f32),
        };
        let values = (0..rows * size).map(draw).collect();
        let task = task.name.clone();
        labels.push(LabelData { task, size, labels: labels_each, values, mask: None, units: None });
    }
    let train = Table { rows, inputs: encoded, labels };
    let losses = losses(spec, &train);
    let dataset = Dataset { train, validation: Table::default(), test: Table::default(), notes: Vec::new() };
    let tasks = (0..spec.tasks.len()).collect();
    Ok(Feed {
        dataset,
        data: 0,
        schema: Schema::default(),
        inputs,
        tasks,
        losses,
        origin: Default::default(),
        readers: readers(),
    })
}

fn open(what: &str, name: &str) -> RunError {
    RunError::NotYet(format!("the {what} `{name}` has a size that only the data tell: freeze their schema first"))
}
