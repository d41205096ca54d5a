//! What a real API server answered, asked again of the fake. Each transcript's requests are sent in order to an empty
//! server; status, reason, code, details, messages and objects are compared, with uids, versions and times mapped.
//!
//! What is left out is named here, with the reason: nothing is left out silently.

mod left_out;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use left_out::{EXCHANGES, LEFT_OUT, REPLAYED};
use palisade_kube_fake::Server;
use serde_json::{Value, json};

#[test]
fn the_fake_answers_what_a_real_server_answered() {
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/kubernetes/transcripts"));
    if !folder.is_dir() {
        println!("skipped: no transcripts in ../shared/kubernetes/transcripts");
        return;
    }
    let mut wrong = Vec::new();
    for (file, namespace) in REPLAYED {
        let text =
            std::fs::read_to_string(folder.join(format!("{file}.json"))).expect("a transcript can be read");
        let exchanges: Vec<Value> = serde_json::from_str(&text).expect("a transcript is JSON");
        let mut replay = Replay { server: Server::start(), known: BTreeMap::new() };
        replay.server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        let (mut asked, mut left) = (0, 0);
        for (index, exchange) in exchanges.iter().enumerate() {
            left_out::before(&replay.server, file, index);
            let skipped = EXCHANGES.iter().find(|(of, indexes, _)| of == file && indexes.contains(&index));
            if let Some((_, _, why)) = skipped {
                println!("{file} {index} left out: {why}");
                left += 1;
                continue;
            }
            let stream =
                exchange["request"]["query"]["watch"] == "true" && exchange["response"]["status"] == 200;
            if exchange["request"].is_null() || !exchange["direction"].is_null() || stream {
                println!(
                    "{file} {index} left out: a remark, a call by the server, or a stream (tests/watches.rs)"
                );
                left += 1;
                continue;
            }
            asked += 1;
            if let Err(difference) = replay.ask(exchange) {
                wrong.push(format!(
                    "{file} {index} {}: {difference}",
                    exchange["note"].as_str().unwrap_or("")
                ));
            }
        }
        println!("{file}: {asked} asked, {left} left out");
        assert!(asked > 0, "{file}: nothing was asked");
    }
    for (file, why) in LEFT_OUT {
        println!("{file} left out: {why}");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

struct Replay {
    server: Server,
    /// Uids, versions, tokens and generated names of the transcript, as they are called here.
    known: BTreeMap<String, String>,
}

impl Replay {
    fn ask(&mut self, exchange: &Value) -> Result<(), String> {
        let request = &exchange["request"];
        let wanted = &exchange["response"];
        let mut path = request["path"].as_str().expect("a path").to_owned();
        for (there, here) in &self.known {
            if there.contains('-') && path.ends_with(there.as_str()) {
                path = path.replace(there.as_str(), here);
            }
        }
        let mut query: Vec<String> = Vec::new();
        for (name, value) in request["query"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or("");
            let value = if matches!(name.as_str(), "resourceVersion" | "continue") {
                self.known.get(value).map_or(value, String::as_str)
            } else {
                value
            };
            query.push(format!("{name}={}", escaped(value)));
        }
        let body = match &request["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => {
                let mut body = body.clone();
                self.translate(&mut body);
                body.to_string()
            }
        };
        let mut headers = String::new();
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            headers.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap_or("")));
        }
        let method = request["method"].as_str().expect("a method");
        let (status, answer) = ask(&self.server.url(), method, &path, &query.join("&"), &headers, &body);
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
        if wanted["status"] != status {
            return Err(format!("{} was wanted, {status} is: {answer}", wanted["status"]));
        }
        let mut expected = wanted["body"].clone();
        if expected.is_null() || expected == "..." {
            return Ok(());
        }
        self.learn(&expected, &answer);
        if status >= 400 {
            self.translate(&mut expected);
            return failures(&expected, &answer);
        }
        settle(&mut expected);
        settle(&mut answer);
        self.translate(&mut expected);
        // Lists whose items are cut down to their names are compared so.
        if let (Some(items), Some(here)) = (expected["items"].as_array(), answer["items"].as_array()) {
            let names = |items: &[Value]| -> Vec<Value> {
                let mut names: Vec<Value> =
                    items.iter().map(|item| item["metadata"]["name"].clone()).collect();
                // Of the real server's controllers.
                names.retain(|name| {
                    !matches!(name.as_str(), Some("kube-root-ca.crt" | "openshift-service-ca.crt"))
                });
                names
            };
            if names(items) != names(here) {
                return Err(format!("items {:?} were wanted, {:?} are there", names(items), names(here)));
            }
            return Ok(());
        }
        // The fake makes few defaults: what it says of these kinds has to be part of what was said.
        let partly = matches!(
            expected["kind"].as_str(),
            Some("Pod" | "Deployment" | "Service" | "CustomResourceDefinition")
        );
        if expected == answer || (partly && within(&answer, &expected)) {
            Ok(())
        } else {
            Err(format!("\n  wanted {expected}\n  is     {answer}"))
        }
    }

    /// What the real server called so is called so here.
    fn learn(&mut self, there: &Value, here: &Value) {
        match (there, here) {
            (Value::Object(there), Value::Object(here)) => {
                if let (Some(_), Some(there), Some(here)) = (
                    there.get("generateName"),
                    there.get("name").and_then(Value::as_str),
                    here.get("name").and_then(Value::as_str),
                ) {
                    self.known.insert(there.to_owned(), here.to_owned());
                }
                for (name, there) in there {
                    let Some(here) = here.get(name) else { continue };
                    if let (Some(there), Some(here)) = (there.as_str(), here.as_str())
                        && matches!(name.as_str(), "uid" | "resourceVersion" | "continue")
                        && !there.is_empty()
                    {
                        self.known.insert(there.to_owned(), here.to_owned());
                    }
                    self.learn(there, here);
                }
            }
            (Value::Array(there), Value::Array(here)) => {
                there.iter().zip(here).for_each(|(there, here)| self.learn(there, here));
            }
            _ => {}
        }
    }

    fn translate(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if let Some(here) = value.as_str().and_then(|there| self.known.get(there))
                        && matches!(name.as_str(), "uid" | "resourceVersion" | "continue" | "name")
                    {
                        *value = json!(here);
                    } else if let (Some(text), "message") = (value.as_str(), name.as_str()) {
                        *value = json!(self.translated(text));
                    } else {
                        self.translate(value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.translate(item)),
            _ => {}
        }
    }

    /// Uids and versions within a message.
    fn translated(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (there, here) in &self.known {
            if there.len() == 36 {
                out = out.replace(there.as_str(), here);
            } else if there.parse::<u64>().is_ok() && text.contains(&format!("in record ({there})")) {
                out = out.replace(&format!("in record ({there})"), &format!("in record ({here})"));
            }
        }
        out
    }
}

