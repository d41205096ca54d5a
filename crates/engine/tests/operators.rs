//! Operators against the public vectors, against cases of our own, and against their definitions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use palisade_engine::operator::{
    Answer, CompileError, CompileOptions, DataFiles, Evaluation, Limits, Lookup, Needle, Operator, Outcome,
    REFS_MAX,
};
use palisade_seclang::ast::OperatorName;
use proptest::prelude::*;
use serde::Deserialize;

/// Vectors of secrules-language-tests that we do not follow on purpose, by id, with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "operators/ipMatch.json#17",
        "an IPv4 prefix of /100 is an error at load, not a rule that matches nothing",
    ),
    (
        "operators/validateByteRange.json#3",
        "`xxx` is no range of bytes: an error at load, not a rule that matches all",
    ),
    ("operators/validateByteRange.json#4", "as #3"),
];

/// `needs` of a vector that we cannot serve here.
const MISSING: &[(&str, &str)] =
    &[("geoip", "no geographical data base in tests; geoLookup has cases of its own")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    id: String,
    #[serde(rename = "file")]
    _file: String,
    name: String,
    param: String,
    #[serde(rename = "input")]
    _input: String,
    input_hex: String,
    ret: u8,
    groups: Option<Vec<String>>,
    needs: Option<String>,
}

#[test]
fn public_vectors_are_followed() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance"));
    let Ok(text) = std::fs::read_to_string(folder.join("modsec-operators.jsonl")) else {
        println!("skipped: {} has no modsec-operators.jsonl", folder.display());
        return;
    };
    let files = Folder(folder.join("files"));
    let mut followed: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut different, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines() {
        let vector: Vector = serde_json::from_str(line).expect("a line is one vector");
        let name = OperatorName::from_name(vector.name.as_bytes()).expect("a vector names an operator");
        if let Some(needs) = &vector.needs {
            let reason = MISSING.iter().find(|(missing, _)| missing == needs).map(|(_, reason)| reason);
            skipped.push(format!("{}: {}", vector.id, reason.expect("a skip has a reason")));
            continue;
        }
        let verdict = judge(name, &vector, &files);
        match (DIFFERENT.iter().find(|(id, _)| *id == vector.id), verdict) {
            (None, Ok(())) => *followed.entry(name.as_str()).or_default() += 1,
            (None, Err(why)) => failed.push(format!("{}: {why}", vector.id)),
            (Some((id, reason)), Err(_)) => different.push(format!("{id}: {reason}")),
            (Some((id, _)), Ok(())) => failed.push(format!("{id} is listed as different and is not")),
        }
    }
    let total: usize = followed.values().sum();
    let addresses = followed.remove("ipMatch").unwrap_or(0);
    for (name, count) in &followed {
        println!("{name}: {count} followed");
    }
    println!("ipMatch, apart: {addresses} followed");
    println!("{total} of {} followed", text.lines().count());
    for line in &different {
        println!("different on purpose: {line}");
    }
    for line in &skipped {
        println!("skipped: {line}");
    }
    assert!(failed.is_empty(), "{} vectors fail:\n{}", failed.len(), failed.join("\n"));
    assert!(total > 0 && addresses > 0, "no vector ran");
    assert_eq!(different.len(), DIFFERENT.len(), "an id of the list of differences has no vector");
}

fn judge(name: OperatorName, vector: &Vector, files: &dyn DataFiles) -> Result<(), String> {
    let value = from_hex(&vector.input_hex);
    let operator = Operator::compile(name, vector.param.as_bytes(), &CompileOptions::default(), files)
        .map_err(|error| format!("does not compile: {error}"))?;
    let mut context = Evaluation::new();
    let outcome = operator.evaluate(&value, &mut context);
    let expected = if vector.ret == 1 { Outcome::Match } else { Outcome::NoMatch };
    if outcome != expected {
        return Err(format!("@{name} {:?} on {}: {outcome:?}", vector.param, value.escape_ascii()));
    }
    let Some(groups) = &vector.groups else {
        return Ok(());
    };
    let captured: Vec<&[u8]> = (0..10).filter_map(|group| context.captured(group, &value)).collect();
    let expected: Vec<&[u8]> = groups.iter().map(|group| group.as_bytes()).collect();
    // The vectors of rxGlobal leave out empty and later matches, which 3.0.9 has: they are a part in order.
    let same = if name == OperatorName::RxGlobal {
        let mut rest = captured.iter();
        expected.iter().all(|group| rest.any(|other| other == group))
    } else {
        captured == expected
    };
    if same { Ok(()) } else { Err(format!("captured {captured:?}, not {expected:?}")) }
}

