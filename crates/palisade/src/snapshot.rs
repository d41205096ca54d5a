//! The configuration in force and what is made of it: profiles with their rules, the look of services' answers. What
//! cannot be made anew stays as it was, object by object.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_config::{Compat, Config, LogTarget, Name, Style, credential_names};
use palisade_engine::{Interner, RuleSet};
use palisade_inspect::{Direction, Gate, Profile, RuleSources};
use sha2::{Digest as _, Sha256};

use crate::alerting::{AlertFiles, Placed};
use crate::authenticating::{AuthenticatorMaker, Authenticators};
use crate::commands::alerts::paths;
use crate::configuration::Told;
use crate::files::FileSystem;
use crate::flags::VERSION;
use crate::idle::idle_exceptions;
use crate::policing::{Policing, ShownPolicies};
use crate::restart::needs_restart;
use crate::rules::{Warnings, load_shown, sources_of};
use crate::sites::{Pages, Sites};
use crate::specifications::{SpecificationFiles, Specifications};
use crate::tls::{ListenersTls, TlsMaker, UpstreamsTls};
use crate::watch::{Digest, Seen, Watched};
use crate::workload_api;

/// What one process does: replaced as a whole, its parts shared with the one before where they are the same.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// As it was read.
    pub(crate) config: Config,
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
    /// Rules by what they were made of.
    rules: HashMap<String, Loaded>,
    /// What rule sets share, those before a reload and after it as well.
    interner: Interner,
}

/// Rules, as they were loaded last.
#[derive(Debug)]
struct Loaded {
    /// `None`: they could not be used.
    rules: Option<Arc<RuleSet>>,
    /// The files that it read.
    seen: Seen,
    /// Of what stands in them.
    digest: Digest,
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
    /// `profile`, `service`, `listener`, `authenticator` or `policies`.
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: Name,
    /// Why.
    pub(crate) error: String,
}

