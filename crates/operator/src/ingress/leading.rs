//! Hosts and locations as routes: what is sent to HTTPS, what is asked of clients, what is answered where nothing leads.

use serde_json::json;

use crate::draft::{Draft, HTTP, HTTPS, Way};
use crate::ingress::Settings;
use crate::ingress::options::Global;
use crate::ingress::table::{Clients, Host, Location, To};

/// What all hosts have in common.
pub(super) struct Leading<'a> {
    pub(super) global: &'a Global,
    pub(super) settings: &'a Settings,
}

impl Leading<'_> {
    /// The routes of a host.
    pub(super) fn host(&self, draft: &mut Draft, name: &str, host: &Host, fallback: &To) {
        if let Some(Clients::Closed(_)) = &host.clients {
            let service = self.service(draft, name, &To::Answer(403), host);
            draft.lead(None, &Way::below(name, "/"), &[(service, None)]);
            return;
        }
        let asks = matches!(&host.clients, Some(Clients::Asked(value, _)) if value["mode"] != "off");
        let whole = host.locations.iter().any(|location| !location.exact && location.path == "/");
        for location in &host.locations {
            let way = way(name, location);
            // What is asked of clients cannot be asked over plain HTTP.
            let redirects = location.redirects && host.tls || location.forced || asks;
            if redirects {
                let plain = Way { more: Default::default(), ..way.clone() };
                let to = self.to_https(draft);
                draft.lead(Some(HTTP), &plain, &[(to, None)]);
            }
            let service = self.service(draft, name, &location.to, host);
            draft.lead(redirects.then_some(HTTPS), &way, &[(service, None)]);
        }
        if !whole {
            let way = Way::below(name, "/");
            if asks {
                let to = self.to_https(draft);
                draft.fall_back(Some(HTTP), way.clone(), to);
            }
            let service = self.service(draft, name, fallback, host);
            draft.fall_back(asks.then_some(HTTPS), way, service);
        }
    }

    fn to_https(&self, draft: &mut Draft) -> String {
        let answer = json!({"answer": {"status": 308, "httpsPort": self.settings.https_port}});
        draft.service("to-https".to_owned(), "", answer)
    }

    fn service(&self, draft: &mut Draft, name: &str, to: &To, host: &Host) -> String {
        let (base, mut service) = match to {
            To::Service { name, service } => (name.clone(), service.clone()),
            To::Answer(status) => (format!("answer-{status}"), json!({"answer": {"status": status}})),
            To::Redirect { name, status, location } => {
                (name.clone(), json!({"answer": {"status": status, "location": location}}))
            }
        };
        if let Some(Clients::Asked(clients, _)) = &host.clients {
            service["tls"] = json!({"clientCertificates": clients});
        }
        if let (Some(hsts), true) = (&self.global.hsts, host.tls) {
            service["responseHeaders"] = json!({"set": {"Strict-Transport-Security": hsts}});
        }
        draft.service(base, name, service)
    }
}

fn way(host: &str, location: &Location) -> Way {
    let mut way = Way { exact: location.exact, ..Way::below(host, &location.path) };
    if let Some(bytes) = location.body_max {
        way.more.insert("bodyMax".to_owned(), json!(format!("{bytes}B")));
    }
    if location.streams {
        way.more.insert("body".to_owned(), json!("stream"));
    }
    if let Some(mode) = &location.mode {
        way.more.insert("mode".to_owned(), json!(mode));
    }
    way
}
