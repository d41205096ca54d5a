//! The endpoints of an upstream as they are now: addresses as written, and what names resolve to, asked again and again.
//!
//! ```text
//!  http://10.0.0.7:80 ───────────────────────────┐
//!  http://shop:3000 ──resolver, every 10 s──┐    ├──> [Endpoint]   one that stays keeps its connections and its health
//!                     last good answer kept ─┴────┘
//! ```
//!
//! Only the first answer is waited for. Later ones are fetched beside requests, which go by what is known.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{Instant, timeout};

use super::endpoint::Endpoint;

/// Where requests of a service may go.
pub(super) struct Endpoints {
    targets: Vec<Target>,
    every: Duration,
    resolver: Resolver,
    now: ArcSwap<Vec<Arc<Endpoint>>>,
    asked: Mutex<Asked>,
    /// Held while names are resolved: by one at a time.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Debug, Default)]
struct Asked {
    /// When; `None`: the answer is wanted before the next request.
    at: Option<Instant>,
    /// The last good answer of each target.
    answers: Vec<Vec<SocketAddr>>,
    /// Why some name has none.
    failed: Option<String>,
    /// How often names were asked for.
    rounds: u64,
}

/// What asks for the addresses of a name.
pub(super) type Resolver = Box<dyn Fn(Target) -> Resolving + Send + Sync>;
pub(super) type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Addresses of one upstream; others are left out.
const ENDPOINTS_MAX: usize = 1024;

/// A resolver that says nothing for so long has failed.
const RESOLVE: Duration = Duration::from_secs(30);

impl Endpoints {
    pub(super) fn new(targets: Vec<Target>, every: Duration, resolver: Resolver) -> Arc<Self> {
        let endpoints = Self {
            asked: Mutex::new(Asked { answers: vec![Vec::new(); targets.len()], ..Asked::default() }),
            targets,
            every,
            resolver,
            now: ArcSwap::default(),
            asking: Arc::default(),
        };
        let addresses: Option<Vec<_>> = endpoints.targets.iter().map(Target::address).collect();
        if let Some(addresses) = addresses {
            endpoints.replace(&addresses);
        }
        Arc::new(endpoints)
    }

    /// Those that are known, without asking.
    pub(super) fn known(&self) -> arc_swap::Guard<Arc<Vec<Arc<Endpoint>>>> {
        self.now.load()
    }

    /// All of them.
    ///
    /// # Errors
    /// When no name has resolved yet, and none does.
    pub(super) async fn all(self: &Arc<Self>) -> io::Result<Arc<Vec<Arc<Endpoint>>>> {
        let (at, rounds) = {
            let asked = self.asked();
            (asked.at, asked.rounds)
        };
        let wanted = match at {
            _ if self.targets.iter().all(|target| target.address().is_some()) => Wanted::Not,
            Some(at) if at.elapsed() < self.every => Wanted::Not,
            Some(_) => Wanted::Beside,
            None => Wanted::First,
        };
        match wanted {
            Wanted::Not => {}
            Wanted::Beside => {
                if let Ok(asking) = self.asking.clone().try_lock_owned() {
                    let endpoints = self.clone();
                    tokio::spawn(async move {
                        endpoints.resolve().await;
                        drop(asking);
                    });
                }
            }
            Wanted::First => {
                let _asking = self.asking.lock().await;
                // Whoever waited for somebody's answer has it, good or bad.
                let answered = self.asked().rounds != rounds;
                if !answered {
                    self.resolve().await;
                }
            }
        }
        let known = self.now.load_full();
        if known.is_empty() {
            let why = self.asked().failed.clone();
            return Err(io::Error::new(io::ErrorKind::NotFound, why.unwrap_or_default()));
        }
        Ok(known)
    }

    /// They may all have moved: the next request asks first.
    pub(super) fn doubt(&self) {
        self.asked().at = None;
    }

