//! Targets of `palisade-detect`, and of the parsers that only it uses.

use std::sync::Arc;

use palisade_detect::{DetectLimits, Detection, Finding, Progress, Recall, Spent, detect_with, detectors};
use palisade_http::{Fields, GraphQl, RequestHead, protobuf};

/// One detector, which the first byte chooses, on the rest. It returns, its confidence is a share, and what it quotes is of
/// the text.
pub fn detector(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    for finding in detect_with(usize::from(*first) % detectors().len(), text) {
        assert!(finding.confidence.get() <= 100);
        assert!(
            finding.excerpt.is_empty()
                || text.windows(finding.excerpt.len()).any(|part| part == finding.excerpt)
        );
        assert!(finding.why.len() <= WHY_BYTES_MAX, "{} bytes of reading", finding.why.len());
    }
}

/// A reading is a sentence; what it quotes it cuts.
const WHY_BYTES_MAX: usize = 2000;

/// A whole request: its target, its content type and its body come from the data. However the body is cut, the findings are
/// the same, and no bound is exceeded.
pub fn descent(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (target, body) = data.split_at(cut);
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let head = head(target, KINDS[usize::from(*first) % KINDS.len()]);
    let limits = DetectLimits {
        depth_max: 4,
        values_max: 2000,
        decoded_bytes_max: 1 << 18,
        work_bytes_max: 1 << 20,
        raw_body_bytes_max: 1 << 14,
        window_bytes: 1 << 13,
        ..DetectLimits::default()
    };
    let (whole, spent) = run(&head, body, body.len().max(1), &limits);
    let (cut, _) = run(&head, body, 3, &limits);
    assert_eq!(whole, cut, "cut differently, found differently");
    assert!(whole.len() <= limits.findings_max);
    assert!(spent.decoded_bytes <= limits.decoded_bytes_max);
    assert!(spent.values <= limits.values_max + 1 || !spent.limits_met.is_empty());
}

const KINDS: [&[u8]; 9] = [
    b"",
    b"application/x-www-form-urlencoded",
    b"application/json",
    b"text/xml",
    b"multipart/form-data; boundary=b",
    b"application/graphql",
    b"application/grpc",
    b"application/x-protobuf",
    b"text/plain",
];

fn head(target: &[u8], kind: &[u8]) -> RequestHead {
    let mut headers = Fields::new();
    headers.push(b"Host", b"shop.example.com");
    headers.push(b"Content-Type", kind);
    headers.push(b"Cookie", target);
    let target = [b"/", target].concat();
    let line = [b"POST ", &target[..], b" HTTP/1.1"].concat();
    RequestHead {
        line,
        method: b"POST".to_vec(),
        target,
        version: b"HTTP/1.1".to_vec(),
        headers,
        findings: Vec::new(),
    }
}

fn run(head: &RequestHead, body: &[u8], piece: usize, limits: &DetectLimits) -> (Vec<Finding>, Spent) {
    let mut detection = Detection::begin(head, limits);
    body.chunks(piece).for_each(|chunk| detection.feed(chunk));
    while detection.run() == Progress::Yield {}
    let found = (detection.findings().to_vec(), detection.spent().clone());
    // Who remembers finds and spends the same.
    let recall = Arc::new(Recall::new(limits.clone()));
    for _ in 0..2 {
        let mut detection = Detection::recalling(head, &recall);
        detection.feed(body);
        while detection.run() == Progress::Yield {}
        assert_eq!((detection.findings(), detection.spent()), (&found.0[..], &found.1));
    }
    found
}

/// GraphQL and protobuf, both on the same bytes. What they take apart is of the text and no more than it.
pub fn graphql_protobuf(data: &[u8]) {
    if let Some(document) = GraphQl::parse(data) {
        assert!(document.fields <= data.len() && document.depth <= data.len());
        assert!(document.literals.iter().map(|(_, value)| value.len()).sum::<usize>() <= data.len());
    }
    if let Some(fields) = protobuf::parse(data, 100) {
        assert!(fields.len() <= 100);
    }
    let taken: usize = protobuf::frames(data).map(|(_, message)| message.len() + 5).sum();
    assert!(taken <= data.len());
}
