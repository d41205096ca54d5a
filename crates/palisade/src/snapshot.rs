//! The configuration in force and what is made of it: profiles with their rules, the look of services' answers. What
//! cannot be made anew stays as it was, object by object.

mod rule_sets;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use palisade_config::{
    Compat, Config, Exception, LogTarget, ModeOverride, Name, Service, Style, credential_names,
};
use palisade_engine::RuleSet;
use palisade_inspect::{Direction, Gate, Profile, RuleSources};
use sha2::{Digest as _, Sha256};

use self::rule_sets::{RuleSets, key};
use crate::alerting::{AlertFiles, Placed};
use crate::authenticating::{AuthenticatorMaker, Authenticators};
use crate::commands::alerts::paths;
use crate::configuration::Told;
use crate::excepted::Excepted;
use crate::files::FileSystem;
use crate::flags::VERSION;
use crate::idle::idle_exceptions;
use crate::policing::{Outbound, Policing, ShownPolicies};
use crate::restart::needs_restart;
use crate::rules::sources_of;
use crate::sites::{Pages, Sites};
use crate::specifications::{SpecificationFiles, Specifications};
use crate::tls::{Hosts, ListenersTls, TlsMaker, UpstreamsTls};
use crate::watch::{Digest, Seen, Watched};
use crate::workload_api;

/// What one process does: replaced as a whole, its parts shared with the one before where they are the same.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// As it was read.
    pub(crate) config: Config,
    /// Which of its listeners take the workload's own calls.
    pub(crate) outbound: Outbound,
    /// Its profiles by name.
    pub(crate) profiles: HashMap<Name, Arc<Profile>>,
    /// How answers of its services look.
    pub(crate) sites: Sites,
    /// TLS of its listeners.
    pub(crate) tls: ListenersTls,
    /// TLS towards its services.
    pub(crate) upstream_tls: UpstreamsTls,
    /// Who may ask its services, and who may be asked; anybody where there is none.
    pub(crate) gates: Gates,
    /// Ways to know who a request is from.
    pub(crate) authenticators: Authenticators,
    /// What its services' APIs take.
    pub(crate) specifications: Specifications,
    /// What asks about events.
    pub(crate) alerts: Arc<Vec<Placed>>,
    /// What its profiles inspect by, as digests.
    pub(crate) digests: Digests,
    /// What services are excepted from beside what their configuration says.
    pub(crate) excepted: Excepted,
}

/// Digests by profile.
pub(crate) type Digests = HashMap<Name, Digest>;

/// Gates by service: before it, and before calls to it.
pub(crate) type Gates = HashMap<(Name, Direction), Gate>;

/// Makes snapshots, and remembers what went into the last one.
#[derive(Debug)]
pub(crate) struct Maker {
    told: Told,
    /// What the process began with.
    started: Option<Config>,
    /// The configuration file, as it was read last.
    file: Seen,
    /// The pages of services, as they were read last.
    pages: Seen,
    tls: TlsMaker,
    policing: Policing,
    authenticators: AuthenticatorMaker,
    specifications: SpecificationFiles,
    alerts: AlertFiles,
    /// The files of alerts, as they were read last.
    alerts_seen: Seen,
    /// Warnings that were given, so that none is repeated with each reload.
    warned: BTreeSet<String>,
    rule_sets: RuleSets,
}

/// A snapshot made while another is in force.
pub(crate) struct Remade {
    pub(crate) snapshot: Snapshot,
    /// What stays as it was.
    pub(crate) stale: Vec<Stale>,
    /// What waits for a restart.
    pub(crate) restart: Vec<String>,
}

/// An object that is not as it is configured, because that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    /// `profile`, `service`, `listener`, `authenticator`, `policies` or `alerts`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: Name,
    /// Why.
    pub(crate) error: String,
}

impl Stale {
    /// An object that cannot be used because of an error.
    pub(crate) fn new(kind: &'static str, name: &Name, error: &anyhow::Error) -> Self {
        Self { kind, name: name.clone(), error: format!("{error:#}") }
    }
}

/// What is in force while a snapshot is made, and what of it stays.
struct After<'b> {
    /// Nothing at the start.
    before: Option<&'b Snapshot>,
    stale: Vec<Stale>,
}

