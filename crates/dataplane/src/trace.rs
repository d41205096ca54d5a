//! Which trace a request belongs to, by the W3C's Trace Context: what came with it, what goes on to the service.
//!
//! Two spans are ours: that of the request, and that of the question to the service, whose id the service gets as its parent.
//! All is known from the head, so that nothing about traces waits anywhere.

use std::fmt::Write as _;

use palisade_http::Fields;

/// Which requests are traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Of requests whose parent does not say it, one in so many.
    pub one_in: u32,
    /// A `traceparent` says which trace it is, and whether it is traced.
    pub follows_parents: bool,
}

/// The trace of a request, and our spans in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub id: [u8; 16],
    /// The span that the request came from; `None` where the trace begins here.
    pub parent: Option<[u8; 8]>,
    /// The span of the request.
    pub span: [u8; 8],
    /// The span of the question to the service.
    pub upstream_span: [u8; 8],
    /// Whether it is told to anybody.
    pub is_sampled: bool,
}

impl Trace {
    /// The trace of a request with these fields. `request_id` and `drawn` are two fresh ids: of a trace that begins here, and of
    /// its spans.
    pub(crate) fn of(headers: &Fields, request_id: &str, drawn: &str, sampling: Sampling) -> Self {
        let mut parents = headers.values(b"traceparent");
        // Two of them are none.
        let parent = match (sampling.follows_parents, parents.next(), parents.next()) {
            (true, Some(parent), None) => parsed(parent),
            _ => None,
        };
        let spans: [u8; 16] = hex(drawn.as_bytes()).unwrap_or([1; 16]);
        let half = |at: usize| -> [u8; 8] { spans[at..at + 8].try_into().expect("eight bytes are eight") };
        let (span, upstream_span) = (half(0), half(8));
        if let Some((id, parent, is_sampled)) = parent {
            return Self { id, parent: Some(parent), span, upstream_span, is_sampled };
        }
        let id: [u8; 16] = hex(request_id.as_bytes()).unwrap_or([1; 16]);
        let drawn = u64::from_be_bytes(id[8..].try_into().expect("eight bytes are eight"));
        let is_sampled = drawn.is_multiple_of(u64::from(sampling.one_in.max(1)));
        Self { id, parent: None, span, upstream_span, is_sampled }
    }

    /// Whether a field of the client's stays behind, because ours goes on.
    pub(crate) fn keeps_back(&self, name: &[u8]) -> bool {
        // What vendors note of a trace means nothing in another one.
        name.eq_ignore_ascii_case(b"traceparent")
            || self.parent.is_none() && name.eq_ignore_ascii_case(b"tracestate")
    }

    /// What the service gets as its `traceparent`. Where the request is not traced its parent stays the service's.
    pub(crate) fn traceparent(&self) -> String {
        let parent = match self.parent {
            Some(parent) if !self.is_sampled => parent,
            _ => self.upstream_span,
        };
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        push_hex(&mut text, &self.id);
        text.push('-');
        push_hex(&mut text, &parent);
        text.push_str(if self.is_sampled { "-01" } else { "-00" });
        text
    }
}

/// Trace, span and whether it is sampled, of a `traceparent` of version 00 or one that begins as that does.
fn parsed(value: &[u8]) -> Option<([u8; 16], [u8; 8], bool)> {
    let [version, id, parent, flags] =
        [value.get(..2)?, value.get(3..35)?, value.get(36..52)?, value.get(53..55)?];
    let dashes = [2, 35, 52].iter().all(|at| value[*at] == b'-');
    let ends = value.len() == 55 || version != b"00" && value[55] == b'-';
    let [version]: [u8; 1] = hex(version)?;
    let (id, parent, [flags]): ([u8; 16], [u8; 8], [u8; 1]) = (hex(id)?, hex(parent)?, hex(flags)?);
    let valid = dashes && ends && version != 0xff && id != [0; 16] && parent != [0; 8];
    valid.then_some((id, parent, flags & 1 == 1))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

/// Bytes of lower-case hexadecimal digits, all of them.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const OWN: &str = "0102030405060708090a0b0c0d0e0f10";
    const DRAWN: &str = "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb";

    fn of(parents: &[&str], sampling: Sampling) -> Trace {
        let mut headers = Fields::new();
        parents.iter().for_each(|parent| headers.push(b"Traceparent", parent.as_bytes()));
        Trace::of(&headers, OWN, DRAWN, sampling)
    }

    const ALL: Sampling = Sampling { one_in: 1, follows_parents: true };

    #[test]
    fn a_parent_is_followed_and_what_is_none_begins_a_trace() {
        let parent = format!("00-{ID}-00f067aa0ba902b7-01");
        let trace = of(&[&parent], ALL);
        assert_eq!(trace.traceparent(), format!("00-{ID}-bbbbbbbbbbbbbbbb-01"));
        assert!(trace.is_sampled && trace.parent.is_some() && !trace.keeps_back(b"tracestate"));
        // Who does not trace it is not in between.
        let unsampled = format!("00-{ID}-00f067aa0ba902b7-00");
        assert_eq!(of(&[&unsampled], ALL).traceparent(), unsampled);
        let newer = format!("cc-{ID}-00f067aa0ba902b7-03-what-comes");
        assert_eq!(of(&[&newer], ALL).traceparent(), format!("00-{ID}-bbbbbbbbbbbbbbbb-01"));
        let begins = format!("00-{OWN}-bbbbbbbbbbbbbbbb-01");
        for not in [
            "",
            "00-",
            &format!("00-{ID}-00f067aa0ba902b7"),
            &format!("00-{ID}-00f067aa0ba902b7-01-more"),
            &format!("ff-{ID}-00f067aa0ba902b7-01"),
            &format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{ID}-0000000000000000-01"),
            &format!("00_{ID}-00f067aa0ba902b7-01"),
        ] {
            let trace = of(&[not], ALL);
            assert_eq!((trace.traceparent(), trace.parent), (begins.clone(), None), "{not}");
            assert!(trace.keeps_back(b"Tracestate"));
        }
        assert_eq!(of(&[&parent, &parent], ALL).traceparent(), begins, "two parents are none");
        assert_eq!(of(&[&parent], Sampling { follows_parents: false, ..ALL }).traceparent(), begins);
    }

    #[test]
    fn one_in_so_many_is_traced() {
        let sampling = Sampling { one_in: 10, follows_parents: true };
        let traced = |number: u32| {
            let id = format!("{:032x}", u128::from(number));
            Trace::of(&Fields::new(), &id, DRAWN, sampling).is_sampled
        };
        assert_eq!((1..=1000).filter(|number| traced(*number)).count(), 100);
    }
}
