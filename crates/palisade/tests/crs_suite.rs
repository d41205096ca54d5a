//! CRS's own regression suite against the built program: each request goes byte for byte through `palisade run` to an
//! origin server, and the error log has to tell of the rules that the suite names. `docs/reference/crs-suite.md` says
//! what comes out; `testdata/crs-4.28-differences.toml` holds the tests that we do not meet.

mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use suite::cases::{self, Case};
use suite::differences::{self, Difference};
use suite::judge::{ids, judge};
use suite::palisade::Palisade;
use suite::{origin, request, wire};

/// The release whose tests the table of differences is about.
const RELEASE: &str = "4.28";

/// What the suite expects of the engine, and the two rules that its authors load between setup and rules.
const RULES_BEFORE: &str = r#"
SecRuleEngine DetectionOnly
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecRequestBodyNoFilesLimit 13107200
SecRule REQUEST_HEADERS:X-CRS-Test "@rx ^.*$" \
    "id:999999,pass,phase:1,log,msg:'X-CRS-Test %{MATCHED_VAR}',ctl:ruleRemoveById=1-999999"
SecAction "id:900005,phase:1,nolog,pass,t:none,setvar:tx.blocking_paranoia_level=4,setvar:tx.arg_length=400,\
    setvar:tx.total_arg_length=6400,setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
"#;

/// More unexpected failures than this are one failure: the rest is not worth its time.
const FAILURES_MAX: usize = 200;

#[test]
fn crs_tests_hold_but_for_the_differences_we_know() {
    let Some(crs) = crs_with_tests() else { return };
    let (cases, files) =
        cases::read(&crs.join("tests")).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    let started = Instant::now();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crs-suite-{}", std::process::id()));
    let processes = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4));
    let known = differences::read();
    let outcomes = run(&crs, &cases, &known, &folder, processes);
    let tally = Tally::of(&cases, outcomes, &known);
    println!(
        "CRS suite: {} tests in {files} files: {} passed, {} failed as known, {} failed, {} skipped, {} not run; \
         {:.1} s, {processes} processes",
        cases.len(),
        tally.passed,
        tally.differ,
        tally.failed,
        tally.skipped,
        tally.not_run,
        started.elapsed().as_secs_f64(),
    );
    assert!(tally.passed > 0, "no test passed");
    assert!(tally.complaints.is_empty(), "{}\nlogs: {}", tally.report(), folder.display());
    // Kept after a failure.
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn every_difference_is_on_its_page() {
    let page = include_str!("../../../docs/reference/crs-suite.md");
    let differences = differences::read();
    for (test, difference) in &differences {
        let line = format!("| {test} | {} | {} |", difference.shows, difference.reason);
        assert!(page.lines().any(|l| l == line), "docs/reference/crs-suite.md lacks the line\n{line}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| 9")).count();
    assert_eq!(rows, differences.len(), "docs/reference/crs-suite.md has other rows than the table");
}

#[test]
fn a_known_difference_has_to_fail_as_it_is_written_down() {
    let case = |name: &str| Case { name: name.into(), file: "here".into(), stages: Vec::new() };
    let failed = |lacks: &str| Some(Outcome::Failed { lacks: lacks.into(), seen: String::new() });
    let known = BTreeMap::from([("1-2".to_owned(), Difference::new("1-2", "without 1"))]);
    for (name, outcome, complaint) in [
        ("1-2", failed("without 1"), None),
        ("1-2", failed("without 2"), Some("1-2: without 2")),
        ("1-2", Some(Outcome::Passed), Some("1-2: passes; take it out")),
        ("1-2", Some(Outcome::Skipped), Some("1-2: sends nothing")),
        ("1-3", failed("without 1"), Some("1-3: without 1")),
        ("1-3", Some(Outcome::Passed), Some("1-2: is in the table of differences, but not in the suite")),
    ] {
        let complaints = Tally::of(&[case(name)], vec![outcome], &known).complaints;
        match complaint {
            None => assert!(complaints.is_empty(), "{complaints:?}"),
            Some(start) => assert!(complaints.iter().any(|c| c.starts_with(start)), "{complaints:?}"),
        }
    }
}

