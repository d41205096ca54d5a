//! L7 records: how much was asked of whom, added up over an interval. In the fields of Calico's L7 log, and ours.
//!
//! A record carries a sketch of what its requests look like: names of parameters, and of which class their values are.
//! Never a value.

use crate::event::EventId;
use crate::fields::{Moment, field_words, record};
use crate::redact::Excerpt;

record! {
    /// Requests that are alike, added up over an interval.
    pub struct Traffic {
        /// When it was written: the interval's end.
        time: Moment = "@timestamp",
        /// Its own id, which sorts by time.
        id: EventId = "id",
        /// The node that it was recorded on.
        host: Excerpt = "host",
        /// The data plane that it came from, as a collector knows it.
        dataplane: Excerpt = "dataplane",
        /// When the interval began.
        start_time: Moment = "start_time",
        /// When it ended.
        end_time: Moment = "end_time",
        /// Requests.
        count: u64 = "count",
        /// Of these, requests that were stopped.
        blocked: u64 = "blocked",
        /// Requests that would have been stopped in a mode that blocks.
        would_block: u64 = "would_block",
        /// Bytes of bodies that clients sent.
        bytes_in: u64 = "bytes_in",
        /// Bytes of bodies that clients were sent.
        bytes_out: u64 = "bytes_out",
        /// How long a request took on average, in nanoseconds.
        duration_mean: u64 = "duration_mean",
        /// How long the slowest took, in nanoseconds.
        duration_max: u64 = "duration_max",
        /// The service that was asked, by its name in our configuration.
        service: Excerpt = "service",
        /// The number of its application.
        application: Option<u32> = "application",
        /// The listener.
        listener: Excerpt = "listener",
        /// The workloads that asked: generateName and `*`, or the name; `pvt` or `pub` for addresses outside.
        src_name_aggr: Excerpt = "src_name_aggr",
        /// Their namespace; `-` when it is not known.
        src_namespace: Excerpt = "src_namespace",
        /// `wep` for a workload, `net` for anybody else.
        src_type: Option<&'static str> = "src_type",
        /// The service account that they run as.
        src_service_account: Excerpt = "src_service_account",
        /// How that is known: `certificate`, `address`, both, `contradiction` where the certificate is another's than has the
        /// address, and `configuration` where the calls are the workload's own.
        src_known_by: Option<&'static str> = "src_known_by",
        /// The protected workload.
        dest_name_aggr: Excerpt = "dest_name_aggr",
        /// Its namespace; `-` when it is not known.
        dest_namespace: Excerpt = "dest_namespace",
        /// `wep` for a workload, `net` for anybody else.
        dest_type: Option<&'static str> = "dest_type",
        /// The service account that it runs as.
        dest_service_account: Excerpt = "dest_service_account",
        /// The service, by its name in our configuration; `-` when services are not told apart.
        dest_service_name: Excerpt = "dest_service_name",
        /// The namespace of the protected workload.
        dest_service_namespace: Excerpt = "dest_service_namespace",
        /// The port where requests arrived.
        dest_service_port: Option<u16> = "dest_service_port",
        /// The URL, secrets masked and cut as configured.
        url: Excerpt = "url",
        /// The path went on behind what `url` keeps of it: `segment` where whole segments are not kept, `byte` where it was cut
        /// within one.
        url_cut: Option<&'static str> = "url_cut",
        /// The status that clients got, a text as in Calico's log; `-` where there was no answer.
        response_code: Excerpt = "response_code",
        /// The method.
        method: Excerpt = "method",
        /// The clients' program, where headers are told.
        user_agent: Excerpt = "user_agent",
        /// `html/1.1`, where headers are told.
        request_type: Excerpt = "type",
        /// `http` or `https`.
        protocol: Option<&'static str> = "protocol",
        /// `1.1`.
        protocol_version: Excerpt = "protocol_version",
        /// Who recorded it: `palisade`.
        collector_name: Option<&'static str> = "collector_name",
        /// `proxy` or `envoy`.
        collector_type: Option<&'static str> = "collector_type",
        /// The name that clients asked for.
        tls_sni: Excerpt = "tls_sni",
        /// `TLSv1.3`.
        tls_version: Option<&'static str> = "tls_version",
        /// The cipher suite, as the IANA names it.
        tls_cipher_suite: Option<&'static str> = "tls_cipher_suite",
        /// What requests look like: parameters that were seen, at most 32.
        parameters: Vec<ParameterSketch> = "parameters",
    }
}

record! {
    /// A parameter, as it was seen in many requests.
    pub struct ParameterSketch {
        /// Where it stands: `query` or `body`.
        place: &'static str = "place",
        /// Its name, at most 64 bytes, secrets masked.
        name: Excerpt = "name",
        /// How many requests had it.
        count: u64 = "count",
        /// Classes of values that were seen.
        classes: Vec<ValueClass> = "classes",
        /// Bytes of the longest value.
        bytes_max: u64 = "bytes_max",
    }
}

/// Takes the parameters of a request one by one: `query` or `body`, name, value. Raw.
pub type VisitParameter<'v> = dyn FnMut(&'static str, &[u8], &[u8]) + 'v;

