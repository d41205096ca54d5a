//! Whole requests made of `testdata/detect`: benign ones, thousands, that must pass, and variants of attacks that must not.
//!
//! - `benign/*.toml` are templates with slots, `words.toml` fills them. Generated anew in each run, always the same.
//! - `variants/*.txt` are attacks, one a line, in forms that the detectors were not written with.

mod generator;
mod places;
mod variants;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use palisade_detect::{DetectLimits, Detection, Finding, Progress, Recall};

use generator::Corpus;
use places::{Place, Request};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/detect").join(name)
}

/// The strongest finding of a request. Who remembers the requests before finds the same.
fn judge(request: &Request) -> Option<Finding> {
    static RECALL: LazyLock<Arc<Recall>> = LazyLock::new(Arc::default);
    let mut detections = [
        Detection::begin(&request.head, &DetectLimits::default()),
        Detection::recalling(&request.head, &RECALL),
    ];
    for detection in &mut detections {
        detection.feed(&request.body);
        while detection.run() == Progress::Yield {}
    }
    let [plain, recalling] = &detections;
    assert_eq!((plain.findings(), plain.spent()), (recalling.findings(), recalling.spent()));
    plain.findings().iter().max_by_key(|finding| finding.confidence).cloned()
}

/// What medium sensitivity stops, and what is worth a line.
const STOPS_FROM: u8 = 65;
const LOGGED_FROM: u8 = 45;

#[test]
fn nothing_benign_is_stopped() {
    let corpus = Corpus::read(&folder("benign"));
    let (mut requests, mut excepted, mut logged) = (0, 0, 0);
    let mut alarms: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for instance in corpus.instances() {
        kinds.insert(instance.kind.clone());
        requests += 1;
        let finding = judge(&instance.place.request(instance.text.as_bytes()));
        let confidence = finding.as_ref().map_or(0, |finding| finding.confidence.get());
        if let Some(why) = instance.stopped {
            assert!(!why.is_empty() && confidence >= STOPS_FROM, "{:?} passes now", instance.text);
            excepted += 1;
            continue;
        }
        let Some(finding) = finding else { continue };
        logged += usize::from(confidence >= LOGGED_FROM);
        if confidence >= STOPS_FROM {
            let seen = format!(
                "{} {confidence} at {}: {}\n        {:?}",
                finding.attack, finding.point, finding.why, instance.text
            );
            alarms.entry((instance.kind, instance.template)).or_default().push(seen);
        }
    }
    println!(
        "{requests} benign requests of {} kinds: {excepted} stopped for a reason, {logged} worth a line",
        kinds.len()
    );
    assert!(requests > 3000, "{requests}");
    let told: Vec<String> = alarms
        .iter()
        .map(|((kind, template), seen)| {
            format!("{kind}: {template:?}\n    {} times, such as {}", seen.len(), seen[0])
        })
        .collect();
    let stopped: usize = alarms.values().map(Vec::len).sum();
    assert!(alarms.is_empty(), "{stopped} of {requests} are stopped:\n{}", told.join("\n"));
}

#[test]
fn variants_of_attacks_are_stopped_wherever_they_stand() {
    let mut lines = Vec::new();
    for file in variants::read(&folder("variants")) {
        let (mut tried, mut stopped) = (0, 0);
        for case in file.cases {
            let missed: Vec<&str> = Place::for_attack(&case)
                .into_iter()
                .filter(|place| {
                    let finding = judge(&place.request(&case.payload));
                    finding.is_none_or(|finding| finding.confidence.get() < STOPS_FROM)
                })
                .map(Place::name)
                .collect();
            tried += 1;
            stopped += usize::from(missed.is_empty());
            if !missed.is_empty() && !case.is_known_miss {
                lines.push(format!("{} {:?} passes at {}", file.name, case.shown, missed.join(", ")));
            } else if missed.is_empty() && case.is_known_miss {
                lines.push(format!("{} {:?} is stopped now: it is no known miss", file.name, case.shown));
            }
        }
        println!("{:<16} {stopped:>3} of {tried:>3}", file.name);
        assert!(tried > 10, "{}: {tried}", file.name);
    }
    assert!(lines.is_empty(), "{} cases differ:\n{}", lines.len(), lines.join("\n"));
}
