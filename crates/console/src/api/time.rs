//! Times as the API writes and reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use palisade_events::query::nanoseconds;
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

/// Until when: a time from now such as `1h`, or a moment such as `2026-11-22T08:15:00Z`, in any zone.
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
    // A date alone would end a day earlier than most who write it mean.
    let millis = nanoseconds(text).filter(|_| text.len() > DATE)? / 1_000_000;
    u64::try_from(millis).ok().map(Moment)
}

/// The length of `2026-11-22`.
const DATE: usize = 10;

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
        assert_eq!(moment("2026-11-22T08:15:00.123Z").map(shown), moment("2026-11-22T08:15:00Z").map(shown));
        assert_eq!(moment("2026-11-22T09:15:00+01:00"), moment("2026-11-22T08:15:00Z"));
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
            "1969-12-31T23:59:59Z",
            "2026-11-22T25:15:00Z",
            "2026-11-22T08:15:00",
            "éééééééééééé",
        ] {
            assert_eq!(until(text, Moment(0)), None, "{text}");
        }
    }
}
