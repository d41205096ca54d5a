//! `palisade run`: a reverse proxy that inspects what it forwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use palisade_config::{Compat, Name, Overrides};
use palisade_dataplane::LiveLists;
use palisade_dataplane::Readiness;
use palisade_engine::RuleSet;
use palisade_inspect::Profile;
use palisade_model::Mode;

use crate::Finding;
use crate::admin::{AdminListener, InForce, Process};
use crate::automatic::{Noting, Spared};
use crate::configuration::Told;
use crate::control::Controls;
use crate::data_folder::DataFolder;
use crate::environment;
use crate::events::Events;
use crate::files::FileSystem;
use crate::flags::RunFlags;
use crate::journal::Logs;
use crate::lists::{CommonLists, ListStore, PlaceFiles, TIDY_EVERY};
use crate::modes::Modes;
use crate::outlets::Outlets;
use crate::policing::ShownPolicies;
use crate::recording::Recording;
use crate::rules::{plural, where_crs_comes_from};
use crate::serving::{DRAIN_DEADLINE, Serving, Signals, Word, plane_among_others, runtime};
use crate::shared::Shared;
use crate::snapshot::{Effort, Maker, Remade, Snapshot, Stale};
use crate::watch::{Seen, Watcher};

/// Runs until SIGTERM or SIGINT. A change of the configuration or of its rules loads them anew; SIGHUP does so at
/// once, and opens the log files anew.
pub(crate) fn run(flags: &RunFlags) -> Result<Finding> {
    serve(told(flags)?)
}

/// The same, by what it was told.
pub(crate) fn serve(told: Told) -> Result<Finding> {
    let mut maker = Maker::new(told);
    let compat = maker.compat();
    let config = maker.config()?;
    let process = Process::new(maker.policies());
    let admin = AdminListener::start(&config, process.clone())?;
    let mut snapshot = maker.first(config)?;
    process.loaded(InForce::of(&snapshot));
    describe(&snapshot);
    inspects(&snapshot, compat)?;
    let config = &snapshot.config;
    let logs = Logs::open(&config.logs)?;
    let data = DataFolder::open(Path::new(config.data_dir.as_str()))?;
    let events = Events::start(&config.events, data.path())?;
    events.iter().for_each(|events| process.records(events.clone(), events.records(data.path())));
    let outlets = events.as_ref().map(|events| Outlets::start(events, &snapshot, data.path())).transpose()?;
    let outlets = outlets.map(Arc::new);
    outlets.iter().for_each(|outlets| process.hears(outlets.clone()));
    let recording = Recording::start(config, data.path())?;
    recording.iter().for_each(|recording| process.copies(recording.clone()));
    let logs = Arc::new(logs.with_events(events.clone()).with_recording(recording.clone()));
    logs.writers().for_each(|(name, writer)| process.writes(name, writer));
    logs.follow(&snapshot, &process);
    runtime()?.block_on(async {
        let mut signals = Signals::take()?;
        process.watch_workers();
        let live = Arc::<LiveLists>::default();
        let shared = Shared::of(&snapshot.config)?;
        let outbox = shared.as_ref().map(|shared| shared.outbox().clone());
        let lists = Arc::new(ListStore::open(data.path(), live.clone(), outbox)?);
        let spared = Arc::<Spared>::default();
        spared.follow(&snapshot.config);
        let journal = Noting::start(logs.clone(), lists.clone(), spared.clone())?;
        let collections = shared.as_ref().map(Shared::collections);
        let plane = plane_among_others(journal, data.path(), live, collections);
        let modes = Arc::new(Modes::open(data.path())?);
        let mut places = PlaceFiles::default();
        places.follow(&snapshot.config, lists.live())?;
        lists.follow(&snapshot.config);
        let controls = Controls::of(&snapshot, modes.clone(), lists.clone(), outlets.clone());
        process.controls(controls.clone());
        let common = shared.map(|shared| {
            process.shares(shared.client().clone());
            shared.start(&lists, &plane, &spared, data.path())
        });
        let common = common.transpose()?;
        let policies = maker.policies();
        let readiness = policies.missing().map_or_else(Readiness::ready, Readiness::waiting_for);
        let mut serving = Serving::start(&snapshot, plane.clone(), modes, readiness.clone()).await?;
        process.ready(plane, serving.status());
        tokio::spawn(tell_readiness(policies, readiness));
        let tidying = tidy(lists.clone(), common.clone());
        admin.say();
        let mut in_force = InUse {
            serving: &mut serving,
            lists: &lists,
            places: &mut places,
            spared: &spared,
            controls: &controls,
        };
        let mut watcher = Watcher::of(seen(&maker, in_force.places));
        loop {
            tokio::select! {
                word = signals.next() => match word {
                    Word::End => break,
                    Word::Reload => {
                        logs.reopen();
                        reload(&mut maker, &mut snapshot, Effort::All, &mut in_force, &logs, &process);
                        outlets.iter().for_each(|outlets| outlets.follow(&snapshot));
                        watcher = Watcher::of(seen(&maker, in_force.places));
                    }
                },
                () = tokio::time::sleep(watcher.pause()) => {
                    if watcher.has_settled_change(&FileSystem) {
                        reload(&mut maker, &mut snapshot, Effort::Changed, &mut in_force, &logs, &process);
                        outlets.iter().for_each(|outlets| outlets.follow(&snapshot));
                        watcher = Watcher::of(seen(&maker, in_force.places));
                    }
                }
            }
        }
        process.draining();
        tokio::select! {
            ended = serving.end(DRAIN_DEADLINE) => ended?,
            // Somebody who asks twice does not want to wait.
            () = again(&mut signals) => say!("palisade: asked again: requests that have begun are cut"),
        }
        tidying.abort();
        lists.tidy();
        common.iter().for_each(|common| common.write_mark(true));
        events.iter().for_each(|events| events.end());
        recording.iter().for_each(|recording| recording.end());
        outlets.iter().for_each(|outlets| outlets.end());
        logs.flush();
        Ok(Finding::Nothing)
    })
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
                    "palisade: {of}no rules and no detector: nothing is inspected; say --detect on, or name rules by \
                     --crs or --rules; {}",
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

/// What follows a change of the configuration.
struct InUse<'r> {
    serving: &'r mut Serving,
    lists: &'r ListStore,
    places: &'r mut PlaceFiles,
    spared: &'r Spared,
    controls: &'r Controls,
}