/// A case of `testdata/operators/*.jsonl`. Texts are UTF-8; the `_hex` form is for other bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    operator: String,
    #[serde(default)]
    argument: String,
    #[serde(default)]
    value: String,
    value_hex: Option<String>,
    /// `match`, `no_match`, `step_limit`, `error`, or the lookup: `dns NAME`, `geo ADDRESS`.
    outcome: String,
    /// Data files by name.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// What DNS answers to the name asked for; the outcome is then that of the second evaluation.
    dns: Option<String>,
    /// What the geographical data base says.
    geo: Option<bool>,
    http_bl_key: Option<String>,
    /// TX values by number. When given, there are no others.
    captures: Option<BTreeMap<usize, String>>,
    /// `[offset, length]` of the log. When given, there are no others.
    refs: Option<Vec<(usize, usize)>>,
    /// Of an error: a part of the message, the offset.
    message: Option<String>,
    offset: Option<usize>,
    /// Where the expectation comes from.
    #[serde(rename = "why")]
    _why: String,
}

#[test]
fn cases_hold() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/operators"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the case folder is part of the repository")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    paths.sort();
    let mut failed = Vec::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("a readable case file");
        let mut count = 0;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let case: Case = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), index + 1));
            if let Err(why) = check(&case) {
                failed.push(format!("{}:{} {}: {why}", path.display(), index + 1, case.name));
            }
            count += 1;
        }
        assert!(count > 0, "{} has no case", path.display());
        println!("{}: {count} cases", path.file_name().unwrap_or_default().display());
    }
    assert!(!paths.is_empty(), "no case file");
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let name = OperatorName::from_name(case.operator.as_bytes()).ok_or("unknown operator")?;
    let options = CompileOptions {
        http_bl_key: case.http_bl_key.clone().map(String::into_bytes),
        ..CompileOptions::default()
    };
    let operator = match Operator::compile(name, case.argument.as_bytes(), &options, &case.files) {
        Ok(operator) => operator,
        Err(error) if case.outcome == "error" => {
            if let Some(part) = &case.message
                && !error.message.contains(part)
            {
                return Err(format!("message: {}", error.message));
            }
            if case.offset.is_some() && case.offset != error.offset {
                return Err(format!("offset: {:?}", error.offset));
            }
            return Ok(());
        }
        Err(error) => return Err(format!("does not compile: {error}")),
    };
    let value = case.value_hex.as_deref().map_or_else(|| case.value.clone().into_bytes(), from_hex);
    let mut context = Evaluation::new();
    let mut outcome = operator.evaluate(&value, &mut context);
    match (&outcome, &case.dns, case.geo) {
        (Outcome::Need(lookup @ Lookup::Dns { .. }), Some(answer), _) => {
            context.answer(lookup.clone(), Answer::Dns(answer.parse().ok()));
            outcome = operator.evaluate(&value, &mut context);
        }
        (Outcome::Need(lookup @ Lookup::Geo { .. }), _, Some(found)) => {
            context.answer(lookup.clone(), Answer::Geo(found));
            outcome = operator.evaluate(&value, &mut context);
        }
        _ => {}
    }
    let said = match &outcome {
        Outcome::NoMatch => "no_match".to_owned(),
        Outcome::Match => "match".to_owned(),
        Outcome::StepLimit => "step_limit".to_owned(),
        Outcome::Need(Lookup::Dns { name }) => format!("dns {name}"),
        Outcome::Need(Lookup::Geo { address }) => format!("geo {address}"),
    };
    if said != case.outcome {
        return Err(format!("says {said}"));
    }
    if let Some(expected) = &case.captures {
        let captured: BTreeMap<usize, String> = (0..10)
            .filter_map(|group| {
                Some((group, String::from_utf8_lossy(context.captured(group, &value)?).into_owned()))
            })
            .collect();
        if captured != *expected {
            return Err(format!("captured {captured:?}"));
        }
    }
    if let Some(expected) = &case.refs {
        let refs: Vec<(usize, usize)> = context.refs.iter().map(|part| (part.offset, part.length)).collect();
        if refs != *expected {
            return Err(format!("refers to {refs:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_operator_compiles_or_says_what_to_do() {
    let (mut compiled, mut refused) = (0, Vec::new());
    for name in OperatorName::ALL {
        let argument = match name {
            OperatorName::PmFromFile | OperatorName::IpMatchFromFile => "list",
            OperatorName::Rbl => "list.example",
            OperatorName::IpMatch => "192.0.2.1",
            OperatorName::ValidateByteRange => "1-255",
            _ => "1",
        };
        let files = BTreeMap::from([("list".to_owned(), "192.0.2.1\n".to_owned())]);
        match Operator::compile(*name, argument.as_bytes(), &CompileOptions::default(), &files) {
            Ok(operator) => {
                assert_eq!(operator.name(), *name);
                compiled += 1;
            }
            Err(error) => {
                assert!(error.help.is_some(), "@{name}: {error}");
                refused.push(name.as_str());
            }
        }
    }
    assert_eq!(
        refused,
        ["fuzzyHash", "gsbLookup", "inspectFile", "rsub", "validateDTD", "validateHash", "validateSchema"]
    );
    println!("{compiled} operators compile, {} are refused", refused.len());
}

#[test]
fn limits_are_errors_not_shorter_lists() {
    let files = BTreeMap::from([("list".to_owned(), "192.0.2.1\n192.0.2.2\n".to_owned())]);
    let base = Limits::default();
    for (name, argument, limits, part) in [
        (OperatorName::Pm, "a b c", Limits { phrases_max: 2, ..base.clone() }, "2 phrases"),
        (OperatorName::Pm, "aa bb", Limits { phrase_bytes_max: 3, ..base.clone() }, "3 bytes"),
        (OperatorName::PmFromFile, "list", Limits { file_bytes_max: 19, ..base.clone() }, "more than the 19"),
        (
            OperatorName::IpMatchFromFile,
            "list",
            Limits { addresses_max: 1, ..base.clone() },
            "more than 1 networks",
        ),
        (OperatorName::StrEq, "abcd", Limits { argument_bytes_max: 3, ..base.clone() }, "more than the 3"),
    ] {
        let options = CompileOptions { limits, ..CompileOptions::default() };
        let error = Operator::compile(name, argument.as_bytes(), &options, &files).expect_err("over a limit");
        assert!(error.message.contains(part), "@{name}: {error}");
        Operator::compile(name, argument.as_bytes(), &CompileOptions::default(), &files)
            .expect("within the limits");
    }
}

#[test]
fn an_outcome_without_match_leaves_no_trace() {
    let pm = compile(OperatorName::Pm, b"abc");
    let mut context = Evaluation::new();
    assert_eq!(pm.evaluate(b"xABCx", &mut context), Outcome::Match);
    assert_eq!(context.captured(0, b"xABCx"), Some(&b"abc"[..]));
    assert_eq!(pm.evaluate(b"x", &mut context), Outcome::NoMatch);
    assert_eq!((context.captured(0, b"x"), context.refs.len()), (None, 0));
}

/// Values and arguments that would take minutes if their cost were the square of their length.
#[test]
fn hostile_values_cost_linear_time() {
    const LENGTH: usize = 1 << 20;
    let repeated = vec![b'a'; LENGTH];
    let half = vec![b'a'; LENGTH / 2];
    let digits = vec![b'1'; LENGTH];
    let mut border = vec![b'-'; LENGTH / 2];
    border.push(b'a');
    let blocked = [&border[..], b"b"].concat();
    let (yes, no) = (Outcome::Match, Outcome::NoMatch);
    for (name, argument, value, expected) in [
        (OperatorName::ContainsWord, &half[..], &repeated[..], &no),
        (OperatorName::ContainsWord, &border[..], &blocked[..], &no),
        (OperatorName::Contains, &half[..], &repeated[..], &yes),
        (OperatorName::Within, &repeated[..], &half[..], &yes),
        (OperatorName::Pm, b"aaab aaaaab aaaaaaaab", &repeated[..], &no),
        (OperatorName::VerifySsn, b"\\d+", &digits[..], &Outcome::StepLimit),
        (OperatorName::VerifySsn, b"[0-9]{9}", &digits[..], &no),
        (OperatorName::VerifyCc, br"(?<!\d)\d{16}(?!\d)", &repeated[..], &no),
        (OperatorName::RxGlobal, b"a", &repeated[..], &yes),
        (OperatorName::ValidateByteRange, b"0-9", &repeated[..], &yes),
        (OperatorName::IpMatch, b"1.2.3.4", &digits[..], &no),
    ] {
        let start = std::time::Instant::now();
        let mut context = Evaluation::new();
        let outcome = compile(name, argument).evaluate(value, &mut context);
        let took = start.elapsed();
        println!("@{name}: {outcome:?} in {took:?}");
        assert_eq!(&outcome, expected, "@{name}");
        assert!(context.refs.len() <= REFS_MAX, "@{name}");
        assert!(took.as_secs() < 10, "@{name} took {took:?} for {LENGTH} bytes");
    }
}

proptest! {
    // What fails becomes a case, not a seed.
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ip_match_equals_one_comparison_after_the_other(
        networks in prop::collection::vec(network(), 1..12),
        points in prop::collection::vec(address(), 1..12),
    ) {
        let argument = networks.iter().map(|(host, bits)| format!("{host}/{bits}")).collect::<Vec<_>>().join(",");
        let operator = compile(OperatorName::IpMatch, argument.as_bytes());
        // The hosts themselves are the points nearest to every border.
        for point in points.into_iter().chain(networks.iter().map(|(host, _)| *host)) {
            let expected = networks.iter().any(|(host, bits)| same_prefix(*host, point, *bits));
            prop_assert_eq!(matches(&operator, point.to_string().as_bytes()), expected, "{} in {}", point, argument);
        }
    }

    #[test]
    fn byte_range_equals_its_definition(
        ranges in prop::collection::vec((any::<u8>(), any::<u8>()), 1..6),
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let ranges: Vec<(u8, u8)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        let argument = ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(",");
        let bad: Vec<usize> = (0..value.len())
            .filter(|index| !ranges.iter().any(|(first, last)| (*first..=*last).contains(&value[*index])))
            .collect();
        let mut context = Evaluation::new();
        let outcome = compile(OperatorName::ValidateByteRange, argument.as_bytes()).evaluate(&value, &mut context);
        prop_assert_eq!(outcome == Outcome::Match, !bad.is_empty());
        prop_assert_eq!(context.refs.iter().map(|part| part.offset).collect::<Vec<_>>(), bad);
    }

    #[test]
    fn pm_finds_the_phrase_that_ends_first(
        phrases in prop::collection::vec("[abAB.]{1,4}", 0..6),
        value in "[abAB.]{0,24}",
    ) {
        let operator = compile(OperatorName::Pm, phrases.join(" ").as_bytes());
        let value = value.as_bytes();
        let mut context = Evaluation::new();
        let matched = operator.evaluate(value, &mut context) == Outcome::Match;
        let first_end = (0..=value.len()).find_map(|end| {
            let longest = phrases.iter().filter(|phrase| {
                end >= phrase.len() && value[end - phrase.len()..end].eq_ignore_ascii_case(phrase.as_bytes())
            }).map(String::len).max()?;
            Some(end - longest..end)
        });
        prop_assert_eq!(matched, first_end.is_some());
        prop_assert_eq!(&context.groups[0], &first_end);
        if let Some(text) = context.captured(0, value) {
            prop_assert!(phrases.iter().any(|phrase| phrase.as_bytes() == text));
        }
    }

    #[test]
    fn text_operators_equal_their_definitions(argument in "[ab_]{0,5}", value in "[ab_]{0,16}") {
        let (needle, hay) = (argument.as_bytes(), value.as_bytes());
        let letter = |index: usize| hay.get(index).is_some_and(u8::is_ascii_alphabetic);
        let word = (0..=hay.len()).any(|start| {
            hay[start..].starts_with(needle) && !letter(start.wrapping_sub(1)) && !letter(start + needle.len())
        });
        for (name, expected) in [
            (OperatorName::BeginsWith, value.starts_with(&argument)),
            (OperatorName::EndsWith, value.ends_with(&argument)),
            (OperatorName::Contains, value.contains(&argument)),
            (OperatorName::StrMatch, value.contains(&argument)),
            (OperatorName::StrEq, value == argument),
            (OperatorName::Within, argument.contains(&value)),
            (OperatorName::ContainsWord, argument.is_empty() || word),
        ] {
            prop_assert_eq!(matches(&compile(name, needle), hay), expected, "@{} {} on {}", name, argument, value);
        }
    }

    #[test]
    fn url_encoding_is_valid_when_every_percent_has_two_digits(value in "[%0aFg]{0,12}") {
        let valid = value.split('%').skip(1).all(|rest| {
            rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit)
        });
        prop_assert_eq!(matches(&compile(OperatorName::ValidateUrlEncoding, b""), value.as_bytes()), !valid);
    }

    #[test]
    fn one_last_digit_of_ten_makes_a_card(
        number in "[0-9]{12,18}",
        before in "[a-z ]{0,8}",
        after in "[a-z ]{0,8}",
    ) {
        let operator = compile(OperatorName::VerifyCc, br"\b\d{13,19}\b");
        let found = (0..10)
            .filter(|digit| matches(&operator, format!("{before} {number}{digit} {after}").as_bytes()))
            .count();
        prop_assert_eq!(found, 1);
    }

    #[test]
    fn nothing_panics(
        name in prop::sample::select(OperatorName::ALL),
        argument in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..24),
            r"[0-9a-f:./, %\-\\()\[\]{}*+?|^$d]{0,16}".prop_map(String::into_bytes),
        ],
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            r"[0-9a-f:./, %\-]{0,40}".prop_map(String::into_bytes),
        ],
    ) {
        let options = CompileOptions { http_bl_key: Some(b"abcdefghijkl".to_vec()), ..CompileOptions::default() };
        if let Ok(operator) = Operator::compile(name, &argument, &options, &SameFile(&argument)) {
            let mut context = Evaluation::new();
            let outcome = operator.evaluate(&value, &mut context);
            if let Outcome::Need(lookup) = outcome {
                context.answer(lookup, Answer::Geo(true));
                prop_assert!(!matches!(operator.evaluate(&value, &mut context), Outcome::Need(_)));
            }
            for span in context.groups.iter().flatten() {
                prop_assert!(value.get(span.clone()).is_some());
            }
            for group in 0..=10 {
                let _ = context.captured(group, &value);
            }
        }
    }

    #[test]
    fn prefilter_facts_hold_of_every_match(
        name in prop::sample::select(OperatorName::ALL),
        argument in "[abAB. 1:-]{0,6}",
        value in "[abAB. 1:%-]{0,12}",
    ) {
        if let Ok(operator) = Operator::compile(name, argument.as_bytes(), &CompileOptions::default(), &SameFile(b"ab\nB.\n")) {
            let value = value.as_bytes();
            let matched = matches(&operator, value);
            if matched {
                prop_assert!(operator.needle().is_none_or(|needle| needle.is_in(value)));
                prop_assert!(value.len() >= operator.length_min());
                prop_assert!(operator.length_max().is_none_or(|length| value.len() <= length));
                prop_assert!(operator.pattern().is_none_or(|pattern| pattern.is_match(value) == Ok(true)));
            }
            prop_assert!(operator.constant().is_none_or(|says| says == matched));
        }
    }
}

