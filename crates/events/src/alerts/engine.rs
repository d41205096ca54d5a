//! Alerts at work: a thread that looks at what the Bus brings, asks when it is time, and tells.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use palisade_model::{EventId, Moment};
use serde_json::Value;

use super::alert::{AlertException, GlobalAlert};
use super::deliver::Hook;
use super::event::{ALERT_KIND, alert_event, security_event};
use super::state::{self, State, WatchState};
use super::watch::{Fired, Watch};
use super::webhook::SecurityEventWebhook;
use super::{AlertObject, state::save};
use crate::clock::unix_millis;
use crate::query::DataSet;
use crate::sinks::{BacklogLimits, Document, Kind, Outlet, Say, Secrets, SinkCounts};
use crate::store::{EventStore as _, Filter, Order, Reader, Table};
use crate::{Batch, Bus, Record, Subscription, Taken};

/// What is asked, hidden and told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertSet {
    /// Alerts, by their names.
    pub alerts: Vec<Arc<GlobalAlert>>,
    /// Forms for new ones.
    pub templates: Vec<Arc<GlobalAlert>>,
    /// What hides events.
    pub exceptions: Vec<AlertException>,
    /// Who is told.
    pub webhooks: Vec<SecurityEventWebhook>,
}

impl FromIterator<AlertObject> for AlertSet {
    fn from_iter<T: IntoIterator<Item = AlertObject>>(objects: T) -> Self {
        let mut set = Self::default();
        for object in objects {
            match object {
                AlertObject::Alert(alert) => set.alerts.push(Arc::new(alert)),
                AlertObject::Template(alert) => set.templates.push(Arc::new(alert)),
                AlertObject::Exception(exception) => set.exceptions.push(exception),
                AlertObject::Webhook(webhook) => set.webhooks.push(webhook),
            }
        }
        set
    }
}

/// Records from before this process.
pub trait History: Send + Sync {
    /// The records that an alert means, from a time on, in the order of ids: id, time in milliseconds since 1970, record.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn records(
        &self,
        alert: &GlobalAlert,
        from_ms: u64,
        each: &mut dyn FnMut(u128, u64, &Value),
    ) -> Result<(), String>;
}

impl History for Reader {
    fn records(
        &self,
        alert: &GlobalAlert,
        from_ms: u64,
        each: &mut dyn FnMut(u128, u64, &Value),
    ) -> Result<(), String> {
        let table = match alert.data_set {
            DataSet::Waf => Table::Events,
            DataSet::L7 => Table::Traffic,
            _ => return Ok(()),
        };
        let filter =
            Filter { from_unix_millis: Some(from_ms), query: alert.query.clone(), ..Filter::default() };
        let mut after = None;
        for _ in 0..HISTORY_PAGES_MAX {
            let page = self.page(table, &filter, Order::OldestFirst, after, HISTORY_PAGE);
            let page = page.map_err(|error| error.to_string())?;
            for record in &page.items {
                let value: Value = serde_json::from_str(&record.json).unwrap_or_default();
                // An alert is no decision.
                if value["kind"] != ALERT_KIND {
                    each(record.id.0, record.time.0, &value);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
        Err(format!(
            "there are more than {} of them: the newest are left out",
            HISTORY_PAGE * HISTORY_PAGES_MAX
        ))
    }
}

/// What alerts need of the world.
pub struct AlertsSetting {
    /// The folder of `alerts.json` and of what webhooks have not been told yet.
    pub folder: PathBuf,
    /// The name of this node.
    pub host: String,
    /// Where secrets of webhooks are.
    pub secrets: Secrets,
    /// Records from before this process.
    pub history: Option<Arc<dyn History>>,
    /// Who writes our messages.
    pub say: Say,
}

impl fmt::Debug for AlertsSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertsSetting").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// How an alert stands: the `status` of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertStatus {
    /// Its name.
    pub name: Box<str>,
    /// When it was last asked, in milliseconds since 1970.
    pub last_executed_ms: u64,
    /// When it last fired.
    pub last_event_ms: Option<u64>,
    /// How often it has fired.
    pub events: u64,
    /// Rows that were forgotten for want of room.
    pub forgotten: u64,
}

/// A handle to alerts at work.
#[derive(Debug)]
pub struct Alerts {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What is to be asked from now on.
    next: Mutex<Option<AlertSet>>,
    status: Mutex<Vec<AlertStatus>>,
    webhooks: Mutex<BTreeMap<String, SinkCounts>>,
}

impl Alerts {
    /// Starts asking.
    ///
    /// # Errors
    /// When its state cannot be read, or no thread is to be had.
    pub fn start(bus: &Bus, set: AlertSet, setting: AlertsSetting) -> io::Result<Self> {
        std::fs::create_dir_all(&setting.folder)?;
        let path = setting.folder.join(STATE_FILE);
        let state = state::load(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("`{}` cannot be read: {error}", path.display()))
        })?;
        let shared = Arc::new(Shared::default());
        let subscription = bus.subscribe("alerts", WAITING_RECORDS_MAX);
        let mut worker = Worker {
            bus: bus.clone(),
            setting,
            state,
            watches: Vec::new(),
            exceptions: Vec::new(),
            hooks: Vec::new(),
            shared: shared.clone(),
        };
        worker.replace(set, unix_millis());
        let thread = thread::Builder::new().name("alerts".into()).spawn(move || worker.run(&subscription))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Asks something else from now on. What asks the same goes on as it was.
    pub fn replace(&self, set: AlertSet) {
        *lock(&self.shared.next) = Some(set);
    }

    /// How each alert stands.
    #[must_use]
    pub fn status(&self) -> Vec<AlertStatus> {
        lock(&self.shared.status).clone()
    }

    /// What was counted for each webhook.
    #[must_use]
    pub fn webhooks(&self) -> BTreeMap<String, SinkCounts> {
        lock(&self.shared.webhooks).clone()
    }

    /// Waits for the end, which comes with that of the Bus. Tells whether it has come.
    pub fn end_within(&self, patience: Duration) -> bool {
        let Some(thread) = lock(&self.thread).take() else { return true };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        thread.is_finished() && thread.join().is_ok()
    }
}

struct Worker {
    bus: Bus,
    setting: AlertsSetting,
    /// Of alerts that are not there any more as well: they may come back.
    state: State,
    watches: Vec<Watch>,
    exceptions: Vec<AlertException>,
    hooks: Vec<Told>,
    shared: Arc<Shared>,
}

/// Somebody who is told.
struct Told {
    webhook: SecurityEventWebhook,
    outlet: Outlet,
    told: VecDeque<Instant>,
    kept_back: u64,
}

impl Worker {
    fn run(mut self, subscription: &Subscription) {
        loop {
            let taken = subscription.next_within(LOOK_EVERY);
            // Before what came is looked at: what happened after a set was handed in is for that set.
            let next = lock(&self.shared.next).take();
            if let Some(set) = next {
                self.replace(set, unix_millis());
            }
            match taken {
                Taken::Batch(batch) => self.take(&batch),
                Taken::Nothing => {}
                Taken::End => break,
            }
            self.ask(unix_millis());
            self.show();
        }
        self.save();
        for told in &self.hooks {
            told.outlet.end_within(END_PATIENCE);
        }
    }

