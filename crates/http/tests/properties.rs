//! What holds for every input: no panic, the same result however it is cut, bounded output, linear time.

use palisade_http::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Bytes made mostly of what means something to a parser.
fn soup(tokens: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => proptest::sample::select(tokens).prop_map(|token| token.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

/// Cuts `input` at the given places.
fn pieces<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    places.push(0);
    places.push(input.len());
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

fn read(kind: BodyKind, limits: &BodyLimits, pieces: &[&[u8]]) -> ParsedBody {
    let mut parser = BodyParser::new(kind, b"multipart/form-data; boundary=b", limits);
    pieces.iter().for_each(|piece| parser.feed(piece));
    parser.finish()
}

fn cuts_do_not_matter(kind: BodyKind, limits: &BodyLimits, input: &[u8], cuts: &[usize]) {
    let whole = read(kind, limits, &[input]);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    let expected = format!("{whole:?}");
    assert_eq!(expected, format!("{:?}", read(kind, limits, &bytes)), "byte by byte");
    assert_eq!(expected, format!("{:?}", read(kind, limits, &pieces(input, cuts))), "cut at {cuts:?}");
    let kept: usize = whole.fields.iter().map(|(name, _)| name.len()).sum();
    assert!(kept <= limits.key_bytes_max);
    assert!(whole.fields.len() <= limits.arguments_max);
    let values: usize = whole.fields.iter().map(|(_, value)| value.len()).sum();
    assert!(values <= input.len(), "values are never longer than the body");
    if let Some(document) = &whole.xml {
        for path in ["/*", "//@*", "//text()", "//a[2]/..", "//*[@x='1' or b]"] {
            let values = XPath::parse(path).expect("it compiles").evaluate(document, &[], 1000).values;
            assert!(values.iter().map(Vec::len).sum::<usize>() <= 1000);
        }
    }
}

/// Bounds small enough to be met.
fn small() -> BodyLimits {
    BodyLimits {
        arguments_max: 5,
        key_bytes_max: 40,
        json_depth_max: 4,
        parts_max: 3,
        part_header_bytes_max: 100,
        part_headers_bytes_max: 150,
        files_max: 1,
        file_content_bytes_max: 3,
        xml_nodes_max: 10,
        xml_depth_max: 3,
        ..BodyLimits::default()
    }
}

const FORM: &[&str] = &["a", "b", "=", "&", "+", "%41", "%", "%4", "%zz", ";"];
const JSON: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"a\":", "1", "-", "0.5e3", "true", "null", "\\",
    "\\u00e9", "\\ud83d", "\\ude00", " ", "\n", "é",
];
const MULTIPART: &[&str] = &[
    "--b\r\n",
    "--b--\r\n",
    "--b",
    "--",
    "\r\n",
    "\n",
    "\r",
    "Content-Disposition: form-data; name=\"a\"\r\n\r\n",
    "Content-Disposition: form-data; name=a; filename=\"f\"\r\n\r\n",
    "Content-Type: x\r\n",
    " ",
    "'",
    "\"",
    "\\",
    ":",
    "v",
];
const XML: &[&str] = &[
    "<a>",
    "</a>",
    "<b x='1'>",
    "</b>",
    "<a/>",
    "t",
    "&lt;",
    "&",
    ";",
    "&#65;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?p d?>",
    "<!DOCTYPE a [",
    "]>",
    "<",
    ">",
    "'",
    "\"",
    " xmlns:n='u'",
    "<n:a",
    "\r\n",
    "<?xml version='1.0'?>",
    "é",
];
const HEAD: &[&str] = &[
    "GET / HTTP/1.1",
    "GET ",
    "/",
    " HTTP/1.1",
    "\r\n",
    "\n",
    "\r",
    "Host: a",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "A",
    ":",
    " ",
    "\t",
    "\0",
];
const CHUNKED: &[&str] =
    &["0", "3", "a", "\r\n", "\n", "\r", "abc", ";x=y", "0\r\n", "3\r\nabc\r\n", "A: b\r\n", " "];

/// 512 cases, or more by `PROPTEST_CASES`. A failing input becomes a case in testdata/http, so nothing is kept
/// beside the sources.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: config.cases.max(512), ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn form_cuts(input in soup(FORM), cuts in proptest::collection::vec(any::<usize>(), 0..5)) {
        cuts_do_not_matter(BodyKind::UrlEncoded, &BodyLimits::default(), &input, &cuts);
        cuts_do_not_matter(BodyKind::UrlEncoded, &small(), &input, &cuts);
    }

    #[test]
    fn json_cuts(input in soup(JSON), cuts in proptest::collection::vec(any::<usize>(), 0..5)) {
        cuts_do_not_matter(BodyKind::Json, &BodyLimits::default(), &input, &cuts);
        cuts_do_not_matter(BodyKind::Json, &small(), &input, &cuts);
    }

    #[test]
    fn multipart_cuts(input in soup(MULTIPART), cuts in proptest::collection::vec(any::<usize>(), 0..5)) {
        cuts_do_not_matter(BodyKind::Multipart, &BodyLimits::default(), &input, &cuts);
        cuts_do_not_matter(BodyKind::Multipart, &small(), &input, &cuts);
    }

    #[test]
    fn multipart_cuts_around_the_line_buffer(
        fill in 4080_usize..4110,
        tail in soup(MULTIPART),
        cuts in proptest::collection::vec(any::<usize>(), 0..5),
    ) {
        let mut input = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_vec();
        input.resize(input.len() + fill, b'x');
        input.extend_from_slice(&tail);
        cuts_do_not_matter(BodyKind::Multipart, &BodyLimits::default(), &input, &cuts);
    }

    #[test]
    fn xml_cuts(input in soup(XML), cuts in proptest::collection::vec(any::<usize>(), 0..5)) {
        cuts_do_not_matter(BodyKind::Xml, &BodyLimits::default(), &input, &cuts);
        cuts_do_not_matter(BodyKind::Xml, &small(), &input, &cuts);
    }

    #[test]
    fn any_bytes_are_taken(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in [BodyKind::UrlEncoded, BodyKind::Json, BodyKind::Multipart, BodyKind::Xml] {
            cuts_do_not_matter(kind, &BodyLimits::default(), &input, &[3, 50]);
        }
        let _ = MultipartParser::new(&input, &BodyLimits::default());
        let _ = content_type(&input);
        let _ = XPath::parse(&String::from_utf8_lossy(&input));
        let mut fields = Fields::new();
        parse_cookies(&input, CookieFormat::V1, b';', &mut fields);
        let target = Target::new(&input, b"GET");
        prop_assert!(target.request_uri_decoded().len() <= input.len());
        let _ = (target.filename_decoded(), target.scheme(), target.authority(), target.fragment());
    }

    #[test]
    fn head_and_scanner_agree(input in soup(HEAD)) {
        let limits = HeadLimits::default();
        let end = HeadScanner::new().find(&input);
        let mut scanner = HeadScanner::new();
        let bytewise = (0..=input.len()).find_map(|end| scanner.find(&input[..end]));
        prop_assert_eq!(end, bytewise);
        match parse_request_head(&input, &limits) {
            HeadParse::Incomplete => prop_assert_eq!(end, None),
            HeadParse::Complete { head, consumed } | HeadParse::Refused { head, consumed } => {
                prop_assert_eq!(end, Some(consumed));
                let framing = request_body_framing(&head);
                if let Err(finding) = framing {
                    prop_assert!(head.findings.contains(&finding) && finding.is_ambiguous());
                }
            }
        }
        let _ = parse_response_head(&input, &limits);
    }

    #[test]
    fn a_head_that_a_strict_reader_would_write_has_no_findings(
        target in "/[a-z0-9/%?=&.]{0,20}",
        headers in proptest::collection::vec(("X-[A-Za-z0-9-]{1,10}", "[!-~]([ -~]{0,20}[!-~])?"), 0..6),
        length in any::<Option<u32>>(),
    ) {
        let mut text = format!("POST {target} HTTP/1.1\r\nHost: a.example:80\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length {
            text.push_str(&format!("Content-Length: {length}\r\n"));
        }
        text.push_str("\r\n");
        let HeadParse::Complete { head, consumed } = parse_request_head(text.as_bytes(), &HeadLimits::default()) else {
            return Err(TestCaseError::fail("no head"));
        };
        prop_assert_eq!(consumed, text.len());
        prop_assert_eq!(&head.findings, &[]);
        prop_assert_eq!(head.target, target.into_bytes());
        for (index, (name, value)) in headers.iter().enumerate() {
            prop_assert_eq!(head.headers.get(index + 1), Some((name.as_bytes(), value.as_bytes())));
        }
    }

    #[test]
    fn chunked_cuts(input in soup(CHUNKED), cuts in proptest::collection::vec(any::<usize>(), 0..5)) {
        let run = |pieces: &[&[u8]]| {
            let mut decoder = ChunkedDecoder::new();
            let mut out = Vec::new();
            let mut fed = 0;
            for piece in pieces {
                match decoder.feed(piece, &mut |bytes| out.extend_from_slice(bytes)) {
                    ChunkProgress::More => fed += piece.len(),
                    ChunkProgress::Done { consumed } => {
                        return (out, format!("{} {:?}", fed + consumed, decoder.trailers()));
                    }
                    ChunkProgress::Refused(finding) => return (out, format!("{finding:?}")),
                }
            }
            (out, "more".to_owned())
        };
        let whole = run(&[&input]);
        prop_assert_eq!(&whole, &run(&input.chunks(1).collect::<Vec<_>>()));
        prop_assert_eq!(&whole, &run(&pieces(&input, &cuts)));
    }

    #[test]
    fn what_is_chunked_comes_back(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..6),
    ) {
        let mut wire = Vec::new();
        for part in &parts {
            let (line, start) = chunk_head(part.len());
            wire.extend_from_slice(&line[start..]);
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\nnext");
        let mut out = Vec::new();
        let progress = ChunkedDecoder::new().feed(&wire, &mut |bytes| out.extend_from_slice(bytes));
        prop_assert_eq!(progress, ChunkProgress::Done { consumed: wire.len() - 4 });
        prop_assert_eq!(out, parts.concat());
    }

    #[test]
    fn a_json_value_comes_back(
        items in proptest::collection::vec((any::<String>(), any::<String>()), 0..8),
    ) {
        let list: Vec<serde_json::Value> =
            items.iter().map(|(name, value)| serde_json::json!({ name.clone(): value })).collect();
        let text = serde_json::to_vec(&list).expect("it prints");
        let body = read(BodyKind::Json, &BodyLimits::default(), &[&text]);
        prop_assert_eq!(body.error, None);
        let expected: Vec<(String, String)> = items
            .iter()
            .enumerate()
            .map(|(index, (name, value))| {
                let name = if name.is_empty() { "empty-key" } else { name };
                (format!("json.array_{index}.{name}"), value.clone())
            })
            .collect();
        let got: Vec<(String, String)> = body
            .fields
            .iter()
            .map(|(name, value)| (String::from_utf8_lossy(name).into(), String::from_utf8_lossy(value).into()))
            .collect();
        prop_assert_eq!(got, expected);
    }
}

