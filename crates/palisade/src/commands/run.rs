//! `palisade run`: a reverse proxy that inspects what it forwards.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use palisade_config::{Compat, Name, Overrides};
use palisade_control::Offer;
use palisade_dataplane::LiveLists;
use palisade_dataplane::Readiness;
use palisade_engine::RuleSet;
use palisade_inspect::Profile;
use palisade_model::Mode;
use tokio::sync::mpsc;

use crate::Finding;
use crate::admin::{AdminListener, InForce, Process};
use crate::automatic::{Noting, Spared};
use crate::collected::Collected;
use crate::configuration::Told;
use crate::control::Controls;
use crate::data_folder::DataFolder;
use crate::dismissed::Dismissed;
use crate::environment;
use crate::events::Events;
use crate::excepted::{Apply, SetExceptions};
use crate::files::FileSystem;
use crate::flags::RunFlags;
use crate::followed;
use crate::journal::Logs;
use crate::lists::{CommonLists, ListStore, PlaceFiles, TIDY_EVERY, ToldLists};
use crate::memory;
use crate::modes::Modes;
use crate::offered::Offered;
use crate::outlets::Outlets;
use crate::policing::ShownPolicies;
use crate::recording::Recording;
use crate::replays::ReplayDesk;
use crate::rules::{plural, where_crs_comes_from};
use crate::serving::{DRAIN_DEADLINE, Serving, Signals, Word, plane_among_others, runtime};
use crate::shared::Shared;
use crate::snapshot::{Effort, Maker, Remade, Snapshot, Stale};
use crate::traces::Traces;
use crate::watch::{Seen, Watcher};

/// Runs until SIGTERM or SIGINT. A change of the configuration or of its rules loads them anew; SIGHUP does so at
/// once, and opens the log files anew.
pub(crate) fn run(flags: &RunFlags) -> Result<Finding> {
    match flags.follow.control {
        Some(_) => followed::run(&flags.follow, told(flags)?),
        None => serve(told(flags)?),
    }
}

/// The same, by what it was told.
pub(crate) fn serve(told: Told) -> Result<Finding> {
    go_on(Begun::of(told)?, None)
}

/// The same by a configuration that somebody offers, and offers anew. Begins with the last one that was good, if the data
/// folder holds one, and otherwise waits for the first that is.
pub(crate) fn serve_offers(told: Told, offers: mpsc::Receiver<Offer>) -> Result<Finding> {
    serve_offered(Offered::open(told, offers)?)
}

/// The same, where somebody had to know first what is kept.
pub(crate) fn serve_offered(mut offered: Offered) -> Result<Finding> {
    let begun = offered.begin()?;
    go_on(begun, Some(offered))
}

/// A configuration that can be served, and the admin listener that tells of it.
pub(crate) struct Begun {
    maker: Maker,
    snapshot: Snapshot,
    process: Arc<Process>,
    admin: AdminListener,
}

impl Begun {
    /// Reads and makes what a command was told. The admin listener is there before the rules are read.
    ///
    /// # Errors
    /// When any of it cannot be used.
    pub(crate) fn of(told: Told) -> Result<Self> {
        let mut maker = Maker::new(told);
        let compat = maker.compat();
        let config = maker.config()?;
        let process = Process::new(maker.policies());
        let admin = AdminListener::start(&config, process.clone())?;
        let snapshot = maker.first(config)?;
        memory::give_back();
        process.loaded(InForce::of(&snapshot));
        describe(&snapshot);
        inspects(&snapshot, compat)?;
        Ok(Self { maker, snapshot, process, admin })
    }
}