/// Whether all that `part` says is said by `whole`; lists item by item.
fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| within(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| within(part, whole))
        }
        _ => part == whole,
    }
}

fn failures(wanted: &Value, is: &Value) -> Result<(), String> {
    let Some(_) = wanted.as_object() else {
        return if wanted == is { Ok(()) } else { Err(format!("{wanted} was wanted, {is} is")) };
    };
    let causes = |status: &Value| -> BTreeSet<String> {
        status["details"]["causes"].as_array().into_iter().flatten().map(ToString::to_string).collect()
    };
    let rest = |status: &Value| {
        let mut details = status["details"].clone();
        if let Some(details) = details.as_object_mut() {
            details.remove("causes");
        }
        // Versions of now in it, and causes in any order.
        let mut message = status["message"].as_str().unwrap_or("").to_owned();
        if causes(status).len() > 1 || message.starts_with("Timeout") {
            message.clear();
        }
        json!([status["reason"], status["code"], status["status"], details, message])
    };
    if rest(wanted) == rest(is) && causes(wanted) == causes(is) {
        return Ok(());
    }
    Err(format!("\n  wanted {wanted}\n  is     {is}"))
}

/// Takes away what cannot be the same twice.
fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in [
                "managedFields",
                "creationTimestamp",
                "deletionTimestamp",
                "lastTransitionTime",
                "uid",
                "resourceVersion",
                "clusterIP",
                "clusterIPs",
            ] {
                fields.remove(name);
            }
            fields.values_mut().for_each(settle);
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn ask(url: &str, method: &str, path: &str, query: &str, headers: &str, body: &str) -> (u16, String) {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the fake listens");
    let length = body.len();
    let request = format!(
        "{method} {path}?{query} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("the fake reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the fake answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, body.to_owned())
}
