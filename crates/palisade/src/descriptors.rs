//! File descriptors, of which every connection takes one and its upstream's another.
//!
//! Many systems start a process with room for 1,024 and allow it a thousand times that. Where the room is small all the
//! same, traffic is bounded to what leaves some for probes, logs and reloads: who opens connections and says nothing
//! must not be able to have the process ended for not answering a probe.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Not for traffic: the admin listener's connections, logs, rule files being read, the runtime's own.
const RESERVED: u64 = 320;

/// Raises the bound on descriptors of this process as far as the system allows, and gives it. `None`: there is none.
pub(crate) fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum;
    }
    current
}

/// Connections that each of some listeners may have at a time, so that all of them leave what is reserved. Never none.
pub(crate) fn connections_max(wanted: usize, listeners: usize, limit: Option<u64>) -> usize {
    let Some(limit) = limit else { return wanted };
    // Of a small room half is for traffic; a connection takes two.
    let traffic = limit.saturating_sub(RESERVED).max(limit / 2) / 2;
    let each = traffic / listeners.max(1) as u64;
    usize::try_from(each).map_or(wanted, |each| wanted.min(each.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_leaves_descriptors_for_everything_else() {
        assert_eq!(connections_max(10_000, 1, None), 10_000);
        assert_eq!(connections_max(10_000, 1, Some(1 << 20)), 10_000);
        assert_eq!(connections_max(10_000, 3, Some(1 << 20)), 10_000);
        assert_eq!(connections_max(10_000, 1, Some(1024)), 352);
        assert_eq!(connections_max(10_000, 2, Some(1024)), 176);
        assert_eq!(connections_max(10_000, 1, Some(100)), 25);
        assert_eq!(connections_max(10_000, 9, Some(4)), 1);
    }
}
