//! What the system says that this process uses. Linux's `/proc`; elsewhere nothing is known, and nothing is shown.

use std::fs;

use palisade_console::Exposition;

/// Ticks a second in `/proc`: a constant of Linux's interface, whatever its clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// A look at this process. What cannot be read is `None`.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    cpu_seconds: Option<f64>,
    threads: Option<u64>,
    virtual_memory_bytes: Option<u64>,
    resident_memory_bytes: Option<u64>,
    open_fds: Option<u64>,
    fds_max: Option<u64>,
}

impl Usage {
    /// Looks.
    pub(crate) fn now() -> Self {
        let file = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let mut usage = Self::of(&file("stat"), &file("status"), &file("limits"));
        // The folder that is being read is one of them.
        usage.open_fds =
            fs::read_dir("/proc/self/fd").ok().map(|found| (found.count() as u64).saturating_sub(1));
        usage
    }

    fn of(stat: &str, status: &str, limits: &str) -> Self {
        // The name in parentheses may hold anything; fields are counted after it, from the third (proc(5)).
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let line = |text: &str, name: &str| -> Option<u64> {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let ticks = field(14).zip(field(15)).map(|(user, system)| user + system);
        Self {
            cpu_seconds: ticks.map(|ticks| ticks as f64 / TICKS_PER_SECOND),
            threads: field(20),
            virtual_memory_bytes: field(23),
            resident_memory_bytes: line(status, "VmRSS:").map(|kib| kib * 1024),
            open_fds: None,
            fds_max: line(limits, "Max open files"),
        }
    }

    /// Writes them under the names that every exporter uses.
    pub(crate) fn metrics(&self, into: &mut Exposition) {
        if let Some(seconds) = self.cpu_seconds {
            let help = "Processor time that this process used, user and system.";
            into.counter_of("process_cpu_seconds_total", help, &[], seconds);
        }
        let mut gauge = |name, help, value: Option<u64>| {
            if let Some(value) = value {
                into.gauge(name, help, &[], value as f64);
            }
        };
        gauge("process_resident_memory_bytes", "Memory that is resident.", self.resident_memory_bytes);
        gauge("process_virtual_memory_bytes", "Memory that is mapped.", self.virtual_memory_bytes);
        gauge("process_open_fds", "File descriptors in use; a connection is one.", self.open_fds);
        gauge("process_max_fds", "File descriptors that may be in use.", self.fds_max);
        gauge("process_threads", "Threads.", self.threads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 99 4096000 500 1844 1 1";
        let status = "Name:\tx\nVmRSS:\t    2000 kB\nThreads:\t3\n";
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024    4096    files\n";
        let usage = Usage::of(stat, status, limits);
        assert_eq!((usage.cpu_seconds, usage.threads), (Some(3.0), Some(3)));
        assert_eq!(
            (usage.virtual_memory_bytes, usage.resident_memory_bytes),
            (Some(4_096_000), Some(2_048_000))
        );
        assert_eq!(usage.fds_max, Some(1024));
        let none = Usage::of("", "VmRSS: many", "Max open files unlimited");
        assert!(none.cpu_seconds.is_none() && none.resident_memory_bytes.is_none() && none.fds_max.is_none());
    }

    #[test]
    fn this_process_uses_something() {
        if !cfg!(target_os = "linux") {
            println!("skipped: no /proc here");
            return;
        }
        let usage = Usage::now();
        assert!(usage.resident_memory_bytes.is_some_and(|bytes| bytes > 1 << 20), "{usage:?}");
        assert!(usage.open_fds.is_some_and(|fds| fds >= 3), "{usage:?}");
        assert!(usage.cpu_seconds.is_some() && usage.fds_max.is_some(), "{usage:?}");
    }
}