/// A megabyte of what is worst for each parser. Linear work takes milliseconds; quadratic work would take minutes,
/// so a bound of seconds tells them apart on any machine.
#[test]
fn a_megabyte_of_the_worst_is_read_in_linear_time() {
    let mega = 1 << 20;
    let repeat = |text: &str| text.repeat(mega / text.len()).into_bytes();
    let part = |headers: &str| format!("--b\r\n{headers}Content-Disposition: form-data; name=a\r\n\r\nv\r\n");
    let wide = |open: &str, middle: String, close: &str| format!("{open}{middle}{close}").into_bytes();
    let attributes: String = (0..60_000).map(|index| format!(" a{index}='v'")).collect();
    let declarations: String = (0..40_000).map(|index| format!(" xmlns:n{index}='u'")).collect();
    let cases: Vec<(&str, BodyKind, Vec<u8>)> = vec![
        ("separators", BodyKind::UrlEncoded, repeat("&")),
        ("escapes", BodyKind::UrlEncoded, repeat("%%%4")),
        ("brackets", BodyKind::Json, repeat("[")),
        ("elements", BodyKind::Json, wide("[", "1,".repeat(mega / 2), "1]")),
        ("keys", BodyKind::Json, wide("{", "\"a\":1,".repeat(mega / 6), "\"a\":1}")),
        (
            "deep path over many leaves",
            BodyKind::Json,
            wide(&"{\"aaaaaaaaaa\":".repeat(500), format!("[{}1]", "1,".repeat(mega / 2)), &"}".repeat(500)),
        ),
        ("escapes in a string", BodyKind::Json, repeat("\"\\ud800")),
        ("one long number", BodyKind::Json, repeat("1")),
        ("empty objects", BodyKind::Json, wide("[", "{},".repeat(mega / 3), "1]")),
        ("boundaries", BodyKind::Multipart, repeat("--b\r\n")),
        ("near boundaries", BodyKind::Multipart, repeat("--b\r\n\r\n--b-\r\n")),
        ("dashes", BodyKind::Multipart, wide(&part(""), "-".repeat(mega), "")),
        ("line ends", BodyKind::Multipart, wide(&part(""), "\r\n".repeat(mega / 2), "")),
        ("bare carriage returns", BodyKind::Multipart, wide(&part(""), "\r".repeat(mega), "")),
        ("parts", BodyKind::Multipart, repeat(&part(""))),
        ("headers", BodyKind::Multipart, repeat(&part(&"a:\r\n".repeat(4000)))),
        ("folds", BodyKind::Multipart, repeat(&format!("--b\r\na:\r\n{}", " x\r\n".repeat(3000)))),
        ("open tags", BodyKind::Xml, repeat("<a>")),
        ("siblings", BodyKind::Xml, wide("<a>", "<b/>".repeat(mega / 4), "</a>")),
        ("attributes", BodyKind::Xml, wide("<a", attributes, "/>")),
        ("namespaces", BodyKind::Xml, wide("<a", declarations, "><n1:b/></a>")),
        ("references", BodyKind::Xml, wide("<a>", "&amp;".repeat(mega / 5), "</a>")),
        ("ampersands", BodyKind::Xml, wide("<a>", "&".repeat(mega), "</a>")),
        ("square brackets", BodyKind::Xml, wide("<a>", "]".repeat(mega), "</a>")),
        ("comments", BodyKind::Xml, wide("<a>", "<!---->".repeat(mega / 7), "</a>")),
        ("doctype quotes", BodyKind::Xml, wide("<!DOCTYPE a [", "''".repeat(mega / 2), "]><a/>")),
    ];
    // Counted bounds would end most of these early, which proves nothing: they are lifted.
    let lifted = BodyLimits {
        arguments_max: usize::MAX,
        parts_max: usize::MAX,
        part_headers_bytes_max: usize::MAX,
        xml_nodes_max: usize::MAX,
        ..BodyLimits::default()
    };
    let paths: Vec<XPath> = ["//*", "//@*", "//b[2]", "//*[@x='1']/..", "/a//b/text()"]
        .iter()
        .map(|path| XPath::parse(path).expect("it compiles"))
        .collect();
    for (name, kind, input) in cases {
        for limits in [&lifted, &BodyLimits::default()] {
            let start = Instant::now();
            let mut parser = BodyParser::new(kind, b"multipart/form-data; boundary=b", limits);
            input.chunks(16 * 1024).for_each(|piece| parser.feed(piece));
            let body = parser.finish();
            if let Some(document) = &body.xml {
                for path in &paths {
                    path.evaluate(document, &[], 1 << 20);
                }
            }
            let took = start.elapsed();
            println!("{name}: {} bytes in {took:?}", input.len());
            assert!(took < Duration::from_secs(4), "{name}: {} bytes took {took:?}", input.len());
        }
    }
}

#[test]
fn heads_are_read_in_linear_time() {
    let limits = HeadLimits { head_bytes_max: 1 << 22, line_bytes_max: 1 << 22, headers_max: usize::MAX };
    let cases = [
        ("folds", format!("GET / HTTP/1.1\r\nA: b\r\n{}\r\n", " x\r\n".repeat(250_000))),
        ("headers", format!("GET / HTTP/1.1\r\n{}\r\n", "A:\r\n".repeat(250_000))),
        ("lengths", format!("GET / HTTP/1.1\r\nContent-Length: {}1\r\n\r\n", "1,".repeat(500_000))),
        ("blanks in the target", format!("GET {} HTTP/1.1\r\n\r\n", "a ".repeat(500_000))),
        ("blank lines", "\r\n".repeat(500_000)),
    ];
    for (name, text) in cases {
        let start = Instant::now();
        let _ = parse_request_head(text.as_bytes(), &limits);
        let took = start.elapsed();
        println!("{name}: {} bytes in {took:?}", text.len());
        assert!(took < Duration::from_secs(4), "{name}: took {took:?}");
    }
}
