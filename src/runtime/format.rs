//! JSON files that are written and read back. Each has a `version`, the number of its format. A file of a later format is refused with a
//! message that names both formats, before its contents are interpreted.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RunError;

/// A type of file with a numbered format. Its JSON has the number as `version`.
pub trait Record: Serialize + DeserializeOwned {
    /// The number of the format that this program writes. It reads all formats from 1 to this one.
    const VERSION: u32;
}

/// Parses a record. `shown` is the name of the file in messages.
pub fn parse<T: Record>(bytes: &[u8], shown: &str) -> Result<T, RunError> {
    let unread = |e: serde_json::Error| RunError::Checkpoint(format!("`{shown}` cannot be read: {e}"));
    let value: Value = serde_json::from_slice(bytes).map_err(unread)?;
    known(&value, T::VERSION).map_err(|why| RunError::Checkpoint(format!("`{shown}` {why}")))?;
    serde_json::from_value(value).map_err(unread)
}

/// Checks that the `version` of a file is from 1 to `newest`. The error is the end of a sentence about the file.
pub fn known(value: &Value, newest: u32) -> Result<(), String> {
    let mine = concat!("mtlc ", env!("CARGO_PKG_VERSION"));
    match value["version"].as_u64() {
        Some(v) if (1..=u64::from(newest)).contains(&v) => Ok(()),
        Some(v) => {
            let writer = value["tool"].as_str().map(|t| format!(" (`{t}`)")).unwrap_or_default();
            let known = if newest == 1 { "format 1".to_string() } else { format!("formats 1 to {newest}") };
            Err(format!("has format {v}, and {mine} reads {known}: use the program that wrote it{writer}"))
        }
        None => Err("has no `version`, the number of its format: it was not written by mtlc, or it was edited".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Example {
        version: u32,
        value: f64,
    }

    impl Record for Example {
        const VERSION: u32 = 2;
    }

    #[test]
    fn later_formats_are_refused() {
        let read = |text: &str| parse::<Example>(text.as_bytes(), "a.json").map_err(|e| e.to_string());
        for version in [1, 2] {
            assert_eq!(read(&format!("{{\"version\":{version},\"value\":0.1}}")), Ok(Example { version, value: 0.1 }));
        }
        let newer = read("{\"version\":3,\"tool\":\"mtlc 9\",\"other\":0}").expect_err("it is newer");
        assert!(
            newer.contains("has format 3") && newer.contains("formats 1 to 2") && newer.contains("`mtlc 9`"),
            "{newer}"
        );
        for text in ["{\"value\":1}", "{\"version\":0,\"value\":1}", "{\"version\":\"1\",\"value\":1}", "[]", "3"] {
            let why = read(text).expect_err("it has no format");
            assert!(why.starts_with("`a.json` has "), "{why}");
        }
        assert!(read("{\"version\":1,").expect_err("it is cut").contains("cannot be read"));
    }
}
