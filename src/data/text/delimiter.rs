//! Detects the delimiter of a table.

use super::records::{Record, Records};

/// Common delimiters of tables.
const SIGNS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The number of records that are compared.
const RECORDS: usize = 100;

/// Describes a delimiter for messages: "tabs", "`;`".
pub fn describe(sign: u8) -> String {
    match sign {
        b'\t' => "tabs".into(),
        b' ' => "spaces".into(),
        _ => format!("`{}`", char::from(sign)),
    }
}

/// The actual delimiter of a table, if it is not `expected`, with the number of cells and of records. With the actual delimiter, all
/// records at the beginning have the same number of cells, more than one; with the expected one, they do not. A sign that only occurs
/// at the ends of lines is not a delimiter.
pub fn separates(sample: &[u8], expected: u8) -> Option<(u8, usize, usize)> {
    if cells(sample, expected).is_some() {
        return None;
    }
    let others = SIGNS.into_iter().filter(|s| *s != expected);
    others.filter_map(|s| cells(sample, s).map(|(cells, records)| (s, cells, records))).max_by_key(|(_, n, _)| *n)
}

/// The number of cells per record and the number of records, if all of the first records have the same number of cells, more than one.
fn cells(sample: &[u8], sign: u8) -> Option<(usize, usize)> {
    // The last line of the sample may be cut off.
    let end = sample.iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(sample.len(), |at| at + 1);
    let mut records = Records::new(&sample[..end], sign);
    let mut record = Record::default();
    let (mut width, mut n) = (0, 0);
    let mut used: Vec<bool> = Vec::new();
    while n < RECORDS && matches!(records.read(&mut record), Ok(true)) {
        if n == 0 && declared(&record, sign).is_some() {
            continue;
        }
        if n > 0 && record.len() != width {
            return None;
        }
        width = record.len();
        n += 1;
        used.resize(width, false);
        used.iter_mut().zip(record.iter()).for_each(|(used, cell)| *used |= !cell.is_empty());
    }
    (width > 1 && used.iter().all(|u| *u)).then_some((width, n))
}

/// The delimiter that a line `sep=;` declares. The line was read with `delimiter`.
pub fn declared(record: &Record, delimiter: u8) -> Option<u8> {
    let first = record.cell(0);
    match (first.strip_prefix(b"sep=")?, record.len()) {
        ([], 2) if record.cell(1).is_empty() => Some(delimiter),
        // The declared delimiter was white space, which is trimmed.
        ([], 1) => Some(b'\t'),
        ([sign], 1) if sign.is_ascii() => Some(*sign),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_that_gives_every_record_the_same_cells() {
        let of = |text: &str, expected: u8| separates(text.as_bytes(), expected).map(|(s, n, _)| (char::from(s), n));
        assert_eq!(of("id\tplace\ty\n1\ta,b\t0\n2\tc,d\t1\n3\te\t0\n", b','), Some(('\t', 3)));
        assert_eq!(of("a;b\n1,5;2\n1;2,5\n", b','), Some((';', 2)));
        assert_eq!(of("a|b|c\r1|2|3\r", b','), Some(('|', 3)));
        assert_eq!(of("a,b\n1,2\n", b';'), Some((',', 2)));
        assert_eq!(of("sep=;\r\na;b\r\n1;2\r\n", b','), Some((';', 2)));
        assert_eq!(of("a,b\n1;2,3;4\n", b','), None, "what is expected fits");
        assert_eq!(of("a\nb; c\nd\n", b','), None, "one column");
        assert_eq!(of("a,b\n1,2\n3\n", b','), None, "no sign fits");
        assert_eq!(of("a,b\t\n1,2\t\n3\t\n", b','), None, "tabs at the ends of lines");
    }
}
