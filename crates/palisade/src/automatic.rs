//! Sources that come on lists by what they do: what exchanges show of it is noted as they end, and counted on a thread of
//! its own. No request waits for it: a note that finds no room is dropped and counted.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_config::{Automatic, AutomaticList, Config, Network, RoutePath};
use palisade_dataplane::{
    AnsweredBy, ClosedConnection, CopyRoom, Ended, Facts, Journal, LiveLists, Remark, Sampling,
};
use palisade_engine::path_is_below;
use palisade_http::{Target, normal_path};
use palisade_inspect::{Cause, Report, Service};
use palisade_lists::{
    Actor, Behaviour, Entry, Listing, Moment, Origin, Scope, Seed, Subject, Threshold, Watch,
};
use palisade_model::{Mode, Verdict};

use crate::lists::{ListStore, now};

/// Notes what sources do, and passes on what exchanges leave behind.
#[derive(Debug)]
pub(crate) struct Noting {
    journal: Arc<dyn Journal>,
    notes: SyncSender<Note>,
    live: Arc<LiveLists>,
    /// The first client that there was, and whether there were others.
    first: OnceLock<IpAddr>,
    several: Arc<AtomicBool>,
    seed: Seed,
}

/// What an exchange shows.
#[derive(Debug)]
struct Note {
    address: IpAddr,
    actor: Actor,
    at: Moment,
    request_id: String,
    /// Hashes of the malicious payloads in it, each with the thresholds that they count for.
    payloads: Vec<u64>,
    tallies: Vec<Tally>,
}

/// What a note counts for.
#[derive(Clone, Copy, Debug)]
struct Tally {
    what: Behaviour,
    than: Threshold,
}

/// Notes that wait; more are dropped.
const NOTES_MAX: usize = 8_192;
/// Payloads of one request.
const PAYLOADS_OF_ONE_MAX: usize = 16;
/// Sources that are watched at a time, for payloads and for what they ask.
const SOURCES_MAX: usize = 65_536;

impl Noting {
    /// Notes for a list store what goes by on its way to a journal.
    ///
    /// # Errors
    /// When there is no thread to count on.
    pub(crate) fn start(
        journal: Arc<dyn Journal>,
        store: Arc<ListStore>,
        spared: Arc<Spared>,
    ) -> Result<Arc<Self>> {
        let (notes, taken) = sync_channel(NOTES_MAX);
        let random = || std::collections::hash_map::RandomState::new().hash_one(0);
        let several = Arc::new(AtomicBool::new(false));
        let live = store.live().clone();
        let counting = Counting {
            store,
            spared,
            several: several.clone(),
            watch: Watch::new(SOURCES_MAX, Seed(random(), random())),
        };
        std::thread::Builder::new()
            .name("automatic-lists".into())
            .spawn(move || counting.run(&taken))
            .context("cannot start the thread of automatic lists")?;
        let seed = Seed(random(), random());
        Ok(Arc::new(Self { journal, notes, live, first: OnceLock::new(), several, seed }))
    }

    fn note(&self, ended: &Ended) -> Option<Note> {
        let Ended { report, facts, .. } = ended;
        let address = facts.client_addr.ip().to_canonical();
        if !self.several.load(Ordering::Relaxed) && *self.first.get_or_init(|| address) != address {
            self.several.store(true, Ordering::Relaxed);
        }
        let off = facts.stance.mode == Mode::Off;
        if off || matches!(facts.list, Some(Listing::Allow | Listing::Deny)) {
            return None;
        }
        let automatic = &facts.service.profile.automatic;
        let mut tallies = Vec::new();
        let payloads = match report {
            Some(report) => payloads(report, self.seed),
            None => Vec::new(),
        };
        if !payloads.is_empty() {
            let counts = of_payloads(automatic);
            tallies.extend(counts.map(|than| Tally { what: Behaviour::Payloads, than }));
        }
        if let Some(brute) = automatic.brute_force.as_ref().filter(|brute| is_below(facts, &brute.paths)) {
            let than = threshold(brute.above, brute.within, brute.lasts, brute.list);
            tallies.push(Tally { what: Behaviour::BruteForce, than });
        }
        let is_missing = facts.sent.is_some_and(|sent| sent.status == 404 && sent.by == AnsweredBy::Upstream);
        if let Some(forced) = automatic.forced_browsing.as_ref().filter(|_| is_missing) {
            let than = threshold(forced.above, forced.within, forced.lasts, forced.list);
            tallies.push(Tally { what: Behaviour::ForcedBrowsing, than });
        }
        (!tallies.is_empty()).then(|| Note {
            address,
            actor: Actor::new(address, facts.service.application),
            at: Moment(facts.started.0),
            request_id: facts.request_id.clone(),
            payloads,
            tallies,
        })
    }
}