impl After<'_> {
    fn nothing() -> Self {
        Self { before: None, stale: Vec::new() }
    }

    /// What was made; what was there before where it could not be, which is remembered.
    ///
    /// # Errors
    /// What went wrong, where nothing was there.
    fn made_or_was<T>(
        &mut self,
        kind: &'static str,
        name: &Name,
        made: Result<T>,
        was: impl FnOnce(&Snapshot) -> Option<T>,
    ) -> Result<T> {
        made.or_else(|error| match self.before.and_then(was) {
            Some(was) => {
                self.stale.push(Stale::new(kind, name, &error));
                Ok(was)
            }
            None => Err(error.context(format!("{kind} {name}"))),
        })
    }
}

fn named(kind: &str) -> Result<Name> {
    Name::new(kind).context("it is a name")
}

/// Whether files that have not changed are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Only what has changed.
    Changed,
    /// All of them: somebody asked.
    All,
}

/// Whether requests that a command asks about carry tokens and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// They are judged as far as no server has to be asked.
    Judged,
    /// They were masked: nobody is asked who a request is from.
    Absent,
}

impl Maker {
    /// A maker of what a command was told.
    pub(crate) fn new(told: Told) -> Self {
        Self {
            told,
            started: None,
            file: Seen::default(),
            pages: Seen::default(),
            tls: TlsMaker::default(),
            policing: Policing::default(),
            authenticators: AuthenticatorMaker::default(),
            specifications: SpecificationFiles::default(),
            alerts: AlertFiles::default(),
            alerts_seen: Seen::default(),
            warned: BTreeSet::new(),
            rule_sets: RuleSets::default(),
        }
    }

    /// What it was told.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Whose place this process takes, if anybody's.
    pub(crate) fn compat(&self) -> Option<Compat> {
        self.told.overrides.environment.compat()
    }

    /// Policies as the admin listener shows them.
    pub(crate) fn policies(&self) -> Arc<ShownPolicies> {
        self.policing.shown().clone()
    }

    /// Reads the configuration alone.
    ///
    /// # Errors
    /// When it cannot be used; what is wrong was shown then.
    pub(crate) fn config(&mut self) -> Result<Config> {
        let watched = Watched::new(&FileSystem);
        let config = self.told.load(&watched);
        self.file = watched.into_seen();
        config
    }

    /// The first snapshot of a configuration.
    ///
    /// # Errors
    /// When any of it cannot be used; what is wrong with rules, policies and alerts was shown then.
    pub(crate) fn first(&mut self, config: Config) -> Result<Snapshot> {
        self.started = Some(config.clone());
        self.make(config, Effort::Changed, &mut After::nothing())
    }

    /// A snapshot to follow another. What cannot be made anew stays as it was; a new service whose pages cannot be used has
    /// ours until they can.
    ///
    /// # Errors
    /// When the configuration cannot be used, or something that was not there before cannot be.
    pub(crate) fn next(&mut self, before: &Snapshot, effort: Effort) -> Result<Remade> {
        let config = self.config()?;
        let mut after = After { before: Some(before), stale: Vec::new() };
        let snapshot = self.make(config, effort, &mut after)?;
        let restart =
            self.started.as_ref().map(|started| needs_restart(started, &snapshot.config)).unwrap_or_default();
        Ok(Remade { snapshot, stale: after.stale, restart })
    }

    /// What a configuration inspects by, and nothing that only a server needs: for a command that asks what it would do.
    /// Nothing is asked of a network.
    ///
    /// # Errors
    /// When its rules, specifications or policies cannot be used; what is wrong was shown then.
    pub(crate) fn unserved(&mut self, mut config: Config, credentials: Credentials) -> Result<Snapshot> {
        // Those of an agent are not here; who asks sees that there are none, and says so.
        if config.policies.as_ref().is_some_and(|policies| policies.sync.is_some()) {
            config.policies = None;
        }
        if credentials == Credentials::Absent {
            // Nobody comes with one that logs would have to hide.
            config.authenticators.clear();
        }
        let mut after = After::nothing();
        let mut snapshot = Snapshot::empty(config);
        self.what_inspects(&mut snapshot, Effort::Changed, &mut after)?;
        snapshot.authenticators = self.authenticators(&snapshot.config, Effort::Changed, &mut after)?;
        Ok(snapshot)
    }

