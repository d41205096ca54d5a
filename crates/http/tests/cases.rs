//! Runs `testdata/http/*.jsonl`: each case whole, byte by byte, and cut in pieces of seven.
//!
//! Texts hold one character U+0000-U+00FF a byte. A key that the runner does not know fails the case, so that no
//! expectation is silently ignored.

use palisade_http::*;
use serde_json::{Map, Value};
use std::path::Path;

/// How an input is fed.
const CUTS: [usize; 3] = [usize::MAX, 1, 7];

struct Case {
    name: String,
    values: Map<String, Value>,
}

impl Case {
    fn take(&mut self, key: &str) -> Option<Value> {
        self.values.remove(key)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.take(key).map(|value| value.as_str().expect("a text").to_owned())
    }

    fn bytes(&mut self, key: &str) -> Option<Vec<u8>> {
        self.text(key).map(|text| to_bytes(&text))
    }

    fn number(&mut self, key: &str) -> Option<usize> {
        self.take(key).map(|value| value.as_u64().expect("a number") as usize)
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.take(key).map(|value| value.as_bool().expect("true or false"))
    }

    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let list = self.take(key)?;
        Some(
            list.as_array()
                .expect("a list")
                .iter()
                .map(|item| item.as_str().expect("a text").to_owned())
                .collect(),
        )
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&self, what: &str, expected: Option<T>, got: T) {
        if let Some(expected) = expected {
            assert_eq!(expected, got, "{}: {what}", self.name);
        }
    }

    fn limits(&mut self) -> BodyLimits {
        let mut limits = BodyLimits::default();
        let fields: [(&str, &mut usize); 9] = [
            ("arguments_max", &mut limits.arguments_max),
            ("key_bytes_max", &mut limits.key_bytes_max),
            ("json_depth_max", &mut limits.json_depth_max),
            ("parts_max", &mut limits.parts_max),
            ("files_max", &mut limits.files_max),
            ("file_content_bytes_max", &mut limits.file_content_bytes_max),
            ("xml_nodes_max", &mut limits.xml_nodes_max),
            ("xml_depth_max", &mut limits.xml_depth_max),
            ("part_header_bytes_max", &mut limits.part_header_bytes_max),
        ];
        for (key, field) in fields {
            if let Some(number) = self.number(key) {
                *field = number;
            }
        }
        if let Some(separator) = self.bytes("separator") {
            limits.argument_separator = separator[0];
        }
        limits
    }
}

fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("one character a byte")).collect()
}

fn to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn pairs(fields: &Fields) -> Value {
    fields.iter().map(|(name, value)| Value::from(vec![to_text(name), to_text(value)])).collect()
}

fn names(hits: &[LimitHit]) -> Vec<String> {
    hits.iter().map(|hit| hit.name().to_owned()).collect()
}

/// Runs every case of a file. `run` takes the keys it knows; what is left is unknown.
fn run(file: &str, mut run: impl FnMut(&mut Case)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/http").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut count = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Value::Object(mut values) = serde_json::from_str(line).expect("a case is a JSON object") else {
            panic!("{file}: a case is a JSON object");
        };
        let name = values.remove("name").expect("a case has a name").as_str().expect("a text").to_owned();
        values.remove("why");
        let mut case = Case { name: format!("{file}: {name}"), values };
        run(&mut case);
        assert!(case.values.is_empty(), "{}: unknown keys {:?}", case.name, case.values.keys());
        count += 1;
    }
    assert!(count > 0, "{file} has no cases");
    println!("{file}: {count} cases");
}

fn framing(result: Result<Framing, FramingFinding>) -> String {
    match result {
        Ok(Framing::None) => "none".to_owned(),
        Ok(Framing::Length(length)) => format!("length {length}"),
        Ok(Framing::Chunked) => "chunked".to_owned(),
        Ok(Framing::UntilClose) => "until_close".to_owned(),
        Err(finding) => format!("refused {}", finding.name()),
    }
}

