//! `format`: the ones that are written often, held as their definitions say. Others say nothing here.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::number::Number;

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Int32,
    Int64,
    Date,
    DateTime,
    Time,
    Uuid,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
    Byte,
    /// Any bytes, of which nobody asks whether they are UTF-8.
    Binary,
}

/// Names, and whether they are about numbers.
const NAMES: &[(&str, Format)] = &[
    ("int32", Format::Int32),
    ("int64", Format::Int64),
    ("date", Format::Date),
    ("date-time", Format::DateTime),
    ("time", Format::Time),
    ("uuid", Format::Uuid),
    ("email", Format::Email),
    ("hostname", Format::Hostname),
    ("ipv4", Format::Ipv4),
    ("ipv6", Format::Ipv6),
    ("uri", Format::Uri),
    ("byte", Format::Byte),
    ("binary", Format::Binary),
];

impl Format {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn is_of_numbers(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64)
    }

    pub(crate) fn fits_number(self, number: Number) -> bool {
        match self {
            Self::Int32 => number.whole().is_some_and(|whole| i32::try_from(whole).is_ok()),
            Self::Int64 => number.whole().is_some_and(|whole| i64::try_from(whole).is_ok()),
            _ => true,
        }
    }

    /// Whether a text has it. O(n).
    pub(crate) fn fits_text(self, text: &[u8]) -> bool {
        if self == Self::Binary {
            return true;
        }
        let Ok(text) = std::str::from_utf8(text) else { return false };
        match self {
            Self::Int32 | Self::Int64 | Self::Binary => true,
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => {
                let date_and_time = text.split_at_checked(10);
                date_and_time.is_some_and(|(date, time)| {
                    is_date(date.as_bytes())
                        && matches!(time.as_bytes().first(), Some(b'T' | b't' | b' '))
                        && is_time(&time.as_bytes()[1..])
                })
            }
            Self::Time => is_time(text.as_bytes()),
            Self::Uuid => {
                text.len() == 36
                    && text.bytes().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
            Self::Email => text.rsplit_once('@').is_some_and(|(local, domain)| {
                let odd =
                    |char: char| char.is_whitespace() || char.is_control() || "<>()[],;:\\\"@".contains(char);
                !local.is_empty() && local.len() <= 64 && !local.contains(odd) && is_hostname(domain)
            }),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => text.split_once(':').is_some_and(|(scheme, rest)| {
                let inside = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
                scheme.starts_with(|char: char| char.is_ascii_alphabetic())
                    && scheme.chars().all(inside)
                    && !rest.is_empty()
                    && !rest.contains(|char: char| {
                        char.is_whitespace() || char.is_control() || "<>\"{}|\\^`".contains(char)
                    })
            }),
            Self::Byte => {
                let content = text.trim_end_matches('=');
                text.len() % 4 == 0
                    && text.len() - content.len() <= 2
                    && content.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
            }
        }
    }
}

/// `2026-11-22`.
fn is_date(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return false };
    let (Some(year), Some(month), Some(day)) =
        (digits(&[*y1, *y2, *y3, *y4]), digits(&[*m1, *m2]), digits(&[*d1, *d2]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `12:30:00.5Z`, `12:30:00+01:00`.
fn is_time(text: &[u8]) -> bool {
    let Some(([h1, h2, b':', m1, m2, b':', s1, s2], mut rest)) = text.split_first_chunk::<8>() else {
        return false;
    };
    let inside = |tens: &u8, ones: &u8, most| digits(&[*tens, *ones]).is_some_and(|number| number <= most);
    if !inside(h1, h2, 23) || !inside(m1, m2, 59) || !inside(s1, s2, 60) {
        return false;
    }
    if let Some(after) = rest.strip_prefix(b".") {
        let fraction = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    }
    match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => inside(h1, h2, 23) && inside(m1, m2, 59),
        _ => false,
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number, byte| Some(number * 10 + char::from(*byte).to_digit(10)?))
}

fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|char| char.is_alphanumeric() || char == '-')
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_they_mean_and_nothing_near_it() {
        for (format, fits, fails) in [
            (
                "date",
                &["2024-02-29", "2026-12-31"][..],
                &["2023-02-29", "2026-13-01", "2026-1-1", "2026-11-22T"][..],
            ),
            (
                "date-time",
                &["2026-11-22T12:30:00Z", "2026-11-22t12:30:60.123+01:00"],
                &[
                    "2026-11-22",
                    "2026-11-22T25:00:00Z",
                    "2026-11-22T12:30:00",
                    "2026-11-22T12:30:00ZZ",
                    "é026-11-22T12:30:00Z",
                ],
            ),
            ("time", &["00:00:00Z"], &["00:00Z", "24:00:00Z", "00:00:00.Z"]),
            (
                "uuid",
                &["123e4567-e89b-12d3-a456-426614174000"],
                &["123e4567e89b12d3a456426614174000", "", "123e4567-e89b-12d3-a456-42661417400g"],
            ),
            ("email", &["a@b.example", "a+b@c"], &["a", "@b", "a@", "a b@c", "a@b@c", "a@b..c", "a@b\n"]),
            ("hostname", &["a.b-c.example", "a."], &["", "-a", "a..b", "a_b", "a b"]),
            ("ipv4", &["192.0.2.1"], &["192.0.2", "192.0.2.256", "::1"]),
            ("ipv6", &["::1", "2001:db8::1"], &["192.0.2.1", "::g"]),
            ("uri", &["https://a/b?c", "urn:x:y"], &["//a", "a b:c", "https:", "javascript:a b", "1a:b"]),
            ("byte", &["", "aGk=", "YWJj"], &["aGk", "a===", "aG k", "a-_="]),
            ("binary", &["anything"], &[]),
        ] {
            let format = Format::from_name(format).unwrap();
            fits.iter().for_each(|text| {
                assert!(format.fits_text(text.as_bytes()), "{} takes {text}", format.name())
            });
            fails.iter().for_each(|text| {
                assert!(!format.fits_text(text.as_bytes()), "{} refuses {text}", format.name())
            });
        }
        let whole = |text: &str| Number::parse(text.as_bytes()).unwrap();
        assert!(
            Format::Int32.fits_number(whole("-2147483648"))
                && !Format::Int32.fits_number(whole("2147483648"))
        );
        assert!(Format::Int64.fits_number(whole("9223372036854775807")));
        assert!(!Format::Int64.fits_number(whole("9223372036854775808")));
        assert_eq!(Format::from_name("password"), None);
    }
}
