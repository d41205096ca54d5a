//! One address of an upstream: how busy it is, whether it has failed lately, and its idle connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::shared::SharedConnections;
use super::{Link, Server, UpstreamLimits};
use crate::server_stream::ServerStream;
use crate::wire::Wire;

/// An address that requests of a service go to.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    /// Requests that are on their way to it or wait for its answer.
    active: AtomicUsize,
    since: Instant,
    /// It is passed over until so many milliseconds after `since`.
    ejected_until: AtomicU64,
    idle: Mutex<Vec<Idle>>,
    shared: SharedConnections,
}

#[derive(Debug)]
struct Idle {
    wire: Wire<ServerStream>,
    since: Instant,
}

/// A request that an endpoint is busy with, while it lives.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Endpoint>);

impl Endpoint {
    pub(super) fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            active: AtomicUsize::new(0),
            since: Instant::now(),
            ejected_until: AtomicU64::new(0),
            idle: Mutex::default(),
            shared: SharedConnections::default(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The one to take: not lately failed, then least busy, then in turn.
    pub(super) fn pick<'e>(
        endpoints: &'e [Arc<Self>],
        turn: usize,
        tried: &[SocketAddr],
    ) -> Option<&'e Arc<Self>> {
        let count = endpoints.len();
        // Of very many, some in turn: the least busy of a sample is not far from the least busy of all.
        let sample = (0..count.min(SAMPLE)).map(|n| &endpoints[(turn % count + n) % count]);
        sample
            .filter(|endpoint| !tried.contains(&endpoint.address))
            .min_by_key(|endpoint| (endpoint.is_ejected(), endpoint.active.load(Ordering::Relaxed)))
    }

    pub(super) fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until > 0 && millis(self.since.elapsed()) < until
    }

    /// Passes it over for a while, unless all others fail as well.
    pub(super) fn eject(&self, time: Duration) {
        self.ejected_until.store(millis(self.since.elapsed() + time), Ordering::Relaxed);
    }

    pub(super) fn recovered(&self) {
        // Mostly it was well before; a store would take the cache line from other workers.
        if self.ejected_until.load(Ordering::Relaxed) > 0 {
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    /// A connection that carries a request.
    pub(super) fn busy(self: &Arc<Self>, link: Link) -> Server {
        self.active.fetch_add(1, Ordering::Relaxed);
        Server { link, address: self.address, lease: Lease(self.clone()), reused: false }
    }

    /// Connections of HTTP/2.
    pub(super) fn shared(&self) -> &SharedConnections {
        &self.shared
    }

    /// A share of a connection of HTTP/2 that has room.
    pub(super) fn take_shared(self: &Arc<Self>) -> Option<Server> {
        let share = self.shared.take()?;
        Some(Server { reused: true, ..self.busy(Link::Http2(share)) })
    }

    /// An idle connection on which nothing is known to have come. `sure`: ask the system first, for requests that must
    /// not be sent twice.
    pub(super) fn take_idle(self: &Arc<Self>, limits: &UpstreamLimits, sure: bool) -> Option<Server> {
        loop {
            // The one used last: the others may then grow old and go.
            let Idle { mut wire, since } = self.idle().pop()?;
            if since.elapsed() < limits.idle && wire.is_quiet() && (!sure || wire.stream().is_quiet()) {
                return Some(Server { reused: true, ..self.busy(Link::Http1(Box::new(wire))) });
            }
        }
    }

    /// Closes idle connections that are too old or that the upstream has closed.
    pub(super) fn sweep(&self, limits: &UpstreamLimits) {
        // First what TLS has to say beside what it carries, such as tickets: only the rest is an end or a word unasked.
        self.idle().retain_mut(|idle| {
            idle.since.elapsed() < limits.idle && idle.wire.is_quiet() && idle.wire.stream().is_quiet()
        });
        self.shared.sweep(limits.idle);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Keeps a connection for the next request to the same endpoint.
    pub(super) fn put_idle(self, mut wire: Wire<ServerStream>, limits: &UpstreamLimits) {
        // Bytes that nobody asked for would be taken for the next answer.
        if !wire.input().is_empty() || wire.pending() > 0 {
            return;
        }
        wire.rest();
        let mut idle = self.0.idle();
        if idle.len() < limits.idle_max {
            idle.push(Idle { wire, since: Instant::now() });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Endpoints that are looked at for one request.
const SAMPLE: usize = 16;

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: u16) -> Vec<Arc<Endpoint>> {
        (1..=count).map(|port| Endpoint::new(([127, 0, 0, 1], port).into())).collect()
    }

    fn picked(endpoints: &[Arc<Endpoint>], turn: usize, tried: &[SocketAddr]) -> u16 {
        Endpoint::pick(endpoints, turn, tried).map_or(0, |endpoint| endpoint.address.port())
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_busy_that_is_well_is_picked_and_equals_take_turns() {
        let all = endpoints(3);
        assert_eq!([0, 1, 2, 3].map(|turn| picked(&all, turn, &[])), [1, 2, 3, 1]);
        all[0].active.store(2, Ordering::Relaxed);
        all[1].active.store(1, Ordering::Relaxed);
        assert_eq!([0, 1, 2].map(|turn| picked(&all, turn, &[])), [3, 3, 3]);
        all[2].eject(Duration::from_secs(10));
        assert_eq!([0, 1, 2].map(|turn| picked(&all, turn, &[])), [2, 2, 2]);
        assert_eq!(picked(&all, 0, &[all[1].address]), 1);
        assert_eq!(picked(&all, 0, &[all[0].address, all[1].address]), 3, "nobody else is left");
        assert_eq!(picked(&all, 0, &[all[0].address, all[1].address, all[2].address]), 0);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(picked(&all, 0, &[]), 3);
        assert_eq!(picked(&[], 7, &[]), 0);
    }
}
