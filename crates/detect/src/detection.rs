//! The detection of one exchange.

use std::sync::Arc;

use palisade_codec::ByteSet;
use palisade_http::RequestHead;
use palisade_model::{Part, Point, PointPattern, Root};

use crate::descent::{BodyReader, Descent, Roots};
use crate::detectors::{self, DETECTORS, Evidence, Findings, leak};
use crate::{Confidence, DetectLimits, Finding, FindingPoint, Recall, Spent, Value};

/// Looks at one exchange: its head, then its body piece by piece, then all of it.
///
/// ```text
///  begin(head) -> feed(chunk)* -> run()* until Done -> findings()
/// ```
#[derive(Debug)]
pub struct Detection {
    head: RequestHead,
    body: BodyReader,
    descent: Descent,
    /// The places of the exchange, once the body is whole, and how many have been looked at.
    roots: Option<Roots>,
    /// The beginning of the response's body.
    response: Vec<u8>,
    /// Where what is remembered comes from and goes to.
    recall: Option<Arc<Recall>>,
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything was looked at, or a bound was met.
    Done,
    /// A share of the work is done; let others run, then go on.
    Yield,
}

/// Bytes that are looked at in one share of work: some milliseconds.
const SHARE_BYTES: usize = 1 << 20;

impl Detection {
    /// Begins with the request's head, and remembers what others of a profile have seen: it finds what one finds that does
    /// not, sooner.
    pub fn recalling(head: &RequestHead, recall: &Arc<Recall>) -> Self {
        Self { recall: Some(recall.clone()), ..Self::begin(head, recall.limits()) }
    }

    /// Begins with the request's head.
    pub fn begin(head: &RequestHead, limits: &DetectLimits) -> Self {
        Self {
            body: BodyReader::new(head, limits),
            head: head.clone(),
            descent: Descent::new(limits.clone()),
            roots: None,
            response: Vec::new(),
            recall: None,
        }
    }

    /// Also notes whether some points are there. Before [`run`](Self::run).
    pub fn watch(&mut self, points: impl IntoIterator<Item = PointPattern>) {
        self.descent.watched.extend(points.into_iter().map(|points| (points, None)));
    }

    /// The first point that each of those [watched](Self::watch) met, once the request was looked at.
    pub fn met(&self) -> impl Iterator<Item = Option<&FindingPoint>> {
        self.descent.watched.iter().map(|(_, met)| met.as_ref())
    }

    /// Takes the next piece of the request's body, codings undone.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.body.feed(chunk);
    }

    /// Looks at the request, which is whole, one share of work a call.
    pub fn run(&mut self) -> Progress {
        let roots = self.roots.get_or_insert_with(|| Roots::new(self.body.finish(&self.descent.limits)));
        self.descent.clean_texts = self.recall.as_ref().and_then(|recall| recall.take());
        let progress = roots.look(&self.head, &mut self.descent, SHARE_BYTES);
        // Between shares of work others have it.
        if let (Some(recall), Some(texts)) = (&self.recall, self.descent.clean_texts.take()) {
            recall.give(texts);
        }
        progress
    }

    /// The request's head.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Takes the next piece of the response's body, codings undone. Whether more of it is wanted: only its beginning is
    /// looked at, [`DetectLimits::response_head_bytes_max`] of it.
    pub fn feed_response(&mut self, chunk: &[u8]) -> bool {
        let most = self.descent.limits.response_head_bytes_max;
        let room = most - self.response.len();
        self.response.extend_from_slice(&chunk[..chunk.len().min(room)]);
        self.response.len() < most
    }

    /// Looks at what came of the response for what should not leave. Its findings, at `response.body`; those of the request
    /// are not among them.
    pub fn run_response(&mut self) -> Vec<Finding> {
        let text = std::mem::take(&mut self.response);
        let point = Point { root: Root::ResponseBody, part: Part::Value, path: b"" };
        let mut findings = Findings::new(self.descent.limits.findings_max);
        leak::look(&text, &point.into(), &mut findings);
        findings.as_slice().to_vec()
    }

    /// What was found so far, the strongest of each detector and point.
    pub fn findings(&self) -> &[Finding] {
        self.descent.findings()
    }

    /// What it cost, and which bounds were met.
    pub fn spent(&self) -> &Spent {
        &self.descent.spent
    }
}

/// Looks at one text alone, as if it were the value of a query parameter: for tests, and for people who write an
/// exception.
pub fn detect_value(bytes: &[u8], limits: &DetectLimits) -> Vec<Finding> {
    let mut descent = Descent::new(limits.clone());
    descent.look(Point { root: Root::Query, part: Part::Value, path: b"q" }, bytes);
    descent.findings().to_vec()
}

/// Makes what all detections share, so that the first request does not wait for it. Cheap when it is made already.
pub fn prepare() {
    detectors::prepare();
}

/// The names of the detectors that read values, in the order in which they are asked.
pub fn detectors() -> impl ExactSizeIterator<Item = &'static str> {
    DETECTORS.iter().map(|detector| detector.name)
}

/// Puts one text to one detector, by its place in [`detectors()`], past its gate and as it stands: for fuzzing.
pub fn detect_with(detector: usize, bytes: &[u8]) -> Vec<Finding> {
    let Some(detector) = DETECTORS.get(detector) else { return Vec::new() };
    let point = Point { root: Root::Query, part: Part::Value, path: b"q" };
    let set = ByteSet::of(bytes);
    let value = Value { point, decoded: &[], bytes, set: &set };
    let mut findings = Findings::new(DetectLimits::default().findings_max);
    (detector.look)(&value, &mut Evidence { detector, value: &value, findings: &mut findings });
    findings.as_slice().to_vec()
}

/// The strongest of some findings; `None` without any.
pub fn strongest(findings: &[Finding]) -> Option<Confidence> {
    findings.iter().map(|finding| finding.confidence).max()
}

/// Bytes of texts that hold no code in any language, whatever their order: letters and digits alone.
pub(crate) const WORD: ByteSet =
    ByteSet::range(b'a', b'z').union(ByteSet::range(b'A', b'Z')).union(ByteSet::range(b'0', b'9'));
