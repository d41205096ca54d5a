//! What microsim's environment variables say, and ours beside them.
//!
//! A boolean is true with any text but an empty one and `false`, letter case aside. Values of the form `tcp://...` are
//! Kubernetes service links and count as absent; any other value that cannot be used is an error that names its variable.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Url;

use super::Attack;
use super::shown::Shown;

/// A variable that cannot be used, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}{value}: {help}")]
pub struct SettingError {
    variable: String,
    /// `=VALUE`, where there is one.
    value: String,
    help: String,
}

/// Asks for a variable's value.
type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// What both are told.
#[derive(Debug, Clone)]
pub struct Common {
    /// Where statistics are asked for; nowhere when absent.
    pub stats_port: Option<u16>,
    /// The StatsD that is told of counters; none when absent.
    pub statsd_host: Option<String>,
    /// Its port.
    pub statsd_port: u16,
    /// After how many seconds it ends with status 1; never with 0.
    pub stop_seconds: u64,
    /// Whether a random time up to the same is added, chosen at the start.
    pub stop_padding: bool,
}

impl Common {
    fn read(env: Lookup<'_>) -> Result<Self, SettingError> {
        Ok(Self {
            stats_port: number(env, "STATS_PORT", 0, u16::MAX)?,
            statsd_host: text(env, "STATSD_HOST"),
            statsd_port: number(env, "STATSD_PORT", 1, u16::MAX)?.unwrap_or(8125),
            stop_seconds: number(env, "STOP_SECONDS", 0, SECONDS_MAX)?.unwrap_or(0),
            stop_padding: is_true(env, "STOP_PADDING"),
        })
    }

    /// How long after the start it ends, with what padding adds.
    pub(super) fn total_stop_seconds(&self, random: &mut fastrand::Rng) -> u64 {
        match (self.stop_seconds, self.stop_padding) {
            (0, _) | (_, false) => self.stop_seconds,
            (seconds, true) => seconds + random.u64(0..seconds),
        }
    }

    fn shown_stats(&self) -> [(&'static str, Shown); 3] {
        [
            ("STATS_PORT", self.stats_port.into()),
            ("STATSD_HOST", self.statsd_host.as_deref().into()),
            ("STATSD_PORT", Shown::Number(self.statsd_port.into())),
        ]
    }

    fn shown_stop(&self, total: u64) -> [(&'static str, Shown); 3] {
        [
            ("STOP_SECONDS", Shown::Number(self.stop_seconds)),
            ("STOP_PADDING", Shown::Bool(self.stop_padding)),
            ("TOTAL_STOP_SECONDS", Shown::Number(total)),
        ]
    }
}

/// What a server is told.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// `STATS_PORT`, `STATSD_*`, `STOP_*`.
    pub common: Common,
    /// `LISTEN_PORT`, 8080.
    pub listen_port: u16,
    /// `RESPOND_BYTES`, 16384: random bytes of an answer, at most [`RESPOND_BYTES_MAX`].
    pub respond_bytes: usize,
    /// Ours, `DETECT_MORE`: whether kinds of attacks are counted that microsim does not know.
    pub more: Vec<Attack>,
}

/// The longest answer that a server gives.
pub const RESPOND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest request that a client sends.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

impl ServerSettings {
    /// Reads variables.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn read(env: Lookup<'_>) -> Result<Self, SettingError> {
        let more = Attack::ALL.into_iter().filter(|kind| !kind.is_microsims());
        Ok(Self {
            common: Common::read(env)?,
            listen_port: number(env, "LISTEN_PORT", 0, u16::MAX)?.unwrap_or(8080),
            respond_bytes: number(env, "RESPOND_BYTES", 0, RESPOND_BYTES_MAX)?.unwrap_or(16_384),
            more: if is_true(env, "DETECT_MORE") { more.collect() } else { Vec::new() },
        })
    }

    pub(super) fn shown(&self, total_stop_seconds: u64) -> Shown {
        let mut fields = vec![("LISTEN_PORT", Shown::Number(self.listen_port.into()))];
        fields.extend(self.common.shown_stats());
        fields.push(("RESPOND_BYTES", Shown::Number(self.respond_bytes as u64)));
        fields.extend(self.common.shown_stop(total_stop_seconds));
        Shown::object(fields)
    }
}