    async fn resolve(&self) {
        let mut failed = None;
        for (number, target) in self.targets.iter().enumerate() {
            let answer = match target.address() {
                Some(address) => Ok(vec![address]),
                None => timeout(RESOLVE, (self.resolver)(target.clone()))
                    .await
                    .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))),
            };
            match answer {
                Ok(addresses) if !addresses.is_empty() => self.asked().answers[number] = addresses,
                // A resolver that is away for a while must not take us with it.
                Ok(_) => failed = Some("no address".to_owned()),
                Err(error) => failed = Some(error.to_string()),
            }
        }
        let now = Instant::now();
        let mut addresses = Vec::new();
        {
            let mut asked = self.asked();
            for address in asked.answers.iter().flatten() {
                if !addresses.contains(address) && addresses.len() < ENDPOINTS_MAX {
                    addresses.push(*address);
                }
            }
            asked.at = (!addresses.is_empty()).then_some(now);
            asked.failed = failed;
            asked.rounds += 1;
        }
        if !addresses.is_empty() {
            self.replace(&addresses);
        }
    }

    /// Puts addresses in force. Those that stay keep what is known of them.
    fn replace(&self, addresses: &[SocketAddr]) {
        let before = self.now.load();
        if before.iter().map(|endpoint| endpoint.address()).eq(addresses.iter().copied()) {
            return;
        }
        let kept =
            |address: &SocketAddr| before.iter().find(|endpoint| endpoint.address() == *address).cloned();
        let endpoints =
            addresses.iter().map(|address| kept(address).unwrap_or_else(|| Endpoint::new(*address)));
        self.now.store(Arc::new(endpoints.collect()));
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("targets", &self.targets).field("now", &self.now).finish()
    }
}

impl Target {
    /// Where its host is an address.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse::<IpAddr>().ok()?, self.port))
    }
}

/// Whether names are to be resolved.
enum Wanted {
    Not,
    /// Beside the request.
    Beside,
    /// Before it.
    First,
}

/// The system's resolver. It tells no lifetime.
pub(super) fn system(target: Target) -> Resolving {
    Box::pin(async move { Ok(tokio::net::lookup_host((target.host.as_str(), target.port)).await?.collect()) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Answers = Arc<Mutex<Option<Vec<SocketAddr>>>>;

    /// Endpoints of a name whose answers can be changed, and how often it was asked for.
    fn endpoints(hosts: &[&str]) -> (Arc<Endpoints>, Answers, Arc<AtomicUsize>) {
        let (answers, count) = (Answers::default(), Arc::<AtomicUsize>::default());
        let (told, counted) = (answers.clone(), count.clone());
        let resolver = move |_| -> Resolving {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = told.lock().unwrap().clone();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                answer.ok_or_else(|| io::Error::other("away"))
            })
        };
        let targets = hosts.iter().map(|host| Target { host: (*host).to_owned(), port: 80 }).collect();
        (Endpoints::new(targets, Duration::from_secs(10), Box::new(resolver)), answers, count)
    }

    fn at(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 80).into()
    }

    async fn addresses(endpoints: &Arc<Endpoints>) -> Result<Vec<SocketAddr>, String> {
        let all = endpoints.all().await.map_err(|error| error.to_string())?;
        Ok(all.iter().map(|endpoint| endpoint.address()).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_asked_for_again_and_the_last_good_answer_is_kept() {
        let (endpoints, answers, count) = endpoints(&["shop", "10.0.0.9"]);
        *answers.lock().unwrap() = Some(vec![at(1), at(2), at(1)]);
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(1), at(2), at(9)]));
        let first = endpoints.all().await.unwrap()[0].clone();
        assert_eq!(count.load(Ordering::Relaxed), 1, "known for ten seconds");

        // It moves: the next request still goes by what is known, the one after it does not.
        *answers.lock().unwrap() = Some(vec![at(3), at(1)]);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(1), at(2), at(9)]));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(3), at(1), at(9)]));
        assert!(Arc::ptr_eq(&first, &endpoints.all().await.unwrap()[1]), "one that stays is the same");

        // The resolver is away, also when all have failed and are doubted.
        *answers.lock().unwrap() = None;
        tokio::time::advance(Duration::from_secs(11)).await;
        addresses(&endpoints).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(3), at(1), at(9)]));
        endpoints.doubt();
        let asked = count.load(Ordering::Relaxed);
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(3), at(1), at(9)]));
        assert_eq!(count.load(Ordering::Relaxed), asked + 1);
        *answers.lock().unwrap() = Some(vec![at(4)]);
        endpoints.doubt();
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(4), at(9)]), "asked first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_never_resolved_is_an_error_that_waiting_requests_share() {
        let (endpoints, answers, count) = endpoints(&["shop"]);
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let endpoints = endpoints.clone();
                tokio::spawn(async move { addresses(&endpoints).await })
            })
            .collect();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Err("away".to_owned()));
        }
        assert!(count.load(Ordering::Relaxed) <= 2, "{count:?}");
        tokio::time::advance(Duration::from_millis(1)).await;
        *answers.lock().unwrap() = Some(vec![at(1)]);
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(1)]));
    }

    #[tokio::test]
    async fn addresses_are_never_asked_for() {
        let (endpoints, _, count) = endpoints(&["10.0.0.1", "10.0.0.2"]);
        assert_eq!(addresses(&endpoints).await, Ok(vec![at(1), at(2)]));
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
