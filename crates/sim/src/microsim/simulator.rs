//! The client: rounds of an ordinary request, perhaps one to a place outside, and perhaps an attack.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue, USER_AGENT};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::clock::Moment;
use super::dns;
use super::server::{random_text, until};
use super::stats::Stats;
use super::{Attack, Bounds, ClientSettings, Counter, Counters, Ended, Lines, Ordinary, Statsd, hostname};
use crate::{Call, Client, ClientError, Reply, Url, serve};

/// A client.
pub struct Simulator {
    settings: ClientSettings,
    hostname: String,
    counters: Arc<Counters>,
    client: Client,
    random: fastrand::Rng,
    lines: Lines,
}

/// How long a step waits for its answer.
pub const STEP_MAX: Duration = Duration::from_secs(3);

/// Steps that may wait for answers at a time; a round begins when there is room for it.
pub const STEPS_MAX: usize = 256;

/// One thing that is done.
enum Step {
    Ordinary(Call),
    Outside(Url),
    Attack(Attack, Call),
    Dga(std::net::SocketAddr, &'static str, u16),
    Malware(Url),
}

impl Simulator {
    /// One that is told so, with a seed for every choice.
    #[must_use]
    pub fn new(settings: ClientSettings, statsd: Option<Statsd>, seed: u64, lines: Lines) -> Self {
        let counters = Arc::new(Counters::of_client(&settings.more(), settings.count_blocked, statsd));
        Self {
            settings,
            hostname: hostname(),
            counters,
            client: Client::patient(STEP_MAX),
            random: fastrand::Rng::with_seed(seed),
            lines,
        }
    }

