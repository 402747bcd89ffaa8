//! Compares the sizes of labels with those of their heads, and the sizes of masks with those of their labels, axis by axis. Columns of
//! unknown size are skipped.

use super::Typed;
use crate::data::axes::{self, Order};
use crate::data::{channels, marks};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Label, Spec, Task};

pub fn labels(spec: &Spec, heads: &[Option<Typed>], diags: &mut Diagnostics) {
    for (task, head) in spec.tasks.iter().zip(heads) {
        let Some(label) = &task.label else { continue };
        let Some(held) = &label.label.sizes else { continue };
        let output = head.as_ref().and_then(|h| h.ty.sizes());
        if let (true, Some([outputs, h, w])) = (task.kind.is_dense(), output.as_deref())
            && Some(*outputs) == task.kind.outputs()
            && let Some(d) = per_pixel(spec, task, label, held, [*h, *w])
        {
            diags.push(d);
            continue;
        }
        if let Some(mask) = &task.mask
            && let Some(of) = &mask.label.sizes
            && marks(task.kind, task.reading.order, held, of).is_none()
        {
            let (name, has, wanted) = (&task.name, axes::words(of), axes::words(held));
            diags.push(
                Diagnostic::new(codes::DATA_SHAPE, mask.span, format!("the mask of `{name}` is {has} per sample"))
                    .label(has)
                    .also(label.span, format!("the label is {wanted}"))
                    .help("a mask is one value per sample, or one for each label or pixel: its sizes are those of the label"),
            );
        }
    }
}

/// What is wrong with a label of the sizes `held` for a head whose output has `h` x `w` pixels; `None` if they fit.
fn per_pixel(spec: &Spec, task: &Task, label: &Label, held: &[usize], [h, w]: [usize; 2]) -> Option<Diagnostic> {
    let (parts, order) = (channels(task.kind), task.reading.order);
    let found = axes::grid(order, parts, held);
    if found == Some([h, w]) || (found.is_some() && task.reading.resize.is_some()) {
        return None;
    }
    let other = if order == Order::Hwc { Order::Chw } else { Order::Hwc };
    let help = match found {
        _ if axes::grid(other, parts, held) == Some([h, w]) => match order {
            Order::Chw => "the array holds height, width, channels: write `layout = hwc`".to_string(),
            Order::Hwc => "the array holds channels, height, width: leave out `layout = hwc`".to_string(),
        },
        Some([a, b]) if [a, b] == [w, h] => {
            "height and width are exchanged: transpose the labels before they are saved".to_string()
        }
        Some([a, b]) => {
            let kept = match (a / h, b / w) {
                (n, m) if n == m && n > 1 && [n * h, n * w] == [a, b] => {
                    format!("end the head with `upsample({n})` to predict at the size of the labels, or ")
                }
                _ => String::new(),
            };
            format!("{kept}write `resize = nearest` to resize the labels to {h} x {w}")
        }
        None if parts == 3 => {
            format!(
                "a label of `normals` is three numbers per pixel: f32[3, {h}, {w}], or [{h}, {w}, 3] with `layout = hwc`"
            )
        }
        None => format!("a label of `{}` is one number per pixel: [{h}, {w}]", task.kind.name()),
    };
    let has = axes::words(held);
    let outputs = task.kind.outputs().unwrap_or(parts);
    let message =
        format!("the label of `{}` is {has} per sample, and its head yields f32[{outputs}, {h}, {w}]", task.name);
    let d = Diagnostic::new(codes::DATA_SHAPE, label.span, message).label(format!("{has} per sample"));
    let d = match task.head {
        Some(head) => d.also(spec.heads[head.0].span, format!("yields {h} x {w} pixels")),
        None => d,
    };
    Some(d.help(help))
}
