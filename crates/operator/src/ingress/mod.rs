//! Ingress, IngressClass, Secret, ConfigMap, Service and EndpointSlice become the bundle of a data plane: a pure function of
//! what was observed, with ingress-nginx's annotations and what they really do there.
//!
//! ```text
//!  Observed ──classes──> Ingresses, oldest first ──options──> hosts ──table──> Bundle
//!              ConfigMap ──> Global                  rules ──compile──┘  └──> Reports, by object
//! ```
//!
//! One bad object never harms another. What would make a whole configuration fail is found here, by the code that will load
//! it: rules are compiled, certificates read, each Ingress's own part of the configuration is read alone. An Ingress that
//! cannot be served as it is written is served as it was, where it was good before and what is wrong is a mistake; else its
//! paths are answered with 503, and a host whose clients cannot be verified with 403. Never open.
//!
//! Not here: watching, status, events (`palisade gateway`).

pub mod annotations;
pub(crate) mod backends;
mod leading;
mod options;
mod protected;
pub(crate) mod readable;
mod rules;
pub(crate) mod secrets;
pub(crate) mod table;
mod upstream;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use palisade_control::Bundle;
use palisade_seclang::Loader;

use self::backends::Backends;
use self::options::Global;
use self::readable::Readable;
use self::rules::Compiled;
use self::secrets::Secrets;
use self::table::{Read, Table};
use crate::draft::Draft;
use crate::entrances::{self, Loads, Profiles, Served};
use crate::gateway_api::{self, Maps, StatusOf};

/// The controller that our IngressClasses name.
pub const CONTROLLER: &str = "palisade.dev/ingress";

/// ingress-nginx's.
pub const INGRESS_NGINX: &str = "k8s.io/ingress-nginx";

/// What there is in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// All of them.
    pub classes: Vec<Arc<IngressClass>>,
    /// Those of the watched namespaces; others' classes are sorted out here.
    pub ingresses: Vec<Arc<Ingress>>,
    /// Of the same namespaces.
    pub services: Vec<Arc<Service>>,
    /// Of the same namespaces.
    pub slices: Vec<Arc<EndpointSlice>>,
    /// Of the same namespaces.
    pub secrets: Vec<Arc<Secret>>,
    /// The controller's ConfigMap, if it has one.
    pub config: Option<Arc<ConfigMap>>,
    /// What there is of the Gateway API.
    pub gateway_api: gateway_api::Observed,
}

/// What the translation is told.
#[derive(Clone)]
pub struct Settings {
    /// The name of the class that Ingresses name by annotation, and of IngressClasses without an object.
    pub class: String,
    /// Controllers whose IngressClasses are ours.
    pub controllers: Vec<String>,
    /// Ingresses without a class are ours as well.
    pub without_class: bool,
    /// The prefix of annotations.
    pub prefix: String,
    /// Where plain HTTP is taken.
    pub http: String,
    /// Where TLS is taken.
    pub https: String,
    /// The port of TLS as clients see it.
    pub https_port: u16,
    /// Where further ports of Gateways are taken.
    pub ports: BTreeMap<u16, String>,
    /// The certificate and key (PEM) for hosts that have none.
    pub certificate: (Vec<u8>, Vec<u8>),
    /// The OWASP CRS.
    pub crs: Option<Crs>,
    /// Snippets count where the ConfigMap does not say whether they do.
    pub allow_snippets: bool,
    /// The Service, namespace and name, that has what no Ingress takes.
    pub default_backend: Option<(String, String)>,
    /// The mode of what no annotation speaks of, inspected by the built-in detector.
    pub mode: String,
    /// What only the data plane can read.
    pub checks: Checks,
    /// Where the CRS's files are read.
    pub loader: Arc<dyn Loader + Send + Sync>,
    /// Further keys of the configuration, such as `admin`.
    pub further: serde_json::Map<String, serde_json::Value>,
    /// Who this is in statuses that controllers share ([`crate::entrances::controller`]).
    pub controller: String,
}

