//! Recognises files that are not text by their first bytes, and explains how to convert them.

use super::Problem;

/// A kind of file: its first bytes, its name, and what to do about it.
struct Kind {
    begins: &'static [u8],
    /// Whether these bytes may be the beginning of a text as well, such as the name of a column. Then the file needs a byte that occurs in no
    /// text.
    ambiguous: bool,
    name: &'static str,
    help: &'static str,
}

const EXCEL: &str = "save the sheet as \"CSV UTF-8\" and name that file";
const UNPACK: &str = "unpack it and name the table in it (`.gz` files need not be unpacked)";
const FRAME: &str = "write it as csv, for example with pandas: `read_parquet(OLD).to_csv(NEW, index=False)`";

static KINDS: &[Kind] = &[
    Kind { begins: b"PAR1", ambiguous: true, name: "a Parquet file", help: FRAME },
    Kind {
        begins: b"ARROW1",
        ambiguous: true,
        name: "an Arrow (Feather) file",
        help: "write it as csv, for example with pandas: `read_feather(OLD).to_csv(NEW, index=False)`",
    },
    Kind {
        begins: b"ORC",
        ambiguous: true,
        name: "an ORC file",
        help: "write it as csv, for example with pandas: `read_orc(OLD).to_csv(NEW, index=False)`",
    },
    Kind {
        begins: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ambiguous: false,
        name: "an Excel workbook (xls)",
        help: EXCEL,
    },
    Kind {
        begins: b"SQLite format 3\0",
        ambiguous: false,
        name: "an SQLite database",
        help: "export the table as csv",
    },
    Kind {
        begins: b"\x89HDF\r\n\x1a\n",
        ambiguous: false,
        name: "an HDF5 file",
        help: "write its table as csv, or its arrays as `.npy`",
    },
    Kind { begins: b"\x93NUMPY", ambiguous: false, name: "a NumPy array", help: "read it with `format = npy`" },
    Kind { begins: b"\x1f\x8b", ambiguous: false, name: "compressed twice with gzip", help: "unpack it once" },
    Kind { begins: b"BZh91AY&SY", ambiguous: false, name: "compressed with bzip2", help: UNPACK },
    Kind { begins: b"BZh", ambiguous: true, name: "compressed with bzip2", help: UNPACK },
    Kind { begins: b"\xfd7zXZ\0", ambiguous: false, name: "compressed with xz", help: UNPACK },
    Kind { begins: b"\x28\xb5\x2f\xfd", ambiguous: false, name: "compressed with zstd", help: UNPACK },
    Kind { begins: b"7z\xbc\xaf\x27\x1c", ambiguous: false, name: "a 7z archive", help: UNPACK },
    Kind { begins: b"Rar!\x1a\x07", ambiguous: false, name: "a rar archive", help: UNPACK },
    Kind { begins: b"%PDF-", ambiguous: false, name: "a PDF document", help: "name a table in text form" },
    Kind { begins: b"\x89PNG\r\n", ambiguous: false, name: "a picture (png)", help: "name a table in text form" },
    Kind { begins: b"\xff\xd8\xff", ambiguous: false, name: "a picture (jpeg)", help: "name a table in text form" },
    Kind {
        begins: b"version https://git-lfs",
        ambiguous: false,
        name: "a Git LFS pointer, not the file itself",
        help: "fetch the file: `git lfs pull`",
    },
    Kind {
        begins: b"<!DOCTYPE",
        ambiguous: false,
        name: "a web page (HTML)",
        help: "download the table itself, not the page that shows it",
    },
    Kind {
        begins: b"<!doctype",
        ambiguous: false,
        name: "a web page (HTML)",
        help: "download the table itself, not the page that shows it",
    },
    Kind {
        begins: b"<html",
        ambiguous: false,
        name: "a web page (HTML)",
        help: "download the table itself, not the page that shows it",
    },
];

/// The number of bytes that are searched for bytes that occur in no text.
const NEAR: usize = 512;

/// The problem of a file with these first bytes, if it is not text.
pub fn refuse(first: &[u8]) -> Option<Problem> {
    if let [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] = first {
        return Some(archive(first));
    }
    // All formats whose first bytes are printable have some of these bytes near their beginning.
    let control = |b: &u8| (*b < b' ' && !b.is_ascii_whitespace()) || *b == 0x7f;
    let binary = || first.iter().take(NEAR).any(control);
    let kind = KINDS.iter().find(|k| first.starts_with(k.begins) && (!k.ambiguous || binary()))?;
    Some(Problem::file(format!("this is {}, and a table in text form is expected", kind.name), kind.help))
}

/// Whether a file is a zip archive with the parts of a workbook.
pub fn is_spreadsheet(first: &[u8]) -> bool {
    let holds = |name: &[u8]| first.windows(name.len()).any(|w| w == name);
    let parts: [&[u8]; 3] = [b"xl/", b"[Content_Types].xml", b"opendocument.spreadsheet"];
    first.starts_with(b"PK") && parts.into_iter().any(holds)
}

/// The problem of a zip archive. Office documents are zip archives as well.
fn archive(first: &[u8]) -> Problem {
    let (name, help) = if is_spreadsheet(first) {
        ("a spreadsheet (xlsx or ods)".to_string(), EXCEL.to_string())
    } else {
        (
            "a zip archive (xlsx and ods workbooks are such archives too)".to_string(),
            format!("unpack it and name the table in it; of a workbook, {EXCEL}"),
        )
    };
    Problem::file(format!("this is {name}, and a table in text form is expected"), help)
}