fn go_on(begun: Begun, mut offered: Option<Offered>) -> Result<Finding> {
    let Begun { maker, mut snapshot, process, admin } = begun;
    let config = &snapshot.config;
    let logs = Logs::open(&config.logs)?;
    let following = offered.as_ref().and_then(Offered::following);
    following.into_iter().for_each(|following| process.follows(following));
    let data = match &mut offered {
        Some(offered) => offered.data()?,
        None => DataFolder::open(Path::new(config.data_dir.as_str()))?,
    };
    let events = Events::start(&config.events, data.path())?;
    events.iter().for_each(|events| process.records(events.clone(), events.records(data.path())));
    let recording = Recording::start(config, data.path())?;
    let traces = Traces::start(config)?;
    traces.iter().for_each(|traces| process.traces(traces.clone()));
    let (set_exceptions, applies) = SetExceptions::open(data.path())?;
    snapshot.excepted = set_exceptions.excepted();
    let snapshot = Arc::new(snapshot);
    let outlets = events
        .as_ref()
        .map(|events| Outlets::start(events, &snapshot.config, snapshot.alerts.clone(), data.path()));
    let outlets = outlets.transpose()?;
    let outlets = outlets.map(Arc::new);
    outlets.iter().for_each(|outlets| process.hears(outlets.clone()));
    recording.iter().for_each(|recording| process.copies(recording.clone()));
    let logs = Arc::new(
        logs.with_events(events.clone()).with_recording(recording.clone()).with_traces(traces.clone()),
    );
    logs.writers().for_each(|(name, writer)| process.writes(name, writer));
    logs.follow(&snapshot, &process);
    runtime()?.block_on(async {
        let (mut signals, mut applies) = (Signals::take()?, applies);
        process.watch_workers();
        let live = Arc::<LiveLists>::default();
        let shared = Shared::of(&snapshot.config)?;
        let outbox = shared.as_ref().map(|shared| shared.outbox().clone());
        let lists = Arc::new(ListStore::open(data.path(), live.clone(), outbox)?);
        let spared = Arc::<Spared>::default();
        let journal = Noting::start(logs.clone(), lists.clone(), spared.clone())?;
        let collections = shared.as_ref().map(Shared::collections);
        let plane = plane_among_others(journal, data.path(), live, collections);
        let modes = Arc::new(Modes::open(data.path())?);
        let replays = ReplayDesk::of(&snapshot, maker.told().clone(), modes.clone(), data.path());
        let dismissed = Dismissed::open(data.path())?;
        let controls = Controls::of(
            &snapshot,
            modes.clone(),
            set_exceptions.clone(),
            lists.clone(),
            outlets.clone(),
            replays,
            dismissed,
        );
        process.controls(controls.clone());
        let collected = match (&snapshot.config.events.collector, &events) {
            (Some(setting), Some(events)) => {
                let follows = (ToldLists::new(lists.clone()), modes.clone(), set_exceptions);
                let collected = Collected::start(setting, &events.bus, data.path(), &process, follows)?;
                process.sends(collected.clone());
                Some(collected)
            }
            _ => None,
        };
        let mut followers = Followers {
            lists: lists.clone(),
            places: PlaceFiles::default(),
            spared: spared.clone(),
            controls,
            outlets: outlets.clone(),
        };
        followers.follow(&snapshot)?;
        let common = shared.map(|shared| {
            process.shares(shared.client().clone());
            shared.start(&lists, &plane, &spared, modes.clone(), data.path())
        });
        let common = common.transpose()?;
        let policies = maker.policies();
        let readiness = policies.missing().map_or_else(Readiness::ready, Readiness::waiting_for);
        let serving = Serving::start(&snapshot, plane.clone(), modes, readiness.clone()).await?;
        process.ready(plane, serving.status());
        tokio::spawn(tell_readiness(policies, readiness));
        let tidying = tidy(lists.clone(), common.clone());
        admin.say();
        let mut in_use =
            InUse { maker, snapshot, serving, followers, logs: logs.clone(), process: process.clone() };
        let mut watcher = Watcher::of(in_use.seen());
        loop {
            let (effort, offer) = tokio::select! {
                word = signals.next() => match word {
                    Word::End => break,
                    Word::Reload => {
                        logs.reopen();
                        (Effort::All, None)
                    }
                },
                () = tokio::time::sleep(watcher.pause()) => match watcher.has_settled_change(&FileSystem) {
                    true => (Effort::Changed, None),
                    false => continue,
                },
                Some(apply) = applies.recv() => {
                    in_use.except(apply).await;
                    continue;
                }
                offer = next(&mut offered) => (Effort::Changed, Some(offer)),
            };
            match (offer, &mut offered) {
                (Some(offer), Some(offered)) => offered.take_over(offer, &mut in_use).await,
                // Whether it can be used was said, and stands where the admin listener shows it.
                _ => drop(in_use.reload(effort).await),
            }
            watcher = Watcher::of(in_use.seen());
        }
        process.draining();
        // Nobody waits for a change that will not be.
        drop(applies);
        tokio::select! {
            ended = in_use.serving.end(DRAIN_DEADLINE) => ended?,
            // Somebody who asks twice does not want to wait.
            () = again(&mut signals) => say!("palisade: asked again: requests that have begun are cut"),
        }
        tidying.abort();
        lists.tidy();
        common.iter().for_each(|common| common.write_mark(true));
        events.iter().for_each(|events| events.end());
        recording.iter().for_each(|recording| recording.end());
        traces.iter().for_each(|traces| traces.end());
        outlets.iter().for_each(|outlets| outlets.end());
        collected.iter().for_each(|collected| collected.end());
        logs.flush();
        Ok(Finding::Nothing)
    })
}

