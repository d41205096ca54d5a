//! Virtual patches: requests that are refused until what they reach is mended.
//!
//! A patch is an order, like an entry of the deny list, and no verdict about an attack: it acts in every mode but off. What
//! it refuses must not be reached by another spelling, so its paths match a path's normal form and the widest reading of
//! one that has none.

use std::sync::Arc;

use palisade_detect::{Confidence, Detection, Finding, FindingPoint};
use palisade_engine::path_is_below;
use palisade_http::{RequestHead, Target, normal_path, target::percent_decode};
use palisade_model::{Attack, Part, Point, PointPattern, Root};

use crate::detector::LOGGED_FROM;

/// The patches of a profile. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Patches(Arc<[Patch]>);

#[derive(Clone, Debug)]
struct Patch {
    name: String,
    methods: Vec<Vec<u8>>,
    paths: Vec<String>,
    points: Vec<PointPattern>,
    attacks: Vec<Attack>,
}

/// Who found it, in findings.
pub(crate) const PATCH: &str = "patch";

/// Decodings of a path that are undone to see where it may lead.
const DECODINGS_MAX: usize = 3;

impl Patches {
    /// Patches as they are written.
    pub fn of<'p>(written: impl IntoIterator<Item = &'p palisade_config::Patch>) -> Self {
        let patch = |patch: &palisade_config::Patch| Patch {
            name: patch.name.to_string(),
            methods: patch.methods.iter().map(|method| method.as_str().as_bytes().to_vec()).collect(),
            paths: patch.paths.iter().map(|path| path.as_str().to_owned()).collect(),
            points: patch.points.clone(),
            attacks: patch.attacks.iter().map(|attack| **attack).collect(),
        };
        Self(written.into_iter().map(patch).collect())
    }

    /// Those that hold for a request, by their number.
    pub(crate) fn here(&self, head: &RequestHead) -> Vec<usize> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let target = Target::new(&head.target, &head.method);
        let path = target.path();
        let conditional = self.0.iter().any(|patch| !patch.paths.is_empty());
        let forms = if conditional { forms_of(path) } else { Vec::new() };
        let holds = |patch: &Patch| {
            (patch.methods.is_empty() || patch.methods.contains(&head.method))
                && (patch.paths.is_empty() || forms.iter().any(|form| path_is_below(form, &patch.paths)))
        };
        self.0.iter().enumerate().filter(|(_, patch)| holds(patch)).map(|(number, _)| number).collect()
    }

    /// The one of some that refuses whatever the request holds.
    pub(crate) fn at_once(&self, here: &[usize]) -> Option<Finding> {
        let mut patches = here.iter().filter_map(|number| self.0.get(*number));
        let patch = patches.find(|patch| patch.points.is_empty() && patch.attacks.is_empty())?;
        let path = Point { root: Root::Path, part: Part::Value, path: b"" };
        Some(patch.finding(path.into(), "refuses every request to this endpoint".to_owned(), Vec::new()))
    }

    /// Points that some want to know of, in the order in which [`judge`](Self::judge) expects them.
    pub(crate) fn watched(&self, here: &[usize]) -> Vec<PointPattern> {
        let patches = here.iter().filter_map(|number| self.0.get(*number));
        patches.filter(|patch| patch.attacks.is_empty()).flat_map(|patch| patch.points.clone()).collect()
    }

    /// The one of some that refuses what the detector has seen.
    pub(crate) fn judge(&self, here: &[usize], detection: &Detection) -> Option<Finding> {
        let mut met = detection.met();
        let mut refuses = None;
        for patch in here.iter().filter_map(|number| self.0.get(*number)) {
            let found = if patch.attacks.is_empty() {
                // Each takes its own, whether it needs them or not.
                let points: Vec<Option<&FindingPoint>> = met.by_ref().take(patch.points.len()).collect();
                let point = points.into_iter().flatten().next();
                point.map(|point| {
                    patch.finding(point.clone(), "refuses requests with this point".to_owned(), Vec::new())
                })
            } else {
                let meant = |finding: &&Finding| {
                    patch.attacks.contains(&finding.attack)
                        && finding.confidence.get() >= LOGGED_FROM
                        && (patch.points.is_empty()
                            || patch.points.iter().any(|points| points.matches(&finding.point.as_point())))
                };
                detection.findings().iter().find(meant).map(|finding| {
                    let why = format!("refuses {} here: {}", finding.attack.title(), finding.why);
                    patch.finding(finding.point.clone(), why, finding.excerpt.clone())
                })
            };
            refuses = refuses.or(found);
        }
        refuses
    }
}

impl Patch {
    fn finding(&self, point: FindingPoint, why: String, excerpt: Vec<u8>) -> Finding {
        Finding {
            attack: Attack::VirtualPatch,
            detector: PATCH,
            confidence: Confidence::percent(100),
            point,
            decode_path: Vec::new(),
            excerpt,
            why: format!("the patch `{}` {why}", self.name),
        }
    }
}

/// A path in its normal form; of one that has none every form that a server may make of it.
fn forms_of(path: &[u8]) -> Vec<Vec<u8>> {
    if let Some(form) = normal_path(path) {
        return vec![form.into_owned()];
    }
    let mut forms = Vec::new();
    let mut text = path.to_vec();
    for _ in 0..=DECODINGS_MAX {
        forms.push(resolved(&text, true));
        forms.push(resolved(&text, false));
        text = percent_decode(&text);
    }
    forms
}

/// A path with its dots resolved, backslashes as slashes, parameters of segments left out or not.
fn resolved(path: &[u8], without_parameters: bool) -> Vec<u8> {
    // Where texts end in a zero byte, the path does.
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        let segment = if without_parameters { name } else { segment };
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_servers_read_differently_is_below_each_reading() {
        let below = |path: &str| {
            forms_of(path.as_bytes()).iter().any(|form| path_is_below(form, &["/admin".to_owned()]))
        };
        for path in [
            "/admin",
            "/admin/x",
            "//admin",
            "/%61dmin",
            "/x/..%2fadmin",
            "/x/..;/admin",
            "/x\\..\\admin",
            "/%2561dmin%2fx",
            "/admin%00",
            "/admin;a=1%2f",
        ] {
            assert!(below(path), "{path}");
        }
        for path in ["/", "/administrator", "/x/admin", "/x%2fadmin", "/a%2fb", "/admin/../x"] {
            assert!(!below(path), "{path}");
        }
    }
}
