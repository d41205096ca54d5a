//! What policies that were suggested would have done with requests of the past.

use palisade_policy::{
    Compiler, Direction, Feed, Flow, HttpHead, Identity, Index, Judgement, Object, ObjectKey, Party,
    Patience, Protocol, Request, comparable_path, suggested_workload,
};

use super::eval;

/// Policies as if they were in force.
pub(crate) struct Trial {
    index: Index,
    judgement: Judgement,
}

/// A request of the past. Its headers are not known: suggested policies ask for none.
pub(crate) struct PastRequest<'a> {
    pub(crate) source: Party,
    /// Namespace and service account of the workload that was asked.
    pub(crate) asked: (&'a str, &'a str),
    pub(crate) server: Server,
    pub(crate) method: &'a str,
    /// As it was sent, without the query.
    pub(crate) path: &'a [u8],
}

/// Where it was asked.
pub(crate) struct Server {
    pub(crate) address: Option<std::net::IpAddr>,
    pub(crate) port: u16,
}

/// Denials that are shown of each kind.
const EXAMPLES_MAX: usize = 3;

/// What became of requests of one kind.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) denied: u64,
    /// Some of those denied, in words.
    pub(crate) examples: Vec<String>,
}

static NO_HEADERS: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();

impl Trial {
    /// Of two objects with one key the later one counts.
    pub(crate) fn of(objects: impl IntoIterator<Item = (ObjectKey, Object)>, judgement: Judgement) -> Self {
        let mut index = Index::new(Feed::Complete);
        let changes = objects.into_iter().map(|(key, object)| (key, Some(object)));
        index.apply(Compiler::new().apply(changes.collect::<Vec<_>>()));
        Self { index, judgement }
    }

    /// Counts a request that came so many times; `shown` names it in the examples.
    pub(crate) fn ask(
        &self,
        past: PastRequest<'_>,
        times: u64,
        outcome: &mut Outcome,
        shown: impl FnOnce() -> String,
    ) {
        let path = comparable_path(past.path);
        let flow = Flow {
            direction: Direction::Ingress,
            source: past.source,
            destination: Party {
                address: past.server.address,
                port: Some(past.server.port),
                identity: Identity::Plain,
                workload: Some(suggested_workload(past.asked.0, past.asked.1)),
            },
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: past.method.as_bytes(),
                path: path.as_deref(),
                host: None,
                headers: &NO_HEADERS,
                claims: None,
            }),
            patience: Patience::Over,
        };
        outcome.requests = outcome.requests.saturating_add(times);
        let decision = self.index.request(&flow, &self.judgement);
        if decision.is_allowed() {
            return;
        }
        outcome.denied = outcome.denied.saturating_add(times);
        if outcome.examples.len() < EXAMPLES_MAX {
            let miss = self.index.near_miss(&flow, &decision, &self.judgement);
            outcome.examples.push(format!("{}: {}", shown(), eval::reason(&decision, miss.as_ref())));
        }
    }
}