impl Journal for Noting {
    fn ended(&self, ended: Ended) {
        let note = self.note(&ended);
        self.journal.ended(ended);
        if let Some(note) = note
            && let Err(TrySendError::Full(_)) = self.notes.try_send(note)
        {
            self.live.note_dropped();
        }
    }

    fn remark(&self, remark: Remark) {
        self.journal.remark(remark);
    }

    fn closed(&self, closed: ClosedConnection) {
        self.journal.closed(closed);
    }

    fn copies(&self, service: &Service) -> Option<CopyRoom> {
        self.journal.copies(service)
    }

    fn sampling(&self) -> Option<Sampling> {
        self.journal.sampling()
    }
}

/// Hashes of the malicious payloads of a request: one for each place where something was found. The same payload again has
/// the same hash.
fn payloads(report: &Report, seed: Seed) -> Vec<u64> {
    let cause = report.outcome.as_ref().map(|outcome| outcome.cause);
    let is_attack =
        *report.verdict() != Verdict::Pass && matches!(cause, Some(Cause::Rule(_) | Cause::Finding(_)));
    if !is_attack {
        return Vec::new();
    }
    let mut payloads = Payloads { seed, places: HashSet::new(), hashes: Vec::new() };
    // The detector names what it found; rules may match one payload a hundred times.
    // A breach of a specification is no payload.
    for finding in report.notable_findings().filter(|finding| !finding.attack.is_of_specification()) {
        payloads.take(finding.point.to_string().into_bytes(), &finding.excerpt);
    }
    if payloads.places.is_empty() {
        let matches = report.transaction().map(|transaction| transaction.matches()).unwrap_or_default();
        let critical = matches.iter().filter(|found| found.severity.is_some_and(|severity| severity <= 2));
        for found in critical.filter(|found| !found.target.starts_with(b"TX:")) {
            payloads.take(found.target.clone(), &found.value);
        }
        // A rule that says no severity is an attack all the same: it wanted the request stopped.
        if let (true, Some(last)) = (payloads.places.is_empty(), matches.last()) {
            payloads.take(last.target.clone(), &last.value);
        }
    }
    payloads.hashes
}

/// Payloads of one request, one a place.
struct Payloads {
    seed: Seed,
    places: HashSet<Vec<u8>>,
    hashes: Vec<u64>,
}

impl Payloads {
    fn take(&mut self, place: Vec<u8>, payload: &[u8]) {
        if self.hashes.len() >= PAYLOADS_OF_ONE_MAX || !self.places.insert(place) {
            return;
        }
        let hash = self.seed.hash_one(payload);
        if !self.hashes.contains(&hash) {
            self.hashes.push(hash);
        }
    }
}

fn of_payloads(automatic: &Automatic) -> impl Iterator<Item = Threshold> {
    let gray = Some(&automatic.gray).filter(|gray| gray.enabled);
    let gray = gray.map(|gray| threshold(gray.above, gray.within, gray.lasts, AutomaticList::Gray));
    let deny = automatic.deny.as_ref();
    let deny = deny.map(|deny| threshold(deny.above, deny.within, deny.lasts, AutomaticList::Deny));
    gray.into_iter().chain(deny)
}

