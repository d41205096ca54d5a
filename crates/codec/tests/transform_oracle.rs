//! Our transformations against those of libmodsecurity3, on generated values.
//!
//! Each value travels as a header of its own, so that it arrives byte for byte. A rule transforms it, takes
//! the SHA-1 of the result, and logs that in hexadecimal: exact for any length. Where we differ on purpose,
//! either the library is asked something for which both must agree, or the value is counted as a known
//! difference.

use std::collections::BTreeMap;
use std::path::Path;

use palisade_codec::{Context, Effect, Transformation, UnicodeMap};
use palisade_oracle::modsecurity::{ModSecurity, Rules};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

mod support;

const VALUES: usize = 1_500;

const MAP: &str = "20127 (US-ASCII)\n00a1:21 00c0:41 ff1c:3c 0041:25 3002:2f\n";

#[test]
fn results_equal_those_of_libmodsecurity() {
    let library = match ModSecurity::load() {
        Ok(library) => library,
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            return;
        }
    };
    println!("against {}", library.who_am_i());
    let map_file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unicode.mapping");
    std::fs::write(&map_file, MAP).expect("a writable folder");
    let map = UnicodeMap::parse(MAP, 20127).expect("a valid map");
    let with_map = format!("SecUnicodeMapFile {} 20127\n", map_file.display());

    let mut tally = Tally::default();
    let runs = [(String::new(), Context::default()), (with_map, Context { unicode_map: Some(&map) })];
    for (settings, context) in &runs {
        let rules = library.rules(&rules_text(settings)).expect("rules of ours load");
        let mut runner = TestRunner::deterministic();
        for _ in 0..VALUES {
            let value = support::value().new_tree(&mut runner).expect("a value").current();
            compare(&rules, &value, context, &mut tally);
        }
    }
    println!("{} results compared, known differences: {:?}", tally.compared, tally.known);
    assert!(tally.failures.is_empty(), "{}:\n{}", tally.failures.len(), tally.failures.join("\n"));
    assert_eq!(tally.compared, compared().count() * VALUES * runs.len());
}

#[derive(Default)]
struct Tally {
    compared: usize,
    known: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

/// `phpArgsNames` is newer than Debian's library.
fn compared() -> impl Iterator<Item = Transformation> {
    Transformation::ALL.iter().copied().filter(|&t| t != Transformation::PhpArgsNames)
}

fn rules_text(settings: &str) -> String {
    let mut text = format!("SecRuleEngine On\n{settings}");
    for (index, transformation) in compared().enumerate() {
        let name = asked_name(transformation);
        text += &format!(
            "SecRule REQUEST_HEADERS:value-{index} \"@rx .\" \"id:{id},phase:1,pass,log,t:none,t:{name},t:sha1,\
             t:hexEncode,logdata:'%{{MATCHED_VAR}}'\"\n",
            id = index + 1,
        );
    }
    text
}

fn compare(rules: &Rules, value: &[u8], context: &Context<'_>, tally: &mut Tally) {
    let mut transaction = rules.transaction();
    transaction.connection(("192.0.2.1", 1), ("192.0.2.2", 80)).expect("no NUL");
    transaction.uri("GET", b"/", "1.1").expect("no NUL");
    for (index, transformation) in compared().enumerate() {
        let name = format!("value-{index}");
        transaction.add_request_header(name.as_bytes(), &asked_value(transformation, value));
    }
    transaction.process_request_headers();
    let digests: BTreeMap<&str, &str> = transaction
        .log()
        .iter()
        .filter_map(|line| Some((between(line, "[id \"", "\"]")?, between(line, "[data \"", "\"]")?)))
        .collect();
    for (index, transformation) in compared().enumerate() {
        let Some(theirs) = digests.get((index + 1).to_string().as_str()) else {
            tally.failures.push(format!(
                "{} said nothing on {}",
                transformation.name(),
                value.escape_ascii()
            ));
            continue;
        };
        let ours = result_of(transformation, value, context);
        tally.compared += 1;
        let agrees = *theirs == digest(&ours)
            // The byte behind the value, which 3.0.9 loses unless a literal stands before it.
            || (transformation == Transformation::SqlHexDecode && *theirs == digest(&[&ours, b" ".as_slice()].concat()));
        if !agrees {
            match known_difference(transformation, value, &ours, theirs) {
                Some(reason) => *tally.known.entry(reason).or_default() += 1,
                None => tally.failures.push(format!(
                    "{} made {} of {}, the library something else",
                    transformation.name(),
                    ours.escape_ascii(),
                    value.escape_ascii()
                )),
            }
        }
    }
}

/// `normalizePathWin` leaves backslashes in 3.0.9; we turn them first, so its brother must agree.
fn asked_name(transformation: Transformation) -> &'static str {
    match transformation {
        Transformation::NormalizePathWin => Transformation::NormalizePath.name(),
        other => other.name(),
    }
}

