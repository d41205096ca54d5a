//! Replays that are started while we run: what `palisade replay` does, on the recording of this process, against what is in
//! force or a change of one profile.
//!
//! One thread, one replay at a time: traffic has the other cores. What somebody changes by it is tried and never served,
//! and reads no file that the rules in force do not read: whoever may ask for a replay is not whoever may read our disk.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use palisade_config::{Config, FilePath, Name, ProfileChange, credential_names};
use palisade_console::{Author, ControlError, RecordingShown, ReplayAsked, ReplayShown, Replays, Timestamp};
use palisade_engine::{Interner, RuleSet, load_rules_with};
use palisade_inspect::Profile;
use palisade_seclang::{LoadError, Loader, Style};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::commands::replay::{Wanted, replayed};
use crate::configuration::Told;
use crate::files::FileSystem;
use crate::modes::Modes;
use crate::recording::{RECORDING, key_in};
use crate::rules::sources_of;
use crate::snapshot::Snapshot;
use crate::watch::Watched;

/// Replays of this process.
#[derive(Debug)]
pub(crate) struct ReplayDesk {
    told: Told,
    modes: Arc<Modes>,
    recording: PathBuf,
    enabled: bool,
    key_file: Option<FilePath>,
    in_force: Mutex<Arc<Snapshot>>,
    jobs: Mutex<Jobs>,
}

#[derive(Debug, Default)]
struct Jobs {
    last: u64,
    /// The latest first.
    all: VecDeque<Arc<Job>>,
}

#[derive(Debug)]
struct Job {
    begun: ReplayShown,
    /// Of a thousand.
    progress: AtomicU64,
    requests: AtomicU64,
    is_cancelled: AtomicBool,
    ended: Mutex<Option<Ended>>,
}

/// What came of a replay and what there is to say beside that, or why it failed.
type Ended = Result<(Value, Vec<String>), String>;

/// Replays that are remembered.
const JOBS_MAX: usize = 10;
/// Examples of each kind of flip.
const EXAMPLES: usize = 5;
const BUSY: &str = "another replay runs: wait for it, or take it away";
/// What a text of rules is called where something in it is wrong.
const RULES_NAME: &str = "rules to be tried";

impl ReplayDesk {
    /// Replays of what a process records in its data folder.
    pub(crate) fn of(snapshot: &Arc<Snapshot>, told: Told, modes: Arc<Modes>, data: &Path) -> Arc<Self> {
        let settings = &snapshot.config.recording;
        Arc::new(Self {
            told,
            modes,
            recording: data.join(RECORDING),
            enabled: settings.enabled,
            key_file: settings.key_file.clone(),
            in_force: Mutex::new(snapshot.clone()),
            jobs: Mutex::default(),
        })
    }

    /// Another snapshot is in force.
    pub(crate) fn follow(&self, snapshot: &Arc<Snapshot>) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = snapshot.clone();
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // What stands there is whole after every statement.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot in force, with what is to be tried in it, and whether modes that were set at run time count there.
    fn snapshot_for(&self, asked: &ReplayAsked) -> Result<(Snapshot, bool)> {
        let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut snapshot = Snapshot::clone(&in_force);
        // Copies carry no credentials: they were masked.
        snapshot.authenticators.clear();
        let (None, None) = (&asked.profile, &asked.rules) else {
            let service = asked.service.as_deref().unwrap_or_default();
            let services = &in_force.config.services;
            let service = services.iter().find(|known| known.name.as_str() == service);
            let name = (*service.with_context(|| "there is no such service".to_owned())?.profile).clone();
            let (changed, digest) = self.changed(&in_force, &name, asked)?;
            // A mode that is tried counts, whatever was set.
            let mode_is_tried =
                in_force.config.profiles.get(&name).is_none_or(|was| was.mode != changed.mode);
            snapshot.profiles.insert(name.clone(), Arc::new(changed));
            snapshot.digests.insert(name, digest);
            return Ok((snapshot, !mode_is_tried));
        };
        Ok((snapshot, true))
    }