fn threshold(
    above: palisade_config::Count,
    within: palisade_config::Time,
    lasts: palisade_config::Time,
    list: AutomaticList,
) -> Threshold {
    let list = match list {
        AutomaticList::Deny => Listing::Deny,
        AutomaticList::Gray => Listing::Gray,
    };
    Threshold { above: above.get(), within: within.duration(), list, lasts: lasts.duration() }
}

fn is_below(facts: &Facts, paths: &[RoutePath]) -> bool {
    let path = Target::new(&facts.target, &facts.method);
    let Some(path) = normal_path(path.path()) else { return false };
    let paths: Vec<String> = paths.iter().map(|path| path.as_str().to_owned()).collect();
    path_is_below(&path, &paths)
}

/// Networks that never come on a list by what is done from there.
#[derive(Debug, Default)]
pub(crate) struct Spared(RwLock<Vec<Network>>);

impl Spared {
    /// Those of a configuration: what it names, and the proxies that it trusts.
    pub(crate) fn follow(&self, config: &Config) {
        let proxies = config.listeners.iter().filter_map(|listener| listener.client_address.as_ref());
        let trusted = proxies.flat_map(|told| told.trusted.iter().map(|network| **network));
        let networks = config.lists.never.iter().copied().chain(trusted).collect();
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = networks;
    }

    /// Whether an address is in one of them.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let networks = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        networks.iter().any(|network| network.contains(address))
    }
}

/// Counts what is noted.
struct Counting {
    store: Arc<ListStore>,
    spared: Arc<Spared>,
    several: Arc<AtomicBool>,
    watch: Watch,
}

impl Counting {
    fn run(mut self, notes: &Receiver<Note>) {
        while let Ok(note) = notes.recv() {
            if self.spared.holds(note.address) || self.store.live().is_shared(note.address) {
                continue;
            }
            for tally in &note.tallies {
                let count = match tally.what {
                    Behaviour::Payloads => {
                        self.watch.payloads(note.actor, &note.payloads, &tally.than, note.at)
                    }
                    what => self.watch.event(note.actor, what, &tally.than, note.at),
                };
                if let Some(count) = count {
                    self.earned(&note, tally, count);
                }
            }
        }
    }

    fn earned(&self, note: &Note, Tally { what, than }: &Tally, count: u32) {
        // Where there has been one client only, it may be all of them behind something: nobody is shut out by what they did.
        if than.list == Listing::Deny && !self.several.load(Ordering::Relaxed) {
            return;
        }
        let did = match what {
            Behaviour::Payloads => format!("{count} different malicious payloads"),
            Behaviour::BruteForce => format!("{count} requests to places where one guesses"),
            Behaviour::ForcedBrowsing => format!("{count} requests for what is not there"),
        };
        let Threshold { above, within, list, lasts } = than;
        let (within, lasts_text) = (shown(*within), shown(*lasts));
        let reason = format!("{did} in {within}, more than {above} (last request {})", note.request_id);
        let now = now();
        let entry = Entry {
            list: *list,
            subject: Subject::Network(note.actor.source),
            scope: match note.actor.application {
                Some(application) => Scope::of(vec![application]).unwrap_or_default(),
                None => Scope::ALL,
            },
            origin: Origin::Automatic,
            reason: reason.as_str().into(),
            created: now,
            expires: Some(now.after(*lasts)),
        };
        let subject = entry.subject;
        match self.store.earned(entry, &what.as_str().into()) {
            Ok(true) => {
                self.store.live().note_earned(*what);
                say!("palisade: lists: {subject} is on the {list} list for {lasts_text}: {reason}");
            }
            // Somebody's own entry stands there.
            Ok(false) => {}
            Err(_full) => self.store.live().note_dropped(),
        }
    }
}

/// A time as the file writes it.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
