//! Where a listener's requests go: the table of routes in force, replaced while it serves.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use palisade_http::{RequestHead, Target};
use palisade_inspect::{RouteTable, Service};

use crate::settings::Destination;
use crate::site::Site;

/// The routes of a listener, to destinations or to what else a request may belong to. Replacing them drops no request:
/// what has begun ends with what it began with.
#[derive(Debug)]
pub struct Routes<T = Destination> {
    table: ArcSwap<RouteTable<Arc<T>>>,
}

impl<T> Routes<T> {
    /// Routes by a table.
    pub fn new(table: RouteTable<Arc<T>>) -> Arc<Self> {
        Arc::new(Self { table: ArcSwap::from_pointee(table) })
    }

    /// Everything goes to one.
    pub fn all_to(to: T) -> Arc<Self> {
        Self::new(RouteTable::all_to(Arc::new(to)))
    }

    /// Sends later requests by another table.
    pub fn replace(&self, table: RouteTable<Arc<T>>) {
        self.table.store(Arc::new(table));
    }

    /// To what a request belongs; `None` when no route takes it.
    pub(crate) fn find(&self, head: &RequestHead) -> Option<Arc<T>> {
        let table = self.table.load();
        if head.target.starts_with(b"/") {
            let end = head.target.iter().position(|byte| matches!(byte, b'?' | b'#'));
            let path = &head.target[..end.unwrap_or(head.target.len())];
            return table.find(head.headers.first(b"host"), path).cloned();
        }
        let target = Target::new(&head.target, &head.method);
        table.find(host_of(head).as_deref(), target.path()).cloned()
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
            destination.upstream.sweep();
        }
    }
}

/// The host that a request names, port and all.
pub(crate) fn host_of(head: &RequestHead) -> Option<Cow<'_, [u8]>> {
    let host = || head.headers.first(b"host").map(Cow::Borrowed);
    if head.target.starts_with(b"/") {
        return host();
    }
    // The authority of an absolute target comes before Host (RFC 9112 section 3.2.2), as it does upstream.
    let target = Target::new(&head.target, &head.method);
    let authority = Some(target.authority()).filter(|authority| !authority.is_empty());
    authority.map(|authority| Cow::Owned(authority.to_vec())).or_else(host)
}
