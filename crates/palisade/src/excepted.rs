//! What services are excepted from while we run: kept in the data folder, so that it outlives a restart, with who set it,
//! when, why and for which event. It adds to what the configuration excepts and lasts until somebody takes it back.
//!
//! The idea to hold: whoever changes something is answered when the next request is decided by it. So a change goes to the
//! loop that has the configuration in use, and comes back from there; what could not be put in force is not kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use palisade_config::{EXCEPTIONS_MAX, Exception, read_exception};
use palisade_console::{AddExceptions, Author, ControlError, ExceptionChange, ExceptionInForce, Timestamp};
use palisade_events::{replace_file, unix_millis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// Exceptions set at run time, by service.
#[derive(Debug)]
pub(crate) struct SetExceptions {
    path: PathBuf,
    inner: Mutex<Inner>,
    in_use: mpsc::Sender<Apply>,
}

/// What services are excepted from at run time, ready to be put in force.
pub(crate) type Excepted = Arc<HashMap<String, Vec<Exception>>>;

/// To be put in force; the answer says whether it is.
pub(crate) struct Apply {
    pub(crate) excepted: Excepted,
    pub(crate) done: oneshot::Sender<Result<(), String>>,
}

#[derive(Debug)]
struct Inner {
    kept: Kept,
    excepted: Excepted,
}

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The number of the last one that was set. None is given twice.
    last: u64,
    services: BTreeMap<String, Vec<KeptException>>,
    /// What a console for many excepts services from, as it said last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    console: BTreeMap<String, Vec<Value>>,
    /// The latest last.
    changes: VecDeque<KeptChange>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptException {
    id: u64,
    /// Milliseconds since 1970.
    at: u64,
    by: String,
    reason: String,
    event: Option<String>,
    exception: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptChange {
    at: u64,
    service: String,
    added: bool,
    by: String,
    reason: String,
    exception: Value,
}

/// Changes that are kept; the oldest goes.
const CHANGES_MAX: usize = 1_000;
/// Changes of a service that are shown.
const CHANGES_SHOWN_MAX: usize = 100;
/// Bytes of all that is excepted, as JSON: what a console tells its data planes in one message.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const FILE: &str = "exceptions.json";

impl SetExceptions {
    /// Reads what a data folder keeps. Changes come by the receiver.
    ///
    /// # Errors
    /// When the file is there and cannot be used: what somebody allowed must not be forgotten without a word.
    pub(crate) fn open(folder: &Path) -> Result<(Arc<Self>, mpsc::Receiver<Apply>)> {
        let path = folder.join(FILE);
        let unusable = || format!("{}: mend it, or remove it to except nothing at run time", path.display());
        let kept: Kept = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(unusable)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error).with_context(unusable),
        };
        let excepted = kept.excepted().map_err(anyhow::Error::msg).with_context(unusable)?;
        let (in_use, applies) = mpsc::channel(1);
        Ok((Arc::new(Self { path, inner: Mutex::new(Inner { kept, excepted }), in_use }), applies))
    }

    /// All of them.
    pub(crate) fn excepted(&self) -> Excepted {
        self.inner().excepted.clone()
    }

    /// Those of a service: what a console said, and what was set here, the oldest first.
    pub(crate) fn of(&self, service: &str) -> Vec<ExceptionInForce> {
        let inner = self.inner();
        let told = inner.kept.console.get(service).into_iter().flatten().map(shown_told);
        told.chain(inner.kept.services.get(service).into_iter().flatten().map(shown)).collect()
    }

    /// Changes of a service, the latest first.
    pub(crate) fn changes(&self, service: &str) -> Vec<ExceptionChange> {
        let inner = self.inner();
        let of_service = inner.kept.changes.iter().rev().filter(|change| change.service == service);
        let shown = |change: &KeptChange| ExceptionChange {
            at: moment(change.at),
            what: if change.added { "added" } else { "removed" },
            by: change.by.clone(),
            reason: change.reason.clone(),
            exception: change.exception.clone(),
        };
        of_service.take(CHANGES_SHOWN_MAX).map(shown).collect()
    }

    /// Sets exceptions, all or none of them. One that is set already is not set again.
    ///
    /// Waits until they are in force: not to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When one cannot be used, when there are too many, or when they cannot be kept; all stays as it was.
    pub(crate) fn add(
        &self,
        service: &str,
        add: &AddExceptions,
        by: &Author,
    ) -> Result<Vec<ExceptionInForce>, ControlError> {
        let read = |text: &String| read_exception(text.as_bytes()).map(|read| as_written(&read));
        let wanted: Result<Vec<Value>, _> = add.exceptions.iter().map(read).collect();
        let wanted = wanted.map_err(|wrong| ControlError::Invalid(in_words(&wrong)))?;
        let mut inner = self.inner();
        let mut kept = inner.kept.clone();
        let mut set = Vec::new();
        let its = kept.services.entry(service.to_owned()).or_default();
        for exception in wanted {
            if let Some(same) = its.iter().find(|same| same.exception == exception) {
                set.push(shown(same));
                continue;
            }
            kept.last += 1;
            let Author { name, reason } = by.clone();
            let (id, at) = (kept.last, unix_millis());
            let one = KeptException { id, at, by: name, reason, event: add.event.clone(), exception };
            kept.changes.push_back(one.change(service, true, by));
            set.push(shown(&one));
            its.push(one);
        }
        if its.len() > EXCEPTIONS_MAX {
            return Err(ControlError::Full(format!(
                "more than {EXCEPTIONS_MAX} exceptions of one service: take some back, or write them to the configuration"
            )));
        }
        self.put_in_force(&mut inner, kept)?;
        Ok(set)
    }

    /// Takes one back.
    ///
    /// Waits until that is in force: not to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When there is none of this number, or when the change cannot be kept; all stays as it was.
    pub(crate) fn remove(&self, service: &str, id: u64, by: &Author) -> Result<Value, ControlError> {
        let mut inner = self.inner();
        let mut kept = inner.kept.clone();
        let its = kept.services.get_mut(service);
        let place = its.as_ref().and_then(|its| its.iter().position(|one| one.id == id));
        let (Some(its), Some(place)) = (its, place) else {
            let why = format!("service {service} has no exception {id} that was set at run time");
            return Err(ControlError::NotFound(why));
        };
        let gone = its.remove(place);
        if its.is_empty() {
            kept.services.remove(service);
        }
        kept.changes.push_back(gone.change(service, false, by));
        self.put_in_force(&mut inner, kept)?;
        Ok(gone.exception)
    }

    /// Excepts services from what a console says, in the place of what it said before; what was set here stays. Gives the services
    /// of which something cannot be used here, and why: they are excepted from nothing by the console.
    ///
    /// Waits until it is in force: not to be called on a thread of the runtime.
    ///
    /// # Errors
    /// When it cannot be kept or put in force; all stays as it was.
    pub(crate) fn told(
        &self,
        said: Vec<(String, Vec<String>)>,
    ) -> Result<Vec<(String, String)>, ControlError> {
        let (mut console, mut refused) = (BTreeMap::new(), Vec::new());
        for (service, texts) in said {
            match told(&texts) {
                Ok(exceptions) => drop(console.insert(service, exceptions)),
                Err(why) => refused.push((service, why)),
            }
        }
        let mut inner = self.inner();
        if inner.kept.console != console {
            let kept = Kept { console, ..inner.kept.clone() };
            self.put_in_force(&mut inner, kept)?;
        }
        Ok(refused)
    }

    /// Keeps what is to be, and puts it in force; all stays as it was where one of the two fails.
    fn put_in_force(&self, inner: &mut Inner, mut kept: Kept) -> Result<(), ControlError> {
        let gone = kept.changes.len().saturating_sub(CHANGES_MAX);
        kept.changes.drain(..gone);
        if kept.bytes() > BYTES_MAX {
            let why = "all exceptions together are longer than 4 MiB: take some back, or write them to the configuration";
            return Err(ControlError::Full(why.to_owned()));
        }
        let excepted = kept.excepted().map_err(ControlError::Invalid)?;
        self.write(&kept)?;
        if let Err(why) = self.apply(excepted.clone()) {
            self.write(&inner.kept)?;
            return Err(ControlError::NotKept(format!("{why}; what is excepted stays as it was")));
        }
        *inner = Inner { kept, excepted };
        Ok(())
    }

    fn write(&self, kept: &Kept) -> Result<(), ControlError> {
        replace_file(&self.path, |out| Ok(serde_json::to_writer_pretty(out, kept)?))
            .map_err(|error| ControlError::NotKept(format!("{error}; what is excepted stays as it was")))
    }

    /// Has the loop that serves put exceptions in force, when it comes to it.
    fn apply(&self, excepted: Excepted) -> Result<(), String> {
        let (done, is_done) = oneshot::channel();
        let ending = "the program is ending";
        self.in_use.blocking_send(Apply { excepted, done }).map_err(|_| ending)?;
        is_done.blocking_recv().map_err(|_| ending)?
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What stands there is whole after every statement.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Exceptions of each service, whoever set them.
    fn all(&self) -> BTreeMap<&String, Vec<&Value>> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for (service, its) in &self.services {
            all.entry(service).or_default().extend(its.iter().map(|one| &one.exception));
        }
        for (service, its) in &self.console {
            all.entry(service).or_default().extend(its);
        }
        all
    }

    fn bytes(&self) -> usize {
        self.all().into_values().flatten().map(|exception| exception.to_string().len()).sum()
    }

    fn excepted(&self) -> Result<Excepted, String> {
        let read = |one: &Value| read_exception(one.to_string().as_bytes()).map_err(|wrong| in_words(&wrong));
        let of = |(service, its): (&String, Vec<&Value>)| {
            Ok((service.clone(), its.into_iter().map(read).collect::<Result<_, String>>()?))
        };
        Ok(Arc::new(self.all().into_iter().map(of).collect::<Result<_, String>>()?))
    }
}

