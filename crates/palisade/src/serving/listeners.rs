//! Listeners of traffic: those that a snapshot names, by what of them cannot change while they are there.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use palisade_config::{Direction, ForwardedHeaders, Http2, ListenerProtocol, Name, TlsVersion};
use palisade_dataplane::{
    Bound, ClientAddresses, Drain, DrainTrigger, ForwardedFor, Http2Limits, Listener, Protocol, Redirect,
    Routes, ServerTls, Socket, drain,
};

use crate::descriptors;
use crate::serving::destinations::Destinations;
use crate::snapshot::Snapshot;

/// A listener at work.
pub(super) struct Listening {
    /// As it was configured when it began, without what follows a reload while it is there.
    fixed: palisade_config::Listener,
    pub(super) socket: Socket,
    address: SocketAddr,
    pub(super) routes: Arc<Routes>,
    pub(super) tls: Option<Arc<ServerTls>>,
    /// Ends it alone.
    pub(super) end: DrainTrigger,
}

impl Listening {
    pub(super) fn name(&self) -> &Name {
        &self.fixed.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether it serves what is configured without being made anew.
    pub(super) fn is_as(&self, configured: &palisade_config::Listener) -> bool {
        self.fixed == fixed(configured)
    }

    /// Whether its socket is the one that is configured. Port 0 became another, which its name keeps.
    pub(super) fn is_at(&self, configured: &palisade_config::Listener) -> bool {
        let address = &configured.address;
        self.fixed.address == *address && (address.0.port() != 0 || *self.fixed.name == *configured.name)
    }
}

/// What of a listener is as it began: everything but its certificates, what it asks of clients, and its oldest version.
fn fixed(listener: &palisade_config::Listener) -> palisade_config::Listener {
    let mut fixed = listener.clone();
    if let Some(tls) = &mut fixed.tls {
        tls.certificates.clear();
        tls.client_certificates = None;
        tls.min_version = TlsVersion::Tls12;
    }
    fixed
}

/// Makes a listener, on a socket that is there already or on one of its own.
///
/// # Errors
/// When its address cannot be had.
pub(super) async fn bind(
    configured: &palisade_config::Listener,
    socket: Option<Socket>,
    snapshot: &Snapshot,
    destinations: &Destinations<'_>,
    descriptors: Option<u64>,
) -> Result<(Listening, Bound, Drain)> {
    let (name, address) = (&*configured.name, configured.address.0);
    let routes = Routes::new(destinations.table(name)?);
    let tls = snapshot.tls.get(name).map(|server| ServerTls::new(server.clone()));
    let listener =
        Listener { tls: tls.clone(), ..settings(configured, routes.clone(), snapshot, descriptors) };
    let bound = match socket {
        Some(socket) => Bound::on(listener, socket),
        None => Bound::bind(listener).await.map_err(|error| {
            let context = cannot_listen(name, address, &error);
            anyhow::Error::new(error).context(context)
        })?,
    };
    let (socket, address) = (bound.socket(), bound.local_address()?);
    let (end, ends) = drain();
    Ok((Listening { fixed: fixed(configured), socket, address, routes, tls, end }, bound, ends))
}

/// A listener as it is configured, but for its TLS.
fn settings(
    configured: &palisade_config::Listener,
    routes: Arc<Routes>,
    snapshot: &Snapshot,
    descriptors: Option<u64>,
) -> Listener {
    let name = &*configured.name;
    let redirect = configured.redirect.as_ref();
    let mut listener = Listener {
        health_path: configured.health_path.as_ref().map(|path| path.as_str().to_owned()),
        redirect: redirect.map(|to| Redirect { status: to.status.get(), port: to.port.get() }),
        protocol: match configured.protocol {
            ListenerProtocol::Auto => Protocol::Auto,
            ListenerProtocol::Http1 => Protocol::Http1,
            ListenerProtocol::H2c => Protocol::H2c,
        },
        client_addresses: configured.client_address.as_ref().map(|told| ClientAddresses {
            from: (*told.from).clone(),
            trusted: told.trusted.iter().map(|network| **network).collect(),
            hops: told.hops.get(),
        }),
        ..Listener::new(name.as_str(), configured.address.0, routes)
    };
    listener.forwarded_for = match (configured.direction, configured.forwarded_headers) {
        (Direction::Outbound, _) => ForwardedFor::Nothing,
        (_, ForwardedHeaders::Append) => ForwardedFor::Append,
        (_, ForwardedHeaders::IngressNginx) => ForwardedFor::IngressNginx { full: false },
        (_, ForwardedHeaders::IngressNginxFull) => ForwardedFor::IngressNginx { full: true },
    };
    if let Some(tls) = &configured.tls {
        listener.timeouts.handshake = tls.handshake.duration();
    }
    listener.limits.http2 = http2_limits(&configured.http2);
    let wanted = listener.limits.connections_max;
    let listeners = snapshot.config.listeners.len();
    listener.limits.connections_max = descriptors::connections_max(wanted, listeners, descriptors);
    if listener.limits.connections_max < wanted {
        say!(
            "palisade: listener {name}: {} connections at a time instead of {wanted}, as the system allows this \
             process few file descriptors (ulimit -n)",
            listener.limits.connections_max
        );
    }
    // What is held is the profile's to say, and a reload may change it.
    listener.limits.request_body_held_max = u64::MAX;
    listener.limits.response_body_held_max = u64::MAX;
    listener
}

fn http2_limits(told: &Http2) -> Http2Limits {
    Http2Limits {
        streams_max: told.streams.get(),
        stream_window: told.stream_window.bytes(),
        connection_window: told.connection_window.bytes(),
        resets_burst: told.resets.get(),
        resets_per_second: told.resets_per_second.get(),
        control_burst: told.control_frames.get(),
        control_per_second: told.control_frames_per_second.get(),
        window_update_min: told.small_window_update.bytes().into(),
    }
}

/// What to do about an address that cannot be had.
pub(super) fn cannot_listen(name: &Name, listen: SocketAddr, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied && listen.port() < 1024 {
        return format!(
            "listener {name}: cannot listen on {listen}: ports below 1024 are not for this user; let them be by the \
             sysctl net.ipv4.ip_unprivileged_port_start=0 (of the container or pod), or name a higher port"
        );
    }
    // In use is the usual reason; port 0 is the way out that always works.
    let free = SocketAddr::new(listen.ip(), 0);
    format!(
        "listener {name}: cannot listen on {listen}; name another address (--listen), or {free} for any free port"
    )
}
