//! What the data tests share: data items from text, small files of each format, and a folder to put them in.

#![allow(dead_code)]

use std::io::Write;
use std::path::Path;

use mtlc::data::{self, DataError, FormatDef, Known, LoadContext, Raw, Schema};
use mtlc::schema::{Args, AttrDef, Call, CallDef, Need, Ty, Value};
use mtlc::source::{FileId, Spanned};
use mtlc::syntax::ast::{Entry, Expr, ExprKind, Item, UnaryOp};

/// The first item of a text that must read without errors.
pub fn item(text: &str) -> Item {
    let parse = mtlc::syntax::parse(FileId(0), &format!("mtl 1\n{text}\n"));
    assert!(!parse.has_errors(), "{:#?}\n{text}", parse.diagnostics);
    parse.into_file().items.remove(0)
}

/// An expression.
pub fn expr(text: &str) -> Expr {
    let item = item(&format!("task t {{ label = {text} }}"));
    match item.body.expect("a body").entries.remove(0) {
        Entry::Attr(a) => a.value,
        other => panic!("{other:?}"),
    }
}

/// A data item's format and checked attributes, defaults filled in.
pub fn attributes(text: &str) -> (&'static FormatDef, Args) {
    let item = item(&format!("data d {{ {text} }}"));
    let mut attrs = Vec::new();
    for entry in item.body.expect("a body").entries {
        match entry {
            Entry::Attr(a) => attrs.push((a.key.text, a.value)),
            other => panic!("{other:?}"),
        }
    }
    let format = attrs.remove(0);
    assert_eq!(format.0, "format");
    let Some(Value::Name(name)) = value(&format.1, &Ty::Name) else { panic!("{format:?}") };
    let def = data::find(&name[0]).expect("a format");
    (def, arguments(&def.call, attrs))
}

pub fn arguments(call: &CallDef, mut given: Vec<(String, Expr)>) -> Args {
    let mut args = Args::default();
    for def in call.args {
        let at = given.iter().position(|(k, _)| k == def.name || k.is_empty());
        set(&mut args, def, at.map(|i| given.remove(i).1));
    }
    assert!(given.is_empty(), "{} does not take {given:?}", call.name);
    args
}

fn set(args: &mut Args, def: &AttrDef, given: Option<Expr>) {
    let is_given = given.is_some();
    let written = match (given, def.need) {
        (Some(e), _) => e,
        (None, Need::Default(text)) => expr(text),
        (None, Need::Optional) => return,
        (None, Need::Required) => panic!("`{}` is required", def.name),
    };
    let span = written.span;
    let read = value(&written, &def.ty).unwrap_or_else(|| panic!("`{}` cannot be {written:?}", def.name));
    args.set(def.name, Spanned { value: read, span }, is_given);
}

fn number(e: &Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Int(v) => Some(*v as f64),
        ExprKind::Float(v) => Some(*v),
        ExprKind::Unary { op: UnaryOp::Neg, operand } => number(operand).map(|v| -v),
        _ => None,
    }
}

/// Reads a value of a type, as the checker does.
pub fn value(e: &Expr, ty: &Ty) -> Option<Value> {
    match (ty, &e.kind) {
        (Ty::Bool, ExprKind::Path(p)) => Some(Value::Bool(p[0].text == "true")),
        (Ty::Int { min, max }, ExprKind::Int(v)) if min <= v && v <= max => Some(Value::Int(*v)),
        (Ty::Float { min, max }, _) => number(e).filter(|v| min <= v && v <= max).map(Value::Float),
        (Ty::Str, ExprKind::Str(s)) => Some(Value::Str(s.clone())),
        (Ty::Path, ExprKind::Str(s)) => Some(Value::Path(s.clone())),
        (Ty::Name, ExprKind::Str(s)) => Some(Value::Name(vec![s.clone()])),
        (Ty::Name, ExprKind::Path(p)) => Some(Value::Name(p.iter().map(|n| n.text.clone()).collect())),
        (Ty::OneOf(words), ExprKind::Path(p)) => {
            words.contains(&p[0].text.as_str()).then(|| Value::Name(vec![p[0].text.clone()]))
        }
        (Ty::Expr, _) | (Ty::Condition, ExprKind::Binary { .. }) => Some(Value::Expr(e.clone())),
        (Ty::List(inner), ExprKind::List(items)) => {
            let read = |i: &Expr| value(i, inner).map(|v| Spanned { value: v, span: i.span });
            items.iter().map(read).collect::<Option<_>>().map(Value::List)
        }
        (Ty::List(inner), _) => value(e, inner).map(|v| Value::List(vec![Spanned { value: v, span: e.span }])),
        (Ty::AnyOf(tys), _) => tys.iter().find_map(|t| value(e, t)),
        (Ty::Call(defs), ExprKind::Call { callee, args }) => {
            let ExprKind::Path(p) = &callee.kind else { return None };
            let def = defs().into_iter().find(|d| d.name == p[0].text)?;
            let named =
                args.iter().map(|a| (a.name.as_ref().map_or(String::new(), |n| n.text.clone()), a.value.clone()));
            Some(Value::Call(Call { name: def.name, args: arguments(def, named.collect()) }))
        }
        _ => None,
    }
}

pub fn load(text: &str, base: &Path) -> Result<Raw, DataError> {
    let (def, args) = attributes(text);
    let span = mtlc::source::Span::new(FileId(0), 0, 0);
    let problems = (def.check)(&args, span);
    assert!(problems.is_empty(), "{problems:#?}");
    (def.load)(&args, &LoadContext { base, schema: None })
}

/// The failure, as people see it: facts and the way out.
pub fn failure(text: &str, base: &Path) -> String {
    // File names in messages are absolute; the folder differs from run to run.
    let (def, args) = attributes(text);
    let e = (def.load)(&args, &LoadContext { base, schema: None }).expect_err("must fail");
    let help = e.help().map(|h| format!("\n{h}")).unwrap_or_default();
    format!("{e}{help}").replace(&format!("{}/", base.display()), "")
}

pub fn known(raw: &Raw) -> Vec<Known> {
    vec![Known::from_schema("d", &Schema::freeze(raw))]
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

pub fn write(base: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(base.join(name), bytes).expect("a file");
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// An idx file of bytes.
pub fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 8, sizes.len() as u8];
    out.extend(sizes.iter().flat_map(|s| s.to_be_bytes()));
    out.extend(values);
    out
}

/// A version 1 `.npy`.
pub fn npy(dtype: &str, fortran: bool, shape: &[usize], body: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let sizes: String = shape.iter().map(|s| format!("{s}, ")).collect();
    let header = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({sizes}), }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    out.extend(body);
    out
}

/// A zip of members, deflated where asked.
pub fn zip(members: &[(&str, Vec<u8>, bool)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes, deflate) in members {
        let at = out.len() as u32;
        let packed = if *deflate {
            let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            e.write_all(bytes).expect("memory");
            e.finish().expect("memory")
        } else {
            bytes.clone()
        };
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let method: u16 = if *deflate { 8 } else { 0 };
        let mut shared = vec![20, 0, 0, 0];
        shared.extend(method.to_le_bytes());
        shared.extend([0; 4]);
        for n in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
            shared.extend(n.to_le_bytes());
        }
        shared.extend((name.len() as u16).to_le_bytes());
        shared.extend([0; 2]);
        out.extend(b"PK\x03\x04");
        out.extend(&shared);
        out.extend(name.bytes());
        out.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = out.len() as u32;
    let count = (members.len() as u16).to_le_bytes();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}
