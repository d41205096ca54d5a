//! What must hold for any specification and any request: no panic, bounded work, and the same verdict however a request is
//! cut or written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_http::{Fields, RequestHead};
use palisade_openapi::{Breach, Check, Limits, Shown, Specification, Violation, read};
use proptest::prelude::*;

fn specification(text: &str) -> Arc<Specification> {
    let read = read(text.as_bytes(), None);
    Arc::new(read.specification.unwrap_or_else(|| panic!("{:#?}", read.diagnostics)))
}

fn with_schema(schema: &str, components: &str) -> Arc<Specification> {
    specification(&format!(
        "openapi: 3.1.0\npaths: {{/a: {{post: {{requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}}}}}}}\n\
         components: {{schemas: {{{components}}}}}\n"
    ))
}

fn post(specification: &Arc<Specification>, body: &[u8], limits: &Limits) -> Vec<Breach> {
    let mut headers = Fields::new();
    headers.push(b"Content-Type", b"application/json");
    let head =
        RequestHead { method: b"POST".to_vec(), target: b"/a".to_vec(), headers, ..RequestHead::default() };
    let mut check = Check::begin(specification, limits, &head, &Shown::default());
    check.feed(body);
    check.end(false);
    check.breaches().to_vec()
}

fn kinds(breaches: &[Breach]) -> Vec<Violation> {
    breaches.iter().map(|breach| breach.violation).collect()
}