/// What ordinary requests of a client are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ordinary {
    /// POST of `{"data": "<random>"}`, as microsim's.
    #[default]
    Post,
    /// GET with a random word, for services that take nothing else.
    Get,
}

/// What a client is told.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `STATS_PORT`, `STATSD_*`, `STOP_*`.
    pub common: Common,
    /// `REQUEST_URLS`, required: one of them takes each request.
    pub urls: Vec<Url>,
    /// `REQUEST_INTERNET` with ours, `EGRESS_URLS`: places outside that are asked now and then; none when it is off.
    pub egress_urls: Vec<Url>,
    /// `REQUEST_MALWARE` with ours, `MALWARE_URL`: a file that scanners take for malware.
    pub malware_url: Option<Url>,
    /// `SEND_DGA` with ours, `DGA_RESOLVER`: the resolver that is asked for names that a program made up.
    pub dga_resolver: Option<SocketAddr>,
    /// The kinds of attacks that are sent: `SEND_SQLI` and the other switches.
    pub attacks: Vec<Attack>,
    /// `REQUEST_WAIT_SECONDS`, 1.0: between two rounds.
    pub wait: Duration,
    /// `REQUEST_BYTES`, 1024: random bytes of a request, at most [`REQUEST_BYTES_MAX`].
    pub request_bytes: usize,
    /// `REQUEST_PROBABILITY`, 1.0: of a request in a round.
    pub request_probability: f64,
    /// `EGRESS_PROBABILITY`, 0.1: of a request to a place outside.
    pub egress_probability: f64,
    /// `ATTACK_PROBABILITY`, 0.01: of an attack.
    pub attack_probability: f64,
    /// Ours, `REQUEST_METHOD`: POST or GET.
    pub ordinary: Ordinary,
    /// Ours, `COUNT_BLOCKED`: whether answers of 403 are counted, by kind.
    pub count_blocked: bool,
}

impl ClientSettings {
    /// Reads variables.
    ///
    /// # Errors
    /// When one cannot be used, or one that another needs is missing.
    pub fn read(env: Lookup<'_>) -> Result<Self, SettingError> {
        let urls = urls(env, "REQUEST_URLS")?.ok_or_else(|| {
            missing("REQUEST_URLS", "write http://HOST:PORT/, or several with commas between")
        })?;
        let egress_urls = match is_true(env, "REQUEST_INTERNET") {
            false => Vec::new(),
            true => urls_needed(env, "EGRESS_URLS", "REQUEST_INTERNET")?,
        };
        let malware_url = match is_true(env, "REQUEST_MALWARE") {
            false => None,
            true => urls_needed(env, "MALWARE_URL", "REQUEST_MALWARE")?.into_iter().next(),
        };
        let dga_resolver = match is_true(env, "SEND_DGA") {
            false => None,
            true => Some(resolver(env)?),
        };
        let ordinary = match text(env, "REQUEST_METHOD").as_deref() {
            None | Some("POST") => Ordinary::Post,
            Some("GET") => Ordinary::Get,
            Some(other) => return Err(unusable("REQUEST_METHOD", other, "write POST or GET")),
        };
        Ok(Self {
            common: Common::read(env)?,
            urls,
            egress_urls,
            malware_url,
            dga_resolver,
            attacks: Attack::ALL.into_iter().filter(|kind| is_true(env, kind.switch())).collect(),
            wait: seconds(env, "REQUEST_WAIT_SECONDS")?,
            request_bytes: number(env, "REQUEST_BYTES", 0, REQUEST_BYTES_MAX)?.unwrap_or(1024),
            request_probability: probability(env, "REQUEST_PROBABILITY", 1.0)?,
            egress_probability: probability(env, "EGRESS_PROBABILITY", 0.1)?,
            attack_probability: probability(env, "ATTACK_PROBABILITY", 0.01)?,
            ordinary,
            count_blocked: is_true(env, "COUNT_BLOCKED"),
        })
    }

    /// Kinds that microsim does not know, of those that are sent.
    pub(super) fn more(&self) -> Vec<Attack> {
        self.attacks.iter().copied().filter(|kind| !kind.is_microsims()).collect()
    }

