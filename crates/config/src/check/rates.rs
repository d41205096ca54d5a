//! Rate limits tell somebody from others, and are known where they are named.

use std::collections::HashSet;

use super::Checks;
use crate::Config;
use crate::node::quoted;

/// Rate limits of one process.
const RATE_LIMITS_MAX: usize = 1_000;
/// Rate limits that one object names.
const RATE_LIMITS_OF_ONE_MAX: usize = 16;

impl Checks<'_> {
    pub(super) fn rates(&mut self, config: &Config) {
        self.unique("rateLimit", config.rate_limits.iter().map(|limit| &limit.name));
        if let Some(first_over) = config.rate_limits.get(RATE_LIMITS_MAX) {
            let message = format!("more than {RATE_LIMITS_MAX} rate limits");
            self.error(
                "rateLimits",
                first_over.name.origin(),
                message,
                "share one limit among several routes",
            );
        }
        for (index, limit) in config.rate_limits.iter().enumerate() {
            if limit.key.is_empty() {
                let message =
                    format!("the rate limit {} tells nobody from another", quoted(limit.name.as_str()));
                self.error(
                    &format!("rateLimits[{index}].key"),
                    limit.name.origin(),
                    message,
                    "add `key: [address]`",
                );
            }
        }
        let known: HashSet<&str> = config.rate_limits.iter().map(|limit| limit.name.as_str()).collect();
        let services = config.services.iter().enumerate();
        let services = services.map(|(index, service)| (format!("services[{index}]"), &service.rate_limits));
        let routes = config.routes.iter().enumerate();
        let routes = routes.map(|(index, route)| (format!("routes[{index}]"), &route.rate_limits));
        for (of, names) in services.chain(routes) {
            for name in names {
                self.leads(of.clone(), "rateLimits", name, &known);
            }
            if let Some(first_over) = names.get(RATE_LIMITS_OF_ONE_MAX) {
                let message = format!("more than {RATE_LIMITS_OF_ONE_MAX} rate limits for one request");
                self.error(&format!("{of}.rateLimits"), first_over.origin(), message, "leave some out");
            }
        }
    }
}