fn finding_names(findings: &[FramingFinding]) -> Vec<String> {
    let mut names: Vec<String> = findings.iter().map(|finding| finding.name().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn request_heads() {
    run("request-head.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let mut limits = HeadLimits::default();
        limits.head_bytes_max = case.number("head_bytes_max").unwrap_or(limits.head_bytes_max);
        limits.line_bytes_max = case.number("line_bytes_max").unwrap_or(limits.line_bytes_max);
        limits.headers_max = case.number("headers_max").unwrap_or(limits.headers_max);
        let (outcome, read) = match parse_request_head(&input, &limits) {
            HeadParse::Incomplete => ("incomplete", None),
            HeadParse::Complete { head, consumed } => ("complete", Some((head, consumed))),
            HeadParse::Refused { head, consumed } => ("refused", Some((head, consumed))),
        };
        let expected = case.text("outcome");
        case.expect("outcome", expected.as_deref(), outcome);
        let mut findings = case.texts("findings").expect("findings");
        findings.sort();
        let ambiguous = case.flag("ambiguous");
        let (method, target) = (case.bytes("method"), case.bytes("target"));
        let (version, headers) = (case.bytes("version"), case.take("headers"));
        let (length, rest) = (case.text("framing"), case.bytes("rest"));
        let Some((head, consumed)) = read else { return };
        case.expect("findings", Some(findings), finding_names(&head.findings));
        case.expect("ambiguous", ambiguous, head.is_ambiguous());
        case.expect("method", method, head.method.clone());
        case.expect("target", target, head.target.clone());
        case.expect("version", version, head.version.clone());
        case.expect("headers", headers, pairs(&head.headers));
        case.expect("framing", length, framing(request_body_framing(&head)));
        case.expect("rest", rest, input[consumed..].to_vec());
        if outcome == "complete" {
            let mut scanner = HeadScanner::new();
            let found: Vec<usize> =
                (0..=input.len()).filter_map(|end| scanner.find(&input[..end])).take(1).collect();
            assert_eq!(found, [consumed], "{}: the scanner finds the same end", case.name);
            for end in 0..consumed {
                let part = parse_request_head(&input[..end], &limits);
                assert!(matches!(part, HeadParse::Incomplete), "{}: {end} bytes are no head", case.name);
            }
        }
    });
}

#[test]
fn response_heads() {
    run("response-head.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let (outcome, read) = match parse_response_head(&input, &HeadLimits::default()) {
            HeadParse::Incomplete => ("incomplete", None),
            HeadParse::Complete { head, .. } => ("complete", Some(head)),
            HeadParse::Refused { head, .. } => ("refused", Some(head)),
        };
        let expected = case.text("outcome");
        case.expect("outcome", expected.as_deref(), outcome);
        let method = case.bytes("request_method").expect("a method");
        let (status, reason, length) = (case.number("status"), case.bytes("reason"), case.text("framing"));
        let findings = case.texts("findings");
        let Some(head) = read else { return };
        case.expect("status", status, usize::from(head.status));
        case.expect("reason", reason, head.reason.clone());
        case.expect("findings", findings, finding_names(&head.findings));
        case.expect("framing", length, framing(response_body_framing(&head, &method)));
    });
}

#[test]
fn chunked_bodies() {
    run("chunked.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let output = case.bytes("output");
        let (end, rest, trailers) = (case.text("end"), case.bytes("rest"), case.take("trailers"));
        let extensions = case.flag("extensions");
        for cut in CUTS {
            let mut decoder = ChunkedDecoder::new();
            let mut got = Vec::new();
            let mut fed = 0;
            let mut progress = ChunkProgress::More;
            for piece in input.chunks(cut.min(input.len())) {
                progress = decoder.feed(piece, &mut |bytes| got.extend_from_slice(bytes));
                match progress {
                    ChunkProgress::More => fed += piece.len(),
                    ChunkProgress::Done { consumed } => fed += consumed,
                    ChunkProgress::Refused(_) => {}
                }
                if progress != ChunkProgress::More {
                    break;
                }
            }
            let ended = match progress {
                ChunkProgress::More => "more".to_owned(),
                ChunkProgress::Done { .. } => "done".to_owned(),
                ChunkProgress::Refused(finding) => finding.name().to_owned(),
            };
            case.expect("end", end.clone(), ended);
            case.expect("output", output.clone(), got);
            case.expect("rest", rest.clone(), input[fed..].to_vec());
            case.expect("trailers", trailers.clone(), pairs(decoder.trailers()));
            case.expect("extensions", extensions, decoder.extensions_seen());
        }
    });
}

