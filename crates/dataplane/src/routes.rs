//! Where a listener's requests go: the table of routes in force, replaced while it serves.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use palisade_http::{RequestHead, Target};
use palisade_inspect::{Asking, Gates, RouteTable, Service};

use crate::envoy::Protected;
use crate::settings::Destination;
use crate::site::Site;

/// The routes of a listener, to destinations or to what else a request may belong to. Replacing them drops no request:
/// what has begun ends with what it began with.
#[derive(Debug)]
pub struct Routes<T = Destination> {
    table: ArcSwap<RouteTable<Arc<T>>>,
    /// The policies before all that routes lead to.
    gates: ArcSwap<Gates>,
    /// Whose turn it is among routes that share requests.
    turn: AtomicU64,
}

/// What leads to a service.
pub(crate) trait Leads {
    fn service(&self) -> &Service;
}

impl Leads for Destination {
    fn service(&self) -> &Service {
        &self.service
    }
}

impl Leads for Protected {
    fn service(&self) -> &Service {
        &self.service
    }
}

#[allow(private_bounds, reason = "there are two kinds, and both are here")]
impl<T: Leads> Routes<T> {
    /// Routes by a table.
    pub fn new(table: RouteTable<Arc<T>>) -> Arc<Self> {
        let gates = ArcSwap::from_pointee(gates_of(&table));
        Arc::new(Self { table: ArcSwap::from_pointee(table), gates, turn: AtomicU64::new(0) })
    }

    /// Everything goes to one.
    pub fn all_to(to: T) -> Arc<Self> {
        Self::new(RouteTable::all_to(Arc::new(to)))
    }

    /// Sends later requests by another table.
    pub fn replace(&self, table: RouteTable<Arc<T>>) {
        let gates = gates_of(&table);
        self.table.store(Arc::new(table));
        self.gates.store(Arc::new(gates));
    }

    /// The policies before all that routes lead to.
    pub(crate) fn gates(&self) -> arc_swap::Guard<Arc<Gates>> {
        self.gates.load()
    }

    /// To what a request belongs; `None` when no route takes it.
    pub(crate) fn find(&self, head: &RequestHead) -> Option<Arc<T>> {
        let table = self.table.load();
        if head.target.starts_with(b"/") {
            let end = head.target.iter().position(|byte| matches!(byte, b'?' | b'#'));
            let (path, rest) = head.target.split_at(end.unwrap_or(head.target.len()));
            let query = rest.strip_prefix(b"?").map(|query| {
                let end = query.iter().position(|byte| *byte == b'#').unwrap_or(query.len());
                &query[..end]
            });
            return table.find(head.headers.first(b"host"), path, Some(&self.asking(head, query))).cloned();
        }
        let target = Target::new(&head.target, &head.method);
        let asking = self.asking(head, target.query());
        table.find(host_of(head).as_deref(), target.path(), Some(&asking)).cloned()
    }

    fn asking<'r>(&self, head: &'r RequestHead, query: Option<&'r [u8]>) -> Asking<'r> {
        // Multiples of the golden ratio are spread evenly, however many there are, so that shares hold from the start.
        let turn = self.turn.fetch_add(GOLDEN, Ordering::Relaxed);
        Asking { method: &head.method, headers: &head.headers, query, turn }
    }

    /// All that routes lead to.
    pub(crate) fn targets(&self) -> Vec<Arc<T>> {
        self.table.load().targets().cloned().collect()
    }
}

impl Routes {
    /// Sends all later requests to one destination.
    pub fn replace_all(&self, destination: Destination) {
        self.replace(RouteTable::all_to(Arc::new(destination)));
    }

    /// Inspects later requests of every route by one service; upstreams and their connections stay.
    pub fn replace_service(&self, service: Arc<Service>) {
        if let Some(now) = self.table.load().targets().next() {
            self.replace_all(Destination { service, ..now.as_ref().clone() });
        }
    }

    /// Gives later answers of every route another look.
    pub fn replace_site(&self, site: Option<Arc<Site>>) {
        if let Some(now) = self.table.load().targets().next() {
            self.replace_all(Destination { site, ..now.as_ref().clone() });
        }
    }

    /// Names of the services that requests may go to.
    pub(crate) fn services(&self) -> BTreeSet<String> {
        self.table.load().targets().map(|destination| destination.service.name.clone()).collect()
    }

    /// Lets upstreams drop connections that have grown old.
    pub(crate) fn sweep(&self) {
        for destination in self.table.load().targets() {
            destination.upstream().iter().for_each(|upstream| upstream.sweep());
        }
    }
}

/// 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn gates_of<T: Leads>(table: &RouteTable<Arc<T>>) -> Gates {
    Gates::of(table.targets().map(|target| target.service()))
}

/// The host that a request names, port and all.
pub fn host_of(head: &RequestHead) -> Option<Cow<'_, [u8]>> {
    let host = || head.headers.first(b"host").map(Cow::Borrowed);
    if head.target.starts_with(b"/") {
        return host();
    }
    // The authority of an absolute target comes before Host (RFC 9112 section 3.2.2), as it does upstream.
    let target = Target::new(&head.target, &head.method);
    let authority = Some(target.authority()).filter(|authority| !authority.is_empty());
    authority.map(|authority| Cow::Owned(authority.to_vec())).or_else(host)
}