impl KeptException {
    fn change(&self, service: &str, added: bool, by: &Author) -> KeptChange {
        KeptChange {
            at: unix_millis(),
            service: service.to_owned(),
            added,
            by: by.name.clone(),
            reason: by.reason.clone(),
            exception: self.exception.clone(),
        }
    }
}

/// An exception as the configuration writes it, without what it does not say.
pub(crate) fn as_written(exception: &Exception) -> Value {
    let ids = exception.rules.iter().map(|ids| match ids.first == ids.last {
        true => json!(ids.first),
        false => json!(ids.to_string()),
    });
    let texts = |texts: Vec<String>| texts.into_iter().map(Value::from).collect::<Vec<_>>();
    let parts = [
        ("rules", ids.collect::<Vec<_>>()),
        ("tags", texts(exception.tags.iter().map(|tag| tag.to_string()).collect())),
        ("attacks", texts(exception.attacks.iter().map(|attack| attack.to_string()).collect())),
        ("points", texts(exception.points.iter().map(ToString::to_string).collect())),
        ("paths", texts(exception.paths.iter().map(ToString::to_string).collect())),
    ];
    let said = parts.into_iter().filter(|(_, values)| !values.is_empty());
    Value::Object(said.map(|(key, values)| (key.to_owned(), Value::from(values))).collect())
}

