//! Authenticators as a configuration has them: keys read from files or fetched from where they are published, and what
//! routes ask.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_authn::{Algorithm, ApiKeys, KeySet, Place, Requirement, TokenRules, Tokens};
use palisade_config::{
    AuthenticationMode, AuthenticationStage, Config, Credential, CredentialPlace, FilePath, HeaderName, Jwt,
    Name, Route, Service,
};
use palisade_dataplane::{
    Alpn, AuthServer, Authentication, AuthenticationCounts, Authenticator, FetchTimes, ForwardAuth,
    KeySource, KeysNews, UpstreamTls, Way,
};
use palisade_seclang::Loader;

use crate::rules::plural;
use crate::tls::{Memory, upstream};
use crate::watch::Seen;

/// Authenticators in force, by name.
pub(crate) type Authenticators = HashMap<Name, Arc<Authenticator>>;

/// Makes authenticators, and remembers what went into them.
#[derive(Debug, Default)]
pub(crate) struct AuthenticatorMaker {
    made: Memory<Authenticator>,
}

impl AuthenticatorMaker {
    /// An authenticator. Where neither what it is told nor its files have changed since it was made last, and nobody asks for
    /// `all`, it is the same: published keys stay, and what was verified stays known.
    ///
    /// # Errors
    /// When its files cannot be used.
    pub(crate) fn of(
        &mut self,
        told: &palisade_config::Authenticator,
        all: bool,
    ) -> Result<Arc<Authenticator>> {
        // Where keys come from a URL there is nothing to read anew.
        let all = all && told.jwt.as_ref().is_none_or(|jwt| jwt.keys.url.is_none());
        self.made.of(&told.name, format!("{told:?}"), all, |loader| authenticator(loader, told))
    }

    /// Forgets those that are no more.
    pub(crate) fn keep(&mut self, config: &Config) {
        self.made.keep(|name| config.authenticators.iter().any(|there| *there.name == *name));
    }

    /// The files of all of them.
    pub(crate) fn seen(&self) -> Seen {
        self.made.seen()
    }
}

/// What a route asks; nothing where neither it nor its service says so. Keys that are published are not fetched by that.
///
/// # Errors
/// Never for names of a checked configuration.
pub(crate) fn of_route(
    authenticators: &Authenticators,
    service: &Service,
    route: &Route,
    counts: impl FnOnce() -> Arc<AuthenticationCounts>,
) -> Result<Option<Arc<Authentication>>> {
    let of_service = service.authentication.as_deref();
    let Some(told) = told(service, route) else { return Ok(None) };
    let names = match (&told.by[..], of_service) {
        ([], Some(of_service)) => &of_service.by,
        _ => &told.by,
    };
    let mut by = Vec::new();
    for name in names {
        by.push(
            authenticators
                .get(&**name)
                .context("a checked route asks authenticators that are there")?
                .clone(),
        );
    }
    Ok(Some(Arc::new(Authentication::new(
        by,
        told.mode == AuthenticationMode::Required,
        told.stage == AuthenticationStage::Monitor,
        counts(),
    ))))
}

/// What is written of it for a route: there, or else at its service.
pub(crate) fn told<'c>(
    service: &'c Service,
    route: &'c Route,
) -> Option<&'c palisade_config::Authentication> {
    let told = route.authentication.as_deref().or(service.authentication.as_deref());
    told.filter(|told| told.mode != AuthenticationMode::Off)
}

/// Begins to fetch keys that are published.
pub(crate) fn begin(authentication: &Authentication) {
    for authenticator in authentication.by() {
        if let Way::Jwt { keys, .. } = &authenticator.way {
            let name = authenticator.name.clone();
            keys.start(move |news| tell(&name, news));
        }
    }
}

fn tell(name: &str, news: KeysNews) {
    let KeysNews { url, what } = news;
    match what {
        Ok((count, skipped)) => {
            let left_out = if skipped.is_empty() {
                String::new()
            } else {
                format!("; left out: {}", skipped.join(", "))
            };
            say!("palisade: authenticator {name}: {} from {url}{left_out}", plural(count, "key"));
        }
        Err(why) => say!("palisade: authenticator {name}: {url} {why}; keys that are there stay"),
    }
}

