//! Checked calls without the language: written arguments, and the table's defaults for the others.

use mtlc::schema::{Args, Call, CallDef, Need, Ty, Value};
use mtlc::source::{FileId, Span, Spanned};

pub fn call(def: &CallDef, written: &[(&'static str, Value)]) -> Call {
    let mut args = Args::default();
    let here = |value| Spanned { value, span: Span::new(FileId(0), 0, 0) };
    for attr in def.args {
        if let Some((_, value)) = written.iter().find(|(name, _)| *name == attr.name) {
            args.set(attr.name, here(value.clone()), true);
        } else {
            match attr.need {
                Need::Default(text) => args.set(attr.name, here(read(attr.ty, text)), false),
                Need::Required => panic!("{} needs {}", def.name, attr.name),
                Need::Optional => {}
            }
        }
    }
    for (name, _) in written {
        assert!(def.args.iter().any(|a| a.name == *name), "{} takes no {name}", def.name);
    }
    Call { name: def.name, args }
}

fn read(ty: Ty, text: &str) -> Value {
    match ty {
        Ty::Bool => Value::Bool(text.parse().unwrap()),
        Ty::Float { min, max } => {
            let value = text.parse().unwrap();
            assert!((min..=max).contains(&value), "default {text} is out of bounds");
            Value::Float(value)
        }
        Ty::OneOf(words) => {
            assert!(words.contains(&text), "default {text} is no choice");
            Value::Name(vec![text.into()])
        }
        other => panic!("no default of type {other:?} so far"),
    }
}

pub fn number(value: f64) -> Value {
    Value::Float(value)
}

pub fn word(text: &str) -> Value {
    Value::Name(vec![text.into()])
}

#[test]
fn every_default_reads_as_its_type_and_every_entry_says_what_it_is() {
    use mtlc::objective::{losses, metrics};
    use mtlc::optim::{optimizers, schedules};
    let all = losses().iter().map(|d| &d.call).chain(metrics().iter().map(|d| &d.call));
    let all = all.chain(optimizers().iter().map(|d| &d.call)).chain(schedules().iter().map(|d| &d.call));
    for def in all {
        assert!(def.doc.ends_with('.') && !def.doc.contains("  "), "{}: {:?}", def.name, def.doc);
        for attr in def.args {
            assert!(attr.doc.ends_with('.') && !attr.doc.contains("  "), "{}.{}", def.name, attr.name);
            if let Need::Default(text) = attr.need {
                read(attr.ty, text);
            }
        }
    }
}
