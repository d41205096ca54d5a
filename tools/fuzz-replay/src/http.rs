//! Targets for `palisade-http`: heads and bodies as a client may send them.
//!
//! Inputs of the bodies begin with one byte that says how the body is cut: 0 not at all, `n` every `n` bytes. A whole
//! reading and a cut one must tell the same, down to the debug text of all that was parsed.

use std::fmt::Debug;

use palisade_http::{
    BodyKind, BodyLimits, BodyParser, ChunkProgress, ChunkedDecoder, CookieFormat, Fields, Framing,
    HeadLimits, HeadParse, HeadScanner, ParsedBody, Target, XPath, content_type, parse_cookies,
    parse_request_head, parse_response_head, request_body_framing, response_body_framing,
};

/// One byte of cutting, then an `application/x-www-form-urlencoded` body.
pub fn body_urlencoded(input: &[u8]) {
    let Some((cut, body)) = cut_and_rest(input) else { return };
    let parsed = same_whole_and_cut(BodyKind::UrlEncoded, b"application/x-www-form-urlencoded", cut, body);
    // Decoding only shortens: nothing comes out that did not go in.
    assert!(bytes_of(&parsed.fields) <= body.len(), "arguments are longer than their text");
}

/// One byte of cutting, the `Content-Type` up to a line feed, then a multipart body.
pub fn body_multipart(input: &[u8]) {
    let Some((cut, rest)) = cut_and_rest(input) else { return };
    let (media_type, body) = line_and_rest(rest);
    let parsed = same_whole_and_cut(BodyKind::Multipart, media_type, cut, body);
    assert!(parsed.multipart.is_some(), "a multipart body always has flags");
    assert!(bytes_of(&parsed.fields) <= body.len(), "fields are longer than the body");
    let files: usize = parsed.files.iter().map(|file| file.content.len()).sum();
    assert!(files <= body.len(), "file contents are longer than the body");
}

/// One byte of cutting, then a JSON text.
pub fn body_json(input: &[u8]) {
    let Some((cut, body)) = cut_and_rest(input) else { return };
    let parsed = same_whole_and_cut(BodyKind::Json, b"application/json", cut, body);
    assert!(parsed.fields.len() <= body.len(), "more leaves than bytes");
    let values: usize = parsed.fields.iter().map(|(_, value)| value.len()).sum();
    assert!(values <= body.len(), "values are longer than the text");
}

/// One byte of cutting, an XPath up to a line feed, then an XML document.
pub fn body_xml(input: &[u8]) {
    let Some((cut, rest)) = cut_and_rest(input) else { return };
    let (path, body) = line_and_rest(rest);
    let parsed = same_whole_and_cut(BodyKind::Xml, b"text/xml", cut, body);
    let Some(document) = &parsed.xml else { return };

    let namespaces = [("a".to_owned(), "urn:a".to_owned())];
    for text in ["/*", "//@*", &String::from_utf8_lossy(path)] {
        let Ok(path) = XPath::parse(text) else { continue };
        let values = path.evaluate(document, &namespaces, VALUES_BYTES_MAX);
        let total: usize = values.values.iter().map(Vec::len).sum();
        assert!(total <= VALUES_BYTES_MAX, "the values of {text:?} exceed their bound");
    }
}

/// One byte of cutting, then what stands on a connection: a head and what follows it, read as a request and as a
/// response, with the parts that a request leads to (target, cookies, chunked body).
pub fn request_head(input: &[u8]) {
    let Some((cut, bytes)) = cut_and_rest(input) else { return };

    let mut scanner = HeadScanner::new();
    let end = HeadScanner::new().find(bytes);
    let end_by_parts = cuts(bytes, cut).find_map(|upto| scanner.find(upto));
    assert_eq!(end, end_by_parts, "the scanner finds another end when bytes come in parts");

    for limits in
        [HeadLimits::default(), HeadLimits { head_bytes_max: 128, line_bytes_max: 64, headers_max: 3 }]
    {
        match parse_request_head(bytes, &limits) {
            HeadParse::Incomplete => {
                assert!(bytes.len() <= limits.head_bytes_max, "an endless head is never refused");
            }
            HeadParse::Complete { head, consumed } => {
                assert_eq!(Some(consumed), end, "the parser and the scanner see another end");
                assert!(head.headers.len() <= limits.headers_max, "more headers than allowed");
                if let Ok(Framing::Chunked) = request_body_framing(&head) {
                    chunked_is_the_same_in_parts(&bytes[consumed..], cut);
                }
                parts_of_a_request(&head.target, &head.method, &head.headers);
            }
            HeadParse::Refused { head, consumed } => {
                assert!(consumed <= bytes.len(), "consumed more than there was");
                assert!(!head.findings.is_empty(), "refused without a finding");
                let _ = request_body_framing(&head);
                parts_of_a_request(&head.target, &head.method, &head.headers);
            }
        }
        if let HeadParse::Complete { head, .. } | HeadParse::Refused { head, .. } =
            parse_response_head(bytes, &limits)
        {
            let _ = response_body_framing(&head, b"GET");
        }
    }
    chunked_is_the_same_in_parts(bytes, cut);
}

