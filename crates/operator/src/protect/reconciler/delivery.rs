//! How the pool is told what to serve, and when it does.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use palisade_control::stream::{Control, Selector};
use palisade_control::{Bundle, ENTRY, Revision};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// A way to the data planes of a pool.
pub trait Delivery: Send + 'static {
    /// Hands a bundle over, and returns when all data planes that are there have it in force, with the names of listeners
    /// and services that are not as it has them. `ports` are those that it listens at.
    fn deliver(
        &mut self,
        bundle: Bundle,
        ports: BTreeSet<u16>,
    ) -> impl Future<Output = Result<BTreeSet<String>, String>> + Send;
}

/// Delivers what is wanted last, over and over, beside everything else.
pub(super) struct Deliveries {
    wanted: watch::Sender<Option<Wanted>>,
    in_force: watch::Receiver<BTreeMap<u16, usize>>,
    trouble: watch::Receiver<Option<String>>,
}

#[derive(Clone)]
struct Wanted {
    bundle: Bundle,
    serves: BTreeMap<u16, (String, usize)>,
}

/// After a delivery that failed.
const PAUSE: Duration = Duration::from_secs(1);

impl Deliveries {
    /// Begins. `changed` hears when something else is in force.
    pub(super) fn start(mut delivery: impl Delivery, changed: Arc<Notify>) -> Self {
        let (wanted, mut wants) = watch::channel(None::<Wanted>);
        let (in_force, forced) = watch::channel(BTreeMap::new());
        let (trouble, troubled) = watch::channel(None);
        tokio::spawn(async move {
            while wants.changed().await.is_ok() {
                loop {
                    let Some(Wanted { bundle, serves }) = wants.borrow_and_update().clone() else { break };
                    let ports = serves.keys().copied().collect();
                    match delivery.deliver(bundle, ports).await {
                        Ok(stale) => {
                            trouble.send_replace(None);
                            let good = serves.into_iter().filter(|(_, (name, _))| !stale.contains(name));
                            in_force
                                .send_replace(good.map(|(port, (_, endpoints))| (port, endpoints)).collect());
                            changed.notify_one();
                            break;
                        }
                        Err(error) => {
                            trouble.send_replace(Some(error));
                            changed.notify_one();
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            }
        });
        Self { wanted, in_force: forced, trouble: troubled }
    }

    pub(super) fn want(&self, bundle: Bundle, serves: BTreeMap<u16, (String, usize)>) {
        self.wanted.send_replace(Some(Wanted { bundle, serves }));
    }

    pub(super) fn in_force(&self) -> BTreeMap<u16, usize> {
        self.in_force.borrow().clone()
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

/// A folder that a data plane on this machine watches: `palisade run --config FOLDER/palisade.yaml`. It serves a bundle when
/// each of its ports takes connections.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    written: Bundle,
    open: BTreeSet<u16>,
}

/// How long a data plane has for taking a bundle over.
const PATIENCE: Duration = Duration::from_secs(20);

impl Folder {
    /// A folder, which is made where it is not there.
    pub fn new(path: PathBuf) -> Self {
        Self { path, written: Bundle::new(), open: BTreeSet::new() }
    }

    fn write(&mut self, bundle: &Bundle) -> std::io::Result<()> {
        let difference = bundle.since(&self.written);
        // The entry names the others: they are there before it, and those it no longer names go after it.
        let entry = difference.put.iter().filter(|(name, _)| *name == ENTRY);
        for (name, content) in difference.put.iter().filter(|(name, _)| *name != ENTRY).chain(entry) {
            put(&self.path.join(name), content)?;
        }
        for name in &difference.remove {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        self.written = bundle.clone();
        Ok(())
    }
}

impl Delivery for Folder {
    async fn deliver(&mut self, bundle: Bundle, ports: BTreeSet<u16>) -> Result<BTreeSet<String>, String> {
        let path = self.path.display().to_string();
        self.write(&bundle).map_err(|error| format!("`{path}` cannot be written: {error}"))?;
        let opened = async {
            for port in ports.iter().filter(|port| !self.open.contains(port)) {
                while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, opened).await.is_err() {
            return Err(format!("no data plane on this machine serves what is in `{path}`"));
        }
        self.open = ports;
        Ok(BTreeSet::new())
    }
}

/// The control stream: data planes that are called something under one name, and say what they made of a bundle.
#[derive(Debug)]
pub struct Stream {
    control: Control,
    pool: Selector,
}

impl Stream {
    /// To data planes that `pool` selects. Somebody else serves `control`.
    pub fn new(control: Control, pool: Selector) -> Self {
        Self { control, pool }
    }

    /// What became of a bundle so far. `None`: not all have said so.
    fn outcome(&self, revision: Revision) -> Option<Result<BTreeSet<String>, String>> {
        let all = self.control.planes();
        let planes: Vec<_> =
            all.iter().filter(|plane| plane.connected.is_some() && plane.wanted == Some(revision)).collect();
        let mut stale = BTreeSet::new();
        for plane in &planes {
            let applied = plane.applied.as_ref().filter(|applied| applied.revision == revision)?;
            match &applied.outcome {
                Ok(objects) => stale.extend(
                    objects
                        .iter()
                        .filter(|object| matches!(object.kind.as_str(), "listener" | "service"))
                        .map(|object| object.name.clone()),
                ),
                Err(refused) => {
                    return Some(Err(format!("{} refuses its configuration: {refused}", plane.name)));
                }
            }
        }
        (!planes.is_empty()).then_some(Ok(stale))
    }
}

impl Delivery for Stream {
    async fn deliver(&mut self, bundle: Bundle, _: BTreeSet<u16>) -> Result<BTreeSet<String>, String> {
        let revision = bundle.revision();
        let mut changes = self.control.changes();
        self.control.set(self.pool.clone(), bundle);
        let answered = async {
            loop {
                if let Some(outcome) = self.outcome(revision) {
                    return outcome;
                }
                if changes.changed().await.is_err() {
                    return Err("the control stream ended".to_owned());
                }
            }
        };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err("not all data planes of the pool have said what they made of their configuration"
                    .to_owned())
            }
        }
    }
}

/// Whole or not at all.
fn put(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(content)?;
    drop(file);
    std::fs::rename(&temporary, path)
}