    /// A profile with a change.
    fn changed(&self, in_force: &Snapshot, name: &Name, asked: &ReplayAsked) -> Result<(Profile, [u8; 32])> {
        let written = in_force.config.profiles.get(name).context("a service has a profile")?;
        let config: Option<Config> = match &asked.profile {
            None => None,
            Some(text) => {
                let change = ProfileChange { name: name.as_str(), text: text.as_bytes() };
                let reading = self.told.read_with(&FileSystem, Some(change))?;
                let errors: Vec<String> = reading
                    .diagnostics
                    .iter()
                    .filter(|one| one.severity == palisade_config::Severity::Error)
                    .map(|one| format!("{}: {}", one.key, one.message))
                    .collect();
                Some(reading.config.with_context(|| errors.join("; "))?)
            }
        };
        let profile = config.as_ref().and_then(|config| config.profiles.get(name)).unwrap_or(written);
        let files = |profile: &palisade_config::Profile| {
            let palisade_config::Rules { crs, before, files, .. } = profile.rules.clone();
            (crs, before, files)
        };
        if files(profile) != files(written) {
            bail!("`rules` names files: that is for the configuration; here `paranoia` may stand in it");
        }
        let mut digest = Sha256::new();
        digest.update(format!("{profile:?}"));
        digest.update(asked.rules.as_deref().unwrap_or_default());
        let is_same_rules = asked.rules.is_none() && profile.rules == written.rules;
        let rules = match in_force.profiles.get(name) {
            Some(made) if is_same_rules => made.rules.clone(),
            _ => self.rules(profile, asked.rules.as_deref())?,
        };
        let credentials = credential_names(&in_force.config.authenticators);
        Ok((Profile::of(profile, rules).hiding(credentials), digest.finalize().into()))
    }

    /// The rules of a profile, and a text after them.
    fn rules(&self, profile: &palisade_config::Profile, text: Option<&str>) -> Result<Option<Arc<RuleSet>>> {
        let mut sources = sources_of(&profile.rules, false, self.told.overrides.environment.rules());
        let interner = Interner::new();
        let watched = Watched::new(&FileSystem);
        let loaded = (!sources.is_empty()).then(|| load_rules_with(&sources, &watched, &interner));
        let Some(text) = text else { return Ok(loaded.and_then(|loaded| loaded.rules)) };
        let known = Known { paths: watched.into_seen().paths().map(str::to_owned).collect() };
        sources.text = Some((RULES_NAME.to_owned(), text.as_bytes().to_vec(), String::new()));
        let loaded = load_rules_with(&sources, &known, &interner);
        match loaded.rules {
            Some(rules) => Ok(Some(rules)),
            None => {
                let errors = loaded.diagnostics.iter().filter(|one| one.is_error());
                let errors: Vec<String> =
                    errors.take(5).map(|one| one.render(&loaded.sources, Style::Plain)).collect();
                bail!("{}", errors.join("\n").trim_end().to_owned())
            }
        }
    }

