//! Times as the API writes and reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use palisade_lists::Moment;
use palisade_model::Calendar;

pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// `2026-11-22T08:15:00Z`.
pub(super) fn shown(moment: Moment) -> String {
    Calendar::new(moment.0, 0).rfc3339_seconds()
}

/// Until when: a time from now such as `1h`, or a moment in UTC such as `2026-11-22T08:15:00Z`.
pub(super) fn until(text: &str, now: Moment) -> Option<Moment> {
    duration_millis(text).map(|millis| Moment(now.0.saturating_add(millis))).or_else(|| moment(text))
}

/// A hundred years: what is longer is a slip.
const MILLIS_MAX: u64 = 36_500 * 86_400_000;

fn duration_millis(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit())?;
    let factor = match &text[end..] {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = text[..end].parse().ok()?;
    number.checked_mul(factor).filter(|millis| (1..=MILLIS_MAX).contains(millis))
}

fn moment(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20
        && bytes.iter().zip(b"0000-00-00T00:00:00").all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        });
    let zone = shaped.then(|| &text[19..])?;
    let is_utc =
        zone.strip_prefix('.').map_or(zone, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    if is_utc != "Z" {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Counted from March, so that the leap day is the last of its year.
    let (from_march, year) = ((month + 9) % 12, year - u64::from(month <= 2));
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1;
    let seconds = days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second;
    // A day that its month does not have is another one.
    let moment = Moment(seconds * 1000);
    (second == 60 || shown(moment)[..19] == text[..19]).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_as_it_was() {
        for text in
            ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2026-11-22T08:15:00Z", "2100-03-01T00:00:00Z"]
        {
            assert_eq!(moment(text).map(shown).as_deref(), Some(text));
        }
        assert_eq!(moment("2026-11-22T08:15:00.123Z"), moment("2026-11-22T08:15:00Z"));
        assert_eq!(until("90m", Moment(5)), Some(Moment(5_400_005)));
        assert_eq!(until("7d", Moment(0)), Some(Moment(7 * 86_400_000)));
        for text in [
            "",
            "h",
            "1",
            "0s",
            "1w",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "2026-02-30T00:00:00Z",
            "2026-11-22",
            "2026-11-22T08:15:00+01:00",
            "2026-11-22T25:15:00Z",
            "2026-11-22T08:15:00",
            "éééééééééééé",
        ] {
            assert_eq!(until(text, Moment(0)), None, "{text}");
        }
    }
}