    fn make(&mut self, config: Config, effort: Effort, after: &mut After<'_>) -> Result<Snapshot> {
        workload_api::begin(&config)?;
        let mut snapshot = Snapshot::empty(config);
        snapshot.excepted = after.before.map(|before| before.excepted.clone()).unwrap_or_default();
        self.what_inspects(&mut snapshot, effort, after)?;
        let config = &snapshot.config;
        snapshot.sites = self.sites(config, after)?;
        snapshot.tls = self.listeners_tls(config, effort, after)?;
        snapshot.upstream_tls = self.upstreams_tls(config, effort, after)?;
        snapshot.authenticators = self.authenticators(config, effort, after)?;
        snapshot.alerts = self.alerts(config, after)?;
        self.warn(&snapshot);
        Ok(snapshot)
    }

    /// Fills in what decides about requests.
    fn what_inspects(
        &mut self,
        snapshot: &mut Snapshot,
        effort: Effort,
        after: &mut After<'_>,
    ) -> Result<()> {
        let config = &snapshot.config;
        snapshot.profiles = self.profiles(config, effort, after)?;
        if let Err(error) = self.policing.read(config) {
            // Policies that are new and cannot be used leave no service open that they are to guard.
            if after.before.is_none_or(|before| before.config.policies.is_none()) {
                return Err(error);
            }
            after.stale.push(Stale::new("policies", &named("policies")?, &error));
        }
        snapshot.gates = self.gates(config);
        let (specifications, wrong) = self.specifications.load(config);
        for (name, error) in wrong {
            // A service whose specification is new and cannot be used would be served without it.
            if !specifications.contains_key(&name) {
                bail!("service {name}: {error}");
            }
            after.stale.push(Stale { kind: "service", name, error });
        }
        snapshot.specifications = specifications;
        snapshot.digests = self.digests(config);
        Ok(())
    }

    fn profiles(
        &mut self,
        config: &Config,
        effort: Effort,
        after: &mut After<'_>,
    ) -> Result<HashMap<Name, Arc<Profile>>> {
        let credentials = credential_names(&config.authenticators);
        let written: HashMap<_, _> =
            after.before.iter().flat_map(|before| before.config.profiles.iter()).collect();
        let same_credentials =
            after.before.is_some_and(|before| credential_names(&before.config.authenticators) == credentials);
        let mut tried: HashMap<String, Result<Option<Arc<RuleSet>>, String>> = HashMap::new();
        let mut profiles = HashMap::new();
        for (name, profile) in config.profiles.iter() {
            let was = after.before.and_then(|before| before.profiles.get(name));
            let sources = self.sources_of(profile, config);
            let rules = tried
                .entry(key(&sources))
                .or_insert_with(|| self.rule_sets.of(&sources, effort).map_err(|error| format!("{error:#}")));
            let as_it_was = |rules: &Option<Arc<RuleSet>>| {
                let same = |was: &&Arc<Profile>| same_rules(was, rules.as_ref());
                was.filter(same).filter(|_| written.get(name) == Some(&profile) && same_credentials)
            };
            let made = match (rules, was) {
                (Ok(rules), _) => match as_it_was(rules) {
                    Some(was) => was.clone(),
                    None => Arc::new(
                        Profile::of(profile, rules.clone()).timed(nanoseconds).hiding(credentials.clone()),
                    ),
                },
                (Err(error), Some(was)) => {
                    after.stale.push(Stale { kind: "profile", name: name.clone(), error: error.clone() });
                    was.clone()
                }
                (Err(error), None) if after.before.is_some() => {
                    bail!("profile {name}, which is new: {error}")
                }
                (Err(error), None) => bail!("{error}"),
            };
            profiles.insert(name.clone(), made);
        }
        let used =
            config.profiles.iter().map(|(_, profile)| key(&self.sources_of(profile, config))).collect();
        self.rule_sets.keep(&used);
        Ok(profiles)
    }

    fn sites(&mut self, config: &Config, after: &mut After<'_>) -> Result<Sites> {
        let watched = Watched::new(&FileSystem);
        let mut pages = Pages::new(&watched);
        let mut sites = Sites::new();
        for service in &config.services {
            let name = (*service.name).clone();
            let made = pages.site_of(config, service);
            let was = |before: &Snapshot| Some(before.sites.get(&name).cloned().flatten());
            let site = after.made_or_was("service", &name, made, was)?;
            sites.insert(name, site);
        }
        self.pages = watched.into_seen();
        Ok(sites)
    }

