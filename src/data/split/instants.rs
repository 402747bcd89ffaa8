//! Dates and times of a column as instants, so that they are ordered by time and not alphabetically.
//!
//! Reads ISO 8601 as it occurs in tables: `2026-11-30`, `2026-11-30T14:05`, `2026-11-30 5:00:00.25`, with `Z` or an offset such as `+01:00`
//! after a time. A date without a time means midnight.

use std::ops::RangeInclusive;

/// A point in time; without an offset, in the local time of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Seconds since the year 0.
    seconds: i64,
    /// The fraction of a second, in units of 10^-18 seconds.
    fraction: u64,
    /// Whether the text gives an offset from UTC.
    pub offset: bool,
}

/// The number of fraction digits that are kept.
const FRACTION: usize = 18;

/// Why a text is not a date, to follow "it is neither a number nor a date"; `None` if there is nothing to add.
pub type Reason = Option<&'static str>;

impl Instant {
    pub fn read(text: &str) -> Result<Instant, Reason> {
        let mut rest = Rest(text);
        let year = rest.digits(4, 4).ok_or_else(|| other_order(text))?;
        rest.sign("-").ok_or(None)?;
        let month = rest.digits(2, 2).ok_or(None)?;
        rest.sign("-").ok_or(None)?;
        let day = rest.digits(2, 2).ok_or(None)?;
        within(month, 1..=12, "there is no such month")?;
        within(day, 1..=days_of(year, month), "the month has no such day")?;
        let mut instant = Instant { seconds: days_before(year, month, day) * 86_400, fraction: 0, offset: false };
        if rest.0.is_empty() {
            return Ok(instant);
        }
        // After a blank, one digit is enough.
        let hour = match (rest.sign(" "), rest.sign("T")) {
            (Some(()), None) => rest.digits(1, 2),
            (None, Some(())) => rest.digits(2, 2),
            _ => None,
        };
        let hour = hour.ok_or(None)?;
        rest.sign(":").ok_or(None)?;
        let minute = rest.digits(2, 2).ok_or(None)?;
        let mut second = 0;
        if rest.sign(":").is_some() {
            second = rest.digits(2, 2).ok_or(None)?;
            if rest.sign(".").or_else(|| rest.sign(",")).is_some() {
                let before = rest.0;
                let fraction = rest.digits(1, FRACTION).ok_or(None)?;
                let digits = before.len() - rest.0.len();
                instant.fraction = fraction * 10u64.pow((FRACTION - digits) as u32);
            }
        }
        let half = rest.0.trim_start().to_ascii_lowercase();
        if half.starts_with("am") || half.starts_with("pm") {
            return Err(Some("write hours from 0 to 23 instead of AM and PM"));
        }
        within(hour, 0..=23, "there is no such hour")?;
        within(minute, 0..=59, "there is no such minute")?;
        within(second, 0..=59, "there is no such second")?;
        instant.seconds += (hour * 3600 + minute * 60 + second) as i64;
        if !rest.0.is_empty() {
            instant.offset = true;
            instant.seconds -= rest.offset()?;
        }
        Ok(instant)
    }
}

/// The rest of the text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn sign(&mut self, sign: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(sign)?;
        Some(())
    }

    /// A number with exactly this many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u64> {
        let n = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if n < least || n > most {
            return None;
        }
        let (digits, rest) = self.0.split_at(n);
        self.0 = rest;
        digits.parse().ok()
    }

    /// `Z`, `+01:00`, `-0530` or `+01`, in seconds; a blank may precede it.
    fn offset(&mut self) -> Result<i64, Reason> {
        self.0 = self.0.strip_prefix(' ').unwrap_or(self.0);
        if self.0 == "Z" {
            return Ok(0);
        }
        let sign = match (self.sign("+"), self.sign("-")) {
            (Some(()), None) => 1,
            (None, Some(())) => -1,
            _ => return Err(None),
        };
        let (hours, minutes) = match self.0.as_bytes() {
            [_, _, b':', _, _] => (self.0.get(..2), self.0.get(3..)),
            [_, _, _, _] => (self.0.get(..2), self.0.get(2..)),
            [_, _] => (Some(self.0), Some("00")),
            _ => return Err(None),
        };
        let number = |s: Option<&str>| Rest(s?).digits(2, 2);
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(None)?;
        within(hours, 0..=18, "there is no such offset")?;
        within(minutes, 0..=59, "there is no such offset")?;
        Ok(sign * (hours * 3600 + minutes * 60) as i64)
    }
}