fn parts_of_a_request(target: &[u8], method: &[u8], headers: &Fields) {
    let target = Target::new(target, method);
    assert!(target.request_uri_decoded().len() <= target.raw().len(), "decoding made the target longer");
    assert!(target.filename_decoded().len() <= target.raw().len(), "decoding made the file name longer");
    let filename = target.filename_decoded();
    assert!(filename.ends_with(Target::basename(&filename)), "a base name that is not at the end");
    let mut cookies = Fields::new();
    for (_, value) in headers.iter() {
        parse_cookies(value, CookieFormat::V0, b';', &mut cookies);
        parse_cookies(value, CookieFormat::V1, b';', &mut cookies);
        let _ = content_type(value);
    }
}

fn chunked_is_the_same_in_parts(bytes: &[u8], cut: usize) {
    let read = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = ChunkedDecoder::new();
        let (mut body, mut taken) = (Vec::new(), 0);
        for part in parts {
            match decoder.feed(part, &mut |run| body.extend_from_slice(run)) {
                ChunkProgress::More => taken += part.len(),
                ChunkProgress::Done { consumed } => return (body, taken + consumed, None, texts(&decoder)),
                ChunkProgress::Refused(finding) => return (body, 0, Some(finding), texts(&decoder)),
            }
        }
        (body, taken, None, texts(&decoder))
    };
    let whole = read(&mut std::iter::once(bytes));
    assert!(whole.0.len() <= bytes.len(), "more body than bytes");
    if cut > 0 {
        assert_eq!(whole, read(&mut bytes.chunks(cut)), "the chunked coding reads differently in parts");
    }

    fn texts(decoder: &ChunkedDecoder) -> (String, bool) {
        (format!("{:?}", decoder.trailers()), decoder.extensions_seen())
    }
}

fn same_whole_and_cut(kind: BodyKind, content_type: &[u8], cut: usize, body: &[u8]) -> ParsedBody {
    let limits = BodyLimits { file_content_bytes_max: 64, ..BodyLimits::default() };
    let whole = parse(kind, content_type, &limits, &mut std::iter::once(body));
    if cut > 0 {
        let parts = parse(kind, content_type, &limits, &mut body.chunks(cut));
        assert_eq!(text_of(&whole), text_of(&parts), "the body reads differently in parts of {cut} bytes");
    }
    // Tight bounds must hold as well, and name themselves.
    let tight = BodyLimits {
        arguments_max: 2,
        key_bytes_max: 16,
        json_depth_max: 2,
        parts_max: 2,
        part_header_bytes_max: 64,
        part_headers_bytes_max: 100,
        files_max: 1,
        file_content_bytes_max: 3,
        xml_nodes_max: 8,
        xml_depth_max: 2,
        ..BodyLimits::default()
    };
    let bounded = parse(kind, content_type, &tight, &mut std::iter::once(body));
    assert!(bounded.fields.len() <= tight.arguments_max, "more arguments than the bound");
    if bounded.fields.len() < whole.fields.len() {
        assert!(!bounded.limit_hits.is_empty(), "a bound was met and not named");
    }
    whole
}

fn parse(
    kind: BodyKind,
    content_type: &[u8],
    limits: &BodyLimits,
    parts: &mut dyn Iterator<Item = &[u8]>,
) -> ParsedBody {
    let mut parser = BodyParser::new(kind, content_type, limits);
    parts.for_each(|part| parser.feed(part));
    parser.finish()
}

fn text_of(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn bytes_of(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn cut_and_rest(input: &[u8]) -> Option<(usize, &[u8])> {
    input.split_first().map(|(cut, rest)| (usize::from(*cut), rest))
}

fn line_and_rest(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, b""),
    }
}

/// Longer and longer beginnings of `bytes`, as a buffer that fills up.
fn cuts(bytes: &[u8], cut: usize) -> impl Iterator<Item = &[u8]> {
    let step = if cut == 0 { bytes.len().max(1) } else { cut };
    (1..=bytes.len().div_ceil(step)).map(move |n| &bytes[..(n * step).min(bytes.len())])
}

/// The bound given to XPath: small, so that it is met.
const VALUES_BYTES_MAX: usize = 256;
