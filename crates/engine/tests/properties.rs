//! What holds for every rule set and every exchange: nothing panics, cutting bodies changes nothing, stopping and
//! going on changes nothing, and what a client sends bounds the work.

mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_engine::{
    Answer, Clock, Connection, Enforcement, GeoRecord, Lookup, Progress, RuleSet, Transaction,
};
use palisade_http::{Fields, RequestHead, ResponseHead};
use palisade_seclang::MemoryLoader;
use palisade_seclang::ast::Phase;
use proptest::prelude::*;

#[test]
fn a_transaction_can_move_between_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Transaction>();
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Arc<RuleSet>>();
}

/// An exchange of bytes that need not make sense.
#[derive(Clone, Debug)]
struct Exchange {
    method: Vec<u8>,
    target: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    status: u16,
    response_body: Vec<u8>,
}

/// How an exchange is put to the engine.
#[derive(Clone, Debug)]
struct Manner {
    /// Bodies are cut at these places.
    cuts: Vec<usize>,
    yield_after: usize,
    enforcement: Enforcement,
}

impl Manner {
    fn whole() -> Self {
        Self { cuts: Vec::new(), yield_after: usize::MAX, enforcement: Enforcement::AsWritten }
    }
}

/// Bytes made mostly of what means something to the engine.
fn soup(tokens: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => proptest::sample::select(tokens).prop_map(|token| token.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(token, 0..most).prop_map(|tokens| tokens.concat())
}

const QUERY: &[&str] = &[
    "a",
    "b",
    "=",
    "&",
    "%41",
    "%",
    "+",
    "1",
    "12",
    "ab",
    "<s>",
    "'",
    "/",
    "?",
    "%00",
    "a=1&",
    "b=ab&",
    "192.0.2.7",
];
const BODY: &[&str] = &[
    "a",
    "=",
    "&",
    "1",
    "ab",
    "{",
    "}",
    "[",
    "]",
    "\"k\"",
    ":",
    ",",
    "null",
    "<x>",
    "</x>",
    "<y a='1'>",
    "</y>",
    "<!--",
    "--B\r\n",
    "--B--\r\n",
    "Content-Disposition: form-data; name=\"a\"",
    "; filename=\"f\"",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "%4",
];
const HEADER: &[&str] = &["a", "b", "x", "1", " ", ";", "=", "%41", "\"", "0"];
const CONTENT_TYPES: &[&str] = &[
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=B",
    "multipart/form-data",
    "application/json",
    "text/xml",
    "text/plain",
    "",
];

fn exchanges() -> impl Strategy<Value = Exchange> {
    let header = (proptest::sample::select(&["X-A", "x-a", "X-B", "Cookie", "Host"][..]), soup(HEADER, 6))
        .prop_map(|(name, value)| (name.as_bytes().to_vec(), value));
    (
        proptest::sample::select(&["GET", "POST", "PUT", "\u{ff}"][..]),
        soup(QUERY, 14),
        proptest::collection::vec(header, 0..4),
        proptest::sample::select(CONTENT_TYPES),
        soup(BODY, 16),
        prop_oneof![Just(200u16), Just(404), Just(0)],
        soup(BODY, 8),
    )
        .prop_map(|(method, query, mut headers, content_type, body, status, response_body)| {
            headers.push((b"Content-Type".to_vec(), content_type.into()));
            let target = [b"/p/", query.as_slice()].concat();
            Exchange { method: method.into(), target, headers, body, status, response_body }
        })
}

const TARGETS: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "ARGS:/^[ab]$/",
    "&ARGS",
    "ARGS_NAMES",
    "ARGS_POST",
    "REQUEST_BODY",
    "FILES",
    "&FILES",
    "FILES_TMP_CONTENT",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS:x-a",
    "REQUEST_COOKIES",
    "REQUEST_URI",
    "XML:/*",
    "XML://@*",
    "&XML:/x",
    "TX:n",
    "TX:/^t/",
    "TX:%{tx.n}",
    "&TX",
    "MATCHED_VAR",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
    "RULE:id",
    "REQBODY_ERROR",
    "REQBODY_ERROR_MSG",
    "MULTIPART_STRICT_ERROR",
    "MULTIPART_PART_HEADERS",
    "RESPONSE_BODY",
    "RESPONSE_STATUS",
    "RESPONSE_HEADERS",
    "IP:n",
    "&IP",
    "GEO",
    "FULL_REQUEST",
    "ARGS|!ARGS:a",
    "ARGS|!ARGS:/b/",
    "INBOUND_DATA_ERROR",
    "ARGS_COMBINED_SIZE",
    "DURATION",
    "TIME",
];
const OPERATORS: &[&str] = &[
    "@rx a",
    "@rx ^(.)(.*)$",
    "!@rx b",
    "@rx (a|b)+%{tx.n}",
    "@pm a ab 1",
    "@contains a",
    "@streq %{tx.n}",
    "@eq 1",
    "@gt 0",
    "@lt %{tx.n}",
    "@within a ab 1 GET",
    "@unconditionalMatch",
    "@noMatch",
    "@detectSQLi",
    "@detectXSS",
    "@validateUrlEncoding",
    "@validateUtf8Encoding",
    "@validateByteRange 32-126",
    "@ipMatch 192.0.2.0/24",
    "@rbl list.example",
    "@geoLookup",
    "@verifyCC \\d+",
    "@beginsWith %{MATCHED_VAR}",
    "@ipMatch %{tx.n}",
];
const ACTIONS: &[&str] = &[
    "capture",
    "multiMatch",
    "t:lowercase",
    "t:urlDecodeUni",
    "t:length",
    "t:base64Decode",
    "t:htmlEntityDecode",
    "setvar:tx.n=+1",
    "setvar:'tx.n=%{MATCHED_VAR}'",
    "setvar:'tx.t_%{MATCHED_VAR_NAME}=%{tx.n}'",
    "setvar:!tx.n",
    "setvar:'tx.n=%{tx.n}%{tx.n}a'",
    "initcol:ip=%{REMOTE_ADDR}",
    "initcol:global=%{tx.n}",
    "setvar:ip.n=+%{tx.n}",
    "setvar:'global.x=%{MATCHED_VAR}'",
    "expirevar:ip.n=60",
    "deprecatevar:ip.n=1/60",
    "setenv:'E=%{MATCHED_VAR}'",
    "sanitiseMatched",
    "sanitiseArg:a",
    "ctl:ruleRemoveById=3-4",
    "ctl:ruleRemoveByTag=t1",
    "ctl:ruleRemoveTargetById=5;ARGS:a",
    "ctl:ruleRemoveTargetByTag=t0;ARGS:/a/",
    "ctl:requestBodyProcessor=JSON",
    "ctl:requestBodyProcessor=XML",
    "ctl:requestBodyProcessor=URLENCODED",
    "ctl:requestBodyProcessor=MULTIPART",
    "ctl:forceRequestBodyVariable=On",
    "ctl:requestBodyLimit=9",
    "ctl:requestBodyAccess=Off",
    "ctl:responseBodyAccess=On",
    "ctl:responseBodyLimit=3",
    "ctl:ruleEngine=DetectionOnly",
    "ctl:ruleEngine=Off",
    "ctl:parseXmlIntoArgs=On",
    "ctl:auditLogParts=+E",
];
const ENDINGS: &[&str] = &[
    "pass",
    "pass",
    "pass",
    "pass",
    "deny",
    "block",
    "drop",
    "allow",
    "allow:phase",
    "allow:request",
    "redirect:'/%{MATCHED_VAR}'",
    "pass,skip:1",
    "pass,skip:3",
    "pass,skipAfter:M",
    "pass,skipAfter:NONE",
];
const SETTINGS: &[&str] = &[
    "",
    "SecRequestBodyLimit 20\nSecRequestBodyLimitAction ProcessPartial",
    "SecRequestBodyLimit 20",
    "SecRequestBodyNoFilesLimit 12\nSecRequestBodyLimitAction ProcessPartial",
    "SecRequestBodyNoFilesLimit 12",
    "SecArgumentsLimit 2",
    "SecRequestBodyJsonDepthLimit 1",
    "SecParseXmlIntoArgs OnlyArgs",
    "SecRuleEngine DetectionOnly",
    "SecDefaultAction \"phase:2,log,deny,t:lowercase\"",
    "SecUploadFileLimit 1",
    "SecResponseBodyLimit 3",
    "SecResponseBodyLimit 3\nSecResponseBodyLimitAction ProcessPartial",
];

