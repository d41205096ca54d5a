//! X-Forwarded-Client-Cert: a client's certificate for the application, in Envoy's form.

use palisade_model::CertificateFacts;

/// What an element says beside the hash, which it always says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XfccFields {
    /// The certificate itself: `Cert="-----BEGIN%20CERTIFICATE-----%0A..."`.
    pub certificate: bool,
    /// `Subject="CN=web,O=Shop"`, also where it is empty.
    pub subject: bool,
    /// `URI=spiffe://...`, once for each; `URI=` where there is none.
    pub uri: bool,
    /// `DNS=web.example.com`, once for each.
    pub dns: bool,
}

impl XfccFields {
    /// What Istio's gateways say: subject, URI and DNS.
    pub const USUAL: Self = Self { certificate: false, subject: true, uri: true, dns: true };
}

/// One element: `By=spiffe://...;Hash=...;Subject="...";URI=...`, keys in Envoy's order. `by` are the URIs among the
/// alternative names of our own certificate, the one that the client spoke to.
///
/// An element says nothing of whether the certificate is believed: it is only for those that are.
///
/// Source: Envoy's documentation of the header: a value with `,`, `;` or `=` is quoted, and a quote in it is `\"`. Envoy
/// itself does not quote URIs and names, which come from the certificate; we do where they need it. The subject stands
/// between quotes as RFC 2253 writes it, where a quote is `\"` already, and bytes beyond ASCII are `\C3`: Envoy passes
/// those on as they are.
#[must_use]
pub fn xfcc_element(certificate: &CertificateFacts, by: &[String], fields: XfccFields) -> String {
    let mut out = String::new();
    for uri in by {
        push(&mut out, "By", uri);
    }
    push(&mut out, "Hash", &hex_lower(&certificate.sha256));
    if fields.certificate {
        out.push_str(";Cert=\"");
        out.push_str(&crate::pem::escaped_certificate_pem(&certificate.der));
        out.push('"');
    }
    if fields.subject {
        out.push_str(";Subject=\"");
        out.push_str(&certificate.subject_dn);
        out.push('"');
    }
    if fields.uri {
        match certificate.uri_sans.as_slice() {
            [] => push(&mut out, "URI", ""),
            uris => uris.iter().for_each(|uri| push(&mut out, "URI", uri)),
        }
    }
    if fields.dns {
        certificate.dns_sans.iter().for_each(|name| push(&mut out, "DNS", name));
    }
    out
}

/// Lower-case hex, two digits a byte: how fingerprints are written.
#[must_use]
pub fn hex_lower(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            out.push(char::from_digit(u32::from(digit), 16).expect("half a byte is a digit"));
        }
    }
    out
}

/// `;KEY=VALUE`, quoted where it must be. Bytes that no header should hold become `?`.
fn push(out: &mut String, key: &str, value: &str) {
    if !out.is_empty() {
        out.push(';');
    }
    out.push_str(key);
    out.push('=');
    let quoted = value.contains([',', ';', '=', '"', '\\', ' ']);
    if quoted {
        out.push('"');
    }
    for character in value.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => out.push('?'),
        }
    }
    if quoted {
        out.push('"');
    }
}