fn authenticator(loader: &dyn Loader, told: &palisade_config::Authenticator) -> Result<Authenticator> {
    let name: Arc<str> = told.name.as_str().into();
    let way = match (&told.jwt, &told.api_keys, &told.forward) {
        (Some(jwt), ..) => jwt_of(loader, &name, jwt)?,
        (_, Some(keys), _) => {
            let path = keys.file.as_str();
            let keys_read = ApiKeys::parse(&name, &read(loader, &keys.file)?);
            let default = Place::Header("x-api-key".to_owned());
            Way::ApiKeys {
                keys: keys_read.with_context(|| format!("apiKeys.file {path}"))?,
                from: places(&keys.from, default),
            }
        }
        (.., Some(forward)) => {
            let tls = tls(loader, forward.url.as_str(), forward.tls.as_deref())?;
            let names =
                |headers: &[HeaderName]| headers.iter().map(|name| name.as_str().to_owned()).collect();
            let mut request_headers: Vec<String> = names(&forward.request_headers);
            if request_headers.is_empty() {
                request_headers = vec!["Authorization".to_owned(), "Cookie".to_owned()];
            }
            Way::Forward(Box::new(ForwardAuth {
                server: AuthServer::new(forward.url.as_str(), tls, forward.timeout.duration())?,
                request_headers,
                response_headers: names(&forward.response_headers),
                subject: forward.subject.as_ref().map(|name| name.as_str().to_owned()),
                sign_in: forward.sign_in.as_ref().map(|url| url.as_str().to_owned()),
            }))
        }
        (None, None, None) => bail!("a checked authenticator is one thing"),
    };
    let headers =
        told.headers.iter().map(|(name, claim)| (name.as_str().to_owned(), claim.to_owned())).collect();
    Ok(Authenticator { name, way, headers, removes: told.credential == Credential::Remove })
}

fn jwt_of(loader: &dyn Loader, name: &Arc<str>, jwt: &Jwt) -> Result<Way> {
    let keys = &jwt.keys;
    let source = match (&keys.file, &keys.url, &keys.secret_file) {
        (Some(file), ..) => {
            let set =
                KeySet::from_jwks(&read(loader, file)?).with_context(|| format!("keys.file {}", **file))?;
            for skipped in set.skipped() {
                say!("palisade: authenticator {name}: {}: {skipped}, and is left out", **file);
            }
            KeySource::known(set)
        }
        (_, Some(url), _) => {
            let tls = tls(loader, url.as_str(), keys.tls.as_deref())?;
            let times = FetchTimes {
                refresh: keys.refresh.duration(),
                refresh_unknown: keys.refresh_unknown.duration(),
                wait: keys.wait.duration(),
            };
            let server = AuthServer::new(url.as_str(), tls, keys.timeout.duration())?;
            KeySource::published(url.as_str(), server, times)
        }
        (.., Some(file)) => {
            let set = KeySet::from_secret(&read(loader, file)?);
            KeySource::known(set.with_context(|| format!("keys.secretFile {}", **file))?)
        }
        (None, None, None) => bail!("the keys of a checked authenticator come from somewhere"),
    };
    let algorithm = |told: &palisade_config::JwtAlgorithm| Algorithm::from_name(told.as_str());
    let rules = TokenRules {
        algorithms: jwt.algorithms.iter().filter_map(|told| algorithm(told)).collect(),
        issuers: jwt.issuers.clone(),
        audiences: jwt.audiences.clone(),
        kinds: jwt.kinds.clone(),
        leeway_seconds: jwt.leeway.duration().as_secs(),
        endless: !jwt.require_expiry,
        required: jwt
            .require
            .iter()
            .map(|(claim, values)| Requirement { claim: claim.to_owned(), values: values.to_vec() })
            .collect(),
    };
    Ok(Way::Jwt {
        tokens: Box::new(Tokens::new(name.clone(), rules)),
        keys: source,
        from: places(&jwt.from, Place::Bearer),
    })
}

fn places(told: &[CredentialPlace], default: Place) -> Vec<Place> {
    if told.is_empty() {
        return vec![default];
    }
    let place = |told: &CredentialPlace| match told {
        CredentialPlace::Bearer => Place::Bearer,
        CredentialPlace::Header(name) => Place::Header(name.as_str().to_owned()),
        CredentialPlace::Cookie(name) => Place::Cookie(name.clone()),
        CredentialPlace::Query(name) => Place::Query(name.clone()),
    };
    told.iter().map(place).collect()
}

/// TLS towards a URL that begins with `https`.
fn tls(
    loader: &dyn Loader,
    url: &str,
    told: Option<&palisade_config::UpstreamTls>,
) -> Result<Option<Arc<UpstreamTls>>> {
    if !url.starts_with("https://") {
        return Ok(None);
    }
    let mut warnings = Vec::new();
    let made = upstream(loader, told, vec![Alpn::Http1], &mut warnings)?;
    warnings.iter().for_each(|warning| say!("palisade: {warning}"));
    Ok(Some(Arc::new(made)))
}

fn read(loader: &dyn Loader, path: &FilePath) -> Result<Vec<u8>> {
    loader.read(path.as_str()).map_err(|error| match error.not_found {
        true => anyhow!("{path} does not exist"),
        false => anyhow!("{path} cannot be read: {error}"),
    })
}