/// The next offer, where somebody makes any.
async fn next(offered: &mut Option<Offered>) -> Offer {
    match offered {
        Some(offered) => offered.next().await,
        None => pending().await,
    }
}

/// What flags and the environment say. What there is to say about the environment is said here.
fn told(flags: &RunFlags) -> Result<Told> {
    let environment = environment::of_this_process()?;
    environment.notes().iter().for_each(|note| say!("palisade: {note}"));
    let file = flags.config.clone().or_else(|| environment.config_file().map(PathBuf::from));
    Ok(Told { file, overrides: Overrides { environment, ..flags.overrides()? } })
}

/// Whoever replaces an image that inspects by CRS must not end up with less, and without a word.
fn inspects(snapshot: &Snapshot, compat: Option<Compat>) -> Result<()> {
    let Some(compat) = compat.filter(|compat| compat.needs_crs()) else { return Ok(()) };
    let inspecting = snapshot.profiles.values().filter(|profile| profile.mode != Mode::Off);
    let without: Vec<_> = inspecting.filter(|profile| rules_of(profile).is_none()).collect();
    let message = format!("{} inspects by OWASP CRS, and none is here", compat.image());
    if without.iter().any(|profile| profile.detector.is_none()) {
        bail!("{message}: {}", where_crs_comes_from());
    }
    if !without.is_empty() {
        say!("palisade: {message}; mount one at /opt/owasp-crs to have the same rules");
    }
    Ok(())
}

/// The rules of a profile; a set that holds none only says what the audit log holds.
fn rules_of(profile: &Profile) -> Option<&RuleSet> {
    profile.rules.as_deref().filter(|rules| rules.rules().len() > 0)
}

/// Says what protects, at the start.
fn describe(snapshot: &Snapshot) {
    for (name, profile) in snapshot.config.profiles.iter() {
        let made = snapshot.profiles.get(name);
        let rules = made.and_then(|profile| rules_of(profile));
        let detector = made.and_then(|profile| profile.detector.as_ref());
        let of = if snapshot.profiles.len() > 1 { format!("profile {name}: ") } else { String::new() };
        match (rules, profile.mode) {
            (_, Mode::Off) => say!("palisade: {of}mode off: nothing is inspected"),
            (None, mode) => match detector {
                Some(detector) => say!(
                    "palisade: {of}no rules: the built-in detector alone protects, sensitivity {}, mode {mode}; name \
                     rules by --crs or --rules; {}",
                    detector.sensitivity,
                    where_crs_comes_from()
                ),
                None => say!(
                    "palisade: {of}no rules and no detector: nothing is looked for, and only limits, specifications and \
                     patches act; say --detect on, or name rules by --crs or --rules; {}",
                    where_crs_comes_from()
                ),
            },
            (Some(rules), mode) => {
                let detector = detector.map_or("", |_| " and the built-in detector");
                say!("palisade: {of}{}{detector}, mode {mode}", plural(rules.rules().len(), "rule"));
            }
        }
    }
}

/// What goes by the configuration in force, beside what serves it.
struct Followers {
    lists: Arc<ListStore>,
    places: PlaceFiles,
    spared: Arc<Spared>,
    controls: Arc<Controls>,
    /// Not there where there are no events.
    outlets: Option<Arc<Outlets>>,
}

impl Followers {
    /// Has all of them go by a snapshot.
    ///
    /// # Errors
    /// When a file of places cannot be used; places stay as they were then.
    fn follow(&mut self, snapshot: &Arc<Snapshot>) -> Result<()> {
        let placed = self.places.follow(&snapshot.config, self.lists.live());
        self.lists.follow(&snapshot.config);
        self.spared.follow(&snapshot.config);
        self.controls.follow(snapshot);
        self.outlets.iter().for_each(|outlets| outlets.follow(snapshot));
        placed
    }
}

