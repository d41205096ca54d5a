//! The tables of testdata/openapi: requests, and which breach at which point each has.

use std::sync::Arc;

use palisade_http::{Fields, RequestHead};
use palisade_model::Root;
use palisade_openapi::{Check, Limits, Shown, Specification, read};
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/openapi");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Styles {
    specification: String,
    cases: Vec<Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Style {
    name: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    passes: Vec<String>,
    breaches: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bodies {
    specification: String,
    requests: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default)]
    rows: Vec<(String, String, String, String)>,
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: String,
    #[serde(default)]
    bodies: Vec<(String, String)>,
}

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn specification(name: &str) -> Arc<Specification> {
    made(&text(name))
}

fn made(text: &str) -> Arc<Specification> {
    let read = read(text.as_bytes(), None);
    assert!(read.diagnostics.is_empty(), "{:#?}", read.diagnostics);
    Arc::new(read.specification.expect("it has no errors"))
}

/// Breaches as `invalid-value query:id`, the body in pieces of every size of some.
fn breaches(
    specification: &Arc<Specification>,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &str,
) -> Vec<String> {
    let mut fields = Fields::new();
    headers.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    let head = RequestHead {
        method: method.as_bytes().to_vec(),
        target: target.as_bytes().to_vec(),
        headers: fields,
        ..RequestHead::default()
    };
    let mut first = None;
    for size in [usize::MAX, 1, 7] {
        let mut check = Check::begin(specification, &Limits::default(), &head, &Shown::default());
        if !body.is_empty() {
            body.as_bytes().chunks(size.min(body.len())).for_each(|chunk| check.feed(chunk));
        }
        check.end(false);
        let found: Vec<String> = check
            .breaches()
            .iter()
            .map(|breach| format!("{} {}", breach.violation.attack(), breach.point()))
            .collect();
        assert!(check.breaches().iter().all(|breach| !breach.why.is_empty() && !breach.why.ends_with('.')));
        assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "pieces of {size} change nothing");
    }
    first.unwrap_or_default()
}

#[test]
fn every_style_of_parameter_is_read_and_judged_in_both_versions() {
    let table: Styles = toml::from_str(&text("styles.toml")).unwrap();
    let written = text(&table.specification);
    assert!(written.contains("\nopenapi: 3.0.3\n"));
    for version in ["3.0.3", "3.1.0"] {
        let specification = made(&written.replace("\nopenapi: 3.0.3\n", &format!("\nopenapi: {version}\n")));
        let mut ran = 0;
        for case in &table.cases {
            for target in &case.passes {
                let found = breaches(&specification, "GET", target, &case.headers, "");
                assert!(found.is_empty(), "{version}, {}: {target}: {found:?}", case.name);
                ran += 1;
            }
            for (target, breach) in &case.breaches {
                let found = breaches(&specification, "GET", target, &case.headers, "");
                assert!(
                    found.contains(breach),
                    "{version}, {}: {target}: {found:?}, not {breach}",
                    case.name
                );
                ran += 1;
            }
        }
        println!("{version}: {ran} requests");
        assert!(ran > 100, "{ran}");
    }
}

#[test]
fn endpoints_authentication_and_bodies_are_judged() {
    let table: Bodies = toml::from_str(&text("bodies.toml")).unwrap();
    let specification = specification(&table.specification);
    let mut ran = 0;
    for table in &table.requests {
        let bodies = table.bodies.iter();
        let of_bodies = bodies.map(|(body, breach)| (&table.path, &table.headers, body, breach));
        let rows = table.rows.iter().map(|(path, headers, body, breach)| (path, headers, body, breach));
        for (path, headers, body, breach) in of_bodies.chain(rows) {
            let (method, target) = path.split_once(' ').unwrap();
            let headers: Vec<(String, String)> = headers
                .split('|')
                .filter_map(|line| line.split_once(": ").or(line.split_once(':')))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut found = breaches(&specification, method, target, &headers, body);
            // A value may break two rules at once.
            found.dedup();
            let expected: Vec<&str> = if breach.is_empty() { Vec::new() } else { vec![breach] };
            assert_eq!(found, expected, "{}: {path} {headers:?} {body}", table.name);
            ran += 1;
        }
    }
    println!("{ran} requests");
    assert!(ran > 90, "{ran}");
}

#[test]
fn a_certificate_authenticates_where_one_is_asked_for() {
    let specification = specification("bodies.yaml");
    let head =
        RequestHead { method: b"GET".to_vec(), target: b"/certificate".to_vec(), ..RequestHead::default() };
    let of = |certificate| {
        let shown = Shown { certificate, ..Shown::default() };
        Check::begin(&specification, &Limits::default(), &head, &shown).breaches().len()
    };
    assert_eq!((of(true), of(false)), (0, 1));
}

#[test]
fn what_was_judged_and_refused_is_no_authentication_and_another_way_still_is() {
    let specification = specification("bodies.yaml");
    let bearer = (Root::Header, b"authorization".to_vec());
    let key = (Root::Header, b"X-Api-Key".to_vec());
    let session = (Root::Cookie, b"sid".to_vec());
    let query = (Root::Query, b"api_key".to_vec());
    for (target, headers, refused, expected) in [
        ("/items", &[("authorization", "Bearer t")][..], vec![], None),
        ("/items", &[("authorization", "Bearer t")], vec![bearer.clone()], Some("header:authorization")),
        ("/items", &[("authorization", "Bearer t"), ("x-api-key", "k")], vec![bearer.clone()], None),
        (
            "/items",
            &[("authorization", "Bearer t"), ("x-api-key", "k")],
            vec![bearer.clone(), key.clone()],
            Some("header:x-api-key"),
        ),
        ("/items", &[("x-api-key", "k")], vec![key.clone()], Some("header:x-api-key")),
        ("/items", &[("x-api-key", "k")], vec![session.clone()], None),
        ("/certificate", &[("cookie", "sid=1")], vec![session.clone()], Some("cookie:sid")),
        ("/certificate", &[("cookie", "sid=1")], vec![(Root::Cookie, b"SID".to_vec())], None),
        ("/search?api_key=1", &[], vec![query.clone()], Some("query:api_key")),
        ("/search?api_key=1", &[], vec![(Root::Header, b"api_key".to_vec())], None),
        ("/open", &[("authorization", "Bearer t")], vec![bearer], None),
    ] {
        let mut fields = Fields::new();
        headers.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        let head = RequestHead {
            method: b"GET".to_vec(),
            target: target.as_bytes().to_vec(),
            headers: fields,
            ..RequestHead::default()
        };
        let shown = Shown { refused: &refused, ..Shown::default() };
        let check = Check::begin(&specification, &Limits::default(), &head, &shown);
        let found: Vec<String> = check.breaches().iter().map(|breach| breach.point().to_string()).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{target} {headers:?} {refused:?}");
    }
}
