//! Points in time and the days of the Gregorian calendar. The one place that knows its leap years.

use std::fmt::Write as _;

/// Wall-clock time taken apart, in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// 1970 to 9999, in a zone west of UTC also 1969.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999.
    pub millisecond: u16,
    /// 0 is Sunday.
    pub weekday: u8,
    /// East of UTC.
    pub offset_seconds: i32,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Calendar {
    /// Milliseconds since 1970 in UTC, shown in a zone so many seconds east of it.
    pub fn new(unix_millis: u64, offset_seconds: i32) -> Self {
        let millis = i64::try_from(unix_millis).unwrap_or(i64::MAX / 2).min(MILLIS_MAX);
        let local = millis.div_euclid(1000) + i64::from(offset_seconds);
        let (days, seconds) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        // Days of eras of 400 years, years begin in March: the leap day is the last of its year.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as u8,
            day: day as u8,
            hour: (seconds / 3_600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            millisecond: millis.rem_euclid(1000) as u16,
            weekday: (days + 4).rem_euclid(7) as u8,
            offset_seconds,
        }
    }

    /// `2026-11-21T21:04:55.123Z`, or with `+01:00`.
    pub fn rfc3339(&self) -> String {
        let Self { year, month, day, hour, minute, second, millisecond, .. } = self;
        let mut out =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}");
        match self.offset_seconds {
            0 => out.push('Z'),
            _ => {
                let (sign, hours, minutes) = self.zone();
                let _ = write!(out, "{sign}{hours:02}:{minutes:02}");
            }
        }
        out
    }

    /// `2026-11-21T21:04:55Z`: as logrus writes it.
    pub fn rfc3339_seconds(&self) -> String {
        let mut out = self.rfc3339();
        if let Some(dot) = out.find('.') {
            out.replace_range(dot..dot + 4, "");
        }
        out
    }

    /// `21/Nov/2026:21:04:55 +0000`, as httpd's logs write it.
    pub fn common_log(&self) -> String {
        let Self { year, day, hour, minute, second, .. } = self;
        let (sign, hours, minutes) = self.zone();
        let month = MONTHS[usize::from(self.month - 1)];
        format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}")
    }

    /// `Sat Nov 21 21:04:55 2026`, as C's `asctime` writes it.
    pub fn asctime(&self) -> String {
        let Self { year, day, hour, minute, second, .. } = self;
        let (weekday, month) = (WEEKDAYS[usize::from(self.weekday)], MONTHS[usize::from(self.month - 1)]);
        format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
    }

    /// `20261121`, `2104` and `55`: what folders and files of a concurrent audit log are named by.
    pub fn compact(&self) -> (String, String, String) {
        let Self { year, month, day, hour, minute, second, .. } = self;
        (format!("{year:04}{month:02}{day:02}"), format!("{hour:02}{minute:02}"), format!("{second:02}"))
    }

    fn zone(&self) -> (char, u32, u32) {
        let minutes = self.offset_seconds.unsigned_abs() / 60;
        (if self.offset_seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
    }
}

/// Days from the first of January 1970 to a day, negative before it. None where there is no such day.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_of_month).contains(&day) || !(-999_999..=999_999).contains(&year) {
        return None;
    }
    // As above: years begin in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// The last millisecond of the year 9999: later ones have no place in these forms.
const MILLIS_MAX: i64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::{Calendar, days_since_1970};

    #[test]
    fn every_day_of_centuries_is_counted_and_no_other() {
        let mut days = days_since_1970(1899, 12, 31).unwrap();
        assert_eq!(days, -25_568);
        for (year, month, day) in (1900..2401)
            .flat_map(|year| (1..13).map(move |month| (year, month)))
            .flat_map(|(year, month)| (1..32).map(move |day| (year, month, day)))
        {
            let Some(counted) = days_since_1970(year, month, day) else { continue };
            days += 1;
            assert_eq!(counted, days, "{year}-{month}-{day}");
            if let Ok(millis) = u64::try_from(counted * 86_400_000) {
                let there = Calendar::new(millis, 0);
                assert_eq!((there.year, i64::from(there.month), i64::from(there.day)), (year, month, day));
            }
        }
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 1, 0),
            (i64::MAX, 1, 1),
        ] {
            assert_eq!(days_since_1970(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn known_days_read_as_they_should() {
        for (millis, rfc, asctime) in [
            (0, "1970-01-01T00:00:00.000Z", "Thu Jan  1 00:00:00 1970"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue Feb 29 00:00:00 2000"),
            (1_578_613_306_195, "2020-01-09T23:41:46.195Z", "Thu Jan  9 23:41:46 2020"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z", "Thu Feb 29 23:59:59 2024"),
            (u64::MAX, "9999-12-31T23:59:59.999Z", "Fri Dec 31 23:59:59 9999"),
        ] {
            let calendar = Calendar::new(millis, 0);
            assert_eq!(calendar.rfc3339(), rfc);
            assert_eq!(calendar.asctime(), asctime);
        }
        let article = Calendar::new(1_578_613_306_195, 0);
        assert_eq!(article.common_log(), "09/Jan/2020:23:41:46 +0000");
        assert_eq!(article.compact(), ("20200109".into(), "2341".into(), "46".into()));
        let west = Calendar::new(1_578_613_306_195, -(5 * 3600 + 1800));
        assert_eq!(west.common_log(), "09/Jan/2020:18:11:46 -0530");
        assert_eq!(west.rfc3339_seconds(), "2020-01-09T18:11:46-05:30");
    }
}
