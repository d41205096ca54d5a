//! Data planes as the API shows them, those of a console and a single one alike.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_collector::{About, PlaneShown};
use palisade_console::{
    Dataplane, DataplaneReceived, DataplaneRules, DataplaneService, DataplaneSpool, Timestamp,
};

use crate::events::host;
use crate::flags::VERSION;

/// A data plane of a console.
pub(crate) fn dataplane(shown: PlaneShown) -> Dataplane {
    let PlaneShown { name, instance, version, address, connected, heard, about, records, refused, latest } =
        shown;
    let state = if connected.is_some() { about.state.clone() } else { "gone".to_owned() };
    let latest = latest.map(|moment| at(moment.0));
    Dataplane {
        instance: format!("{:08x}", instance >> 96),
        version,
        address: Some(address.to_string()),
        connected_since: connected.map(Timestamp::from),
        last_seen: heard.into(),
        state,
        received: DataplaneReceived { records, refused, latest },
        ..of(name, about)
    }
}

/// This process, as a data plane.
pub(crate) fn here(about: About) -> Dataplane {
    of(host(), about)
}

fn of(name: String, about: About) -> Dataplane {
    let About {
        state, problem, started, revision, rules, services, stale, spool_bytes, spool_dropped, ..
    } = about;
    let started_at = (started > 0).then(|| at(started));
    Dataplane {
        name,
        instance: String::new(),
        version: VERSION.to_owned(),
        address: None,
        connected_since: started_at,
        last_seen: SystemTime::now().into(),
        state,
        problem,
        started_at,
        revision,
        rule_sets: rules
            .into_iter()
            .map(|rules| DataplaneRules { name: rules.name, rules: rules.rules, digest: rules.digest })
            .collect(),
        services: services
            .into_iter()
            .map(|service| DataplaneService {
                name: service.name,
                mode: service.mode,
                mode_from: service.mode_from,
            })
            .collect(),
        stale,
        spool: DataplaneSpool { bytes: spool_bytes, dropped: spool_dropped },
        received: DataplaneReceived::default(),
    }
}

/// A time that somebody else said: any number is one.
fn at(unix_millis: u64) -> Timestamp {
    let millis = unix_millis.min(4_102_444_800_000);
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis))
}