/// Generous: what is not bounded takes ages.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn branches_in_branches_are_asked_once_for_each_value() {
    // Without memory a body of this depth takes 2^90 steps.
    let branch = |name: &str| {
        format!(
            "{{type: object, required: [{name}], properties: {{c: {{$ref: \"#/components/schemas/N\"}}}}}}"
        )
    };
    let tree = format!("N: {{oneOf: [{}, {}]}}", branch("a"), branch("b"));
    let specification = with_schema("{$ref: \"#/components/schemas/N\"}", &tree);
    let deep = |leaf: &str| format!("{}{leaf}{}", "{\"a\":1,\"c\":".repeat(90), "}".repeat(90));
    let began = Instant::now();
    assert_eq!(kinds(&post(&specification, deep("{\"b\":1}").as_bytes(), &Limits::default())), []);
    assert_eq!(
        kinds(&post(&specification, deep("{}").as_bytes(), &Limits::default())),
        [Violation::InvalidValue]
    );
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn more_work_than_a_request_may_take_is_told() {
    let specification =
        with_schema("{type: array, uniqueItems: true, items: {anyOf: [{minimum: 5}, {type: string}]}}", "");
    let body = format!("[{}0]", (1..50_000).map(|n| format!("{n},")).collect::<String>());
    let few = Limits { work_max: 10_000, ..Limits::default() };
    let began = Instant::now();
    assert!(kinds(&post(&specification, body.as_bytes(), &few)).contains(&Violation::OverLimit));
    let all = kinds(&post(&specification, body.as_bytes(), &Limits::default()));
    assert!(!all.contains(&Violation::OverLimit) && all.contains(&Violation::InvalidValue), "{all:?}");
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn patterns_take_linear_time() {
    let specification = with_schema("{type: string, pattern: \"^(a+)+$\"}", "");
    let body = format!("\"{}b\"", "a".repeat(200_000));
    let began = Instant::now();
    assert_eq!(kinds(&post(&specification, body.as_bytes(), &Limits::default())), [Violation::InvalidValue]);
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn bodies_over_a_bound_are_never_silently_passed() {
    let specification = with_schema("{type: object}", "");
    let limits = Limits { body_bytes_max: 100, depth_max: 10, values_max: 50, ..Limits::default() };
    for body in [
        format!("{{\"a\": \"{}\"}}", "x".repeat(200)),
        format!("{{\"a\": {}{}}}", "[".repeat(20), "]".repeat(20)),
        format!("{{\"a\": [{}1]}}", "1,".repeat(60)),
    ] {
        let found = kinds(&post(&specification, body.as_bytes(), &limits));
        assert!(found.contains(&Violation::OverLimit), "{body}: {found:?}");
    }
    let mut headers = Fields::new();
    headers.push(b"Content-Type", b"application/json");
    let head =
        RequestHead { method: b"POST".to_vec(), target: b"/a".to_vec(), headers, ..RequestHead::default() };
    let mut check = Check::begin(&specification, &limits, &head, &Shown::default());
    check.feed(b"{\"a\":");
    check.end(true);
    assert_eq!(kinds(check.breaches()), [Violation::OverLimit], "what is cut was not seen");
}

#[test]
fn schemas_that_hold_themselves_are_refused_and_told_where() {
    for components in [
        "A: {allOf: [{$ref: \"#/components/schemas/A\"}]}",
        "A: {anyOf: [{$ref: \"#/components/schemas/B\"}]}, B: {not: {$ref: \"#/components/schemas/A\"}}",
        "A: {$ref: \"#/components/schemas/B\"}, B: {$ref: \"#/components/schemas/A\"}",
    ] {
        let text = format!(
            "openapi: 3.1.0\npaths: {{/a: {{get: {{parameters: [{{name: a, in: query, schema: {{$ref: \"#/components/schemas/A\"}}}}]}}}}}}\n\
             components: {{schemas: {{{components}}}}}\n"
        );
        let read = read(text.as_bytes(), None);
        assert!(read.specification.is_none(), "{components}");
        assert!(
            read.diagnostics
                .iter()
                .any(|it| it.is_error() && it.message.contains("holds itself") && it.help.is_some()),
            "{:#?}",
            read.diagnostics
        );
    }
}

#[test]
fn what_cannot_be_used_is_told_with_a_remedy() {
    let parameter =
        |text: &str| format!("openapi: 3.0.0\npaths: {{/a: {{get: {{parameters: [{text}]}}}}}}\n");
    for (text, said) in [
        (String::new(), "this is no OpenAPI specification"),
        ("swagger: \"2.0\"".to_owned(), "Swagger 2.0 is not read"),
        ("openapi: 4.0.0".to_owned(), "OpenAPI `4.0.0` is not read"),
        (parameter("{name: a, in: query, schema: {$ref: \"https://a.example/x\"}}"), "is in another document"),
        (parameter("{name: a, in: query, schema: {$ref: \"#/components/schemas/X\"}}"), "leads nowhere"),
        (parameter("{name: a, in: header, style: label, schema: {}}"), "is not written in this style"),
        (parameter("{name: a, in: query, style: from, schema: {}}"), "is no style"),
        (parameter("{name: a, in: query, schema: {type: strng}}"), "is no type"),
        (parameter("{name: a, in: query, schema: {maximum: ten}}"), "`maximum` is a number"),
        (parameter("{name: a, in: query, schema: {maxLength: -1}}"), "is a whole number from 0 on"),
        (parameter("{name: a, in: query, schema: {oneOf: []}}"), "has no schema in it"),
        (parameter("{name: a, in: query}, {name: a, in: query}"), "stands here twice"),
        ("openapi: 3.0.0\npaths: {\"/a/{b}\": {get: {}}}".to_owned(), "is not described"),
        ("openapi: 3.0.0\npaths: {a: {get: {}}}".to_owned(), "does not begin with a slash"),
        (
            "openapi: 3.0.0\npaths: {\"/a/{b}\": {get: {parameters: [{name: b, in: path}]}}, \"/a/{c}\": {get: {parameters: [{name: c, in: path}]}}}"
                .to_owned(),
            "stands for the same paths",
        ),
        ("openapi: 3.0.0\nsecurity: [{key: []}]\npaths: {/a: {get: {}}}".to_owned(), "there is no security scheme"),
        ("openapi: 3.0.0\npaths: {/a: {$ref: \"#/paths/~1b\"}, /b: {$ref: \"#/paths/~1a\"}}".to_owned(), "without end"),
    ] {
        let read = read(text.as_bytes(), None);
        assert!(read.specification.is_none(), "{text}");
        let found = read.diagnostics.iter().find(|it| it.is_error() && it.message.contains(said));
        assert!(found.is_some(), "{text}: {:#?}", read.diagnostics);
    }
    for (schema, said) in [
        ("{maxlength: 5}", "did you mean `maxLength`?"),
        ("{unevaluatedProperties: false}", "is not enforced"),
        ("{pattern: \"(?=a)\"}", "lookaround"),
    ] {
        let read = read(parameter(&format!("{{name: a, in: query, schema: {schema}}}")).as_bytes(), None);
        assert!(read.specification.is_some(), "{schema}");
        let says = |it: &palisade_yaml::Diagnostic| {
            it.message.contains(said) || it.help.as_ref().is_some_and(|help| help.contains(said))
        };
        assert!(read.diagnostics.iter().any(says), "{schema}: {:#?}", read.diagnostics);
    }
}

const SHOP: &str = include_str!("../../../testdata/openapi/shop.yaml");

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_text_is_json_here_where_it_is_json_to_others(text in json_like()) {
        let specification = with_schema("{}", "");
        let invalid = kinds(&post(&specification, text.as_bytes(), &Limits::default())).contains(&Violation::InvalidBody);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // Names given twice are refused here, and only here.
        match theirs {
            Ok(_) => prop_assert!(!invalid || text.contains('"'), "{}", text),
            Err(_) => prop_assert!(invalid || text.is_empty() || text.contains("\\u"), "{}", text),
        }
    }

    #[test]
    fn a_specification_with_anything_in_it_is_read_or_refused(at in 0..SHOP.len(), cut in 0..40usize, put in "\\PC{0,12}") {
        let (start, end) = (SHOP.floor_char_boundary(at), SHOP.floor_char_boundary((at + cut).min(SHOP.len())));
        let text = [&SHOP[..start], &put, &SHOP[end.max(start)..]].concat();
        let read = read(text.as_bytes(), None);
        prop_assert!(read.specification.is_some() || read.diagnostics.iter().any(|it| it.is_error()));
    }

    #[test]
    fn any_target_is_judged(target in "/api/v1/[a-z/?&=%\\[\\],;.{}0-9+|~-]{0,60}", cookie in "\\PC{0,30}") {
        let specification = specification(SHOP);
        let mut headers = Fields::new();
        headers.push(b"Cookie", cookie.as_bytes());
        let head = RequestHead { method: b"GET".to_vec(), target: target.into_bytes(), headers, ..RequestHead::default() };
        let mut check = Check::begin(&specification, &Limits::default(), &head, &Shown::default());
        check.end(false);
        prop_assert!(check.breaches().len() <= 28);
    }
}

/// Texts that are JSON, nearly.
fn json_like() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,4}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?",
        "\"[a-z\\\\\"/u0-9]{0,6}\"",
        "[tfn\\[\\]{},:]{0,3}",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(inner, 0..4).prop_map(|items| {
                let members: Vec<String> =
                    items.iter().enumerate().map(|(at, item)| format!(" \"k{at}\" : {item}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}