    /// Looks at what the Bus brings.
    fn take(&mut self, batch: &Batch) {
        let sets = [(DataSet::Waf, &batch.events), (DataSet::L7, &batch.traffic)];
        for (data_set, records) in sets {
            let watched = self.watches.iter().any(|watch| watch.alert().data_set == data_set);
            let told =
                data_set == DataSet::Waf && self.hooks.iter().any(|told| told.webhook.state.delivers());
            if !watched && !told {
                continue;
            }
            for record in records {
                let Ok(value) = serde_json::from_str::<Value>(&record.json) else { continue };
                for watch in self.watches.iter_mut().filter(|watch| watch.alert().data_set == data_set) {
                    watch.take(record.id.0, record.time.0, &value);
                }
                // Losses are no decision.
                if told && value["kind"] != "dropped" {
                    self.tell(record.id.0, record.time.0, &security_event(&value));
                }
            }
        }
    }

    /// Asks those whose time it is.
    fn ask(&mut self, now: u64) {
        let mut fired: Vec<(Arc<GlobalAlert>, Fired)> = Vec::new();
        let mut asked = false;
        for watch in &mut self.watches {
            if watch.is_due(now) {
                asked = true;
                let alert = watch.alert().clone();
                fired.extend(watch.evaluate(now).into_iter().map(|fired| (alert.clone(), fired)));
            }
        }
        let mut records = Vec::new();
        for (alert, fired) in &fired {
            let mut event = alert_event(alert, fired, &self.setting.host);
            let hides = self.exceptions.iter().find(|exception| exception.hides(&event, now));
            if let Some(exception) = hides {
                event["dismissed"] = Value::from(true);
                event["exception"] = Value::from(&*exception.name);
            } else {
                self.tell(fired.id, fired.time_ms, &event);
            }
            let json = event.to_string().into();
            records.push(Record { id: EventId(fired.id), time: Moment(fired.time_ms), json });
        }
        if !records.is_empty() {
            self.bus.send_alerts(records);
        }
        if asked {
            self.save();
        }
    }

    fn tell(&mut self, id: u128, time_ms: u64, event: &Value) {
        let now = Instant::now();
        for told in self.hooks.iter_mut().filter(|told| told.webhook.state.delivers()) {
            if !told.webhook.query.matches(event) {
                continue;
            }
            told.told.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
            if told.told.len() >= TOLD_PER_MINUTE_MAX {
                told.kept_back += 1;
                continue;
            }
            if told.kept_back > 0 {
                let (name, kept_back) = (&told.webhook.name, std::mem::take(&mut told.kept_back));
                self.setting.say.say(&format!(
                    "webhook {name}: it was not told of {kept_back} events: it is told of {TOLD_PER_MINUTE_MAX} a minute"
                ));
            }
            told.told.push_back(now);
            told.outlet.push(vec![Document::new(Kind::Alerts, id, time_ms, &event.to_string())]);
        }
    }

