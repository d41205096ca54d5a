//! Times as records, queries and people write them.

use palisade_model::days_since_1970;

/// Nanoseconds since 1970 of a time of RFC 3339 (`2026-11-22T10:00:00.5Z`, any offset), or of a date alone, at its begin in
/// UTC. Fractions beyond nanoseconds are cut.
#[must_use]
pub fn nanoseconds(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if !is(4, b"-") || !is(7, b"-") {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    if bytes.len() == 10 {
        return Some(i128::from(days) * 86_400 * 1_000_000_000);
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !is(10, b"Tt ") || !is(13, b":") || !is(16, b":") || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut fraction = 0;
    if is(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for place in 0..9 {
            let digit = if place < digits { i128::from(bytes[at + 1 + place] - b'0') } else { 0 };
            fraction = fraction * 10 + digit;
        }
        at += 1 + digits;
    }
    let offset = if is(at, b"Zz") && bytes.len() == at + 1 {
        0
    } else if is(at, b"+-") && is(at + 3, b":") && bytes.len() == at + 6 {
        let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        let minutes = hours * 60 + minutes;
        if bytes[at] == b'-' { -minutes } else { minutes }
    } else {
        return None;
    };
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60;
    Some(i128::from(seconds) * 1_000_000_000 + fraction)
}

/// A text that is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It begins like a date and is none.
    #[error(
        "there is no such time; write one such as 2026-11-22T12:00:00Z, 2026-11-22T13:00:00+01:00 or 2026-11-22"
    )]
    NoSuchTime,
    /// It is a number without a unit.
    #[error("a number needs its unit: write 90s, 15m, 2h, 3d or 1w for how long ago")]
    NoUnit,
    /// It is something else.
    #[error("write how long ago, such as 15m, 2h, 3d or 1w, or a time such as 2026-11-22T12:00:00Z")]
    Neither,
}

/// A point in time as people write it, in milliseconds since 1970: a time of RFC 3339 or a date, as [`nanoseconds`] reads
/// it, or how long before `now` it was: `90s`, `15m`, `2h`, `3d`, `1w`. What lies before 1970 is 1970.
///
/// # Errors
/// What is wrong, and what to write instead.
pub fn moment(text: &str, now: u64) -> Result<u64, MomentError> {
    const UNITS: [(&str, u64); 5] =
        [("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 7 * 86_400_000)];
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if let Some((_, millis)) = UNITS.iter().find(|(name, _)| digits > 0 && *name == unit.trim_start()) {
        // A number of more digits than there are is longer ago than anything.
        let ago = number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*millis);
        return Ok(now.saturating_sub(ago));
    }
    match nanoseconds(text) {
        Some(nanos) => Ok(u64::try_from(nanos / 1_000_000).unwrap_or_default()),
        None if digits == 4 && unit.starts_with('-') => Err(MomentError::NoSuchTime),
        None if digits > 0 && unit.is_empty() => Err(MomentError::NoUnit),
        None => Err(MomentError::Neither),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_read_as_people_write_them() {
        for (text, millis) in [
            ("15m", 9_100_000),
            (" 15 m ", 9_100_000),
            ("1w", 0),
            ("99999999999999999999999d", 0),
            ("1970-01-01T00:01:00Z", 60_000),
            ("1970-01-01T02:01:00+02:00", 60_000),
            ("1970-01-01T00:00:00.25z", 250),
            ("1970-01-02", 86_400_000),
            ("1969-12-31", 0),
            ("2000-02-29", 951_782_400_000),
        ] {
            assert_eq!(moment(text, 10_000_000), Ok(millis), "{text}");
        }
        for (text, error) in [
            ("2026-02-30", MomentError::NoSuchTime),
            ("1900-02-29", MomentError::NoSuchTime),
            ("2026-04-31T00:00:00Z", MomentError::NoSuchTime),
            ("2026-13-01", MomentError::NoSuchTime),
            ("2026-11-22T24:00:00Z", MomentError::NoSuchTime),
            ("2026-11-22T09:00:00", MomentError::NoSuchTime),
            ("2026-11-22T09:00:00+25:00", MomentError::NoSuchTime),
            ("2026-11-22T09:00:00+01:60", MomentError::NoSuchTime),
            ("2026-11-22TZ", MomentError::NoSuchTime),
            ("5", MomentError::NoUnit),
            ("", MomentError::Neither),
            ("m", MomentError::Neither),
            ("soon", MomentError::Neither),
            ("-5m", MomentError::Neither),
            ("1y", MomentError::Neither),
            ("\u{fc}", MomentError::Neither),
        ] {
            assert_eq!(moment(text, 0), Err(error), "{text}");
        }
    }
}