field_words! {
    /// What kind of value stands in a parameter.
    pub enum ValueClass {
        /// Nothing.
        Empty = "empty",
        /// A whole number.
        Integer = "integer",
        /// A number with a point.
        Decimal = "decimal",
        /// `true`, `false`, `yes`, `no`, `on`, `off`.
        Flag = "flag",
        /// A UUID.
        Uuid = "uuid",
        /// Hexadecimal digits, 16 and more.
        Hex = "hex",
        /// A date, or a date and a time, as ISO 8601 writes them.
        Date = "date",
        /// An e-mail address.
        Email = "email",
        /// `scheme://`, or a path that begins with `/`.
        Url = "url",
        /// Letters, digits, `_` and `-`.
        Word = "word",
        /// Printable text.
        Text = "text",
        /// Anything else.
        Binary = "binary",
    }
}

impl ValueClass {
    /// The class of a value. Looks at its first 256 bytes; O(1).
    pub fn of(value: &[u8]) -> Self {
        let value = &value[..value.len().min(256)];
        let mut seen = 0_u8;
        for byte in value {
            seen |= BYTE_KINDS[usize::from(*byte)];
        }
        let only = |kinds: u8| seen & !kinds == 0;
        if value.is_empty() {
            Self::Empty
        } else if seen & OTHER != 0 {
            if std::str::from_utf8(value).is_ok() || value.len() == 256 { Self::Text } else { Self::Binary }
        } else if seen & CONTROL != 0 {
            Self::Binary
        } else if only(DIGIT | SIGN) && is_number(value, false) {
            Self::Integer
        } else if only(DIGIT | SIGN | DOT) && is_number(value, true) {
            Self::Decimal
        } else if only(DIGIT | HEX_LETTER | SIGN) && is_uuid(value) {
            Self::Uuid
        } else if only(DIGIT | HEX_LETTER) && value.len() >= 16 {
            Self::Hex
        } else if seen & DIGIT != 0 && is_date(value) {
            Self::Date
        } else if only(DIGIT | HEX_LETTER | LETTER | SIGN) {
            let flag = |word: &[u8]| value.eq_ignore_ascii_case(word);
            let flags: [&[u8]; 6] = [b"true", b"false", b"yes", b"no", b"on", b"off"];
            if value.len() <= 5 && flags.into_iter().any(flag) { Self::Flag } else { Self::Word }
        } else if is_email(value) {
            Self::Email
        } else if value[0] == b'/' || is_url(value) {
            Self::Url
        } else {
            Self::Text
        }
    }
}

const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const LETTER: u8 = 4;
/// `-` and `_`.
const SIGN: u8 = 8;
const DOT: u8 = 16;
const PUNCTUATION: u8 = 32;
const CONTROL: u8 = 64;
const OTHER: u8 = 128;

const BYTE_KINDS: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX_LETTER,
            b'g'..=b'z' | b'G'..=b'Z' => LETTER,
            b'-' | b'_' => SIGN,
            b'.' => DOT,
            b'\t' | b'\n' | b'\r' | b' '..=b'~' => PUNCTUATION,
            _ => CONTROL,
        };
        byte += 1;
    }
    kinds
};

fn is_number(value: &[u8], with_point: bool) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let numeric = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.last().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(numeric)
        && points == usize::from(with_point)
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_date(value: &[u8]) -> bool {
    const SHAPE: &[u8; 10] = b"dddd-dd-dd";
    let fits = |text: &[u8]| {
        text.iter()
            .zip(SHAPE)
            .all(|(byte, kind)| if *kind == b'd' { byte.is_ascii_digit() } else { byte == kind })
    };
    match value.len() {
        10 => fits(value),
        16..=35 => fits(&value[..10]) && matches!(value[10], b'T' | b' ') && value[11].is_ascii_digit(),
        _ => false,
    }
}

fn is_email(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'@');
    let (Some(name), Some(host), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    !name.is_empty() && name.iter().all(plain) && host.contains(&b'.') && host.iter().all(plain)
}

fn is_url(value: &[u8]) -> bool {
    memchr::memmem::find(value, b"://")
        .is_some_and(|at| at > 0 && at <= 16 && value[..at].iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_class_that_people_would_give_them() {
        for (value, class) in [
            (&b""[..], "empty"),
            (b"42", "integer"),
            (b"-42", "integer"),
            (b"4-2", "word"),
            (b"3.14", "decimal"),
            (b"1.2.3", "text"),
            (b"TRUE", "flag"),
            (b"123e4567-e89b-12d3-a456-426614174000", "uuid"),
            (b"deadbeefdeadbeef", "hex"),
            (b"beef", "word"),
            (b"2026-11-22", "date"),
            (b"2026-11-22T11:50:00Z", "date"),
            (b"ann@example.com", "email"),
            (b"https://example.com/", "url"),
            (b"/etc/passwd", "url"),
            (b"red_shoes", "word"),
            (b"1' OR '1'='1", "text"),
            ("Käse".as_bytes(), "text"),
            (b"a\0b", "binary"),
            (b"\xff\xfe", "binary"),
        ] {
            assert_eq!(ValueClass::of(value).as_str(), class, "{}", String::from_utf8_lossy(value));
        }
    }
}