/// What a console excepts one service from.
fn told(texts: &[String]) -> Result<Vec<Value>, String> {
    if texts.len() > EXCEPTIONS_MAX {
        return Err(format!("more than {EXCEPTIONS_MAX} exceptions of one service"));
    }
    let read = |text: &String| read_exception(text.as_bytes()).map(|read| as_written(&read));
    texts.iter().map(read).collect::<Result<_, _>>().map_err(|wrong| in_words(&wrong))
}

fn shown_told(exception: &Value) -> ExceptionInForce {
    let (exception, of) = (exception.clone(), "console".to_owned());
    ExceptionInForce { id: None, of, exception, at: None, by: None, reason: None, event: None }
}

fn shown(kept: &KeptException) -> ExceptionInForce {
    ExceptionInForce {
        id: Some(kept.id),
        of: "run-time".to_owned(),
        exception: kept.exception.clone(),
        at: Some(moment(kept.at)),
        by: Some(kept.by.clone()),
        reason: Some(kept.reason.clone()),
        event: kept.event.clone(),
    }
}

fn moment(millis: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis))
}

fn in_words(wrong: &[palisade_config::Diagnostic]) -> String {
    let one = |one: &palisade_config::Diagnostic| {
        let help = one.help.as_deref().map(|help| format!(": {help}")).unwrap_or_default();
        let key = if one.key.is_empty() { String::new() } else { format!("`{}` ", one.key) };
        format!("{key}{}{help}", one.message)
    };
    wrong.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts everything in force, or nothing.
    fn serving(
        mut applies: mpsc::Receiver<Apply>,
        answer: Result<(), String>,
    ) -> std::thread::JoinHandle<usize> {
        std::thread::spawn(move || {
            let mut applied = 0;
            while let Some(Apply { excepted, done }) = applies.blocking_recv() {
                applied = excepted.values().map(Vec::len).sum();
                let _ = done.send(answer.clone());
            }
            applied
        })
    }

    fn add(texts: &[&str]) -> AddExceptions {
        AddExceptions { exceptions: texts.iter().map(|text| (*text).to_owned()).collect(), event: None }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("palisade-excepted-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    const QUERY: &str = r#"{"rules": [942100], "points": ["query:q"], "paths": ["/shop"]}"#;

    #[test]
    fn what_was_set_outlives_a_restart_until_it_is_taken_back() {
        let folder = folder("kept");
        let by = Author { name: "alice".to_owned(), reason: "a search".to_owned() };
        let (set, applies) = SetExceptions::open(&folder).unwrap();
        let serving_it = serving(applies, Ok(()));
        let added = set.add("web", &add(&[QUERY, r#"{"attacks": ["xss"]}"#]), &by).unwrap();
        assert_eq!(added.iter().map(|one| one.id).collect::<Vec<_>>(), [Some(1), Some(2)]);
        // What is set already is not set twice.
        assert_eq!(set.add("web", &add(&[QUERY]), &by).unwrap()[0].id, Some(1));
        drop(set);
        assert_eq!(serving_it.join().unwrap(), 2);

        let (set, applies) = SetExceptions::open(&folder).unwrap();
        let serving_it = serving(applies, Ok(()));
        assert_eq!(set.excepted()["web"].len(), 2);
        assert_eq!(
            set.of("web")[0].exception.to_string(),
            r#"{"paths":["/shop"],"points":["query:q"],"rules":[942100]}"#
        );
        set.remove("web", 1, &by).unwrap();
        assert!(matches!(set.remove("web", 1, &by), Err(ControlError::NotFound(_))));
        assert!(matches!(set.remove("other", 2, &by), Err(ControlError::NotFound(_))));
        let changes: Vec<&str> = set.changes("web").iter().map(|change| change.what).collect();
        assert_eq!(changes, ["removed", "added", "added"]);
        // A number is not given twice.
        assert_eq!(set.add("web", &add(&[QUERY]), &by).unwrap()[0].id, Some(3));
        drop(set);
        assert_eq!(serving_it.join().unwrap(), 2);
        std::fs::write(folder.join(FILE), "{").unwrap();
        assert!(format!("{:#}", SetExceptions::open(&folder).unwrap_err()).contains("mend it, or remove it"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_console_says_stands_beside_what_was_set_here_and_goes_when_it_says_so() {
        let folder = folder("told");
        let by = Author { name: "alice".to_owned(), reason: String::new() };
        let (set, applies) = SetExceptions::open(&folder).unwrap();
        let serving_it = serving(applies, Ok(()));
        set.add("web", &add(&[r#"{"attacks": ["xss"]}"#]), &by).unwrap();
        let said = |service: &str, texts: &[&str]| (service.to_owned(), add(texts).exceptions);
        let refused =
            set.told(vec![said("web", &[QUERY]), said("shop", &[QUERY, r#"{"rules": ["x"]}"#])]).unwrap();
        assert!(refused.len() == 1 && refused[0].0 == "shop" && refused[0].1.contains("no rule's id"));
        let of: Vec<_> = set.of("web").into_iter().map(|one| (one.of, one.id)).collect();
        assert_eq!(of, [("console".to_owned(), None), ("run-time".to_owned(), Some(1))]);
        assert!(set.of("shop").is_empty());
        // What it said outlives a restart, so that a data plane that begins without its console goes on as it was.
        drop(set);
        assert_eq!(serving_it.join().unwrap(), 2);
        let (set, applies) = SetExceptions::open(&folder).unwrap();
        let serving_it = serving(applies, Ok(()));
        assert_eq!(set.excepted()["web"].len(), 2);
        set.told(Vec::new()).unwrap();
        assert_eq!(set.excepted()["web"].len(), 1);
        drop(set);
        assert_eq!(serving_it.join().unwrap(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_used_or_put_in_force_changes_nothing() {
        let folder = folder("refused");
        let by = Author { name: "alice".to_owned(), reason: String::new() };
        let (set, applies) = SetExceptions::open(&folder).unwrap();
        let serving_it = serving(applies, Err("no".to_owned()));
        for (text, said) in [("{}", "does not say from what"), (r#"{"rules": ["x"]}"#, "is no rule's id")] {
            let refused = set.add("web", &add(&[QUERY, text]), &by).unwrap_err();
            assert!(matches!(&refused, ControlError::Invalid(why) if why.contains(said)), "{refused}");
        }
        assert!(matches!(set.add("web", &add(&[QUERY]), &by), Err(ControlError::NotKept(_))));
        assert!(set.of("web").is_empty() && set.changes("web").is_empty() && set.excepted().is_empty());
        drop(set);
        serving_it.join().unwrap();
        let (set, _applies) = SetExceptions::open(&folder).unwrap();
        assert!(set.of("web").is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
