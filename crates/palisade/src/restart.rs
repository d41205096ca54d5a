//! What of a configuration is in force from the start to the end of the process.

use palisade_config::{Config, Envoy, TlsVersion};

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
    differs("tracing", started.tracing != now.tracing);
    differs("recording", started.recording != now.recording);
    differs("workloadApi", started.workload_api != now.workload_api);
    needs
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