    pub(super) fn shown(&self, total_stop_seconds: u64) -> Shown {
        let urls: Vec<String> = self.urls.iter().map(ToString::to_string).collect();
        let sends = |kind| Shown::Bool(self.attacks.contains(&kind));
        let mut fields = Vec::from(self.common.shown_stats());
        fields.extend([
            ("REQUEST_URLS", Shown::Text(urls.join(","))),
            ("REQUEST_INTERNET", Shown::Bool(!self.egress_urls.is_empty())),
            ("REQUEST_MALWARE", Shown::Bool(self.malware_url.is_some())),
            ("SEND_SQLI", sends(Attack::Sqli)),
            ("SEND_DIR_TRAVERSAL", sends(Attack::Traversal)),
            ("SEND_XSS", sends(Attack::Xss)),
            ("SEND_DGA", Shown::Bool(self.dga_resolver.is_some())),
            ("REQUEST_WAIT_SECONDS", Shown::Decimal(self.wait.as_secs_f64())),
            ("REQUEST_BYTES", Shown::Number(self.request_bytes as u64)),
        ]);
        fields.extend(self.common.shown_stop(total_stop_seconds));
        fields.extend([
            ("REQUEST_PROBABILITY", Shown::Decimal(self.request_probability)),
            ("EGRESS_PROBABILITY", Shown::Decimal(self.egress_probability)),
            ("ATTACK_PROBABILITY", Shown::Decimal(self.attack_probability)),
        ]);
        fields.extend(self.more().into_iter().map(|kind| (kind.switch(), Shown::Bool(true))));
        Shown::object(fields)
    }
}

/// A variable with something in it that is no service link.
fn text(env: Lookup<'_>, variable: &str) -> Option<String> {
    env(variable).filter(|value| !value.is_empty() && !value.starts_with("tcp://"))
}

fn is_true(env: Lookup<'_>, variable: &str) -> bool {
    text(env, variable).is_some_and(|value| !value.eq_ignore_ascii_case("false"))
}

fn number<T>(env: Lookup<'_>, variable: &str, min: T, max: T) -> Result<Option<T>, SettingError>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(value) = text(env, variable) else { return Ok(None) };
    match value.trim().parse() {
        Ok(number) if number >= min && number <= max => Ok(Some(number)),
        _ => Err(unusable(variable, &value, &format!("write a number from {min} to {max}"))),
    }
}

fn seconds(env: Lookup<'_>, variable: &str) -> Result<Duration, SettingError> {
    let value = number(env, variable, 0.0, 86_400.0)?.unwrap_or(1.0);
    Ok(Duration::from_secs_f64(value))
}

fn probability(env: Lookup<'_>, variable: &str, default: f64) -> Result<f64, SettingError> {
    Ok(number(env, variable, 0.0, 1.0)?.unwrap_or(default))
}

fn urls(env: Lookup<'_>, variable: &str) -> Result<Option<Vec<Url>>, SettingError> {
    let Some(value) = text(env, variable) else { return Ok(None) };
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    let urls: Result<Vec<Url>, _> = parts.map(Url::parse).collect();
    let urls = urls.map_err(|error| unusable(variable, &value, &error.to_string()))?;
    Ok(Some(urls).filter(|urls| !urls.is_empty()))
}

fn urls_needed(env: Lookup<'_>, variable: &str, by: &str) -> Result<Vec<Url>, SettingError> {
    urls(env, variable)?.ok_or_else(|| {
        missing(variable, &format!("{by} wants to know where; nobody is asked who was not named"))
    })
}

fn resolver(env: Lookup<'_>) -> Result<SocketAddr, SettingError> {
    let variable = "DGA_RESOLVER";
    let help = "write the address of a resolver, such as 127.0.0.1:53";
    let value = text(env, variable).ok_or_else(|| {
        missing(variable, "SEND_DGA wants to know which resolver; write its address and port")
    })?;
    value.parse().map_err(|_| unusable(variable, &value, help))
}

fn missing(variable: &str, help: &str) -> SettingError {
    SettingError { variable: variable.to_owned(), value: " is not set".to_owned(), help: help.to_owned() }
}