/// Where a CRS lies, in absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crs {
    /// Its setup file.
    pub setup: String,
    /// The folder of its rules.
    pub rules: String,
    /// The folder of its plugins.
    pub plugins: Option<String>,
}

impl Crs {
    fn folders(&self) -> impl Iterator<Item = &str> {
        let setup = self.setup.rsplit_once('/').map_or("/", |(folder, _)| folder);
        [Some(setup), Some(self.rules.as_str()), self.plugins.as_deref()].into_iter().flatten()
    }
}

/// Whether what only the data plane can read can be read.
#[derive(Clone, Copy)]
pub struct Checks {
    /// A certificate and its key, in PEM.
    pub pair: fn(&[u8], &[u8]) -> Result<(), String>,
    /// A regular expression for subjects.
    pub pattern: fn(&str) -> Result<(), String>,
}

/// What is to be said about an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report {
    /// About which.
    pub object: Object,
    /// Why, in one word, as Kubernetes events have it.
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// Whether it is served as it is written.
    pub served: bool,
}

/// An object of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// `Ingress`, `ConfigMap`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; empty where it was not said.
    pub uid: String,
}

impl Object {
    fn of(kind: &'static str, meta: &ObjectMeta) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Self { kind, namespace: text(&meta.namespace), name: text(&meta.name), uid: text(&meta.uid) }
    }
}

/// What was made of a cluster.
#[derive(Clone, Debug)]
pub struct Translation {
    /// For the data plane.
    pub bundle: Bundle,
    /// What is to be said, by object, each once.
    pub reports: Vec<Report>,
    /// The Ingresses that are ours, namespace and name.
    pub ours: Vec<(String, String)>,
    /// Statuses of objects of the Gateway API.
    pub statuses: Vec<StatusOf>,
}

/// Translates, and remembers what was read, what was compiled and what was good. It is told the same settings each time.
#[derive(Default)]
pub struct Translator {
    compiled: Compiled,
    /// By what the ConfigMap said then.
    reads: HashMap<(String, String), Read>,
    global: Option<Global>,
    good: HashMap<(String, String), Arc<Ingress>>,
    good_config: Option<Arc<ConfigMap>>,
    pub(crate) readable: Readable,
    pub(crate) pairs: HashMap<[u8; 32], Result<(), String>>,
    loads: Loads,
}

/// Translates once.
pub fn translate(observed: &Observed, settings: &Settings) -> Translation {
    Translator::default().translate(observed, settings)
}

impl Translator {
    /// Translates what was observed.
    pub fn translate(&mut self, observed: &Observed, settings: &Settings) -> Translation {
        let mut reports = Vec::new();
        let global = self.global(observed, settings, &mut reports);
        if self.global.as_ref() != Some(&global) {
            self.reads.clear();
            self.global = Some(global.clone());
        }
        let mut ours: Vec<&Arc<Ingress>> =
            observed.ingresses.iter().filter(|ingress| is_ours(ingress, observed, settings)).collect();
        // The oldest counts where several say something of one host or path.
        ours.sort_by_key(|ingress| {
            let meta = &ingress.metadata;
            (meta.creation_timestamp.clone().map(|at| at.0), meta.namespace.clone(), meta.name.clone())
        });
        let names: Vec<_> = ours.iter().map(|ingress| key(&ingress.metadata)).collect();
        let there: std::collections::HashSet<_> = names.iter().cloned().collect();
        self.good.retain(|key, _| there.contains(key));
        self.reads.retain(|key, _| there.contains(key));
        let api = &observed.gateway_api;
        let maps = Maps::new(&api.config_maps);
        let mut loads = std::mem::take(&mut self.loads);
        let kinds = (&api.profiles[..], &api.rule_sets[..]);
        let mut profiles = Profiles::new(kinds, &api.protections, &maps, settings, &mut loads);
        let mut draft = Draft::default();
        let mut table = Table::new(observed, settings, &global, self);
        for ingress in &ours {
            table.take(ingress, &mut profiles, &mut draft, &mut reports);
        }
        table.finish(&mut draft, &mut reports);
        let served = names.iter().map(|(namespace, name)| ("Ingress", namespace.clone(), name.clone()));
        let mut served: Served = served.map(|place| (place, Default::default())).collect();
        let (backends, secrets) = (Backends::new(observed), Secrets::new(&observed.secrets));
        let given = gateway_api::Given {
            settings,
            backends: &backends,
            secrets: &secrets,
            readable: &mut self.readable,
            pairs: &mut self.pairs,
            maps: &maps,
            profiles: &mut profiles,
            served: &mut served,
            listening: &|address| global.listening(address),
        };
        let mut statuses = gateway_api::translate(api, given, &mut draft, &mut reports);
        let (protections, controller) = (&api.protections, &settings.controller);
        statuses.extend(entrances::statuses(protections, &served, controller, &mut profiles, &mut draft));
        self.loads = loads;
        let (bundle, errors) = draft.bundle(&settings.further);
        reports.extend(errors.into_iter().map(|error| Report {
            object: Object::default(),
            reason: "TooLarge",
            message: error.to_string(),
            served: false,
        }));
        reports.sort();
        reports.dedup();
        Translation { bundle, reports, ours: names, statuses }
    }

