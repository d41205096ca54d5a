//! Headers that a program fills, the same in each request, and that are no secret: what was found out about their values
//! may be remembered.

/// Whether a header is one of these; the case of its name does not matter.
pub fn is_recurring_header(name: &[u8]) -> bool {
    let mut lower = [0; NAME_BYTES_MAX];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"accept"
            | b"accept-charset"
            | b"accept-encoding"
            | b"accept-language"
            | b"cache-control"
            | b"connection"
            | b"content-encoding"
            | b"content-type"
            | b"dnt"
            | b"host"
            | b"origin"
            | b"pragma"
            | b"priority"
            | b"sec-ch-ua"
            | b"sec-ch-ua-mobile"
            | b"sec-ch-ua-platform"
            | b"sec-fetch-dest"
            | b"sec-fetch-mode"
            | b"sec-fetch-site"
            | b"sec-fetch-user"
            | b"te"
            | b"transfer-encoding"
            | b"upgrade-insecure-requests"
            | b"user-agent"
            | b"x-forwarded-port"
            | b"x-forwarded-proto"
            | b"x-requested-with"
    )
}

const NAME_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_among_them() {
        for name in ["User-Agent", "HOST", "upgrade-insecure-requests", "te"] {
            assert!(is_recurring_header(name.as_bytes()), "{name}");
        }
        for name in ["cookie", "authorization", "referer", "x-forwarded-for", "", "x-api-key", "host "] {
            assert!(!is_recurring_header(name.as_bytes()), "{name}");
        }
        assert!(!is_recurring_header(&[b'a'; 1000]));
    }
}