    /// Of listeners and of places where Envoys ask. One that is new and whose TLS cannot be used is missing: it does not begin.
    fn listeners_tls(
        &mut self,
        config: &Config,
        effort: Effort,
        after: &mut After<'_>,
    ) -> Result<ListenersTls> {
        self.tls.keep(config);
        let all = effort == Effort::All;
        let before = after.before;
        let was = |name: &Name| before.and_then(|before| before.tls.get(name));
        let (hosts, mut made) = (Hosts::of(config), Vec::new());
        for listener in &config.listeners {
            let Some(told) = &listener.tls else { continue };
            let name = &*listener.name;
            made.push((name, self.tls.of_listener(&hosts, listener, told, was(name), all)));
        }
        for envoy in &config.envoy {
            let Some(told) = &envoy.tls else { continue };
            made.push((&envoy.name, self.tls.of_envoy(&envoy.name, told, was(&envoy.name), all)));
        }
        let mut tls = ListenersTls::new();
        for (name, made) in made {
            let was = |before: &Snapshot| Some(before.tls.get(name).cloned());
            let server = after.made_or_was("listener", name, made.map(Some), was)?;
            tls.extend(server.map(|server| (name.clone(), server)));
        }
        Ok(tls)
    }

    fn upstreams_tls(
        &mut self,
        config: &Config,
        effort: Effort,
        after: &mut After<'_>,
    ) -> Result<UpstreamsTls> {
        let mut tls = UpstreamsTls::new();
        for service in &config.services {
            let name = (*service.name).clone();
            let made = self.tls.of_upstream(service, effort == Effort::All);
            // One that had none would be spoken to in the clear.
            let was = |before: &Snapshot| before.upstream_tls.get(&name).cloned().map(Some);
            let made = after.made_or_was("service", &name, made, was)?;
            tls.extend(made.map(|made| (name, made)));
        }
        Ok(tls)
    }

    fn authenticators(
        &mut self,
        config: &Config,
        effort: Effort,
        after: &mut After<'_>,
    ) -> Result<Authenticators> {
        self.authenticators.keep(config);
        let mut authenticators = Authenticators::new();
        for told in &config.authenticators {
            let name = (*told.name).clone();
            let made = self.authenticators.of(told, effort == Effort::All);
            let was = |before: &Snapshot| before.authenticators.get(&name).cloned();
            let made = after.made_or_was("authenticator", &name, made, was)?;
            authenticators.insert(name, made);
        }
        Ok(authenticators)
    }

    /// The alerts that a configuration names. Those that are wrong stay as they were; at the first time all have to be right.
    fn alerts(&mut self, config: &Config, after: &mut After<'_>) -> Result<Arc<Vec<Placed>>> {
        let watched = Watched::new(&FileSystem);
        let found = self.alerts.read(&paths(config), &watched);
        self.alerts_seen = watched.into_seen();
        let (made, wrong) = match found {
            Ok(found) => {
                found.said.show();
                let wrong = (found.said.errors > 0).then(|| found.said.count());
                (Ok(Arc::new(found.placed)), wrong)
            }
            Err(error) => (Err(error), None),
        };
        if let (Some(wrong), None) = (&wrong, after.before) {
            bail!("the alerts are not usable: {wrong}");
        }
        let name = named("alerts")?;
        let alerts = match made {
            Err(error) if after.before.is_none() => return Err(error),
            made => after.made_or_was("alerts", &name, made, |before| Some(before.alerts.clone()))?,
        };
        after.stale.extend(wrong.map(|error| Stale { kind: "alerts", name, error }));
        Ok(alerts)
    }

    /// What each profile inspects by. Modes and what only logs and lists look at make no difference.
    fn digests(&self, config: &Config) -> Digests {
        let of = |profile: &palisade_config::Profile| {
            let sources = self.sources_of(profile, config);
            let rules = self.rule_sets.digest(&sources);
            let palisade_config::Profile { detect, exceptions, patches, binary, limits, on_failure, .. } =
                profile;
            let told = format!(
                "{VERSION} {rules:?} {:?} {detect:?} {exceptions:?} {patches:?} {binary:?} {limits:?} \
                 {on_failure:?}",
                profile.rules.paranoia
            );
            Sha256::digest(told).into()
        };
        config.profiles.iter().map(|(name, profile)| (name.clone(), of(profile))).collect()
    }