#[test]
fn needles_are_the_arguments() {
    for (name, needle) in [
        (OperatorName::BeginsWith, Needle::Prefix(b"Ab")),
        (OperatorName::EndsWith, Needle::Suffix(b"Ab")),
        (OperatorName::StrEq, Needle::Whole(b"Ab")),
        (OperatorName::Contains, Needle::Part(b"Ab")),
        (OperatorName::Pm, Needle::AnyPart(&[Box::from(&b"Ab"[..])])),
    ] {
        let operator = compile(name, b"Ab");
        assert_eq!(operator.needle(), Some(needle));
        assert_eq!(operator.length_min(), 2);
    }
    assert_eq!(compile(OperatorName::Within, b"Ab").needle(), None);
    assert_eq!(compile(OperatorName::Within, b"Ab").length_max(), Some(2));
    assert_eq!(compile(OperatorName::Rx, b"ab?c{2}").length_min(), 3);
    assert_eq!(compile(OperatorName::Rx, b"").constant(), Some(true));
    assert_eq!(compile(OperatorName::VerifyCc, b"").constant(), Some(false));
    assert_eq!(compile(OperatorName::Pm, b" ").constant(), Some(false));
    assert_eq!(compile(OperatorName::Pm, b"a").constant(), None);
    assert_eq!(compile(OperatorName::Rbl, b"dnsbl.httpbl.org").constant(), Some(false));
    assert_eq!(compile(OperatorName::Rbl, b"list.example").constant(), None);
}