fn rule_sets() -> impl Strategy<Value = String> {
    let link = (
        proptest::sample::select(TARGETS),
        proptest::sample::select(OPERATORS),
        proptest::collection::vec(proptest::sample::select(ACTIONS), 0..4),
    );
    let rule = (
        1u8..=5,
        0u8..3,
        proptest::sample::select(ENDINGS),
        proptest::collection::vec(link, 1..4),
        any::<bool>(),
    );
    (proptest::sample::select(SETTINGS), proptest::collection::vec(rule, 1..9)).prop_map(|(settings, rules)| {
        let mut text = format!("SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n{settings}\n");
        for (number, (phase, tag, ending, links, marker)) in rules.into_iter().enumerate() {
            let last = links.len() - 1;
            for (at, (target, operator, actions)) in links.into_iter().enumerate() {
                let mut list = if at == 0 {
                    vec![format!("id:{},phase:{phase},{ending},log,logdata:'%{{MATCHED_VAR}}',tag:'t{tag}'", number + 1)]
                } else {
                    vec!["t:none".to_owned()]
                };
                list.extend(actions.into_iter().map(str::to_owned));
                if at < last {
                    list.push("chain".to_owned());
                }
                text.push_str(&format!("SecRule {target} \"{operator}\" \"{}\"\n", list.join(",")));
            }
            if marker {
                text.push_str("SecMarker M\n");
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_an_exchange_is_put_changes_nothing(
        text in rule_sets(),
        exchange in exchanges(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
        yield_after in prop_oneof![Just(0usize), 0usize..200],
    ) {
        let rules = compiled(&text);
        let whole = run(&rules, &exchange, &Manner::whole());
        let bytes = (0..exchange.body.len().max(exchange.response_body.len())).collect();
        prop_assert_eq!(&whole, &run(&rules, &exchange, &Manner { cuts, ..Manner::whole() }), "cut");
        prop_assert_eq!(&whole, &run(&rules, &exchange, &Manner { cuts: bytes, ..Manner::whole() }), "byte by byte");
        prop_assert_eq!(&whole, &run(&rules, &exchange, &Manner { yield_after, ..Manner::whole() }), "with yields");
    }

    /// Monitoring says what block mode would have done: the first thing that stops the one is what the other names.
    #[test]
    fn monitoring_names_what_blocking_does(text in rule_sets(), exchange in exchanges()) {
        let rules = compiled(&text);
        let blocked = run(&rules, &exchange, &Manner::whole());
        let watched = run(&rules, &exchange, &Manner { enforcement: Enforcement::DetectOnly, ..Manner::whole() });
        prop_assert_eq!(&watched.stop, "None");
        prop_assert_eq!(&blocked.stop, &watched.would_stop);
        prop_assert_eq!(&blocked.would_stop, "None");
    }
}

/// `PROPTEST_CASES` has more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

fn compiled(text: &str) -> Arc<RuleSet> {
    support::compiled(text, &MemoryLoader::new())
        .unwrap_or_else(|errors| panic!("the rules do not load:\n{errors}\n{text}"))
}

/// All that a transaction says, printed where its types do not compare.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    stop: String,
    would_stop: String,
    log: Vec<String>,
    tx: Vec<(Vec<u8>, Vec<u8>)>,
    shortfalls: String,
    sanitised: String,
    operations: String,
    audit: String,
    asked: Vec<Lookup>,
}

fn run(rules: &Arc<RuleSet>, exchange: &Exchange, manner: &Manner) -> Said {
    let address: SocketAddr = "192.0.2.7:1".parse().expect("an address");
    let connection = Connection { client: address, server: address, unique_id: "x".into() };
    let mut transaction = Transaction::new(rules.clone(), connection, manner.enforcement, Clock::default());
    transaction.yield_after(manner.yield_after);
    let mut headers = Fields::new();
    for (name, value) in &exchange.headers {
        headers.push(name, value);
    }
    let mut asked = Vec::new();
    transaction.request_head(RequestHead {
        line: [&exchange.method, &b" "[..], &exchange.target, b" HTTP/1.1"].concat(),
        method: exchange.method.clone(),
        target: exchange.target.clone(),
        version: b"HTTP/1.1".to_vec(),
        headers,
        findings: Vec::new(),
    });
    phase(&mut transaction, Phase::RequestHeaders, &mut asked);
    for piece in pieces(&exchange.body, &manner.cuts) {
        transaction.request_body_chunk(piece);
    }
    transaction.request_body_end();
    phase(&mut transaction, Phase::RequestBody, &mut asked);
    let mut headers = Fields::new();
    headers.push(b"Content-Type", b"text/html");
    transaction.response_head(ResponseHead {
        line: b"HTTP/1.1 200 OK".to_vec(),
        version: b"HTTP/1.1".to_vec(),
        status: exchange.status,
        headers,
        ..ResponseHead::default()
    });
    phase(&mut transaction, Phase::ResponseHeaders, &mut asked);
    for piece in pieces(&exchange.response_body, &manner.cuts) {
        transaction.response_body_chunk(piece);
    }
    phase(&mut transaction, Phase::ResponseBody, &mut asked);
    phase(&mut transaction, Phase::Logging, &mut asked);
    let operations = format!("{:?}", transaction.take_operations());
    Said {
        stop: format!("{:?}", transaction.interruption()),
        would_stop: format!("{:?}", transaction.would_interrupt()),
        log: transaction
            .matches()
            .iter()
            .map(|matched| format!("{matched:?} {}", palisade_engine::error_log::line(&transaction, matched)))
            .collect(),
        tx: transaction.tx().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        shortfalls: format!("{:?}", transaction.shortfalls()),
        sanitised: format!("{:?}", transaction.sanitised()),
        operations,
        audit: format!(
            "{:?} {} {}",
            transaction.audit_engine(),
            transaction.audit_parts(),
            transaction.is_relevant()
        ),
        asked,
    }
}

fn phase(transaction: &mut Transaction, phase: Phase, asked: &mut Vec<Lookup>) {
    let mut progress = transaction.run(phase, Clock::default());
    loop {
        match progress {
            Progress::Done => return,
            Progress::Yield => {}
            Progress::Need(lookup) => {
                // By what is asked, so that it does not depend on when.
                let answer = match &lookup {
                    Lookup::Dns { name } if name.len() % 2 == 0 => {
                        Answer::Dns(Some(IpAddr::from([127, 0, 0, 2])))
                    }
                    Lookup::Dns { .. } => Answer::Dns(None),
                    Lookup::Geo { .. } => {
                        Answer::Geo(Some(GeoRecord { fields: vec![("COUNTRY_CODE".into(), "DE".into())] }))
                    }
                    Lookup::Collection(_) => Answer::Collection(Vec::new()),
                };
                asked.push(lookup);
                transaction.answer(answer);
            }
        }
        progress = transaction.resume(Clock::default());
    }
}

/// Cuts `input` at the given places; equal ones make an empty piece.
fn pieces<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    places.push(0);
    places.push(input.len());
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

/// Rule sets that multiply what a client sends. Each has to end soon and with bounded memory; the bounds are seconds
/// where a quadratic or worse engine needs minutes.
#[test]
fn rules_that_multiply_stay_bounded() {
    let arguments: String = (0..1_000).map(|n| format!("n{n}=v{n}&")).collect();
    let many: String = (0..300)
        .map(|n| format!("SecRule ARGS \"@rx ^(v)(.*)$\" \"id:{},phase:1,pass,log,capture,setvar:'tx.{n}_%{{MATCHED_VAR_NAME}}=%{{TX.2}}'\"\n", n + 1))
        .collect();
    let removals: String = (0..300)
        .map(|n| {
            format!(
                "SecAction \"id:{},phase:1,pass,nolog,ctl:ruleRemoveTargetById=1-999;ARGS:/^x{n}/\"\n",
                n + 1000
            )
        })
        .chain([(0..20)
            .map(|n| format!("SecRule ARGS \"@streq v\" \"id:{},phase:1,pass\"\n", n + 1))
            .collect()])
        .collect();
    for (what, rules) in [
        (
            "a value that doubles",
            "SecRule ARGS \"@rx .\" \"id:1,phase:1,pass,nolog,setvar:'tx.a=%{tx.a}%{tx.a}%{MATCHED_VAR}'\"".to_owned(),
        ),
        (
            "copies of a large value under many names",
            "SecRule ARGS \"@rx .\" \"id:1,phase:1,pass,nolog,setvar:'tx.a=%{tx.a}%{tx.a}%{MATCHED_VAR}',setvar:'tx.b_%{MATCHED_VAR_NAME}=%{tx.a}'\"".to_owned(),
        ),
        ("many names in TX", many),
        ("many exclusions of many values", removals),
        (
            "a pattern that is compiled for each value",
            "SecRule ARGS \"@rx ^(?:%{tx.b}(v+)+\\d+)$\" \"id:1,phase:1,pass,nolog,setvar:tx.n=+1\"".to_owned(),
        ),
    ] {
        let rules = compiled(&rules);
        let exchange = Exchange {
            method: b"GET".to_vec(),
            target: format!("/?{arguments}").into_bytes(),
            headers: Vec::new(),
            body: Vec::new(),
            status: 200,
            response_body: Vec::new(),
        };
        let begun = Instant::now();
        let said = run(&rules, &exchange, &Manner::whole());
        let took = begun.elapsed();
        let held: usize = said.tx.iter().map(|(name, value)| name.len() + value.len()).sum();
        println!("{what}: {took:?}, {held} bytes in TX");
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
        assert!(held <= 80 << 20, "{what}: {held} bytes in TX");
    }
}