    /// With connections of this client's, which waits as long as it was told to.
    #[must_use]
    pub fn by(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Sends until it is told to end or a bound is reached, with statistics on a listener if any. Steps that have begun
    /// are waited for.
    pub async fn run(
        mut self,
        stats: Option<TcpListener>,
        bounds: Bounds,
        told: impl Future<Output = ()>,
    ) -> Ended {
        let killed_after = self.settings.common.total_stop_seconds(&mut self.random);
        let shown = Stats {
            began: Instant::now(),
            hostname: self.hostname.clone(),
            counters: self.counters.clone(),
            config: self.settings.shown(killed_after),
        };
        let (end, mut ends) = watch::channel(false);
        let stats = stats.map(|listener| {
            tokio::spawn(serve(listener, shown, async move {
                let _ = ends.wait_for(|ended| *ended).await;
            }))
        });
        let (counters, lines) = (self.counters.clone(), self.lines.clone());
        let mut steps = JoinSet::new();
        let why = until(bounds.duration, killed_after, &counters, &lines, async {
            tokio::select! {
                () = told => Ended::Told,
                () = self.rounds(&mut steps, bounds.requests) => Ended::Bound,
            }
        });
        let why = why.await;
        while steps.join_next().await.is_some() {}
        let _ = end.send(true);
        if let Some(stats) = stats {
            let _ = stats.await;
        }
        why
    }

    /// Round after round; ends when so many ordinary requests were sent.
    async fn rounds(&mut self, running: &mut JoinSet<()>, requests_max: Option<u64>) {
        let room = Arc::new(Semaphore::new(STEPS_MAX));
        let mut sent = 0;
        loop {
            for step in self.round() {
                sent += u64::from(matches!(step, Step::Ordinary(_)));
                let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
                let doing = self.doing(step);
                running.spawn(async move {
                    doing.await;
                    drop(place);
                });
                while running.try_join_next().is_some() {}
            }
            if requests_max.is_some_and(|max| sent >= max) {
                return;
            }
            tokio::time::sleep(self.settings.wait).await;
        }
    }

    /// What a round does. All that is random is chosen here, in order.
    fn round(&mut self) -> Vec<Step> {
        let Self { settings, random, .. } = self;
        let mut steps = Vec::new();
        if random.f64() < settings.request_probability {
            let url = settings.urls[random.usize(..settings.urls.len())].clone();
            steps.push(Step::Ordinary(ordinary(settings, url, random)));
        } else {
            (self.lines)(&format!("{}   Skipped internal request this run.", Moment::now().iso()));
        }
        if !settings.egress_urls.is_empty() && random.f64() < settings.egress_probability {
            let url = &settings.egress_urls[random.usize(..settings.egress_urls.len())];
            steps.push(Step::Outside(url.clone()));
        }
        let kinds = settings.attacks.len()
            + usize::from(settings.dga_resolver.is_some())
            + usize::from(settings.malware_url.is_some());
        if kinds > 0 {
            let (kind, throw) = (random.usize(..kinds), random.f64());
            if throw < settings.attack_probability {
                steps.push(attack(settings, kind, random));
            }
        }
        steps
    }

    /// A step, to be done beside others.
    fn doing(&self, step: Step) -> impl Future<Output = ()> + Send + 'static {
        let (client, counters, lines) = (self.client.clone(), self.counters.clone(), self.lines.clone());
        async move {
            match step {
                Step::Ordinary(call) => {
                    let (url, bytes) = (call.url.clone(), call.body.len());
                    let Some(reply) = answered(&client, call, &counters, &lines).await else { return };
                    counters.add(Counter::Requests, 1);
                    counters.add(Counter::SentBytes, bytes as u64);
                    counters.add(Counter::ReceivedBytes, reply.body.len() as u64);
                    if reply.status == 403 {
                        counters.add(Counter::Blocked, 1);
                    } else if reply.status >= 500 {
                        counters.add(Counter::Failed, 1);
                    }
                    let (now, size) = (Moment::now().iso(), reply.body.len());
                    lines(&format!(
                        "{now}   Request to {url}   Request size: {bytes}   Response size: {size}"
                    ));
                }
                Step::Outside(url) => {
                    if answered(&client, Call::get(url.clone()), &counters, &lines).await.is_some() {
                        counters.add(Counter::InternetRequests, 1);
                        lines(&format!("{}   Internet request to: {url}", Moment::now().iso()));
                    }
                }
                Step::Attack(kind, call) => {
                    let url = call.url.clone();
                    let Some(reply) = answered(&client, call, &counters, &lines).await else { return };
                    counters.add(Counter::Attacks, 1);
                    counters.add(Counter::Attack(kind), 1);
                    if reply.status == 403 {
                        counters.add(Counter::BlockedAttack(kind), 1);
                    }
                    lines(&format!("{}   {} sent: {url}", Moment::now().iso(), kind.name()));
                }
                Step::Dga(resolver, name, id) => {
                    let asked = tokio::time::timeout(STEP_MAX, dns::ask(resolver, name, id)).await;
                    match asked {
                        Ok(Ok(address)) => {
                            counters.add(Counter::Attacks, 1);
                            counters.add(Counter::Dga, 1);
                            let address =
                                address.map_or_else(|| "None".to_owned(), |address| address.to_string());
                            lines(&format!(
                                "{}   DGA query sent: {name}   Response: {address}",
                                Moment::now().iso()
                            ));
                        }
                        Ok(Err(_)) => failed("Connection", name, &counters, &lines),
                        Err(_) => failed("Timeout", name, &counters, &lines),
                    }
                }
                Step::Malware(url) => {
                    if answered(&client, Call::get(url.clone()), &counters, &lines).await.is_some() {
                        counters.add(Counter::Attacks, 1);
                        counters.add(Counter::Malware, 1);
                        lines(&format!("{}   Malware downloaded: {url}", Moment::now().iso()));
                    }
                }
            }
        }
    }
}

/// An ordinary request.
fn ordinary(settings: &ClientSettings, url: Url, random: &mut fastrand::Rng) -> Call {
    let mut call = match settings.ordinary {
        Ordinary::Post => {
            let data = random_text(random, settings.request_bytes);
            Call::with_body(Method::POST, url, "application/json", format!("{{\"data\": \"{data}\"}}"))
        }
        Ordinary::Get => {
            let word = random_text(random, 8);
            let mark = if url.target().contains('?') { '&' } else { '?' };
            let target = format!("{}{mark}visit={word}", url.target());
            Call::get(url.with_target(target))
        }
    };
    as_a_program_does(&mut call);
    call
}

/// The attack of a number: those on services, then DGA, then malware.
fn attack(settings: &ClientSettings, kind: usize, random: &mut fastrand::Rng) -> Step {
    if let Some(kind) = settings.attacks.get(kind).copied() {
        let url = &settings.urls[random.usize(..settings.urls.len())];
        let path = url.target().split('?').next().unwrap_or("/");
        let mut call = Call::get(url.with_target(format!("{path}?{}", kind.query())));
        as_a_program_does(&mut call);
        return Step::Attack(kind, call);
    }
    match (settings.dga_resolver, &settings.malware_url) {
        (Some(resolver), _) if kind == settings.attacks.len() => {
            Step::Dga(resolver, dns::MADE_UP[random.usize(..dns::MADE_UP.len())], random.u16(..))
        }
        (_, Some(url)) => Step::Malware(url.clone()),
        _ => unreachable!("there are as many numbers as kinds"),
    }
}

fn as_a_program_does(call: &mut Call) {
    call.headers
        .push((USER_AGENT, HeaderValue::from_static(concat!("palisade-sim/", env!("CARGO_PKG_VERSION")))));
    call.headers.push((ACCEPT, HeaderValue::from_static("*/*")));
}

/// Asks; without an answer it is an error, and said.
async fn answered(client: &Client, call: Call, counters: &Counters, lines: &Lines) -> Option<Reply> {
    let url = call.url.to_string();
    match client.ask(call).await {
        Ok(reply) => Some(reply),
        Err(error) => {
            let word = match error {
                ClientError::Late(_) => "Timeout",
                ClientError::Connect { .. } => "Connection",
                _ => "General",
            };
            failed(word, &url, counters, lines);
            None
        }
    }
}

fn failed(word: &str, to: &str, counters: &Counters, lines: &Lines) {
    counters.add(Counter::Error, 1);
    lines(&format!("{}   {word} error to: {to}", Moment::now().iso()));
}