/// The CRS at hand, when it is the release in question and has its tests; else a line says why not.
fn crs_with_tests() -> Option<PathBuf> {
    let named = std::env::var_os("PALISADE_TEST_CRS").map(PathBuf::from);
    if let Some(named) = &named {
        assert!(named.is_dir(), "PALISADE_TEST_CRS names no folder: {}", named.display());
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/crs/4.28.0");
    let Some(crs) = named.or_else(|| shared.is_dir().then_some(shared)) else {
        println!(
            "skipped: CRS {RELEASE}'s regression suite: PALISADE_TEST_CRS is not set, ../shared/crs/4.28.0 is not \
             there, and Debian's package has no tests"
        );
        return None;
    };
    if !crs.join("tests").is_dir() {
        println!("skipped: CRS {RELEASE}'s regression suite: {} has no folder `tests`", crs.display());
        return None;
    }
    let setup = std::fs::read_to_string(crs.join("crs-setup.conf.example")).unwrap_or_default();
    if !setup.contains(&format!("OWASP CRS ver.{RELEASE}.")) {
        println!("skipped: CRS {RELEASE}'s regression suite: {} is another release", crs.display());
        return None;
    }
    Some(crs)
}

#[derive(Debug)]
enum Outcome {
    Passed,
    /// What is lacking, and what was there.
    Failed {
        lacks: String,
        seen: String,
    },
    /// The test sends nothing.
    Skipped,
}

/// Runs the tests on several processes; whoever is free takes the next. `None` for those not run because too many
/// failed.
fn run(
    crs: &Path,
    cases: &[Case],
    known: &BTreeMap<String, Difference>,
    folder: &Path,
    processes: usize,
) -> Vec<Option<Outcome>> {
    let origin = origin::start();
    let outcomes: Vec<Mutex<Option<Outcome>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    let (next, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::fs::create_dir_all(folder).expect("a folder below the build folder can be made");
    let rules_before = folder.join("before.conf");
    std::fs::write(&rules_before, RULES_BEFORE).expect("a file in it can be written");
    let work = |number: usize| {
        let mut palisade = Palisade::start(crs, &rules_before, origin, &folder.join(number.to_string()));
        while failures.load(Ordering::Relaxed) <= FAILURES_MAX {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(at) else { break };
            let outcome = run_case(&mut palisade, case);
            if matches!(outcome, Outcome::Failed { .. }) && !known.contains_key(&case.name) {
                failures.fetch_add(1, Ordering::Relaxed);
            }
            *outcomes[at].lock().expect("nobody panics while writing") = Some(outcome);
        }
    };
    std::thread::scope(|scope| {
        for number in 0..processes {
            scope.spawn(move || work(number));
        }
    });
    outcomes.into_iter().map(|outcome| outcome.into_inner().expect("nobody panics while writing")).collect()
}

fn run_case(palisade: &mut Palisade, case: &Case) -> Outcome {
    let mut previous = None;
    for (number, stage) in case.stages.iter().enumerate() {
        let attempts = 1 + usize::from(stage.output.retry_once);
        let mut outcome = Err((Vec::new(), String::new()));
        for _ in 0..attempts {
            let request = request::build(&stage.input, previous.as_ref());
            let address = palisade.address;
            let (response, lines) = palisade.observed(&case.name, || {
                request.and_then(|request| wire::exchange(address, &request.bytes, &request.method))
            });
            let lacks = judge(&stage.output, &response, &lines);
            if lacks.is_empty() {
                outcome = Ok(response.ok());
                break;
            }
            let status = response.map_or("none".to_owned(), |response| response.status.to_string());
            outcome = Err((lacks, format!("status {status}, ids {:?}", ids(&lines))));
        }
        match outcome {
            Ok(response) => previous = response,
            Err((lacks, seen)) => {
                let stage = if case.stages.len() > 1 { format!("stage {number}: ") } else { String::new() };
                return Outcome::Failed { lacks: format!("{stage}{}", lacks.join("; ")), seen };
            }
        }
    }
    if case.stages.is_empty() { Outcome::Skipped } else { Outcome::Passed }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    /// Failed as the table says.
    differ: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
    /// Passed and failed of each file.
    files: BTreeMap<String, [usize; 2]>,
    /// What makes the whole fail.
    complaints: Vec<String>,
}

impl Tally {
    fn of(cases: &[Case], outcomes: Vec<Option<Outcome>>, known: &BTreeMap<String, Difference>) -> Self {
        let mut tally = Self::default();
        let mut elsewhere: BTreeSet<&str> = known.keys().map(|test| &**test).collect();
        for (case, outcome) in cases.iter().zip(outcomes) {
            let (name, known) = (&case.name, known.get(&case.name));
            elsewhere.remove(&**name);
            let file = tally.files.entry(case.file.clone()).or_default();
            match (outcome, known) {
                (Some(Outcome::Passed), None) => {
                    tally.passed += 1;
                    file[0] += 1;
                }
                (Some(Outcome::Failed { lacks, .. }), Some(known)) if lacks == known.shows => {
                    tally.differ += 1;
                }
                (Some(Outcome::Failed { lacks, seen }), known) => {
                    tally.failed += 1;
                    file[1] += 1;
                    let known =
                        known.map_or_else(String::new, |k| format!(", known to fail with: {}", k.shows));
                    tally.complaints.push(format!("{name}: {lacks} ({seen}){known}"));
                }
                (Some(Outcome::Passed), Some(_)) => {
                    tally.passed += 1;
                    tally.complaints.push(format!("{name}: passes; take it out of the table of differences"));
                }
                (Some(Outcome::Skipped), None) => tally.skipped += 1,
                (Some(Outcome::Skipped), Some(_)) => {
                    tally.skipped += 1;
                    tally
                        .complaints
                        .push(format!("{name}: sends nothing, but is in the table of differences"));
                }
                (None, _) => tally.not_run += 1,
            }
        }
        for test in elsewhere {
            tally.complaints.push(format!("{test}: is in the table of differences, but not in the suite"));
        }
        tally
    }

    fn report(&self) -> String {
        let mut report = String::from("the CRS suite does not hold:\n");
        for (file, [passed, failed]) in &self.files {
            if *failed > 0 {
                report.push_str(&format!("  {file}: {passed} passed, {failed} failed\n"));
            }
        }
        for complaint in &self.complaints {
            report.push_str(&format!("  {complaint}\n"));
        }
        report
    }
}