fn unusable(variable: &str, value: &str, help: &str) -> SettingError {
    let value = value.chars().take(200).collect::<String>();
    SettingError { variable: variable.to_owned(), value: format!("={value}"), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn defaults_are_microsims() {
        let server = ServerSettings::read(&env(&[])).unwrap();
        assert_eq!(
            server.shown(0).line(),
            "{\"LISTEN_PORT\": 8080, \"STATS_PORT\": null, \"STATSD_HOST\": null, \"STATSD_PORT\": 8125, \"RESPOND_BYTES\": 16384, \
             \"STOP_SECONDS\": 0, \"STOP_PADDING\": false, \"TOTAL_STOP_SECONDS\": 0}"
        );
        let client = ClientSettings::read(&env(&[
            ("REQUEST_URLS", "http://a:8080/,http://b/x"),
            ("SEND_SQLI", "True"),
        ]))
        .unwrap();
        assert_eq!(
            client.shown(0).line(),
            "{\"STATS_PORT\": null, \"STATSD_HOST\": null, \"STATSD_PORT\": 8125, \"REQUEST_URLS\": \"http://a:8080/,http://b/x\", \
             \"REQUEST_INTERNET\": false, \"REQUEST_MALWARE\": false, \"SEND_SQLI\": true, \"SEND_DIR_TRAVERSAL\": false, \
             \"SEND_XSS\": false, \"SEND_DGA\": false, \"REQUEST_WAIT_SECONDS\": 1.0, \"REQUEST_BYTES\": 1024, \"STOP_SECONDS\": 0, \
             \"STOP_PADDING\": false, \"TOTAL_STOP_SECONDS\": 0, \"REQUEST_PROBABILITY\": 1.0, \"EGRESS_PROBABILITY\": 0.1, \
             \"ATTACK_PROBABILITY\": 0.01}"
        );
    }

    #[test]
    fn booleans_service_links_and_unusable_values() {
        let sends = |value: &'static str| {
            let lookup = |name: &str| match name {
                "REQUEST_URLS" => Some("http://a/".to_owned()),
                "SEND_XSS" => Some(value.to_owned()),
                "STATS_PORT" => Some("tcp://10.0.0.1:5000".to_owned()),
                _ => None,
            };
            let settings = ClientSettings::read(&lookup).unwrap();
            assert_eq!(settings.common.stats_port, None, "a service link");
            settings.attacks == [Attack::Xss]
        };
        assert_eq!(
            ["True", "0", "no", "false", "FALSE", ""].map(sends),
            [true, true, true, false, false, false]
        );
        let said = |pairs: &'static [(&'static str, &'static str)]| {
            ClientSettings::read(&env(pairs)).unwrap_err().to_string()
        };
        assert!(said(&[]).starts_with("REQUEST_URLS is not set: write http://"));
        assert!(said(&[("REQUEST_URLS", "db:80")]).contains("REQUEST_URLS=db:80: `db:80` is not a URL"));
        let internet = [("REQUEST_URLS", "http://a/"), ("REQUEST_INTERNET", "True")];
        assert!(
            said(&[("REQUEST_URLS", "http://a/"), ("REQUEST_INTERNET", "True")])
                .starts_with("EGRESS_URLS is not set"),
            "{internet:?}"
        );
        assert!(
            said(&[("REQUEST_URLS", "http://a/"), ("SEND_DGA", "1")]).starts_with("DGA_RESOLVER is not set")
        );
        assert!(said(&[("REQUEST_URLS", "http://a/"), ("ATTACK_PROBABILITY", "2")]).contains("from 0 to 1"));
        assert!(ServerSettings::read(&env(&[("LISTEN_PORT", "-1")])).is_err());
    }

    #[test]
    fn padding_adds_less_than_the_time_itself() {
        let settings =
            ServerSettings::read(&env(&[("STOP_SECONDS", "10"), ("STOP_PADDING", "True")])).unwrap();
        let totals: Vec<u64> = (0..200)
            .map(|seed| settings.common.total_stop_seconds(&mut fastrand::Rng::with_seed(seed)))
            .collect();
        assert!(totals.iter().all(|total| (10..20).contains(total)), "{totals:?}");
        assert!(totals.iter().any(|total| *total != totals[0]));
    }
}
