//! Authenticators are one thing each, and are known where they are named.

use std::collections::HashSet;
use std::time::Duration;

use super::Checks;
use crate::Config;
use crate::authentication::{Authentication, AuthenticationMode, Authenticator, Jwt, JwtAlgorithm, JwtKeys};
use crate::node::quoted;
use crate::rates::RateKey;
use crate::value::{Located, Name};

/// Authenticators of one process.
const AUTHENTICATORS_MAX: usize = 1_000;
/// Authenticators that one request may ask.
const BY_MAX: usize = 8;
const LEEWAY_MAX: Duration = Duration::from_secs(300);

impl Checks<'_> {
    pub(super) fn authentication(&mut self, config: &Config) {
        self.unique("authenticator", config.authenticators.iter().map(|authenticator| &authenticator.name));
        if let Some(first_over) = config.authenticators.get(AUTHENTICATORS_MAX) {
            let message = format!("more than {AUTHENTICATORS_MAX} authenticators");
            self.error("authenticators", first_over.name.origin(), message, "share one among several routes");
        }
        for (index, authenticator) in config.authenticators.iter().enumerate() {
            self.authenticator(&format!("authenticators[{index}]"), authenticator);
        }
        let known: HashSet<&str> = config.authenticators.iter().map(|one| one.name.as_str()).collect();
        for (index, service) in config.services.iter().enumerate() {
            if let Some(told) = &service.authentication {
                let named = !told.by.is_empty();
                self.asked(config, &format!("services[{index}].authentication"), told, named, &known);
            }
        }
        for (index, route) in config.routes.iter().enumerate() {
            let service = config.services.iter().find(|service| *service.name == *route.service);
            let of_service = service.and_then(|service| service.authentication.as_ref());
            if let Some(told) = &route.authentication {
                let named = !told.by.is_empty() || of_service.is_some_and(|of| !of.by.is_empty());
                self.asked(config, &format!("routes[{index}].authentication"), told, named, &known);
            }
            let of_service_rates = service.map_or(&[][..], |service| &service.rate_limits);
            let in_force = route.authentication.as_ref().or(of_service);
            let is_asked = in_force.is_some_and(|told| told.mode != AuthenticationMode::Off);
            for name in of_service_rates.iter().chain(&route.rate_limits) {
                let limit = config.rate_limits.iter().find(|limit| *limit.name == **name);
                let claim = limit.and_then(|limit| {
                    limit.key.iter().find_map(|key| match key {
                        RateKey::Claim(claim) => Some(claim),
                        _ => None,
                    })
                });
                if let (Some(claim), false) = (claim, is_asked) {
                    let message = format!(
                        "the rate limit {} counts by the claim {}, which nobody has verified here",
                        quoted(name.as_str()),
                        quoted(claim)
                    );
                    let help = "add `authentication: {by: [NAME]}` to the route or to its service";
                    self.error(&format!("routes[{index}].rateLimits"), name.origin(), message, help);
                }
            }
        }
    }

    fn authenticator(&mut self, at: &str, authenticator: &Authenticator) {
        let (name, origin) = (quoted(authenticator.name.as_str()), authenticator.name.origin());
        let Authenticator { jwt, api_keys, forward, .. } = authenticator;
        let kinds =
            usize::from(jwt.is_some()) + usize::from(api_keys.is_some()) + usize::from(forward.is_some());
        if kinds != 1 {
            let message = format!("the authenticator {name} is to be one thing, and is {kinds}");
            self.error(at, origin, message, "write one of `jwt`, `apiKeys` and `forward`");
        }
        for (header, _) in authenticator.headers.iter() {
            if ["host", "authorization", "cookie"].contains(&header.as_str().to_ascii_lowercase().as_str()) {
                let message = format!("{} is no header for a claim", quoted(header.as_str()));
                self.error(
                    &format!("{at}.headers"),
                    origin,
                    message,
                    "write one of your own, such as x-user",
                );
            }
        }
        let Some(jwt) = jwt else { return };
        let Jwt { keys, algorithms, .. } = jwt;
        let JwtKeys { file, url, secret_file, .. } = keys;
        let sources =
            usize::from(file.is_some()) + usize::from(url.is_some()) + usize::from(secret_file.is_some());
        if sources != 1 {
            let message = format!("the keys of {name} come from one place, and {sources} are written");
            self.error(
                &format!("{at}.jwt.keys"),
                origin,
                message,
                "write one of `file`, `url` and `secretFile`",
            );
        }
        if algorithms.is_empty() {
            let message = format!("{name} says no algorithm that it takes");
            self.error(&format!("{at}.jwt.algorithms"), origin, message, "write `algorithms: [ES256]`");
        }
        let symmetric = |algorithm: &Located<JwtAlgorithm>| algorithm.is_symmetric();
        let wrong = algorithms.iter().find(|algorithm| symmetric(algorithm) != secret_file.is_some());
        if let Some(wrong) = wrong.filter(|_| sources == 1) {
            let (message, help) = match wrong.is_symmetric() {
                true => (
                    format!("{} is by a shared secret, and these keys are public", wrong.as_str()),
                    "name the secret by `keys: {secretFile: ...}`, in an authenticator of its own",
                ),
                false => (
                    format!("{} is by a key that is published, and this one is a secret", wrong.as_str()),
                    "write HS256, HS384 or HS512",
                ),
            };
            self.error(&format!("{at}.jwt.algorithms"), wrong.origin(), message, help);
        }
        if jwt.leeway.duration() > LEEWAY_MAX {
            let message = format!("the clocks of {name} may be more than 5 minutes apart");
            self.error(&format!("{at}.jwt.leeway"), origin, message, "write 5m or less");
        }
        if jwt.audiences.is_empty() {
            let message = format!("{name} takes tokens for any audience: also those that other services get");
            let help = "write `audiences: [NAME]`, what the issuer calls this service";
            self.warning(&format!("{at}.jwt.audiences"), origin, message, help);
        }
    }

    fn asked(
        &mut self,
        config: &Config,
        at: &str,
        told: &Located<Authentication>,
        named: bool,
        known: &HashSet<&str>,
    ) {
        for name in &told.by {
            self.leads(at.to_owned(), "authenticator", name, known);
        }
        if let Some(first_over) = told.by.get(BY_MAX) {
            let message = format!("more than {BY_MAX} authenticators for one request");
            self.error(&format!("{at}.by"), first_over.origin(), message, "leave some out");
        }
        if !named && told.mode != AuthenticationMode::Off {
            let help = "add `by: [NAME]`, with the name of one of `authenticators`";
            self.error(at, told.origin(), "nobody is named who knows who it is".to_owned(), help);
        }
        if told.mode == AuthenticationMode::Optional {
            let asks = |name: &Located<Name>| {
                let found = config.authenticators.iter().find(|one| *one.name == **name);
                found.is_some_and(|one| one.forward.is_some())
            };
            if let Some(name) = told.by.iter().find(|name| asks(name)) {
                let message =
                    format!("{} asks a server, which decides itself who passes", quoted(name.as_str()));
                let help =
                    "write `mode: required`, and let the server answer 200 to those who may pass unknown";
                self.error(&format!("{at}.mode"), told.origin(), message, help);
            }
        }
    }
}