/// The files that everything in force was made of.
fn seen(maker: &Maker, places: &PlaceFiles) -> Seen {
    let mut seen = maker.seen();
    seen.add(places.seen());
    seen
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

/// Makes everything anew; what cannot be made leaves in force what is.
fn reload(
    maker: &mut Maker,
    snapshot: &mut Snapshot,
    effort: Effort,
    in_force: &mut InUse<'_>,
    logs: &Logs,
    process: &Process,
) {
    let began = Instant::now();
    let took = || began.elapsed();
    let remade = maker.next(snapshot, effort).and_then(|remade| {
        logs.follow(&remade.snapshot, process);
        in_force.serving.replace(&remade.snapshot)?;
        Ok(remade)
    });
    let Remade { snapshot: next, stale, restart } = match remade {
        Ok(remade) => remade,
        Err(error) => {
            say!("palisade: the rules in force stay: {error:#}");
            process.reloaded(Err(&error), took());
            return;
        }
    };
    if !restart.is_empty() {
        say!("palisade: a change of {} needs a restart; until then it stays as it was", restart.join(", "));
    }
    *snapshot = next;
    if let Err(error) = in_force.places.follow(&snapshot.config, in_force.lists.live()) {
        say!("palisade: places stay as they were: {error:#}");
    }
    in_force.lists.follow(&snapshot.config);
    in_force.spared.follow(&snapshot.config);
    in_force.controls.follow(snapshot);
    let is_stale = |name: &Name| stale.iter().any(|stale| (stale.kind, &stale.name) == ("profile", name));
    let anew = snapshot.profiles.iter().filter(|(name, _)| !is_stale(name));
    let rules = anew.filter_map(|(_, profile)| profile.rules.as_ref()).map(|rules| rules.rules().len()).sum();
    if !snapshot.profiles.keys().all(is_stale) {
        say!("palisade: {} loaded anew", plural(rules, "rule"));
    }
    for Stale { kind, name, error } in &stale {
        say!("palisade: {kind} {name} stays as it was: {error}");
    }
    process.reloaded(Ok((InForce::of(snapshot), stale)), took());
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