    fn gates(&self, config: &Config) -> Gates {
        let gate = |service: &palisade_config::Service, direction| {
            Some((((*service.name).clone(), direction), self.policing.gate(config, service, direction)?))
        };
        let both =
            |service| [Direction::Ingress, Direction::Egress].map(|direction| gate(service, direction));
        config.services.iter().flat_map(both).flatten().collect()
    }

    /// Says what is likely not meant, each once while it is so: exceptions that except nothing, policies that judge nobody.
    fn warn(&mut self, snapshot: &Snapshot) {
        let rules_of = |name: &Name| snapshot.profiles.get(name)?.rules.clone();
        let warnings = idle_exceptions(&snapshot.config, rules_of);
        let warnings: BTreeSet<String> =
            warnings.iter().map(|warning| warning.render(None, Style::Plain)).collect();
        let warnings: BTreeSet<String> =
            warnings.into_iter().chain(self.policing.warnings(&snapshot.config)).collect();
        for warning in warnings.difference(&self.warned) {
            say!("{}", warning.trim_end());
        }
        self.warned = warnings;
    }

    /// Everything that was read for the snapshot in force, or for the attempt after it.
    pub(crate) fn seen(&self) -> Seen {
        let mut all = self.file.clone();
        all.add(&self.pages);
        all.add(&self.tls.seen());
        all.add(self.policing.seen());
        all.add(&self.authenticators.seen());
        all.add(self.specifications.seen());
        all.add(&self.alerts_seen);
        self.rule_sets.add_seen(&mut all);
        all
    }

    fn sources_of(&self, profile: &palisade_config::Profile, config: &Config) -> RuleSources {
        let audit = has_audit_log(config);
        let mut sources = sources_of(&profile.rules, audit, self.told.overrides.environment.rules());
        if audit && sources.is_empty() && profile.detect.enabled {
            // What a record holds is for rules to say: a set without a rule says it where the detector is alone.
            sources.text = Some(("no rules".to_owned(), Vec::new(), String::new()));
        }
        sources
    }
}

/// Nanoseconds since the first time that this was asked.
fn nanoseconds() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Whether there is an audit log that rules need not name.
fn has_audit_log(config: &Config) -> bool {
    config.logs.audit.as_ref().is_some_and(|target| *target != LogTarget::Off)
}

/// Whether a profile was made with these rules.
fn same_rules(was: &Profile, rules: Option<&Arc<RuleSet>>) -> bool {
    match (&was.rules, rules) {
        (Some(was), Some(rules)) => Arc::ptr_eq(was, rules),
        (None, None) => true,
        _ => false,
    }
}

impl Snapshot {
    /// A configuration of which nothing was made yet.
    fn empty(config: Config) -> Self {
        Self {
            outbound: Outbound::of(&config),
            config,
            profiles: HashMap::new(),
            sites: Sites::new(),
            tls: ListenersTls::new(),
            upstream_tls: UpstreamsTls::new(),
            gates: Gates::new(),
            authenticators: Authenticators::new(),
            specifications: Specifications::new(),
            alerts: Arc::default(),
            digests: Digests::new(),
            excepted: Excepted::default(),
        }
    }

    /// What a service is excepted from beside its profile: by itself, and at run time. Where its mode may not be loosened at
    /// run time, nothing that was set then counts.
    pub(crate) fn exceptions_of<'s>(&'s self, service: &'s Service) -> impl Iterator<Item = &'s Exception> {
        let set =
            self.excepted.get(service.name.as_str()).filter(|_| service.mode_override == ModeOverride::On);
        service.exceptions.iter().map(|exception| &**exception).chain(set.into_iter().flatten())
    }

    /// A profile by name.
    ///
    /// # Errors
    /// Never for a name of its own configuration, which was checked.
    pub(crate) fn profile(&self, name: &Name) -> Result<&Arc<Profile>> {
        match self.profiles.get(name) {
            Some(profile) => Ok(profile),
            None => bail!("there is no profile `{name}`"),
        }
    }
}