/// Whether files that have not changed are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Only what has changed.
    Changed,
    /// All of them: somebody asked.
    All,
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
            rules: HashMap::new(),
            interner: Interner::new(),
        }
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
    /// When the rules of a profile cannot be used; what is wrong was shown then.
    pub(crate) fn first(&mut self, config: Config) -> Result<Snapshot> {
        self.started = Some(config.clone());
        workload_api::begin(&config)?;
        let mut profiles = HashMap::new();
        for (name, profile) in config.profiles.iter() {
            let rules = self.rules_of(&self.sources_of(profile, &config), Effort::Changed)?;
            let made = Profile::of(profile, rules).hiding(credential_names(&config.authenticators));
            profiles.insert(name.clone(), Arc::new(made));
        }
        let watched = Watched::new(&FileSystem);
        let mut pages = Pages::new(&watched);
        let mut sites = Sites::new();
        for service in &config.services {
            let site = pages.site_of(&config, service);
            sites
                .insert((*service.name).clone(), site.with_context(|| format!("service {}", *service.name))?);
        }
        self.pages = watched.into_seen();
        let mut tls = ListenersTls::new();
        for listener in &config.listeners {
            let Some(told) = &listener.tls else { continue };
            let made = self.tls.of_listener(&config, listener, told, None, false);
            let name = (*listener.name).clone();
            tls.insert(name, made.with_context(|| format!("listener {}", *listener.name))?);
        }
        for envoy in &config.envoy {
            let Some(told) = &envoy.tls else { continue };
            let made = self.tls.of_envoy(&envoy.name, told, None, false);
            let made = made.with_context(|| format!("listener {}", *envoy.name))?;
            tls.insert((*envoy.name).clone(), made);
        }
        let mut upstream_tls = UpstreamsTls::new();
        for service in &config.services {
            let made = self.tls.of_upstream(service, false);
            let made = made.with_context(|| format!("service {}", *service.name))?;
            upstream_tls.extend(made.map(|made| ((*service.name).clone(), made)));
        }
        self.policing.read(&config)?;
        let gates = self.gates(&config);
        let mut authenticators = Authenticators::new();
        for told in &config.authenticators {
            let made = self.authenticators.of(told, false);
            let made = made.with_context(|| format!("authenticator {}", *told.name))?;
            authenticators.insert((*told.name).clone(), made);
        }
        let (alerts, wrong) = self.alerts(&config)?;
        if let Some(wrong) = wrong {
            bail!("the alerts are not usable: {wrong}");
        }
        let (specifications, wrong) = self.specifications.load(&config);
        if let Some((name, error)) = wrong.into_iter().next() {
            bail!("service {name}: {error}");
        }
        let digests = self.digests(&config);
        let snapshot = Snapshot {
            config,
            profiles,
            sites,
            tls,
            upstream_tls,
            gates,
            authenticators,
            specifications,
            alerts,
            digests,
        };
        self.warn(&snapshot);
        Ok(snapshot)
    }

    /// What a configuration inspects by, and nothing that only a server needs: for a command that asks what it would do.
    /// Nothing is asked of a network.
    ///
    /// # Errors
    /// When its rules, specifications or policies cannot be used; what is wrong was shown then.
    pub(crate) fn unserved(&mut self, mut config: Config) -> Result<Snapshot> {
        let mut profiles = HashMap::new();
        for (name, profile) in config.profiles.iter() {
            let rules = self.rules_of(&self.sources_of(profile, &config), Effort::Changed)?;
            profiles.insert(name.clone(), Arc::new(Profile::of(profile, rules)));
        }
        // Those of an agent are not here; who asks sees that there are none, and says so.
        if config.policies.as_ref().is_some_and(|policies| policies.sync.is_some()) {
            config.policies = None;
        }
        self.policing.read(&config)?;
        let gates = self.gates(&config);
        let digests = self.digests(&config);
        let (specifications, wrong) = self.specifications.load(&config);
        if let Some((name, error)) = wrong.into_iter().next() {
            bail!("service {name}: {error}");
        }
        Ok(Snapshot {
            config,
            profiles,
            sites: Sites::new(),
            tls: ListenersTls::new(),
            upstream_tls: UpstreamsTls::new(),
            gates,
            authenticators: Authenticators::new(),
            specifications,
            alerts: Arc::default(),
            digests,
        })
    }

    /// A snapshot to follow another. Profiles whose rules cannot be used, and services whose pages cannot be, stay as they
    /// were; a new service whose pages cannot be used has ours until they can.
    ///
    /// # Errors
    /// When the configuration cannot be used, or a profile that was not there before has rules that cannot be.
    pub(crate) fn next(&mut self, before: &Snapshot, effort: Effort) -> Result<Remade> {
        let config = self.config()?;
        workload_api::begin(&config)?;
        let mut profiles = HashMap::new();
        let mut stale = Vec::new();
        let mut tried: HashMap<String, Result<Option<Arc<RuleSet>>, String>> = HashMap::new();
        let written: HashMap<_, _> = before.config.profiles.iter().collect();
        let same_credentials =
            credential_names(&before.config.authenticators) == credential_names(&config.authenticators);
        for (name, profile) in config.profiles.iter() {
            let sources = self.sources_of(profile, &config);
            let key = key(&sources);
            let rules = tried
                .entry(key)
                .or_insert_with(|| self.rules_of(&sources, effort).map_err(|error| format!("{error:#}")));
            let made = match (rules, before.profiles.get(name)) {
                (Ok(rules), Some(was))
                    if same_rules(was, rules.as_ref())
                        && written.get(name) == Some(&profile)
                        && same_credentials =>
                {
                    was.clone()
                }
                (Ok(rules), _) => {
                    let made = Profile::of(profile, rules.clone());
                    Arc::new(made.hiding(credential_names(&config.authenticators)))
                }
                (Err(error), Some(was)) => {
                    stale.push(Stale { kind: "profile", name: name.clone(), error: error.clone() });
                    was.clone()
                }
                (Err(error), None) => return Err(anyhow!("profile {name}, which is new: {error}")),
            };
            profiles.insert(name.clone(), made);
        }
        self.forget_unused(&config);
        let watched = Watched::new(&FileSystem);
        let mut pages = Pages::new(&watched);
        let mut sites = Sites::new();
        for service in &config.services {
            let name = (*service.name).clone();
            let site = pages.site_of(&config, service).unwrap_or_else(|error| {
                stale.push(Stale { kind: "service", name: name.clone(), error: format!("{error:#}") });
                before.sites.get(&name).cloned().flatten()
            });
            sites.insert(name, site);
        }
        self.pages = watched.into_seen();
        let mut tls = ListenersTls::new();
        self.tls.keep(&config);
        let all = effort == Effort::All;
        let mut made_tls = Vec::new();
        for listener in &config.listeners {
            let Some(told) = &listener.tls else { continue };
            let was = before.tls.get(&*listener.name);
            made_tls.push((&*listener.name, was, self.tls.of_listener(&config, listener, told, was, all)));
        }
        for envoy in &config.envoy {
            let Some(told) = &envoy.tls else { continue };
            let was = before.tls.get(&*envoy.name);
            made_tls.push((&*envoy.name, was, self.tls.of_envoy(&envoy.name, told, was, all)));
        }
        for (name, was, made) in made_tls {
            let server = made.or_else(|error| {
                let error = format!("{error:#}");
                stale.push(Stale { kind: "listener", name: name.clone(), error });
                // A listener that is not there yet needs a restart anyway.
                was.cloned().ok_or(())
            });
            tls.extend(server.map(|server| (name.clone(), server)));
        }
        let mut upstream_tls = UpstreamsTls::new();
        for service in &config.services {
            let name = (*service.name).clone();
            let made = match (
                self.tls.of_upstream(service, effort == Effort::All),
                before.upstream_tls.get(&name),
            ) {
                (Ok(made), _) => made,
                (Err(error), Some(was)) => {
                    stale.push(Stale { kind: "service", name: name.clone(), error: format!("{error:#}") });
                    Some(was.clone())
                }
                (Err(error), None) => {
                    return Err(anyhow!("service {name}, which was not there or had no TLS: {error:#}"));
                }
            };
            upstream_tls.extend(made.map(|made| (name, made)));
        }
        if let Err(error) = self.policing.read(&config) {
            // Policies that are new and cannot be used leave no service open that they are to guard.
            if before.config.policies.is_none() {
                return Err(error);
            }
            let name = Name::new("policies").context("it is a name")?;
            stale.push(Stale { kind: "policies", name, error: format!("{error:#}") });
        }
        let gates = self.gates(&config);
        let authenticators = self.authenticators_after(before, &config, effort, &mut stale)?;
        let alerts = match self.alerts(&config) {
            Ok((alerts, wrong)) => {
                let name = Name::new("alerts").context("it is a name")?;
                stale.extend(wrong.map(|error| Stale { kind: "alerts", name, error }));
                alerts
            }
            Err(error) => {
                let name = Name::new("alerts").context("it is a name")?;
                stale.push(Stale { kind: "alerts", name, error: format!("{error:#}") });
                before.alerts.clone()
            }
        };
        let (specifications, wrong) = self.specifications.load(&config);
        for (name, error) in wrong {
            // A service whose specification is new and cannot be used would be served without it.
            if !specifications.contains_key(&name) {
                return Err(anyhow!("service {name}, which had no specification: {error}"));
            }
            stale.push(Stale { kind: "service", name, error });
        }
        let digests = self.digests(&config);
        let snapshot = Snapshot {
            config,
            profiles,
            sites,
            tls,
            upstream_tls,
            gates,
            authenticators,
            specifications,
            alerts,
            digests,
        };
        self.warn(&snapshot);
        let restart =
            self.started.as_ref().map(|started| needs_restart(started, &snapshot.config)).unwrap_or_default();
        Ok(Remade { snapshot, stale, restart })
    }

    /// The alerts that a configuration names, and what is wrong with some, which stay as they were.
    fn alerts(&mut self, config: &Config) -> Result<(Arc<Vec<Placed>>, Option<String>)> {
        let watched = Watched::new(&FileSystem);
        let found = self.alerts.read(&paths(config), &watched);
        self.alerts_seen = watched.into_seen();
        let found = found?;
        found.show();
        let wrong = (found.errors > 0).then(|| found.count());
        Ok((Arc::new(found.placed), wrong))
    }

    /// Authenticators to follow others: one whose files cannot be used stays as it was.
    fn authenticators_after(
        &mut self,
        before: &Snapshot,
        config: &Config,
        effort: Effort,
        stale: &mut Vec<Stale>,
    ) -> Result<Authenticators> {
        self.authenticators.keep(config);
        let mut authenticators = Authenticators::new();
        for told in &config.authenticators {
            let name = (*told.name).clone();
            let made =
                match (self.authenticators.of(told, effort == Effort::All), before.authenticators.get(&name))
                {
                    (Ok(made), _) => made,
                    (Err(error), Some(was)) => {
                        let error = format!("{error:#}");
                        stale.push(Stale { kind: "authenticator", name: name.clone(), error });
                        was.clone()
                    }
                    (Err(error), None) => {
                        return Err(anyhow!("authenticator {name}, which is new: {error:#}"));
                    }
                };
            authenticators.insert(name, made);
        }
        Ok(authenticators)
    }

    /// What each profile inspects by. Modes and what only logs and lists look at make no difference.
    fn digests(&self, config: &Config) -> Digests {
        let of = |profile: &palisade_config::Profile| {
            let sources = self.sources_of(profile, config);
            let rules = self.rules.get(&key(&sources)).map(|loaded| loaded.digest);
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
        for loaded in self.rules.values() {
            all.add(&loaded.seen);
        }
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

    /// The rules of a profile; those that others name as well are loaded once.
    fn rules_of(&mut self, sources: &RuleSources, effort: Effort) -> Result<Option<Arc<RuleSet>>> {
        if sources.is_empty() {
            return Ok(None);
        }
        let key = key(sources);
        if let Some(Loaded { rules: Some(rules), seen, .. }) = self.rules.get(&key)
            && effort == Effort::Changed
            && seen.now(&FileSystem) == *seen
        {
            return Ok(Some(rules.clone()));
        }
        let watched = Watched::new(&FileSystem);
        let made = load_shown(sources, Warnings::Shown, &watched, &self.interner);
        let rules = made.as_ref().ok().cloned().flatten();
        let digest = watched.digest();
        self.rules.insert(key, Loaded { rules, seen: watched.into_seen(), digest });
        made
    }

    fn forget_unused(&mut self, config: &Config) {
        let used: HashSet<String> =
            config.profiles.iter().map(|(_, profile)| key(&self.sources_of(profile, config))).collect();
        self.rules.retain(|key, _| used.contains(key));
    }
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

/// Equal sources have equal keys.
fn key(sources: &RuleSources) -> String {
    format!("{sources:?}")
}

impl Snapshot {
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
