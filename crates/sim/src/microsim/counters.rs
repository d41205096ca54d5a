//! What a server or a client counts, and the forms in which it tells.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::shown::Shown;
use super::statsd::snake;
use super::{Attack, Statsd};

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A server.
    Server,
    /// A client.
    Client,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Requests: those that came; ordinary ones that were sent.
    Requests,
    /// Bytes of bodies that were sent.
    SentBytes,
    /// Bytes of bodies that came.
    ReceivedBytes,
    /// Requests to places outside.
    InternetRequests,
    /// Attacks of every kind.
    Attacks,
    /// Attacks of a kind.
    Attack(Attack),
    /// Questions to a resolver for names that a program made up.
    Dga,
    /// Files that scanners take for malware.
    Malware,
    /// Requests without an answer.
    Error,
    /// Ordinary requests that were answered with 403.
    Blocked,
    /// Ordinary requests that were answered with 500 or more.
    Failed,
    /// Attacks that were answered with 403.
    BlockedAttack(Attack),
}

impl Counter {
    fn name(self) -> String {
        match self {
            Self::Requests => "Requests".to_owned(),
            Self::SentBytes => "Sent Bytes".to_owned(),
            Self::ReceivedBytes => "Received Bytes".to_owned(),
            Self::InternetRequests => "Internet Requests".to_owned(),
            Self::Attacks => "Attacks".to_owned(),
            Self::Attack(kind) => kind.name().to_owned(),
            Self::Dga => "DGA".to_owned(),
            Self::Malware => "Malware".to_owned(),
            Self::Error => "Error".to_owned(),
            Self::Blocked => "Blocked".to_owned(),
            Self::Failed => "Failed".to_owned(),
            Self::BlockedAttack(kind) => format!("Blocked {}", kind.name()),
        }
    }
}

/// Counters, since the beginning and since the last line.
#[derive(Debug)]
pub struct Counters {
    role: Role,
    counted: Vec<Counted>,
    /// What each was when the last line was written.
    window: Mutex<Vec<u64>>,
    statsd: Option<Statsd>,
}

#[derive(Debug)]
struct Counted {
    what: Counter,
    name: String,
    total: AtomicU64,
}

impl Counters {
    /// A server's: microsim's, and those of further attacks that it knows.
    #[must_use]
    pub fn of_server(more: &[Attack], statsd: Option<Statsd>) -> Self {
        let mut what = vec![Counter::Requests, Counter::SentBytes, Counter::ReceivedBytes, Counter::Attacks];
        what.extend(Attack::ALL.into_iter().filter(|kind| kind.is_microsims()).map(Counter::Attack));
        what.extend(more.iter().copied().map(Counter::Attack));
        Self::new(Role::Server, what, statsd)
    }

    /// A client's: microsim's, those of further attacks that it sends, and where asked for what was blocked of each.
    #[must_use]
    pub fn of_client(more: &[Attack], blocked: bool, statsd: Option<Statsd>) -> Self {
        let microsims = || Attack::ALL.into_iter().filter(|kind| kind.is_microsims());
        let mut what = vec![
            Counter::Requests,
            Counter::SentBytes,
            Counter::ReceivedBytes,
            Counter::InternetRequests,
            Counter::Attacks,
        ];
        what.extend(microsims().map(Counter::Attack));
        what.extend([Counter::Dga, Counter::Malware, Counter::Error]);
        what.extend(more.iter().copied().map(Counter::Attack));
        if blocked {
            what.extend([Counter::Blocked, Counter::Failed]);
            what.extend(microsims().chain(more.iter().copied()).map(Counter::BlockedAttack));
        }
        Self::new(Role::Client, what, statsd)
    }

    fn new(role: Role, what: Vec<Counter>, statsd: Option<Statsd>) -> Self {
        let window = Mutex::new(vec![0; what.len()]);
        let counted = |what: Counter| Counted { what, name: what.name(), total: AtomicU64::new(0) };
        Self { role, counted: what.into_iter().map(counted).collect(), window, statsd }
    }

