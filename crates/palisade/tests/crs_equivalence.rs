//! The compiled plan and the reference evaluator say the same under the whole CRS: on the requests of its regression
//! suite, with the responses that they ask for, and on generated requests made of what its rules look for.
//!
//! An ordinary run takes a part of the suite, each time the same; `PALISADE_EQUIVALENCE=all` takes all of it, and
//! more generated requests.

#[allow(dead_code, reason = "the suite's own runner uses all of it")]
mod suite;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use palisade_engine::{Enforcement, RuleSet, RuleSources, load_rules};
use palisade_fuzz_replay::equivalence::{Evaluator, Exchange, Manner, compare, probe};
use palisade_http::{
    ChunkProgress, ChunkedDecoder, Framing, HeadLimits, HeadParse, parse_request_head, parse_response_head,
    request_body_framing,
};
use palisade_seclang::{MemoryLoader, Style};
use suite::{cases, origin, request};

/// How the rules are set up: a name, the paranoia level, and what is loaded before CRS's rules. That the rules only
/// detect lets every request go through all phases.
const SETUPS: &[(&str, u8, &str)] =
    &[("PL1, blocking", 1, RESPONSES), ("PL4, blocking", 4, RESPONSES), ("PL4, detecting", 4, DETECTING)];
const RESPONSES: &str =
    "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain text/html text/xml application/json\n";
const DETECTING: &str = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain text/html text/xml application/json\n\
    SecRuleEngine DetectionOnly\nSecAction \"id:900005,phase:1,nolog,pass,t:none,setvar:tx.arg_length=400,\
    setvar:tx.total_arg_length=6400,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535\"\n";

#[test]
fn suite_requests_are_judged_alike() {
    let Some(crs) = crs() else { return };
    let (cases, _) = cases::read(&crs.join("tests")).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    let stages = cases.iter().flat_map(|case| case.stages.iter().map(|stage| (&case.name, stage)));
    let exchanges: Vec<(String, Exchange)> = stages
        .filter_map(|(name, stage)| {
            // A redirect's target is known only to who sent the stage before.
            let request = request::build(&stage.input, None).ok()?;
            Some((name.clone(), exchange(&request.bytes)?))
        })
        .collect();
    println!("{} requests of {} tests", exchanges.len(), cases.len());
    assert!(exchanges.len() * 10 > cases.len() * 9, "most of the suite is not read");
    for (number, setup) in SETUPS.iter().enumerate() {
        let part: Vec<_> = exchanges.iter().skip(number).step_by(if all() { 1 } else { STEP }).collect();
        let tally = compare_all(&crs, setup, &part);
        assert!(
            tally.with_match.into_inner() > part.len() as u64 / 2,
            "the suite does not trigger its rules"
        );
    }
}

