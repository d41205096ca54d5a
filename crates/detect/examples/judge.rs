//! A request a line in, its findings a line out: what `bench/detection` runs while a detector is being written.
//!
//! Input: `{"id","method","uri","headers":[["name","value"]...],"body" or "body_base64"}`. Output, in order:
//! `{"id","findings":[{"attack","detector","confidence","point","decode_path","excerpt","why"}]}`.

use std::io::{BufRead as _, BufWriter, Write as _};

use palisade_detect::{DetectLimits, Detection, Progress};
use palisade_http::{Fields, RequestHead};
use serde_json::{Value, json};

fn main() {
    let limits = DetectLimits::default();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input");
        let request: Value = serde_json::from_str(&line).expect("a request in JSON");
        let mut detection = Detection::begin(&head(&request), &limits);
        detection.feed(&body(&request));
        while detection.run() == Progress::Yield {}
        let findings: Vec<Value> = detection
            .findings()
            .iter()
            .map(|finding| {
                json!({
                    "attack": finding.attack.name(),
                    "detector": finding.detector,
                    "confidence": finding.confidence.get(),
                    "point": finding.point.to_string(),
                    "decode_path": finding.decode_path.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "excerpt": String::from_utf8_lossy(&finding.excerpt),
                    "why": finding.why,
                })
            })
            .collect();
        writeln!(out, "{}", json!({"id": request["id"], "findings": findings})).expect("standard output");
    }
}

fn head(request: &Value) -> RequestHead {
    let text = |key: &str| request[key].as_str().unwrap_or_default().as_bytes().to_vec();
    let mut headers = Fields::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        headers.push(
            header[0].as_str().unwrap_or_default().as_bytes(),
            header[1].as_str().unwrap_or_default().as_bytes(),
        );
    }
    let (method, target, version) = (text("method"), text("uri"), b"HTTP/1.1".to_vec());
    let line = [&method[..], &target, &version].join(&b' ');
    RequestHead { line, method, target, version, headers, findings: Vec::new() }
}

fn body(request: &Value) -> Vec<u8> {
    if let Some(text) = request["body_base64"].as_str() {
        let mut out = Vec::new();
        return match palisade_codec::transform::base64::decode_lenient(text.as_bytes(), &mut out) {
            palisade_codec::Effect::Changed => out,
            palisade_codec::Effect::Unchanged => text.as_bytes().to_vec(),
        };
    }
    request["body"].as_str().unwrap_or_default().as_bytes().to_vec()
}
