//! What services are excepted from at a console for many: kept here, told to data planes, and how far each of them is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use palisade_collector::PlaneShown;
use palisade_collector::messages::{Exceptions, ServiceExceptions};
use palisade_console::ExceptionsAt;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::excepted::{Apply, SetExceptions, as_written};

/// Exceptions that are set at a console.
#[derive(Debug)]
pub(crate) struct Excepted {
    pub(crate) set: Arc<SetExceptions>,
    told: watch::Receiver<Arc<Exceptions>>,
}

impl Excepted {
    /// Reads what a data folder keeps. What is set from then on is told at once: a console has nothing to put it in force in.
    ///
    /// # Errors
    /// When that cannot be used.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let (set, mut applies) = SetExceptions::open(folder)?;
        let (tell, told) = watch::channel(Arc::new(said(&set.excepted())));
        tokio::spawn(async move {
            while let Some(Apply { excepted, done }) = applies.recv().await {
                tell.send_replace(Arc::new(said(&excepted)));
                let _ = done.send(Ok(()));
            }
        });
        Ok(Self { set, told })
    }

    /// What data planes are told.
    pub(crate) fn told(&self) -> watch::Receiver<Arc<Exceptions>> {
        self.told.clone()
    }

    /// How far it has come at a data plane that has a service whose mode may be changed so far (`mode_override`).
    pub(crate) fn at(&self, plane: &PlaneShown, service: &str, mode_override: &str) -> ExceptionsAt {
        let about = &plane.about.excepted;
        let refused = about.refused.iter().find(|(refused, _)| refused == service);
        let is_there = plane.connected.is_some();
        let (state, why) = if !about.follows && is_there {
            let why = "it takes over nothing from here: its version is older, or `events.collector.follow` is false";
            ("refused", Some(why.to_owned()))
        } else if mode_override != "on" {
            let why = format!(
                "its configuration lets nobody loosen the protection of {service} at run time: modeOverride is {mode_override}"
            );
            ("refused", Some(why))
        } else if about.revision != self.told.borrow().revision {
            (if is_there { "waiting" } else { "away" }, None)
        } else if let Some((_, why)) = refused {
            ("refused", Some(why.clone()))
        } else {
            ("in_force", None)
        };
        let instance = format!("{:08x}", plane.instance >> 96);
        ExceptionsAt { dataplane: plane.name.clone(), instance, state, why }
    }
}

/// As data planes are told it. The revision is a digest of the rest, so that a console that begins anew says the same again.
fn said(excepted: &crate::excepted::Excepted) -> Exceptions {
    let sorted: BTreeMap<_, _> = excepted.iter().collect();
    let services = sorted.into_iter().map(|(service, exceptions)| ServiceExceptions {
        service: service.clone(),
        exceptions: exceptions.iter().map(|exception| as_written(exception).to_string()).collect(),
    });
    let services: Vec<ServiceExceptions> = services.collect();
    let mut digest = Sha256::new();
    for ServiceExceptions { service, exceptions } in &services {
        for text in std::iter::once(service).chain(exceptions) {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        digest.update([0xff]);
    }
    let digest = digest.finalize();
    let revision = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    Exceptions { revision, services }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::SystemTime;

    use palisade_collector::{About, ExceptedAbout};
    use palisade_config::read_exception;

    use super::*;

    #[test]
    fn the_same_exceptions_have_the_same_revision_and_others_another() {
        let exception = |text: &str| read_exception(text.as_bytes()).unwrap();
        let of = |pairs: &[(&str, &[&str])]| {
            let pairs = pairs.iter().map(|(service, texts)| {
                ((*service).to_owned(), texts.iter().map(|text| exception(text)).collect())
            });
            said(&Arc::new(pairs.collect::<HashMap<_, _>>()))
        };
        let (xss, sqli) = (r#"{"attacks": ["xss"]}"#, r#"{"attacks": ["sqli"]}"#);
        let revisions: Vec<u64> = [
            of(&[]),
            of(&[("a", &[xss])]),
            of(&[("a", &[xss, sqli])]),
            of(&[("a", &[xss]), ("b", &[sqli])]),
            of(&[("b", &[xss])]),
        ]
        .iter()
        .map(|said| said.revision)
        .collect();
        for (number, revision) in revisions.iter().enumerate() {
            assert!(!revisions[..number].contains(revision), "{revisions:?}");
        }
        assert_eq!(of(&[("b", &[sqli]), ("a", &[xss])]), of(&[("a", &[xss]), ("b", &[sqli])]));
    }
    #[test]
    fn how_far_it_has_come_is_told_by_what_a_data_plane_says() {
        let (_tell, told) = watch::channel(Arc::new(Exceptions { revision: 7, services: Vec::new() }));
        let folder = std::env::temp_dir().join(format!("palisade-excepted-at-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let excepted = Excepted { set: SetExceptions::open(&folder).unwrap().0, told };
        let refused = vec![("other".to_owned(), "not read".to_owned())];
        let plane = |follows, revision, is_there| PlaneShown {
            name: "web".to_owned(),
            instance: 1 << 96,
            version: String::new(),
            address: "127.0.0.1:1".parse().unwrap(),
            connected: Some(SystemTime::UNIX_EPOCH).filter(|_| is_there),
            heard: SystemTime::UNIX_EPOCH,
            about: About {
                excepted: ExceptedAbout { follows, revision, refused: refused.clone() },
                ..About::default()
            },
            records: 0,
            refused: 0,
            latest: None,
        };
        for (plane, service, mode_override, state, why) in [
            (plane(true, 7, true), "shop", "on", "in_force", None),
            (plane(true, 7, false), "shop", "on", "in_force", None),
            (plane(true, 6, true), "shop", "on", "waiting", None),
            (plane(true, 6, false), "shop", "on", "away", None),
            (plane(true, 7, true), "other", "on", "refused", Some("not read")),
            (plane(true, 7, true), "shop", "strict", "refused", Some("modeOverride is strict")),
            (plane(false, 0, true), "shop", "on", "refused", Some("follow")),
        ] {
            let at = excepted.at(&plane, service, mode_override);
            assert_eq!((at.state, at.instance.as_str()), (state, "00000001"), "{at:?}");
            assert_eq!(at.why.is_some(), why.is_some(), "{at:?}");
            assert!(why.is_none_or(|why| at.why.as_ref().is_some_and(|said| said.contains(why))), "{at:?}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