#[test]
fn requests_of_what_rules_look_for_are_judged_alike() {
    let Some(crs) = crs() else { return };
    let examples = examples(&crs);
    println!("{} examples", examples.len());
    assert!(examples.len() > 1_000);
    let count = if all() { 4_000 } else { 300 };
    for (number, setup) in SETUPS.iter().enumerate() {
        let exchanges: Vec<(String, Exchange)> = (0..count)
            .map(|seed| {
                let mut random = Random((seed * 3 + number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                // The first eight come oftenest.
                let chosen: Vec<String> =
                    (0..8).map(|_| examples[random.next() as usize % examples.len()].clone()).collect();
                let choices: Vec<u8> = (0..400).map(|_| random.next() as u8).collect();
                (format!("seed {seed}"), Exchange::of_choices(&choices, &chosen))
            })
            .collect();
        let tally = compare_all(&crs, setup, &exchanges.iter().collect::<Vec<_>>());
        let (matched, stopped) = (tally.with_match.into_inner(), tally.stopped.into_inner());
        assert!(
            matched > count / 4 && (setup.1 == 4 || matched < count),
            "{matched} of {count} requests match something"
        );
        assert!(setup.2 == DETECTING || stopped > count / 10, "{stopped} of {count} requests are stopped");
    }
}

/// Every so many requests in an ordinary run.
const STEP: usize = 5;

fn all() -> bool {
    std::env::var("PALISADE_EQUIVALENCE").is_ok_and(|wanted| wanted == "all")
}

#[derive(Debug, Default)]
struct Tally {
    with_match: AtomicU64,
    stopped: AtomicU64,
    matches: AtomicU64,
}

/// Compares all of them on all cores.
fn compare_all(
    crs: &Path,
    (name, paranoia, before): &(&str, u8, &str),
    exchanges: &[&(String, Exchange)],
) -> Tally {
    let rules = loaded(crs, *paranoia, before);
    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((name, exchange)) = exchanges.get(next.fetch_add(1, Ordering::Relaxed)) {
            let manner = Manner {
                evaluator: Evaluator::Reference,
                cut: 0,
                yield_after: usize::MAX,
                enforcement: Enforcement::AsWritten,
                keeps_silent: true,
            };
            let said = compare(&rules, std::slice::from_ref(exchange), &manner, 7)
                .unwrap_or_else(|difference| panic!("{name}: {difference}"));
            for said in said {
                // Set-up rules are silent and match each request.
                let loud = said.matches.iter().filter(|text| text.contains("logged: true")).count();
                tally.with_match.fetch_add(u64::from(loud > 0), Ordering::Relaxed);
                tally.stopped.fetch_add(u64::from(said.stopped()), Ordering::Relaxed);
                tally.matches.fetch_add(loud as u64, Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    println!("{name}: {} requests, {tally:?}", exchanges.len());
    tally
}

fn loaded(crs: &Path, paranoia: u8, before: &str) -> Arc<RuleSet> {
    let sources = RuleSources {
        crs: Some("/crs".to_owned()),
        paranoia: Some(paranoia),
        before: vec!["/before.conf".to_owned()],
        text: Some(("probe.conf".to_owned(), probe(9_010).into_bytes(), String::new())),
        ..RuleSources::default()
    };
    let loaded = load_rules(&sources, &files_of(crs).with("/before.conf", before));
    loaded.rules.unwrap_or_else(|| {
        let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        panic!("{:?}", errors.map(|error| error.render(&loaded.sources, Style::Plain)).collect::<Vec<_>>())
    })
}

/// Setup, rules and data, as `/crs`.
fn files_of(crs: &Path) -> MemoryLoader {
    let mut files = MemoryLoader::new();
    for path in paths(crs).chain(paths(&crs.join("rules"))).filter(|path| path.is_file()) {
        let name = path.strip_prefix(crs).expect("it is below").to_str().expect("UTF-8").to_owned();
        files = files.with(format!("/crs/{name}"), std::fs::read(&path).expect("a rule file can be read"));
    }
    files
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a listed entry").path()).collect();
    paths.sort();
    paths.into_iter()
}

/// A request of the suite as the engine takes it, with what the suite's server answers; `None` when it has no head.
fn exchange(bytes: &[u8]) -> Option<Exchange> {
    let (head, consumed) = match parse_request_head(bytes, &HeadLimits::default()) {
        HeadParse::Complete { head, consumed } | HeadParse::Refused { head, consumed } => (head, consumed),
        HeadParse::Incomplete => return None,
    };
    let rest = &bytes[consumed..];
    let body = match request_body_framing(&head) {
        Ok(Framing::None) => Vec::new(),
        Ok(Framing::Length(length)) => rest[..rest.len().min(length as usize)].to_vec(),
        Ok(Framing::Chunked) => {
            let mut body = Vec::new();
            match ChunkedDecoder::new().feed(rest, &mut |chunk| body.extend_from_slice(chunk)) {
                ChunkProgress::Done { .. } => body,
                ChunkProgress::More | ChunkProgress::Refused(_) => rest.to_vec(),
            }
        }
        Ok(Framing::UntilClose) | Err(_) => rest.to_vec(),
    };
    let path = String::from_utf8_lossy(&head.target);
    let path = path.split('?').next().unwrap_or_default();
    let answer = origin::answer(&String::from_utf8_lossy(&head.method), path, &body);
    let response = match parse_response_head(&answer, &HeadLimits::default()) {
        HeadParse::Complete { head, consumed } => Some((head, answer[consumed..].to_vec())),
        _ => None,
    };
    Some(Exchange { head, body, response })
}

/// What CRS looks for, in its own words: the phrases of its data files, words of its patterns, values of its suite.
fn examples(crs: &Path) -> Vec<String> {
    let mut examples = Vec::new();
    let mut add = |text: &str| {
        if (3..=60).contains(&text.len()) {
            examples.push(text.to_owned());
        }
    };
    for path in paths(&crs.join("rules")) {
        let text = std::fs::read_to_string(&path).expect("a rule file is UTF-8");
        let is_data = path.extension().is_some_and(|extension| extension == "data");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if is_data {
                add(line);
            } else if let Some((_, pattern)) = line.split_once("\"@rx ") {
                // Runs of letters are what is left of a pattern's alternatives: near misses more often than hits.
                pattern.split(|c: char| !c.is_ascii_alphabetic() && !"/_.<".contains(c)).for_each(&mut add);
            }
        }
    }
    let (cases, _) = cases::read(&crs.join("tests")).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    for input in cases.iter().flat_map(|case| &case.stages).map(|stage| &stage.input) {
        for text in [&input.uri, &input.data].into_iter().flatten() {
            // Twice: what triggers a rule whole is worth more than its parts.
            text.split(['?', '&']).filter_map(|pair| pair.split_once('=')).for_each(|(_, value)| {
                add(value);
                add(value);
            });
        }
    }
    examples
}

/// CRS 4.28 with its tests; else a line says why not.
fn crs() -> Option<PathBuf> {
    let named = std::env::var_os("PALISADE_TEST_CRS").map(PathBuf::from);
    let crs =
        named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/crs/4.28.0"));
    if crs.join("tests").is_dir() && crs.join("rules").is_dir() {
        return Some(crs);
    }
    println!(
        "skipped: plan and reference under CRS: no CRS with tests by PALISADE_TEST_CRS or in ../shared/crs/4.28.0"
    );
    None
}

/// A small generator that gives the same numbers everywhere (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}