#[test]
fn targets() {
    run("target.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let method = case.bytes("method").unwrap_or(b"GET".to_vec());
        let target = Target::new(&input, &method);
        let form = match target.form() {
            TargetForm::Origin => "origin",
            TargetForm::Absolute => "absolute",
            TargetForm::Authority => "authority",
            TargetForm::Asterisk => "asterisk",
            TargetForm::Other => "other",
        };
        let filename = target.filename_decoded();
        let expected = case.text("form");
        case.expect("form", expected.as_deref(), form);
        for (key, got) in [
            ("scheme", target.scheme()),
            ("authority", target.authority()),
            ("path", target.path()),
            ("request_uri", &target.request_uri_decoded()),
            ("filename", &filename),
            ("basename", Target::basename(&filename)),
        ] {
            let expected = case.bytes(key);
            case.expect(key, expected, got.to_vec());
        }
        for (key, got) in [("query", target.query()), ("fragment", target.fragment())] {
            let expected = case.take(key);
            case.expect(key, expected, got.map_or(Value::Null, |bytes| Value::from(to_text(bytes))));
        }
    });
}

#[test]
fn forms() {
    run("form.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let limits = case.limits();
        let fields = case.take("fields");
        let (invalid, hits) = (case.flag("invalid_encoding"), case.texts("limit_hits"));
        for cut in CUTS {
            let body = read(BodyKind::UrlEncoded, b"", &limits, &input, cut);
            case.expect("fields", fields.clone(), pairs(&body.fields));
            case.expect("invalid_encoding", Some(invalid.unwrap_or(false)), body.invalid_encoding);
            case.expect("limit_hits", Some(hits.clone().unwrap_or_default()), names(&body.limit_hits));
        }
    });
}

#[test]
fn cookies() {
    run("cookies.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let format = match case.text("format").as_deref() {
            None => CookieFormat::V0,
            Some("v1") => CookieFormat::V1,
            Some(other) => panic!("{}: unknown format {other}", case.name),
        };
        let mut fields = Fields::new();
        parse_cookies(&input, format, b';', &mut fields);
        let expected = case.take("fields");
        case.expect("fields", expected, pairs(&fields));
    });
}

fn read(kind: BodyKind, content_type: &[u8], limits: &BodyLimits, input: &[u8], cut: usize) -> ParsedBody {
    let mut parser = BodyParser::new(kind, content_type, limits);
    if !input.is_empty() {
        input.chunks(cut.min(input.len())).for_each(|piece| parser.feed(piece));
    }
    parser.finish()
}

/// An expected error is a part of the message; none expects none.
fn check_error(case: &Case, expected: &Option<String>, got: &Option<String>) {
    match (expected, got) {
        (None, None) => {}
        (Some(part), Some(error)) if error.contains(part) => {}
        _ => panic!("{}: error {expected:?} expected, got {got:?}", case.name),
    }
}