fn asked_value(transformation: Transformation, value: &[u8]) -> Vec<u8> {
    let swapped = |pairs: &[(u8, u8)]| {
        let swap = |byte: u8| pairs.iter().find(|pair| pair.0 == byte).map_or(byte, |pair| pair.1);
        value.iter().map(|&byte| swap(byte)).collect()
    };
    match transformation {
        Transformation::NormalizePathWin => swapped(&[(b'\\', b'/')]),
        // 3.0.9 does not know base64url.
        Transformation::Base64DecodeExt => swapped(&[(b'-', b'+'), (b'_', b'/')]),
        // 3.0.9 loses the last byte.
        Transformation::SqlHexDecode => [value, b" "].concat(),
        _ => value.to_vec(),
    }
}

/// Why the results differ on purpose, as narrow as it can be said without the library's result at hand.
fn known_difference(
    transformation: Transformation,
    value: &[u8],
    ours: &[u8],
    theirs: &str,
) -> Option<&'static str> {
    let nothing = theirs == digest(b"");
    match transformation {
        Transformation::CssDecode => {
            let end = ours.iter().position(|&byte| byte == 0)?;
            (theirs == digest(&ours[..end])).then_some("cssDecode cuts at NUL")
        }
        Transformation::Base64Decode if nothing => Some("base64Decode answers nothing to malformed text"),
        Transformation::Base64Decode => [1, 2]
            .iter()
            .any(|cut| ours.len() >= *cut && theirs == digest(&ours[..ours.len() - cut]))
            .then_some("base64Decode drops an unpadded group"),
        Transformation::Base64DecodeExt if nothing => {
            Some("base64DecodeExt answers nothing to a digit too many")
        }
        Transformation::SqlHexDecode if value.contains(&0) || ours.contains(&0) => {
            Some("sqlHexDecode cuts at NUL")
        }
        Transformation::SqlHexDecode if has_adjacent_literals(value) => {
            Some("sqlHexDecode misses the second literal")
        }
        _ => None,
    }
}

/// Whether two hexadecimal digits stand right before a `0x` and a digit.
fn has_adjacent_literals(value: &[u8]) -> bool {
    value.windows(5).any(|window| {
        let [a, b, zero, x, c] = window else { return false };
        let are_digits = [a, b, c].iter().all(|byte| byte.is_ascii_hexdigit());
        are_digits && *zero == b'0' && matches!(x, b'x' | b'X')
    })
}

/// As the rules log it. Our own SHA-1: another one than the library's, so a fault in it would show.
fn digest(bytes: &[u8]) -> String {
    let context = Context::default();
    let raw = result_of(Transformation::Sha1, bytes, &context);
    String::from_utf8(result_of(Transformation::HexEncode, &raw, &context)).expect("hexadecimal")
}

fn result_of(transformation: Transformation, input: &[u8], context: &Context<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match transformation.apply(input, &mut out, context) {
        Effect::Unchanged => input.to_vec(),
        Effect::Changed => out,
    }
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
