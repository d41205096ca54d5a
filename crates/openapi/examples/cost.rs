//! What holding requests against a specification costs, alone: for callgrind, as the difference of two counts.
//!
//! ```text
//! cost SPECIFICATION CORPUS.jsonl CASE ITERATIONS
//! ```

use std::sync::Arc;
use std::time::Instant;

use palisade_http::{Fields, RequestHead};
use palisade_openapi::{Check, Limits, Shown, read};
use serde_json::Value;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [specification, corpus, case, iterations] = &arguments[..] else {
        panic!("cost SPECIFICATION CORPUS.jsonl CASE ITERATIONS");
    };
    let text = std::fs::read(specification).expect("the specification is there");
    let began = Instant::now();
    let specification = Arc::new(read(&text, None).specification.expect("the specification is usable"));
    let loaded = began.elapsed();
    let corpus = std::fs::read_to_string(corpus).expect("the corpus is there");
    let lines = corpus.lines().map(|line| serde_json::from_str::<Value>(line).expect("a request is JSON"));
    let request = lines.into_iter().find(|line| line["name"] == **case).expect("the case is in the corpus");
    let mut headers = Fields::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        let text = |at: usize| header[at].as_str().unwrap_or_default().as_bytes();
        headers.push(text(0), text(1));
    }
    let bytes = |name: &str| request[name].as_str().unwrap_or_default().as_bytes().to_vec();
    let head =
        RequestHead { method: bytes("method"), target: bytes("uri"), headers, ..RequestHead::default() };
    let body = bytes("body");
    let iterations: u32 = iterations.parse().expect("a number of iterations");
    let began = Instant::now();
    for _ in 0..iterations {
        let mut check = Check::begin(&specification, &Limits::default(), &head, &Shown::default());
        if !body.is_empty() {
            check.feed(&body);
        }
        check.end(false);
        assert!(check.breaches().is_empty(), "{:?}", check.breaches());
    }
    let each = began.elapsed() / iterations.max(1);
    println!(
        "{case}: {each:?} each, {} bytes of body; {} operations, {} schemas, read in {loaded:?}",
        body.len(),
        specification.operations(),
        specification.schemas()
    );
}