#[test]
fn operators_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Operator>();
    shared::<Evaluation>();
}

#[test]
fn errors_print_their_message() {
    let error = CompileError { message: "no".into(), help: None, offset: None };
    assert_eq!(error.to_string(), "no");
}

fn compile(name: OperatorName, argument: &[u8]) -> Operator {
    Operator::compile(name, argument, &CompileOptions::default(), &SameFile(b""))
        .unwrap_or_else(|error| panic!("@{name} {}: {error}", argument.escape_ascii()))
}

fn matches(operator: &Operator, value: &[u8]) -> bool {
    operator.evaluate(value, &mut Evaluation::new()) == Outcome::Match
}

fn address() -> impl Strategy<Value = IpAddr> {
    // Few high bits in play, so that networks and points meet.
    prop_oneof![
        (0u32..4, 0u32..8).prop_map(|(high, low)| IpAddr::V4((high << 30 | low).into())),
        (0u128..4, 0u128..8).prop_map(|(high, low)| IpAddr::V6((high << 126 | low).into())),
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn network() -> impl Strategy<Value = (IpAddr, u32)> {
    (address(), 0u32..=128).prop_map(|(host, bits)| (host, if host.is_ipv4() { bits % 33 } else { bits }))
}

fn same_prefix(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    let bit = |octets: &[u8], index: u32| octets[index as usize / 8] >> (7 - index % 8) & 1;
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (0..bits).all(|index| bit(&a.octets(), index) == bit(&b.octets(), index))
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (0..bits).all(|index| bit(&a.octets(), index) == bit(&b.octets(), index))
        }
        _ => false,
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            let digits = std::str::from_utf8(pair).expect("hexadecimal digits");
            u8::from_str_radix(digits, 16).expect("hexadecimal digits")
        })
        .collect()
}

struct Folder(PathBuf);

impl DataFiles for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(name)).map_err(|error| format!("`{name}`: {error}"))
    }
}

/// Every name is this file.
struct SameFile<'a>(&'a [u8]);

impl DataFiles for SameFile<'_> {
    fn read(&self, _name: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.to_vec())
    }
}