    /// Counts; what nobody asked to count is not.
    pub fn add(&self, what: Counter, by: u64) {
        let Some(counted) = self.find(what) else { return };
        counted.total.fetch_add(by, Ordering::Relaxed);
        self.statsd.iter().for_each(|statsd| statsd.count(&counted.name, by));
    }

    /// How many there have been; 0 of what is not counted.
    #[must_use]
    pub fn get(&self, what: Counter) -> u64 {
        self.find(what).map_or(0, |counted| counted.total.load(Ordering::Relaxed))
    }

    fn find(&self, what: Counter) -> Option<&Counted> {
        self.counted.iter().find(|counted| counted.what == what)
    }

    pub(super) fn totals(&self) -> Shown {
        let total = |counted: &Counted| Shown::Number(counted.total.load(Ordering::Relaxed));
        Shown::object(self.counted.iter().map(|counted| (counted.name.clone(), total(counted))))
    }

    /// `{"Total": {...}, "Last 30 Seconds": {...}}`, and begins the next thirty.
    #[must_use]
    pub fn line(&self) -> String {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut totals, mut last) = (Vec::new(), Vec::new());
        for (counted, before) in self.counted.iter().zip(window.iter_mut()) {
            let total = counted.total.load(Ordering::Relaxed);
            totals.push((counted.name.clone(), Shown::Number(total)));
            last.push((counted.name.clone(), Shown::Number(total - *before)));
            *before = total;
        }
        Shown::object([("Total", Shown::Object(totals)), ("Last 30 Seconds", Shown::Object(last))]).line()
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        for counted in &self.counted {
            let name = format!("palisade_sim_{}_{}_total", self.role.word(), snake(&counted.name));
            let total = counted.total.load(Ordering::Relaxed);
            text.push_str(&format!(
                "# HELP {name} {} of the simulator.\n# TYPE {name} counter\n{name} {total}\n",
                counted.name
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order_are_microsims_unless_more_is_asked_for() {
        let server = Counters::of_server(&[], None);
        server.add(Counter::Requests, 3);
        server.add(Counter::Attack(Attack::Jndi), 1);
        assert_eq!(
            server.line(),
            "{\"Total\": {\"Requests\": 3, \"Sent Bytes\": 0, \"Received Bytes\": 0, \"Attacks\": 0, \"SQLi\": 0, \"XSS\": 0, \
             \"Directory Traversal\": 0}, \"Last 30 Seconds\": {\"Requests\": 3, \"Sent Bytes\": 0, \"Received Bytes\": 0, \
             \"Attacks\": 0, \"SQLi\": 0, \"XSS\": 0, \"Directory Traversal\": 0}}"
        );
        server.add(Counter::Requests, 1);
        assert!(server.line().contains("\"Total\": {\"Requests\": 4,"), "goes on");
        assert!(server.line().contains("\"Last 30 Seconds\": {\"Requests\": 0,"), "begins anew");
        let names = |counters: &Counters| -> Vec<String> {
            counters.counted.iter().map(|counted| counted.name.clone()).collect()
        };
        let client = Counters::of_client(&[], false, None);
        assert_eq!(
            names(&client),
            [
                "Requests",
                "Sent Bytes",
                "Received Bytes",
                "Internet Requests",
                "Attacks",
                "SQLi",
                "XSS",
                "Directory Traversal",
                "DGA",
                "Malware",
                "Error"
            ]
        );
        let more = Counters::of_client(&[Attack::Jndi], true, None);
        assert_eq!(
            names(&more)[11..],
            [
                "JNDI",
                "Blocked",
                "Failed",
                "Blocked SQLi",
                "Blocked XSS",
                "Blocked Directory Traversal",
                "Blocked JNDI"
            ]
        );
        assert!(server.exposition().contains("\npalisade_sim_server_requests_total 4\n"));
    }
}