    fn start_one(&self, asked: ReplayAsked, by: Author) -> Result<Arc<Job>> {
        let key = self.key_file.as_ref().map(|file| key_in(Path::new(file.as_str()))).transpose()?;
        let (snapshot, with_modes) = self.snapshot_for(&asked)?;
        let wanted = Wanted {
            services: asked.service.iter().cloned().collect(),
            since: asked.since_unix_millis,
            until: None,
        };
        let modes = if with_modes { self.modes.clone() } else { Arc::default() };
        let mut replay = replayed(&self.recording, key, &snapshot, &modes, wanted)?;
        let against = match (&asked.profile, &asked.rules) {
            (None, None) => "what is in force".to_owned(),
            (profile, rules) => {
                let said =
                    [profile.as_ref().map(|_| "a changed profile"), rules.as_ref().map(|_| "further rules")];
                format!(
                    "what is in force with {}",
                    said.into_iter().flatten().collect::<Vec<_>>().join(" and ")
                )
            }
        };
        let mut jobs = self.jobs();
        if jobs.all.iter().any(|job| job.is_running()) {
            bail!(BUSY);
        }
        jobs.last += 1;
        let job = Arc::new(Job {
            begun: ReplayShown {
                id: jobs.last,
                state: "running",
                at: Timestamp::from(SystemTime::now()),
                by: by.name,
                service: asked.service,
                against: against.clone(),
                progress: 0.0,
                requests: 0,
                result: None,
                notes: Vec::new(),
                error: None,
            },
            progress: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            is_cancelled: AtomicBool::new(false),
            ended: Mutex::default(),
        });
        let at_work = job.clone();
        std::thread::Builder::new()
            .name("replay".to_owned())
            .spawn(move || {
                let went = replay.run(EXAMPLES, |share, requests| {
                    at_work.progress.store((share * 1000.0) as u64, Ordering::Relaxed);
                    at_work.requests.store(requests, Ordering::Relaxed);
                    !at_work.is_cancelled.load(Ordering::Relaxed)
                });
                let ended = match went {
                    Ok(()) => Ok((replay.result(&against), replay.notes().to_vec())),
                    Err(error) => Err(format!("{error:#}")),
                };
                *at_work.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
            })
            .context("cannot start a thread")?;
        jobs.all.push_front(job.clone());
        jobs.all.truncate(JOBS_MAX);
        Ok(job)
    }
}

impl Job {
    fn is_running(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn shown(&self) -> ReplayShown {
        let mut shown = self.begun.clone();
        shown.progress = self.progress.load(Ordering::Relaxed) as f64 / 1000.0;
        shown.requests = self.requests.load(Ordering::Relaxed);
        match &*self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            None => {}
            Some(Ok((result, notes))) => {
                (shown.state, shown.progress) = ("done", 1.0);
                (shown.result, shown.notes) = (Some(result.clone()), notes.clone());
            }
            Some(Err(error)) => (shown.state, shown.error) = ("failed", Some(error.clone())),
        }
        shown
    }
}

impl Replays for ReplayDesk {
    fn recording(&self) -> RecordingShown {
        let files = palisade_events::recording::recordings(&self.recording).unwrap_or_default();
        let bytes = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum();
        let how = (!self.enabled).then(|| {
            "add `recording: {enabled: true, keep: all, oneIn: 20}` to the configuration file, and restart".to_owned()
        });
        RecordingShown { enabled: self.enabled, bytes, how }
    }

    fn all(&self) -> Vec<ReplayShown> {
        self.jobs().all.iter().map(|job| job.shown()).collect()
    }

    fn start(&self, asked: ReplayAsked, by: Author) -> Result<ReplayShown, ControlError> {
        if !self.recording.is_dir() {
            let how = self.recording().how.unwrap_or_else(|| "no request has been recorded yet".to_owned());
            return Err(ControlError::Refused(format!("there is no recording: {how}")));
        }
        if self.jobs().all.iter().any(|job| job.is_running()) {
            return Err(ControlError::Refused(BUSY.to_owned()));
        }
        let job = self.start_one(asked, by).map_err(|error| ControlError::Invalid(format!("{error:#}")))?;
        Ok(job.shown())
    }

    fn remove(&self, id: u64) -> Result<(), ControlError> {
        let mut jobs = self.jobs();
        let place = jobs.all.iter().position(|job| job.begun.id == id);
        let gone = place.and_then(|place| jobs.all.remove(place));
        let gone = gone.ok_or_else(|| ControlError::NotFound(format!("there is no replay {id}")))?;
        gone.is_cancelled.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Reads what the rules in force read, and nothing else.
struct Known {
    paths: BTreeSet<String>,
}

impl Loader for Known {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if self.paths.contains(path) {
            return FileSystem.read(path);
        }
        Err(LoadError {
            not_found: false,
            message: "files that the rules in force do not read are not read for a replay".to_owned(),
        })
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        Ok(FileSystem.expand(pattern)?.into_iter().filter(|path| self.paths.contains(path)).collect())
    }
}
