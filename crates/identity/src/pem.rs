//! PEM: certificates and lists in text, read and written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A block between `-----BEGIN LABEL-----` and `-----END LABEL-----`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) der: Vec<u8>,
    /// The line that it begins in, from 1.
    pub(crate) line: usize,
}

/// What stands in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: usize,
}

/// Every block of a text, in order; what stands between them is skipped, as are headers inside them.
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<Block>, Broken> {
    let mut out = Vec::new();
    let mut open: Option<(String, usize, Vec<u8>)> = None;
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let (line, number) = (line.trim_ascii(), at + 1);
        let label = |begin: &[u8]| {
            let label = line.strip_prefix(begin)?.strip_suffix(b"-----")?;
            String::from_utf8(label.to_vec()).ok()
        };
        if let Some(label) = label(b"-----BEGIN ") {
            if let Some((_, line, _)) = open {
                return Err(Broken { line });
            }
            open = Some((label, number, Vec::new()));
        } else if let Some(label) = label(b"-----END ") {
            let (opened, line, base64) = open.take().ok_or(Broken { line: number })?;
            let der = STANDARD.decode(base64).map_err(|_| Broken { line })?;
            if opened != label {
                return Err(Broken { line });
            }
            out.push(Block { label, der, line });
        } else if let Some((_, _, base64)) = &mut open
            && !line.contains(&b':')
        {
            base64.extend_from_slice(line);
        }
    }
    match open {
        Some((_, line, _)) => Err(Broken { line }),
        None => Ok(out),
    }
}

/// A certificate as text, as OpenSSL writes it: lines of 64, a line feed at the end.
#[must_use]
pub fn certificate_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut out = String::with_capacity(base64.len() + base64.len() / 64 + 60);
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// The same, fit for a header: all but letters, digits and `-._~` as `%0A`.
/// Source: nginx's `$ssl_client_escaped_cert`; Envoy writes the same in X-Forwarded-Client-Cert.
#[must_use]
pub fn escaped_certificate_pem(der: &[u8]) -> String {
    let pem = certificate_pem(der);
    let mut out = String::with_capacity(pem.len() + 128);
    for byte in pem.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            crate::name::hex_upper(&[byte], &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let pem = certificate_pem(&der);
            assert!(pem.lines().all(|line| line.len() <= 64));
            let read = blocks(format!("before\r\n{pem}after\n{pem}").as_bytes()).unwrap();
            assert_eq!(read.len(), 2);
            assert_eq!((read[0].label.as_str(), read[0].line, &read[1].der), ("CERTIFICATE", 2, &der));
        }
    }

    #[test]
    fn an_escaped_certificate_is_one_line_of_unreserved_characters() {
        let escaped = escaped_certificate_pem(&[0xFB, 0xFF, 0xFE, 0xFF]);
        assert_eq!(
            escaped,
            "-----BEGIN%20CERTIFICATE-----%0A%2B%2F%2F%2B%2Fw%3D%3D%0A-----END%20CERTIFICATE-----%0A"
        );
    }

    #[test]
    fn broken_blocks_are_named_by_their_line() {
        for (text, line) in [
            ("\n-----BEGIN CERTIFICATE-----\nAAAA\n", 2),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", 1),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END X509 CRL-----\n", 1),
            ("-----END CERTIFICATE-----\n", 1),
            ("-----BEGIN A-----\n-----BEGIN B-----\n-----END B-----\n", 1),
        ] {
            assert_eq!(blocks(text.as_bytes()), Err(Broken { line }), "{text}");
        }
    }
}