    /// The ConfigMap, or the last good one where it cannot be used.
    fn global(&mut self, observed: &Observed, settings: &Settings, reports: &mut Vec<Report>) -> Global {
        let data = |config: &Option<Arc<ConfigMap>>| {
            config.as_ref().and_then(|config| config.data.clone()).unwrap_or_default()
        };
        let (global, said) = Global::of(&data(&observed.config), settings);
        let object = observed.config.as_ref().map(|config| Object::of("ConfigMap", &config.metadata));
        let Some(object) = object else { return global };
        let mut say = |reason, message, served| {
            reports.push(Report { object: object.clone(), reason, message, served });
        };
        said.into_iter().for_each(|message| say("NotHonoured", message, true));
        let wrong = if global.modsecurity { self.wrong_with(&global, settings) } else { None };
        match wrong {
            None => {
                self.good_config.clone_from(&observed.config);
                global
            }
            Some(wrong) if self.good_config.is_some() => {
                say("KeptAsItWas", format!("it stays as it was: {wrong}"), false);
                Global::of(&data(&self.good_config), settings).0
            }
            Some(wrong) => {
                say("BadSnippet", format!("what it inspects is answered with 503: {wrong}"), false);
                global
            }
        }
    }

    fn wrong_with(&mut self, global: &Global, settings: &Settings) -> Option<String> {
        let mut files = rules::Files::default();
        let options = options::Options::default();
        let crs = settings.crs.as_ref();
        let made = files.of_ingress(("", ""), &options, global, crs, &mut Vec::new());
        let names = match made {
            Ok(names) => names?,
            Err(wrong) => return Some(wrong),
        };
        files.complete(crs);
        files.check(&names, crs, &*settings.loader, &mut self.compiled).err()
    }
}

pub(crate) fn key(meta: &ObjectMeta) -> (String, String) {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Whether an Ingress is ours: its class's controller is, or the annotation of old names our class.
pub(crate) fn is_ours(ingress: &Ingress, observed: &Observed, settings: &Settings) -> bool {
    let named = |name: &str| {
        let class = observed.classes.iter().find(|class| class.metadata.name.as_deref() == Some(name));
        let controller = class.and_then(|class| class.spec.as_ref()?.controller.as_deref());
        match controller {
            Some(controller) => settings.controllers.iter().any(|ours| ours == controller),
            None => name == settings.class,
        }
    };
    let annotation = ingress.metadata.annotations.as_ref();
    let annotation = annotation.and_then(|all| all.get("kubernetes.io/ingress.class"));
    let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    match (class, annotation) {
        (Some(class), _) => named(class),
        (None, Some(annotation)) => named(annotation),
        (None, None) => settings.without_class,
    }
}

/// The annotations of an object.
fn annotations_of(meta: &ObjectMeta) -> BTreeMap<String, String> {
    meta.annotations.clone().unwrap_or_default()
}
