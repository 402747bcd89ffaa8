//! A look at the tables of a program that has no frozen schemas: what training would report about them, without training.

use std::collections::HashMap;
use std::path::Path;

use crate::data::{Facts, LabelSpec, LoadContext, Raw, Schema, csv, encode};
use crate::diag::{Diagnostic, Severity, codes};
use crate::driver::{self, Compiled};
use crate::hir::{Data, Options, Spec};
use crate::ops::TensorType;

/// Reads the beginning of tables that have no frozen schema and are available here. What training would refuse is a warning, and its notes
/// are advice. Labels that do not fit a table are errors, as in training.
pub fn look(compiled: &mut Compiled, path: &Path, options: &Options) {
    let Some(checked) = &compiled.checked else { return };
    let (mut found, mut options) = (Vec::new(), options.clone());
    let mut frozen: HashMap<String, Schema> = HashMap::new();
    let mut raws: HashMap<String, Raw> = HashMap::new();
    for data in checked.spec.data.iter().filter(|d| d.schema.is_none() && d.format.call.name == csv::DEF.call.name) {
        let context = LoadContext { base: &data.base, schema: None };
        let Some(look) = csv::look(&data.name, &data.args, &context) else { continue };
        if let Some((message, help)) = look.refused {
            let warning = Diagnostic::new(codes::DATA_TABLE, data.span, message);
            found.push(warning.label("training would refuse this").help(help));
        }
        found.extend(look.notes.into_iter().map(|note| advice(data, note)));
        options.known.extend(look.known.map(|known| (data.name.clone(), known)));
        frozen.extend(look.schema.map(|schema| (data.name.clone(), schema)));
        raws.extend(look.raw.map(|raw| (data.name.clone(), raw)));
    }
    if !options.known.is_empty() {
        let text = &compiled.sources.file(compiled.root).text;
        let again = driver::compile_text(text, path, &options, &driver::read);
        // If only some rows were read, only the columns and their kinds are certain.
        let certain = [codes::TASK_LABEL, codes::TASK_RANGE, codes::TYPE_MISMATCH, codes::DATA_COLUMN];
        let all = options.known.values().all(|known| known.frozen);
        let wrong = again.diagnostics.into_iter().filter(|d| d.is_error() && (all || certain.contains(&d.code)));
        found.extend(wrong);
        if let Some(checked) = &again.checked {
            found.extend(labels(&checked.spec, &frozen, &raws));
            found.extend(constants(&checked.spec, &frozen));
        }
    }
    compiled.diagnostics.extend(found);
}

/// The labels that training would refuse: the first of each task.
fn labels(spec: &Spec, frozen: &HashMap<String, Schema>, raws: &HashMap<String, Raw>) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for task in &spec.tasks {
        let Some(label) = &task.label else { continue };
        let name = &spec.data[label.data.0].name;
        let (Some(schema), Some(raw)) = (frozen.get(name), raws.get(name)) else { continue };
        let read = LabelSpec {
            task: task.name.clone(),
            kind: task.kind,
            label: label.label.clone(),
            mask: task.mask.as_ref().map(|m| m.label.clone()),
            reading: task.reading.clone(),
            pixels: None,
            standardize: false,
        };
        if let Err(e) = encode::encode(raw, schema, &[], &[read]) {
            let d = Diagnostic::new(codes::TASK_RANGE, label.span, e.to_string());
            wrong.push(d.help(e.help().unwrap_or_default()));
        }
    }
    wrong
}

fn advice(data: &Data, note: String) -> Diagnostic {
    Diagnostic { severity: Severity::Advice, ..Diagnostic::new(codes::DATA_TABLE, data.span, note) }
}

/// Advice about fields that hold the same number in every training row.
fn constants(spec: &Spec, frozen: &HashMap<String, Schema>) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for input in spec.inputs.iter().filter(|i| matches!(i.ty, TensorType::Fields(_))) {
        for from in input.from.iter().chain(&input.also) {
            let data = &spec.data[from.data.0];
            let Some(schema) = frozen.get(&data.name) else { continue };
            for name in from.names.iter().flatten() {
                if let Some(Facts::Numeric { std: 0.0, min, .. }) = schema.column(name).map(|c| &c.facts) {
                    let note = encode::constant(name, *min);
                    if !told.iter().any(|d: &Diagnostic| d.message == note) {
                        told.push(advice(data, note));
                    }
                }
            }
        }
    }
    told
}
