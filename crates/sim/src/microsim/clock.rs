//! The time of day in the three forms that microsim writes, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment, by its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    year: u64,
    month: usize,
    day: u64,
    weekday: usize,
    seconds: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self::of(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// Of seconds since 1970. By Howard Hinnant's `civil_from_days`: years that begin in March.
    fn of(unix_seconds: u64) -> Self {
        let days = unix_seconds / 86_400;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            weekday: usize::try_from((days + 4) % 7).unwrap_or(0),
            seconds: unix_seconds % 86_400,
        }
    }

    fn clock(self) -> String {
        format!("{:02}:{:02}:{:02}", self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60)
    }

    fn month_name(self) -> &'static str {
        MONTHS[self.month - 1]
    }

    /// `Thu Jan  9 22:09:27 2020`.
    pub(super) fn asctime(self) -> String {
        format!(
            "{} {} {:2} {} {}",
            WEEKDAYS[self.weekday],
            self.month_name(),
            self.day,
            self.clock(),
            self.year
        )
    }

    /// `2020-01-09T22:09:27`.
    pub(super) fn iso(self) -> String {
        format!("{}-{:02}-{:02}T{}", self.year, self.month, self.day, self.clock())
    }

    /// `10/Jan/2020 00:27:57`.
    pub(super) fn of_log(self) -> String {
        format!("{:02}/{}/{} {}", self.day, self.month_name(), self.year, self.clock())
    }
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_microsims() {
        let moment = Moment::of(1_578_607_767);
        assert_eq!(moment.asctime(), "Thu Jan  9 22:09:27 2020");
        assert_eq!(moment.iso(), "2020-01-09T22:09:27");
        assert_eq!(Moment::of(1_578_616_077).of_log(), "10/Jan/2020 00:27:57");
        assert_eq!(Moment::of(0).asctime(), "Thu Jan  1 00:00:00 1970");
        assert_eq!(Moment::of(951_782_400).iso(), "2000-02-29T00:00:00");
        assert_eq!(Moment::of(4_107_542_399).iso(), "2100-02-28T23:59:59");
        assert_eq!(Moment::of(4_107_542_400).iso(), "2100-03-01T00:00:00");
    }
}
