//! zentinel-modsec under the engine benchmark: the requests of a JSON Lines file through phases 1 and 2 (3 and 4 where
//! a line has a response), and the same answer as `palisade profile --json` gives.
//!
//! `zentinel-bench MAIN.conf CORPUS.jsonl [--case NAME] [--iterations N | --seconds S]`, from the folder of the rules'
//! data files: it resolves them from there.

use std::time::Instant;

use serde_json::{Value, json};
use zentinel_modsec::ModSecurity;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [rules, corpus, ..] = words.as_slice() else {
        eprintln!("zentinel-bench MAIN.conf CORPUS.jsonl [--case NAME] [--iterations N | --seconds S]");
        std::process::exit(2);
    };
    let option = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let only = option("--case");
    let iterations: Option<u64> = option("--iterations").map(|text| text.parse().expect("a number"));
    let seconds: f64 = option("--seconds").map_or(1.0, |text| text.parse().expect("a number"));

    let begun = Instant::now();
    let engine = ModSecurity::from_file(rules).unwrap_or_else(|error| panic!("{rules}: {error}"));
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;

    let text = std::fs::read_to_string(corpus).unwrap_or_else(|error| panic!("{corpus}: {error}"));
    let mut cases: Vec<(String, Vec<Exchange>)> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let name = texts(&line["name"]);
        if only.is_some_and(|only| *only != name) {
            continue;
        }
        let exchange = Exchange::of(&line);
        match cases.iter_mut().find(|case| case.0 == name) {
            Some(case) => case.1.push(exchange),
            None => cases.push((name, vec![exchange])),
        }
    }

    let measured: Vec<Value> = cases
        .iter()
        .map(|(name, variants)| {
            let (mut times, mut first) = (Vec::new(), None);
            let begun = Instant::now();
            for (number, exchange) in (0..).zip(variants.iter().cycle()) {
                if iterations.map_or(begun.elapsed().as_secs_f64() >= seconds && number > 0, |most| number >= most) {
                    break;
                }
                let started = Instant::now();
                let outcome = run(&engine, exchange);
                times.push(started.elapsed().as_secs_f64() * 1e6);
                first.get_or_insert(outcome);
            }
            times.sort_by(f64::total_cmp);
            let (status, matched) = first.unwrap_or_default();
            json!({
                "name": name, "iterations": times.len(), "us_median": times[times.len() / 2], "us_min": times[0],
                "verdict": if status == 0 { "pass" } else { "deny" }, "matched": matched,
            })
        })
        .collect();
    println!("{}", json!({"cases": measured, "load_ms": load_ms, "rss_mb": resident_megabytes()}));
}

#[derive(Default)]
struct Exchange {
    method: String,
    uri: String,
    protocol: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    response: Option<(Vec<(String, String)>, Vec<u8>)>,
}

impl Exchange {
    fn of(line: &Value) -> Self {
        let response = &line["response"];
        Self {
            method: texts(&line["method"]),
            uri: texts(&line["uri"]),
            protocol: format!("HTTP/{}", texts(&line["http_version"])),
            headers: headers(&line["headers"]),
            body: texts(&line["body"]).into_bytes(),
            response: (!response.is_null())
                .then(|| (headers(&response["headers"]), texts(&response["body"]).into_bytes())),
        }
    }
}

fn headers(list: &Value) -> Vec<(String, String)> {
    let pairs = list.as_array().expect("headers are a list").iter();
    pairs.map(|pair| (texts(&pair[0]), texts(&pair[1]))).collect()
}

fn texts(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Status of the intervention (0 without one) and ids of what matched.
// The benchmark counts the instructions of its calls.
#[inline(never)]
fn run(engine: &ModSecurity, exchange: &Exchange) -> (u16, Vec<u64>) {
    let mut transaction = engine.new_transaction();
    transaction.set_client_addr("192.0.2.10", 40000);
    transaction.set_server_addr("192.0.2.1", 443);
    phases(&mut transaction, exchange).expect("an exchange of the corpus is well-formed");
    let status = transaction.intervention().map_or(0, |intervention| intervention.status);
    let matched = transaction.matched_rules().iter().filter_map(|id| id.parse().ok()).collect();
    (status, matched)
}

fn phases(
    transaction: &mut zentinel_modsec::Transaction,
    exchange: &Exchange,
) -> Result<(), zentinel_modsec::Error> {
    transaction.process_uri(&exchange.uri, &exchange.method, &exchange.protocol)?;
    for (name, value) in &exchange.headers {
        transaction.add_request_header(name, value)?;
    }
    transaction.process_request_headers()?;
    if transaction.intervention().is_some() {
        return Ok(());
    }
    if !exchange.body.is_empty() {
        transaction.append_request_body(&exchange.body)?;
    }
    transaction.process_request_body()?;
    if let (Some((headers, body)), None) = (&exchange.response, transaction.intervention()) {
        for (name, value) in headers {
            transaction.add_response_header(name, value)?;
        }
        transaction.process_response_headers()?;
        if transaction.intervention().is_none() {
            transaction.append_response_body(body)?;
            transaction.process_response_body()?;
        }
    }
    Ok(())
}

fn resident_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
