//! What becomes of events in this process: sinks, alerts and those who are told of them, from the configuration.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use palisade_config::{Config, FilePath, HttpAuth, HttpUrl, RecordKind, SyslogTransport, Time, VariableName};
use palisade_console::ControlError;
use palisade_events::alerts::{AlertObject, Alerts, AlertsSetting, History};
use palisade_events::sinks::{
    Auth, BacklogLimits, Document, ElasticSetting, FileSetting, HttpSetting, Kind, OtlpSetting, Outlet,
    Reference, Say, Secrets, SinkCounts, SinkSetting, SyslogSetting, To, WebhookSetting,
};
use palisade_events::store::Reader;
use palisade_events::{Batch, Record, Subscription};

use crate::alert_book::{AlertBook, Written};
use crate::alerting::Placed;
use crate::events::{Events, STORE, host};
use crate::snapshot::Snapshot;

/// Sinks and alerts at work.
#[derive(Debug)]
pub(crate) struct Outlets {
    sinks: Vec<Arc<Outlet>>,
    alerts: Alerts,
    book: AlertBook,
}

impl Outlets {
    /// Starts what a configuration names, with its folders in the data folder.
    ///
    /// # Errors
    /// What cannot be used.
    pub(crate) fn start(
        events: &Events,
        config: &Config,
        alerts: Arc<Vec<Placed>>,
        data: &Path,
    ) -> Result<Self> {
        let bus = &events.bus;
        let secrets = secrets_of(config);
        let mut sinks = Vec::new();
        for sink in &config.events.sinks {
            let setting = sink_of(sink);
            let name = setting.name.clone();
            let sink = || format!("sink {name}");
            let transport =
                setting.transport(&secrets, &our_say()).map_err(|why| anyhow!(why)).with_context(sink)?;
            let limits =
                BacklogLimits { disk_bytes_max: setting.spill_bytes_max, ..BacklogLimits::default() };
            let folder = data.join("sinks").join(&name);
            let outlet = Outlet::start(&name, &folder, limits, transport, our_say()).with_context(sink)?;
            let outlet = Arc::new(outlet);
            let subscription = bus.subscribe(&format!("sink {name}"), WAITING_RECORDS_MAX);
            let (fed, kinds) = (outlet.clone(), setting.kinds);
            thread::Builder::new()
                .name(format!("feed {name}"))
                .spawn(move || feed(&subscription, &fed, &kinds))
                .with_context(sink)?;
            sinks.push(outlet);
        }
        let book = AlertBook::open(data, alerts).context("alerts")?;
        let setting = AlertsSetting {
            folder: data.join("alerts"),
            host: host(),
            secrets,
            history: events.keeps().then(|| Arc::new(Reader::new(&data.join(STORE))) as Arc<dyn History>),
            say: our_say(),
        };
        let alerts = Alerts::start(bus, book.set(), setting).context("alerts")?;
        Ok(Self { sinks, alerts, book })
    }

    /// Asks what another snapshot asks.
    pub(crate) fn follow(&self, snapshot: &Snapshot) {
        self.book.follow(snapshot.alerts.clone());
        self.alerts.replace(self.book.set());
    }

    /// Alerts, forms for them, exceptions and webhooks, with the file of those that stand in one.
    pub(crate) fn objects(&self) -> Vec<(Option<String>, AlertObject)> {
        self.book.all()
    }

    /// Writes an object of the API; it is in force at once.
    ///
    /// # Errors
    /// When it cannot be used, or cannot be kept.
    pub(crate) fn put_alert(&self, name: &str, text: &[u8]) -> Result<Written, ControlError> {
        let written = self.book.put(name, text)?;
        self.alerts.replace(self.book.set());
        Ok(written)
    }

    /// Takes away an object of the API.
    ///
    /// # Errors
    /// When it is not one of those, or stays on the disk.
    pub(crate) fn delete_alert(&self, kind: &'static str, name: &str) -> Result<(), ControlError> {
        self.book.delete(kind, name)?;
        self.alerts.replace(self.book.set());
        Ok(())
    }

    /// What was counted for each sink and webhook, by name.
    pub(crate) fn counts(&self) -> Vec<(String, SinkCounts)> {
        let sinks = self.sinks.iter().map(|sink| (sink.name().to_owned(), sink.counts()));
        let webhooks = self.alerts.webhooks();
        let webhooks = webhooks.into_iter().map(|(name, counts)| (format!("webhook-{name}"), counts));
        sinks.chain(webhooks).collect()
    }

    /// The alerts.
    pub(crate) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Ends all of it once the Bus has ended: what waits is delivered, or kept for the next process.
    pub(crate) fn end(&self) {
        self.alerts.end_within(ALERTS_PATIENCE);
        // All at once: one that is gone does not take the others' time.
        thread::scope(|scope| {
            for sink in &self.sinks {
                scope.spawn(|| sink.end_within(SINK_PATIENCE));
            }
        });
    }
}

/// Hands a sink what it takes, until the Bus ends.
fn feed(subscription: &Subscription, outlet: &Outlet, kinds: &[Kind]) {
    while let Some(batch) = subscription.next() {
        let documents = documents(&batch, kinds);
        if !documents.is_empty() {
            outlet.push(documents);
        }
    }
}

