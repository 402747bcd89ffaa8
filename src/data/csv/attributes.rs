//! What follows from the attributes without reading the data, and contradictions between attributes.

use std::collections::{HashMap, HashSet};

use crate::data::{KnownColumn, KnownKind, Outline, files, schema_text, split, vocabulary};
use crate::diag::{Diagnostic, codes, suggest};
use crate::schema::{Args, Value};
use crate::source::{Span, Spanned};

/// The names that a list attribute contains.
pub fn names(args: &Args, attribute: &str) -> Vec<Spanned<String>> {
    let text = |v: &Spanned<Value>| {
        let text = match &v.value {
            Value::Name(parts) => parts.join("."),
            Value::Str(s) | Value::Path(s) => s.clone(),
            other => panic!("`{attribute}` holds {other:?}, not names"),
        };
        Spanned { value: text, span: v.span }
    };
    args.list(attribute).iter().map(text).collect()
}

pub fn plain(args: &Args, attribute: &str) -> Vec<String> {
    names(args, attribute).into_iter().map(|n| n.value).collect()
}

pub fn outline(args: &Args) -> Outline {
    // The column of `split` is skipped, as if `drop` listed it.
    let drop: HashSet<String> = plain(args, "drop").into_iter().chain(split::named(args).map(|n| n.column)).collect();
    let set = |attribute| plain(args, attribute).into_iter().collect::<HashSet<String>>();
    let numeric = args.get("numeric").map(|_| set("numeric"));
    let categories = set("categories");
    let columns = args.get("columns").map(|_| {
        let kind = |name: &String| match &numeric {
            _ if categories.contains(name) => KnownKind::Category(None),
            None => KnownKind::Open,
            Some(n) if n.contains(name) => KnownKind::Numeric(None),
            Some(_) => KnownKind::Category(None),
        };
        let known =
            |name: &String| KnownColumn { kind: kind(name), shape: Some(vec![]), ..KnownColumn::open(name.clone()) };
        plain(args, "columns").iter().filter(|n| !drop.contains(*n)).map(known).collect()
    });
    Outline { columns, missing: plain(args, "missing") }
}

pub fn check(args: &Args, item: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let columns = names(args, "columns");
    if !args.bool("header") && columns.is_empty() {
        let span = args.span("header").unwrap_or(item);
        found.push(
            Diagnostic::new(
                codes::TYPE_MISSING_ATTRIBUTE,
                span,
                "a table without a header needs names for its columns",
            )
            .help("add `columns = [...]`, one name per column in the file's order"),
        );
    }
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for c in &columns {
        if let Some(first) = seen.insert(&c.value, c.span) {
            found.push(
                Diagnostic::new(codes::NAME_DUPLICATE, c.span, format!("column `{}` is named twice", c.value))
                    .also(first, "first here"),
            );
        }
    }
    if !columns.is_empty() {
        let all = || columns.iter().map(|c| c.value.as_str());
        for name in ["numeric", "categories", "drop"].into_iter().flat_map(|a| names(args, a)) {
            if !seen.contains_key(name.value.as_str()) {
                let message = format!("`columns` has no `{}`", name.value);
                let d = Diagnostic::new(codes::DATA_COLUMN, name.span, message).label("no such column");
                found.push(match suggest::is_spent() {
                    true => d,
                    false => d.help(format!("the columns are {}", suggest::listing(all()))).nearest(
                        &name.value,
                        name.span,
                        all(),
                        schema_text::name,
                    ),
                });
            }
        }
    }
    let numeric: HashSet<String> = plain(args, "numeric").into_iter().collect();
    for name in names(args, "categories") {
        if numeric.contains(&name.value) {
            found.push(
                Diagnostic::new(
                    codes::NAME_DUPLICATE,
                    name.span,
                    format!("column `{}` is in `numeric` and in `categories`", name.value),
                )
                .help("take it out of one of them"),
            );
        }
    }
    found.extend(signs(args));
    let delimiter = args.str("delimiter");
    if delimiter.len() != 1 || matches!(delimiter, "\"" | "\n" | "\r") {
        let span = args.span("delimiter").unwrap_or(item);
        found.push(
            Diagnostic::new(codes::TYPE_RANGE, span, "a delimiter is one ASCII character, and no quote or line end")
                .help("for example \",\" or \";\", and \"\\t\" for a tab"),
        );
    }
    found.extend(vocabulary::check(args));
    found.extend(split::check(args, item, files::written(args, "test").len() == 1));
    found
}

/// Errors in the attributes for the notation of numbers.
fn signs(args: &Args) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut wrong = |attribute: &str, message: String, help: &str| {
        if let Some(span) = args.span(attribute) {
            found.push(Diagnostic::new(codes::TYPE_RANGE, span, message).help(help));
        }
    };
    let decimal = args.str("decimal");
    if !matches!(decimal, "." | ",") {
        wrong("decimal", format!("{decimal:?} is not a decimal separator"), "write \".\" or \",\"");
    }
    if let Some(sign) = args.opt_str("thousands") {
        if sign == decimal {
            let message = format!("{sign:?} cannot be the separator both of thousands and of the fraction");
            wrong(
                "thousands",
                message,
                "a table with a decimal comma has \".\" or \" \" between thousands: `decimal = \",\", thousands = \".\"`",
            );
        } else if sign.chars().count() != 1 || sign.contains(|c: char| c.is_alphanumeric() || matches!(c, '-' | '+')) {
            wrong(
                "thousands",
                format!("{sign:?} is not a thousands separator"),
                "write one character that is not a digit or a letter, for example \",\"",
            );
        }
    }
    for text in names(args, "strip") {
        if text.value.is_empty() || text.value.contains(|c: char| c.is_ascii_digit()) {
            wrong(
                "strip",
                format!("{:?} cannot be removed from a number", text.value),
                "write a unit or a sign without digits, for example \"%\"",
            );
        } else if text.value.chars().all(|c| matches!(c, '(' | ')' | '-' | '+' | '\u{2212}' | ' '))
            && text.value.trim() != ""
        {
            wrong(
                "strip",
                format!("{:?} can mean that a number is negative, so it cannot be removed", text.value),
                "correct the cells: write -12 instead of (12) or 12-",
            );
        }
    }
    for sign in names(args, "minus") {
        let mut chars = sign.value.chars();
        if !matches!((chars.next(), chars.next()), (Some(c), None) if !c.is_alphanumeric() && !matches!(c, '+' | '.' | ','))
        {
            wrong(
                "minus",
                format!("{:?} is not a minus sign", sign.value),
                "write one character, for example \"\u{2212}\"",
            );
        }
    }
    found
}