fn flag_names(flags: &MultipartFlags) -> Vec<String> {
    let all = [
        ("error", flags.error),
        ("boundary_quoted", flags.boundary_quoted),
        ("boundary_whitespace", flags.boundary_whitespace),
        ("data_before", flags.data_before),
        ("data_after", flags.data_after),
        ("header_folding", flags.header_folding),
        ("invalid_header_folding", flags.invalid_header_folding),
        ("lf_line", flags.lf_line),
        ("crlf_lf_lines", flags.crlf_lf_lines()),
        ("missing_semicolon", flags.missing_semicolon),
        ("invalid_quoting", flags.invalid_quoting),
        ("invalid_part", flags.invalid_part),
        ("file_limit_exceeded", flags.file_limit_exceeded),
        ("unmatched_boundary_1", flags.unmatched_boundary == 1),
        ("unmatched_boundary_2", flags.unmatched_boundary == 2),
        ("strict_error", flags.strict_error()),
    ];
    let mut names: Vec<String> =
        all.iter().filter(|(_, set)| *set).map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn multipart_bodies() {
    run("multipart.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let content_type = case.bytes("content_type").unwrap_or(b"multipart/form-data; boundary=b".to_vec());
        let limits = case.limits();
        let (fields, part_headers) = (case.take("fields"), case.take("part_headers"));
        let (files, contents) = (case.take("files"), case.texts("file_contents"));
        let mut flags = case.texts("flags").expect("flags");
        flags.sort();
        let (error, hits) = (case.text("error"), case.texts("limit_hits").unwrap_or_default());
        for cut in CUTS {
            let body = read(BodyKind::Multipart, &content_type, &limits, &input, cut);
            case.expect("fields", fields.clone(), pairs(&body.fields));
            case.expect("part_headers", part_headers.clone(), pairs(&body.part_headers));
            let got: Value = body
                .files
                .iter()
                .map(|file| serde_json::json!([to_text(&file.name), to_text(&file.file_name), file.size]))
                .collect();
            case.expect("files", Some(files.clone().unwrap_or(Value::Array(Vec::new()))), got);
            let got: Vec<String> = body.files.iter().map(|file| to_text(&file.content)).collect();
            case.expect("file_contents", contents.clone(), got);
            case.expect("flags", Some(flags.clone()), flag_names(&body.multipart.expect("flags")));
            case.expect("limit_hits", Some(hits.clone()), names(&body.limit_hits));
            check_error(case, &error, &body.error);
        }
    });
}

#[test]
fn json_bodies() {
    run("json.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let limits = case.limits();
        let fields = case.take("fields");
        let (error, hits) = (case.text("error"), case.texts("limit_hits").unwrap_or_default());
        let duplicates = case.number("duplicate_keys").unwrap_or(0);
        for cut in CUTS {
            let body = read(BodyKind::Json, b"", &limits, &input, cut);
            case.expect("fields", fields.clone(), pairs(&body.fields));
            case.expect("limit_hits", Some(hits.clone()), names(&body.limit_hits));
            case.expect("duplicate_keys", Some(duplicates), body.duplicate_keys);
            check_error(case, &error, &body.error);
        }
    });
}

#[test]
fn xml_bodies() {
    run("xml.jsonl", |case| {
        let input = case.bytes("input").expect("an input");
        let limits = case.limits();
        let xpath = XPath::parse(&case.text("xpath").expect("an xpath")).expect("it compiles");
        let values = case.texts("values").expect("values");
        let (error, hits) = (case.text("error"), case.texts("limit_hits").unwrap_or_default());
        let bytes_max = case.number("values_bytes_max").unwrap_or(1 << 20);
        let truncated = case.flag("truncated").unwrap_or(false);
        let has_doctype = case.flag("has_doctype").unwrap_or(false);
        let namespaces: Vec<(String, String)> = match case.take("namespaces") {
            Some(Value::Object(map)) => map
                .into_iter()
                .map(|(prefix, uri)| (prefix, uri.as_str().expect("a text").to_owned()))
                .collect(),
            _ => Vec::new(),
        };
        for cut in CUTS {
            let body = read(BodyKind::Xml, b"", &limits, &input, cut);
            let document = body.xml.expect("a document");
            let got = xpath.evaluate(&document, &namespaces, bytes_max);
            let texts: Vec<String> = got.values.iter().map(|value| to_text(value)).collect();
            case.expect("values", Some(values.clone()), texts);
            case.expect("truncated", Some(truncated), got.truncated);
            case.expect("has_doctype", Some(has_doctype), document.has_doctype);
            case.expect("limit_hits", Some(hits.clone()), names(&body.limit_hits));
            check_error(case, &error, &body.error);
        }
    });
}

#[test]
fn xpath_errors() {
    run("xpath-errors.jsonl", |case| {
        let text = case.text("xpath").expect("an xpath");
        let offset = case.number("offset").expect("an offset");
        match XPath::parse(&text) {
            Ok(_) => panic!("{}: compiles", case.name),
            Err(error) => assert_eq!(error.offset, offset, "{}: {error}", case.name),
        }
    });
}
