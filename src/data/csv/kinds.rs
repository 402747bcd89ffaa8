//! Which columns are numbers.

use crate::data::DataError;
use crate::data::error::LARGEST;
use crate::data::raw::{MISSING, Raw, Values};

/// Every present training cell reads as a number, and one is finite. A NaN among numbers is a mistake to be reported, not a
/// reason to take the numbers for categories.
pub fn looks_numeric(raw: &Raw, c: usize) -> bool {
    let numbers: Vec<Option<f64>> = raw.columns[c].dictionary.iter().map(|w| w.parse().ok()).collect();
    let Values::Text(codes) = &raw.splits[0].columns[c] else { return false };
    let mut present = codes.iter().filter(|code| **code != MISSING);
    let mut finite = false;
    present.all(|code| numbers[*code as usize].inspect(|v| finite |= v.is_finite()).is_some()) && finite
}

fn finite(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|v| v.abs() <= LARGEST)
}

pub fn to_numbers(raw: &mut Raw, c: usize) -> Result<(), DataError> {
    let column = &mut raw.columns[c];
    let words = std::mem::take(&mut column.dictionary);
    let numbers: Vec<Option<f64>> = words.iter().map(|w| finite(w)).collect();
    for split in &mut raw.splits {
        let Values::Text(codes) = &split.columns[c] else { continue };
        let mut values = Vec::with_capacity(codes.len());
        for (row, code) in codes.iter().enumerate() {
            let value = if *code == MISSING { Some(f64::NAN) } else { numbers[*code as usize] };
            match value {
                Some(v) => values.push(v),
                None => {
                    let text = &words[*code as usize];
                    return Err(match text.parse::<f64>() {
                        Ok(value) => {
                            DataError::NotFinite { place: split.place(row), column: column.name.clone(), value }
                        }
                        Err(_) => DataError::NotANumber {
                            path: split.source.clone().into(),
                            line: split.origin[row] as u64,
                            column: column.name.clone(),
                            text: text.clone(),
                        },
                    });
                }
            }
        }
        split.columns[c] = Values::F64(values);
    }
    Ok(())
}
