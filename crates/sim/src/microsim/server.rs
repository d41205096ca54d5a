//! The server: random bytes for everybody, and counts of the attacks among what came.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::clock::Moment;
use super::shown::Shown;
use super::stats::Stats;
use super::{Attack, Bounds, Counter, Counters, Ended, Lines, ServerSettings, Statsd, hostname};
use crate::{Answer, Ends, Request, Service, serve};

/// A server. Clones are the same one.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    settings: ServerSettings,
    hostname: String,
    counters: Arc<Counters>,
    random: Mutex<fastrand::Rng>,
    lines: Lines,
    requests: AtomicU64,
    requests_max: AtomicU64,
    full: Notify,
}

/// How often a line of counters is written.
pub(super) const LINE_EVERY: Duration = Duration::from_secs(30);

impl Server {
    /// One that is told so, with a seed for all that is random.
    #[must_use]
    pub fn new(settings: ServerSettings, statsd: Option<Statsd>, seed: u64, lines: Lines) -> Self {
        let counters = Arc::new(Counters::of_server(&settings.more, statsd));
        Self(Arc::new(Inner {
            settings,
            hostname: hostname(),
            counters,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            lines,
            requests: AtomicU64::new(0),
            requests_max: AtomicU64::new(u64::MAX),
            full: Notify::new(),
        }))
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    /// Serves on a listener, and statistics on another, until it is told to end or a bound is reached. Requests that have
    /// begun are answered.
    pub async fn run(
        self,
        listener: TcpListener,
        stats: Option<TcpListener>,
        bounds: Bounds,
        told: impl Future<Output = ()>,
    ) -> Ended {
        self.0.requests_max.store(bounds.requests.unwrap_or(u64::MAX), Ordering::Relaxed);
        let killed_after = self.0.settings.common.total_stop_seconds(&mut self.random());
        let (end, ends) = watch::channel(false);
        let ended = |mut ends: watch::Receiver<bool>| async move {
            let _ = ends.wait_for(|ended| *ended).await;
        };
        let serving = tokio::spawn(serve(listener, self.clone(), ended(ends.clone())));
        let shown = Stats {
            began: Instant::now(),
            hostname: self.0.hostname.clone(),
            counters: self.0.counters.clone(),
            config: self.0.settings.shown(killed_after),
        };
        let stats = stats.map(|listener| tokio::spawn(serve(listener, shown, ended(ends))));
        let why = until(bounds.duration, killed_after, &self.0.counters, &self.0.lines, async {
            tokio::select! {
                () = told => Ended::Told,
                () = self.0.full.notified() => Ended::Bound,
            }
        });
        let why = why.await;
        let _ = end.send(true);
        let _ = serving.await;
        if let Some(stats) = stats {
            let _ = stats.await;
        }
        why
    }

    fn random(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.0.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> String {
        random_text(&mut self.random(), self.0.settings.respond_bytes)
    }

    /// Counts what came, and says which attacks were in it.
    fn count(&self, request: &Request) {
        let counters = &self.0.counters;
        counters.add(Counter::Requests, 1);
        if request.method() == Method::POST {
            counters.add(Counter::ReceivedBytes, request.body().len() as u64);
        }
        let mut found = Attack::found_in(target(request).as_bytes());
        found.extend(Attack::found_in(request.body()));
        let settings = &self.0.settings;
        for kind in Attack::ALL {
            if found.contains(&kind) && (kind.is_microsims() || settings.more.contains(&kind)) {
                counters.add(Counter::Attacks, 1);
                counters.add(Counter::Attack(kind), 1);
                (self.0.lines)(&format!("{}   {} attack detected", Moment::now().iso(), kind.name()));
            }
        }
    }
}

impl Service for Server {
    async fn answer(&self, request: Request, ends: Ends) -> Answer {
        self.count(&request);
        let said = |name: &str| {
            let value = request
                .headers()
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            value.unwrap_or_default()
        };
        let (host, path) = (said("host"), target(&request));
        let (time, hostname) = (Moment::now().asctime(), &self.0.hostname);
        let (ip, remote) = (ends.local.ip(), ends.remote.ip());
        let answer = match *request.method() {
            Method::GET | Method::HEAD => {
                let body = format!(
                    "{}\n{time}   hostname: {hostname}   ip: {ip}   remote: {remote}   hostheader: {host}   path: {path}\n",
                    self.bytes()
                );
                Answer::new(StatusCode::OK, "text/html", body.into_bytes())
            }
            Method::POST => {
                let fields = [
                    ("data", Shown::Text(self.bytes())),
                    ("time", Shown::Text(time)),
                    ("hostname", Shown::text(hostname)),
                    ("ip", Shown::Text(ip.to_string())),
                    ("remote", Shown::Text(remote.to_string())),
                    ("hostheader", Shown::Text(host)),
                    ("path", Shown::text(&path)),
                ];
                Answer::new(StatusCode::OK, "application/json", Shown::object(fields).line().into_bytes())
            }
            _ => Answer::text(StatusCode::NOT_IMPLEMENTED, "only GET and POST\n"),
        };
        self.0.counters.add(Counter::SentBytes, answer.body.len() as u64);
        (self.0.lines)(&format!(
            "{remote} - - [{}] \"{} {path} HTTP/1.1\" {} -",
            Moment::now().of_log(),
            request.method(),
            answer.status.as_u16()
        ));
        let taken = self.0.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if taken >= self.0.requests_max.load(Ordering::Relaxed) {
            self.0.full.notify_one();
        }
        answer
    }
}

/// Path and query as they came.
fn target(request: &Request) -> String {
    request.uri().path_and_query().map_or_else(|| request.uri().to_string(), ToString::to_string)
}

/// Letters and digits.
pub(super) fn random_text(random: &mut fastrand::Rng, count: usize) -> String {
    (0..count).map(|_| random.alphanumeric()).collect()
}

/// Waits for the first of the ends, and writes a line of counters every half minute meanwhile.
pub(super) async fn until(
    duration: Option<Duration>,
    killed_after: u64,
    counters: &Counters,
    lines: &Lines,
    others: impl Future<Output = Ended>,
) -> Ended {
    let bound = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let killed = async {
        match killed_after {
            0 => std::future::pending().await,
            seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
    };
    let told = async {
        let mut every = tokio::time::interval(LINE_EVERY);
        every.tick().await;
        loop {
            every.tick().await;
            lines(&counters.line());
        }
    };
    tokio::select! {
        why = others => why,
        () = bound => Ended::Bound,
        () = killed => Ended::Killed(killed_after),
        () = told => Ended::Told,
    }
}