/// A configuration in use.
pub(crate) struct InUse {
    maker: Maker,
    snapshot: Arc<Snapshot>,
    serving: Serving,
    followers: Followers,
    logs: Arc<Logs>,
    process: Arc<Process>,
}

impl InUse {
    /// The files that everything in force was made of.
    fn seen(&self) -> Seen {
        let mut seen = self.maker.seen();
        seen.add(self.followers.places.seen());
        seen
    }

    /// Makes everything anew. Gives what stays as it was, with what waits for a restart.
    ///
    /// # Errors
    /// When nothing of it could be used: what was in force still is. It was said then.
    pub(crate) async fn reload(&mut self, effort: Effort) -> Result<(Vec<Stale>, Vec<String>)> {
        let began = Instant::now();
        let (stale, restart) = match self.remake(effort).await {
            Ok(remade) => remade,
            Err(error) => {
                say!("palisade: the rules in force stay: {error:#}");
                self.process.reloaded(Err(&error), began.elapsed());
                return Err(error);
            }
        };
        if !restart.is_empty() {
            say!(
                "palisade: a change of {} needs a restart; until then it stays as it was",
                restart.join(", ")
            );
        }
        if let Err(error) = self.followers.follow(&self.snapshot) {
            say!("palisade: places stay as they were: {error:#}");
        }
        self.say_rules(&stale);
        for Stale { kind, name, error } in &stale {
            say!("palisade: {kind} {name} stays as it was: {error}");
        }
        // The last snapshot is gone by now, but for requests that it has begun.
        tokio::task::spawn_blocking(memory::give_back);
        self.process.listening(self.serving.status());
        self.process.reloaded(Ok((InForce::of(&self.snapshot), stale.clone())), began.elapsed());
        Ok((stale, restart))
    }

    /// Puts other exceptions in force, and says so to who waits for it. Files are not looked at for it: whatever state
    /// they are in, what was clicked is decided by.
    async fn except(&mut self, Apply { excepted, done }: Apply) {
        let snapshot = Arc::new(Snapshot { excepted, ..Snapshot::clone(&self.snapshot) });
        let answer = match self.serving.replace(&snapshot).await {
            Ok(_) => {
                self.followers.controls.follow(&snapshot);
                self.snapshot = snapshot;
                Ok(())
            }
            Err(error) => Err(format!("{error:#}")),
        };
        // Who asked may have gone.
        let _ = done.send(answer);
    }

    async fn remake(&mut self, effort: Effort) -> Result<(Vec<Stale>, Vec<String>)> {
        let Remade { snapshot, mut stale, restart } = self.maker.next(&self.snapshot, effort)?;
        self.logs.follow(&snapshot, &self.process);
        stale.extend(self.serving.replace(&snapshot).await?);
        self.snapshot = Arc::new(snapshot);
        Ok((stale, restart))
    }

    fn say_rules(&self, stale: &[Stale]) {
        let is_stale = |name: &Name| stale.iter().any(|stale| (stale.kind, &stale.name) == ("profile", name));
        let profiles = &self.snapshot.profiles;
        let anew = profiles.iter().filter(|(name, _)| !is_stale(name));
        let rules =
            anew.filter_map(|(_, profile)| profile.rules.as_ref()).map(|rules| rules.rules().len()).sum();
        if !profiles.keys().all(is_stale) {
            say!("palisade: {} loaded anew", plural(rules, "rule"));
        }
    }
}

/// Tidies lists from time to time, where waiting for the disk holds up nobody.
fn tidy(lists: Arc<ListStore>, common: Option<Arc<CommonLists>>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            let (lists, common) = (lists.clone(), common.clone());
            let tidied = tokio::task::spawn_blocking(move || {
                lists.tidy();
                common.iter().for_each(|common| common.write_mark(false));
            });
            let _ = tidied.await;
        }
    })
}

async fn again(signals: &mut Signals) {
    while let Word::Reload = signals.next().await {}
}

/// Tells Envoys that ask whether there are policies to decide by.
async fn tell_readiness(policies: Arc<ShownPolicies>, readiness: Readiness) {
    loop {
        match policies.missing() {
            Some(missing) => readiness.lacks(missing),
            None => readiness.is_there(),
        }
        tokio::time::sleep(READINESS_EVERY).await;
    }
}

/// How often somebody looks whether policies have come.
const READINESS_EVERY: Duration = Duration::from_millis(50);
