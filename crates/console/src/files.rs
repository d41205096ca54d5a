//! The web console's files, as they were built into the program, and how a browser may use them.
//!
//! Nothing in a page comes from elsewhere: scripts and styles are files of this address, none stands in the page, and no
//! text can become a script (trusted types). Names of files below `/assets/` carry a hash, so that they are kept for
//! ever; the page itself is asked for again each time and answered with 304 while it is the same.

use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use hyper::{Request, StatusCode};

use crate::answer::{Answer, respond};

/// A file of the console.
#[derive(Debug)]
pub(crate) struct File {
    path: &'static str,
    media_type: &'static str,
    /// A hash of its content.
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The page where the console was not built.
static HOW_TO_BUILD: File = File {
    path: "/index.html",
    media_type: "text/html; charset=utf-8",
    tag: "not-built",
    plain: include_bytes!("not_built.html"),
    brotli: None,
    gzip: None,
};

/// The file at a path.
pub(crate) fn at(path: &str) -> Option<&'static File> {
    let path = if path == "/" { "/index.html" } else { path };
    let file = FILES.iter().find(|file| file.path == path);
    file.or_else(|| (FILES.is_empty() && path == "/index.html").then_some(&HOW_TO_BUILD))
}

/// Answers a request for a file.
pub(crate) fn answer<B>(request: &Request<B>, file: &'static File) -> Answer {
    let accepted = |coding: &str| accepts(request.headers(), coding);
    let (content, coding) = match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepted("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepted("gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    };
    let tag = format!("\"{}{}\"", file.tag, coding.map_or(String::new(), |coding| format!("-{coding}")));
    let mut answer = if is_known(request.headers(), &tag) {
        let mut answer = respond(StatusCode::NOT_MODIFIED, file.media_type, "");
        answer.headers_mut().remove(hyper::header::CONTENT_LENGTH);
        answer
    } else {
        respond(StatusCode::OK, file.media_type, content)
    };
    let headers = answer.headers_mut();
    let hashed = file.path.starts_with("/assets/");
    let caching = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(ETAG, HeaderValue::from_str(&tag).expect("a tag is hexadecimal"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("same-origin"));
    }
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    answer
}

/// What a page of the console may do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Whether `Accept-Encoding` names a coding, and not with the weight 0.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case(coding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Whether the client has what this tag stands for.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILE: File = File {
        path: "/assets/a-1.js",
        media_type: "text/javascript; charset=utf-8",
        tag: "0a",
        plain: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    };

    fn asked(file: &'static File, headers: &[(&str, &str)]) -> (u16, Vec<(String, String)>) {
        let request = headers.iter().fold(Request::builder(), |to, (name, value)| to.header(*name, *value));
        let answer = answer(&request.body(()).unwrap(), file);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
        (answer.status().as_u16(), headers.collect())
    }

    fn of<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
        headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_client_gets_the_smallest_form_that_it_reads() {
        for (accept, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, GZIP;q=0.5", Some("gzip")),
            ("identity", None),
            ("br;q=x", None),
            ("", None),
        ] {
            let (status, headers) = asked(&FILE, &[("accept-encoding", accept)]);
            assert_eq!((status, of(&headers, "content-encoding")), (200, coding), "{accept}");
            assert_eq!(of(&headers, "vary"), Some("accept-encoding"));
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again_and_each_form_has_a_tag_of_its_own() {
        let (_, headers) = asked(&FILE, &[("accept-encoding", "br")]);
        let tag = of(&headers, "etag").unwrap();
        assert_eq!(tag, "\"0a-br\"");
        for (known, status) in [(tag, 304), ("\"x\", W/\"0a-br\"", 304), ("*", 304), ("\"0a\"", 200)] {
            let (is, _) = asked(&FILE, &[("accept-encoding", "br"), ("if-none-match", known)]);
            assert_eq!(is, status, "{known}");
        }
    }

    #[test]
    fn only_files_whose_names_carry_a_hash_are_kept_for_ever() {
        assert!(of(&asked(&FILE, &[]).1, "cache-control").unwrap().contains("immutable"));
        let page = asked(&HOW_TO_BUILD, &[]).1;
        assert_eq!(of(&page, "cache-control"), Some("no-cache"));
        assert!(of(&page, "content-security-policy").unwrap().contains("script-src 'self';"));
    }
}
