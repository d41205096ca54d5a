//! What of a configuration is in force from the start to the end of the process.

use palisade_config::{Config, Envoy, Listener, TlsVersion};

/// What a changed configuration needs a restart for: each in words. `started` is what the process began with, so that
/// what waits is said until somebody restarts it or takes it back.
pub(crate) fn needs_restart(started: &Config, now: &Config) -> Vec<String> {
    let mut needs = Vec::new();
    let mut differs = |what: &str, differs: bool| {
        if differs {
            needs.push(what.to_owned());
        }
    };
    differs("admin", started.admin != now.admin);
    differs("dataDir", started.data_dir != now.data_dir);
    differs("logs", started.logs != now.logs);
    differs("envoy", asking(started) != asking(now));
    differs("events", started.events != now.events);
    differs("sharedState", started.shared_state != now.shared_state);
    differs("recording", started.recording != now.recording);
    differs("workloadApi", started.workload_api != now.workload_api);
    for listener in &now.listeners {
        match started.listeners.iter().find(|was| *was.name == *listener.name) {
            Some(was) => changed(was, listener, &mut needs),
            None => needs.push(format!("listeners ({} is new)", *listener.name)),
        }
    }
    for was in &started.listeners {
        if !now.listeners.iter().any(|listener| *listener.name == *was.name) {
            needs.push(format!("listeners ({} is gone)", *was.name));
        }
    }
    needs
}

/// What of a listener does not change while it is there. Certificates, what is asked of clients, and the oldest version do.
fn changed(was: &Listener, now: &Listener, needs: &mut Vec<String>) {
    let handshake = |listener: &Listener| listener.tls.as_ref().map(|tls| tls.handshake);
    let turned = match (&was.tls, &now.tls) {
        (None, Some(_)) => Some("tls (turned on)"),
        (Some(_), None) => Some("tls (turned off)"),
        _ if handshake(was) != handshake(now) => Some("tls.handshake"),
        _ => None,
    };
    let keys = [
        ("address", was.address != now.address),
        ("protocol", was.protocol != now.protocol),
        ("http2", was.http2 != now.http2),
        ("healthPath", was.health_path != now.health_path),
        ("redirect", was.redirect != now.redirect),
        ("direction", was.direction != now.direction),
        ("clientAddress", was.client_address != now.client_address),
    ];
    let keys = keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).chain(turned);
    needs.extend(keys.map(|key| format!("{key} of listener {}", *now.name)));
}

/// Places where Envoys ask, without what of their TLS can change while they are there.
fn asking(config: &Config) -> Vec<Envoy> {
    let mut envoys = config.envoy.clone();
    for tls in envoys.iter_mut().filter_map(|envoy| envoy.tls.as_mut()) {
        tls.certificates.clear();
        tls.client_certificates = None;
        tls.min_version = TlsVersion::Tls12;
    }
    envoys
}