fn within(number: u64, range: RangeInclusive<u64>, or: &'static str) -> Result<(), Reason> {
    if range.contains(&number) { Ok(()) } else { Err(Some(or)) }
}

/// `31/12/2026`, `12.1.26`: the order of day and month is unknown.
fn other_order(text: &str) -> Reason {
    let mut parts = text.split(['/', '.', '-', ' ']);
    let mut number = || parts.next().is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    (number() && number() && number()).then_some("it is unclear which number is the day and which is the month")
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1 January of the year 0 to this date.
fn days_before(year: u64, month: u64, day: u64) -> i64 {
    // Leap years before this one; the year 0 is one.
    let leap = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    let months: u64 = (1..month).map(|m| days_of(year, m)).sum();
    (year * 365 + leap + months + day - 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Instant {
        Instant::read(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn instants_are_in_the_order_of_time() {
        let ordered = [
            "0000-01-01",
            "0001-01-01",
            "1899-12-31 23:59:59.999999999",
            "1900-02-28",
            "1900-03-01T00:00",
            "2000-02-28 9:30",
            "2000-02-28 10:00:00",
            "2000-02-28T10:00:00.000000001",
            "2000-02-28T10:00:00,5",
            "2000-02-29",
            "2000-03-01",
            "2026-12-31T23:59",
            "9999-12-31",
        ];
        for pair in ordered.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
        for text in ordered {
            assert!(!of(text).offset, "{text}");
        }
        // Seconds since 1970, as `date -d ... +%s` gives them.
        let since = |text: &str| of(text).seconds - of("1970-01-01").seconds;
        assert_eq!(since("2026-11-30T14:05:07"), 1_796_047_507);
        assert_eq!(since("1969-12-31 23:00"), -3600);
    }

    #[test]
    fn one_instant_in_many_spellings() {
        let noon = of("2026-01-01T12:00:00Z");
        for text in [
            "2026-01-01T12:00Z",
            "2026-01-01 12:00:00.000 Z",
            "2026-01-01T13:00:00+01:00",
            "2026-01-01 06:30:00-0530",
            "2026-01-02T00:00+12",
            "2025-12-31 23:00 -13:00",
        ] {
            assert_eq!(of(text), noon, "{text}");
            assert!(of(text).offset);
        }
        assert_eq!(of("2026-01-01"), of("2026-01-01 0:00:00"));
        assert_eq!(of("2026-01-01 5:00"), of("2026-01-01T05:00:00"));
    }

    #[test]
    fn what_is_no_date_is_refused_with_a_reason() {
        for (text, reason) in [
            ("2026-13-01", "no such month"),
            ("2026-24-45", "no such month"),
            ("2026-00-10", "no such month"),
            ("2026-01-00", "no such day"),
            ("2026-04-31", "no such day"),
            ("2026-02-29", "no such day"),
            ("1900-02-29", "no such day"),
            ("2026-01-01 24:00", "no such hour"),
            ("2026-01-01 5:60", "no such minute"),
            ("2026-01-01T05:00:60", "no such second"),
            ("2026-01-01 12:00 AM", "AM and PM"),
            ("2026-01-01 3:30:00pm", "AM and PM"),
            ("2026-01-01T05:00+19:00", "no such offset"),
            ("31/12/2026", "which is the month"),
            ("12/31/2026 5:00", "which is the month"),
            ("1.2.26", "which is the month"),
        ] {
            let found = Instant::read(text).expect_err(text).unwrap_or_default();
            assert!(found.contains(reason), "{text}: {found:?}");
        }
        for text in [
            "",
            "soon",
            "2026-1-1",
            "2026-01-1",
            "2026-W05",
            "20260101T0500",
            "2026-01-01T5:00",
            "2026-01-01  5:00",
            "2026-01-01T",
            "2026-01-01Z",
            "2026-01-01 05",
            "2026-01-01T05:00:00.",
            "2026-01-01T05:00:1",
            "2026-01-01T05:00x",
            "2026-01-01T05:00:00 UTC",
            "2026-01-01T05:00+1",
            "2026-01-01T05:00\u{2212}01:00",
            "2026-01-01T05:00+\u{e9}\u{e9}",
            "202\u{661}-01-01",
            "+2026-01-01",
        ] {
            assert!(Instant::read(text).is_err(), "{text}");
        }
    }
}