    fn replace(&mut self, set: AlertSet, now: u64) {
        self.keep_state();
        let mut before: BTreeMap<Box<str>, Watch> =
            self.watches.drain(..).map(|watch| (watch.alert().name.clone(), watch)).collect();
        for alert in set.alerts {
            let watch = match before.remove(&alert.name) {
                Some(watch) => watch.replaced(alert),
                None => {
                    let mut state: WatchState = self.state.get(&*alert.name).cloned().unwrap_or_default();
                    state.settle(now);
                    let mut watch = Watch::new(alert, state);
                    self.remember(&mut watch, now);
                    watch
                }
            };
            self.watches.push(watch);
        }
        self.exceptions = set.exceptions;
        let mut before: Vec<Told> = self.hooks.drain(..).collect();
        for webhook in set.webhooks {
            if let Some(place) = before.iter().position(|told| told.webhook == webhook) {
                self.hooks.push(before.swap_remove(place));
                continue;
            }
            if let Some(place) = before.iter().position(|told| told.webhook.name == webhook.name) {
                // Another form of it: what waits lies in its folder and is told by the new one.
                before.swap_remove(place).outlet.end_within(END_PATIENCE);
            }
            match self.start(&webhook) {
                Ok(outlet) => {
                    self.hooks.push(Told { webhook, outlet, told: VecDeque::new(), kept_back: 0 });
                }
                Err(why) => self.setting.say.say(&format!("webhook {}: it is not told: {why}", webhook.name)),
            }
        }
        before.iter().for_each(|told| {
            told.outlet.end_within(END_PATIENCE);
        });
        self.show();
    }

    fn start(&self, webhook: &SecurityEventWebhook) -> Result<Outlet, String> {
        let AlertsSetting { folder, secrets, say, .. } = &self.setting;
        let hook = Hook::new(webhook, secrets, say)?;
        let limits =
            BacklogLimits { disk_bytes_max: 64 << 20, memory_bytes_max: 8 << 20, ..BacklogLimits::default() };
        let name = format!("webhook-{}", webhook.name);
        Outlet::start(
            &name,
            &folder.join("webhooks").join(&*webhook.name),
            limits,
            Box::new(hook),
            say.clone(),
        )
        .map_err(|error| error.to_string())
    }

    /// Shows an alert the records of its lookback.
    fn remember(&self, watch: &mut Watch, now: u64) {
        let Some(history) = &self.setting.history else { return };
        let alert = watch.alert().clone();
        let from = now.saturating_sub(alert.lookback.as_millis() as u64);
        let read = history.records(&alert, from, &mut |id, time_ms, record| {
            if time_ms <= now {
                watch.take(id, time_ms, record);
            }
        });
        if let Err(why) = read {
            self.setting.say.say(&format!("alert {}: records from before cannot be read: {why}", alert.name));
        }
    }

    fn keep_state(&mut self) {
        for watch in &self.watches {
            self.state.insert(watch.alert().name.to_string(), watch.state().clone());
        }
    }

    fn save(&mut self) {
        self.keep_state();
        if let Err(error) = save(&self.setting.folder.join(STATE_FILE), &self.state) {
            self.setting
                .say
                .say(&format!("alerts: what has fired cannot be remembered beyond a restart: {error}"));
        }
    }

    /// Shows how it stands to whoever asks.
    fn show(&self) {
        let status = self.watches.iter().map(|watch| AlertStatus {
            name: watch.alert().name.clone(),
            last_executed_ms: watch.state().evaluated_ms,
            last_event_ms: watch.state().last_event_ms,
            events: watch.state().events,
            forgotten: watch.forgotten(),
        });
        *lock(&self.shared.status) = status.collect();
        let hooks = self.hooks.iter().map(|told| (told.webhook.name.to_string(), told.outlet.counts()));
        *lock(&self.shared.webhooks) = hooks.collect();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Values are replaced whole under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records of one page of history, and how many pages are read: what an alert can remember.
const HISTORY_PAGE: usize = 1000;
const HISTORY_PAGES_MAX: usize = 200;
const STATE_FILE: &str = "alerts.json";
/// Records that may wait for alerts: some seconds of 10,000 a second.
const WAITING_RECORDS_MAX: usize = 65_536;
/// How late an alert may be asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Events that one webhook is told of in a minute: people read them. Those beyond it are in the store and in sinks.
const TOLD_PER_MINUTE_MAX: usize = 60;
/// How long an ended webhook may deliver what waits.
const END_PATIENCE: Duration = Duration::from_secs(3);