pub(crate) fn documents(batch: &Batch, kinds: &[Kind]) -> Vec<Document> {
    let of = |kind: Kind, records: &[Record]| -> Vec<Document> {
        if !kinds.contains(&kind) {
            return Vec::new();
        }
        let document = |record: &Record| Document::new(kind, record.id.0, record.time.0, &record.json);
        records.iter().map(document).collect()
    };
    let [waf, l7, alerts] =
        [of(Kind::Waf, &batch.events), of(Kind::L7, &batch.traffic), of(Kind::Alerts, &batch.alerts)];
    [waf, l7, alerts].into_iter().flatten().collect()
}

/// Messages of sinks and alerts, on standard error.
pub(crate) fn our_say() -> Say {
    Say::new(|line| say!("palisade: {line}"))
}

/// Where webhooks' secrets are.
pub(crate) fn secrets_of(config: &Config) -> Secrets {
    let folder = config.alerts.as_ref().and_then(|alerts| alerts.secrets.as_ref());
    Secrets { folder: folder.map(|folder| folder.as_str().into()) }
}

/// A sink of the configuration.
pub(crate) fn sink_of(sink: &palisade_config::Sink) -> SinkSetting {
    let to = if let Some(to) = &sink.elasticsearch {
        To::Elastic(ElasticSetting {
            http: http(Some(&to.url), None, to.ca.as_ref(), &to.auth, to.timeout),
            waf_index: to.index.as_str().to_owned(),
            l7_index: to.l7_index.as_str().to_owned(),
            events_index: to.events_index.as_str().to_owned(),
            cluster: to.cluster.as_str().to_owned(),
            templates: to.templates,
            gzip: to.gzip,
        })
    } else if let Some(to) = &sink.syslog {
        To::Syslog(SyslogSetting {
            address: to.address.as_str().to_owned(),
            transport: match to.transport {
                SyslogTransport::Udp => palisade_events::sinks::SyslogTransport::Udp,
                SyslogTransport::Tcp => palisade_events::sinks::SyslogTransport::Tcp,
                SyslogTransport::Tls => palisade_events::sinks::SyslogTransport::Tls,
            },
            facility: to.facility.number(),
            host: host(),
            ca: path(to.ca.as_ref()),
        })
    } else if let Some(to) = &sink.webhook {
        let http = http(to.url.as_ref(), to.url_file.as_ref(), to.ca.as_ref(), &to.auth, to.timeout);
        To::Webhook(WebhookSetting { http, gzip: to.gzip })
    } else if let Some(to) = &sink.otlp {
        To::Otlp(otlp_of(to))
    } else {
        let to = sink.file.as_ref().expect("a checked sink is one of five");
        To::File(FileSetting {
            path: to.path.as_str().into(),
            bytes_max: to.max_size.bytes(),
            files_max: to.files.get(),
        })
    };
    let kind = |kind: &RecordKind| match kind {
        RecordKind::Waf => Kind::Waf,
        RecordKind::L7 => Kind::L7,
        RecordKind::Alerts => Kind::Alerts,
    };
    let kinds: Vec<Kind> = sink.records.iter().map(kind).collect();
    let kinds = if kinds.is_empty() { Kind::ALL.to_vec() } else { kinds };
    SinkSetting { name: sink.name().to_owned(), kinds, to, spill_bytes_max: sink.spill.bytes() }
}

/// A collector of OpenTelemetry.
pub(crate) fn otlp_of(to: &palisade_config::Otlp) -> OtlpSetting {
    let http = http(Some(&to.url), None, to.ca.as_ref(), &to.auth, to.timeout);
    OtlpSetting { http, host: host() }
}

fn http(
    url: Option<&HttpUrl>,
    url_file: Option<&FilePath>,
    ca: Option<&FilePath>,
    auth: &HttpAuth,
    timeout: Time,
) -> HttpSetting {
    let file = |path: &FilePath| Reference::File(path.as_str().into());
    let url = url.map(|url| Reference::Value(url.as_str().to_owned())).or_else(|| url_file.map(file));
    let either = |path: &Option<FilePath>, variable: &Option<VariableName>| {
        let variable = variable.as_ref().map(|name| Reference::Env(name.as_str().to_owned()));
        path.as_ref().map(file).or(variable)
    };
    let password = either(&auth.password_file, &auth.password_env);
    let key = either(&auth.api_key_file, &auth.api_key_env);
    let token = either(&auth.token_file, &auth.token_env);
    let auth = match (&auth.username, password, key, token) {
        (Some(user), Some(password), ..) => Auth::Basic(Reference::Value(user.as_str().to_owned()), password),
        (_, _, Some(key), _) => Auth::ApiKey(key),
        (.., Some(token)) => Auth::Bearer(token),
        _ => Auth::None,
    };
    HttpSetting {
        url: url.expect("a checked sink has a URL"),
        ca: path(ca),
        auth,
        timeout: timeout.duration(),
    }
}

fn path(path: Option<&FilePath>) -> Option<std::path::PathBuf> {
    path.map(|path| path.as_str().into())
}

/// Records that may wait for a sink's feeder, which only moves them on.
const WAITING_RECORDS_MAX: usize = 65_536;
/// How long records may take to where they go when this process ends.
const ALERTS_PATIENCE: Duration = Duration::from_secs(5);
const SINK_PATIENCE: Duration = Duration::from_secs(5);
