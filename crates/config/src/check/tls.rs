//! Whether what is said about TLS, certificates and addresses holds together.

use std::collections::HashMap;

use super::{Checks, after};
use crate::by_listener::ByListener;
use crate::client_address::AddressSource;
use crate::node::{Origin, quoted};
use crate::sections::{Config, Envoy, Listener, Route, Service};
use crate::socket::Socket;
use crate::tls::{ClientCertificateMode, ClientCertificates, Direction};
use crate::value::{HostPattern, Located, Name};

impl Checks<'_> {
    pub(super) fn tls(&mut self, config: &Config) {
        let leads = Leads::of(config);
        for (index, listener) in config.listeners.iter().enumerate() {
            let Some(tls) = &listener.tls else { continue };
            let key = format!("listeners[{index}].tls");
            if tls.certificates.is_empty() {
                let message = "TLS without a certificate";
                let help = "add `certificates: [{cert: tls.crt, key: tls.key}]`";
                self.error(&format!("{key}.certificates"), tls.origin(), message.to_owned(), help);
            }
            if let Some(certificates) = &tls.client_certificates {
                self.client_certificates(&format!("{key}.clientCertificates"), certificates);
            }
        }
        for (index, envoy) in config.envoy.iter().enumerate() {
            self.asker(index, envoy);
        }
        for (index, service) in config.services.iter().enumerate() {
            if let Some(certificates) = &service.tls.client_certificates {
                let key = format!("services[{index}].tls.clientCertificates");
                self.client_certificates(&key, certificates);
                self.asked_where(&key, certificates, service, (config, &leads));
            }
            self.upstream_tls(index, service);
            self.fingerprint(index, service);
        }
        self.one_answer_a_host(config, &leads);
    }

    /// Who asks as an Envoy is known by a certificate, or it is said that anybody may.
    fn asker(&mut self, index: usize, envoy: &Envoy) {
        let Some(tls) = &envoy.tls else { return };
        let key = format!("envoy[{index}].tls");
        if let Socket::Unix(path) = &*envoy.address {
            let message = format!("{path} is a path: who may ask is said by its folder's permissions");
            self.error(&key, tls.origin(), message, "remove `tls`, or name an address");
            return;
        }
        if tls.certificates.is_empty() {
            let message = "TLS without a certificate".to_owned();
            let help = "add `certificates: [{cert: tls.crt, key: tls.key}]`";
            self.error(&format!("{key}.certificates"), tls.origin(), message, help);
        }
        let key = format!("{key}.clientCertificates");
        let Some(certificates) = &tls.client_certificates else {
            let help =
                "add `clientCertificates: {ca: ca.crt}`, or `clientCertificates: {mode: off}` for anybody";
            self.error(&key, tls.origin(), "it is not said who may ask".to_owned(), help);
            return;
        };
        match certificates.mode {
            ClientCertificateMode::On => self.client_certificates(&key, certificates),
            ClientCertificateMode::Off => {
                if !certificates.spiffe_ids.is_empty() || certificates.match_subject.is_some() {
                    let message = "nobody is asked who they are".to_owned();
                    self.error(&format!("{key}.mode"), certificates.origin(), message, "write on");
                }
            }
            mode => {
                let message =
                    format!("{} has no meaning here: an Envoy is let in, or it is not", mode.as_str());
                self.error(
                    &format!("{key}.mode"),
                    certificates.origin(),
                    message,
                    "write on, or off for anybody",
                );
            }
        }
        if certificates.error_page.is_some() {
            let message = "an Envoy has no use for a page".to_owned();
            self.error(&format!("{key}.errorPage"), certificates.origin(), message, "remove it");
        }
    }

    /// A fingerprint takes the place of whatever has its header's name.
    fn fingerprint(&mut self, index: usize, service: &Service) {
        const TAKEN: [&str; 21] = [
            "accept",
            "authorization",
            "content-type",
            "cookie",
            "expect",
            "forwarded",
            "host",
            "origin",
            "referer",
            "ssl-client-cert",
            "ssl-client-issuer-dn",
            "ssl-client-serial",
            "ssl-client-spiffe-id",
            "ssl-client-subject-dn",
            "ssl-client-verify",
            "user-agent",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip",
        ];
        let further = service.forward.headers.iter().map(|(header, _)| ("headers", header.as_str()));
        let fingerprint = ("fingerprint.header", service.forward.fingerprint.header.as_str());
        for (of, header) in further.chain([fingerprint]) {
            if !TAKEN.contains(&header.to_ascii_lowercase().replace('_', "-").as_str()) {
                continue;
            }
            let key = format!("services[{index}].forward.{of}");
            let message = format!("{} says something else already", quoted(header));
            self.error(
                &key,
                service.name.origin(),
                message,
                "write a name of its own, such as X-Client-Print",
            );
        }
    }

    fn client_certificates(&mut self, key: &str, certificates: &Located<ClientCertificates>) {
        let mode = certificates.mode;
        let needs_ca = matches!(mode, ClientCertificateMode::On | ClientCertificateMode::Optional);
        if !needs_ca && !certificates.spiffe_ids.is_empty() {
            let message = format!("the mode {} believes nobody, so nobody has such an id", mode.as_str());
            self.error(
                &format!("{key}.spiffeIds"),
                certificates.spiffe_ids[0].origin(),
                message,
                "write `mode: on`",
            );
        }
        if needs_ca && certificates.ca.is_none() {
            let message = format!("the mode {} needs to know whom to believe", mode.as_str());
            let help = "add `ca:` with a file of certificates of authorities, such as ca.crt";
            self.error(&format!("{key}.ca"), certificates.origin(), message, help);
        } else if let (Some(crl), None) = (&certificates.crl, &certificates.ca) {
            let message = "nobody is believed whose certificates it could take back".to_owned();
            let help = "add `ca:` with the authorities that publish these lists, or remove `crl`";
            self.error(&format!("{key}.crl"), crl.origin(), message, help);
        }
    }

    /// Certificates that are asked for of hosts need a listener that can ask.
    fn asked_where(
        &mut self,
        key: &str,
        certificates: &Located<ClientCertificates>,
        service: &Service,
        (config, leads): (&Config, &Leads<'_>),
    ) {
        if certificates.mode == ClientCertificateMode::Off {
            return;
        }
        let here = leads.listeners_of(config, service).filter(|listener| listener.redirect.is_none());
        let (tls, plain): (Vec<&Listener>, Vec<&Listener>) =
            here.partition(|listener| listener.tls.is_some());
        if tls.is_empty() {
            let message = "certificates are asked for by TLS, and no listener with TLS leads here".to_owned();
            let help = "add `tls:` with a certificate to the listener of its routes";
            self.error(key, certificates.origin(), message, help);
        } else if let Some(plain) = plain.first() {
            let name = quoted(plain.name.as_str());
            let message =
                format!("the listener {name} leads here without TLS: nobody shows a certificate there");
            let help = "name the TLS listener in its routes, or let the plain one `redirect`";
            self.warning(key, certificates.origin(), message, help);
        }
    }

    /// The handshake knows the host alone: services of one host agree, where they say anything.
    fn one_answer_a_host(&mut self, config: &Config, leads: &Leads<'_>) {
        let any = HostPattern::Any;
        for listener in config.listeners.iter().filter(|listener| listener.tls.is_some()) {
            let mut said: HashMap<&HostPattern, &Located<ClientCertificates>> = HashMap::new();
            for (_, route) in leads.by_listener.routes(&listener.name) {
                let Some(&(index, service)) = leads.services.get(&*route.service) else { continue };
                let Some(certificates) = &service.tls.client_certificates else { continue };
                let hosts = route.hosts.iter().map(|host| &**host);
                for host in hosts.chain(route.hosts.is_empty().then_some(&any)) {
                    match said.get(host) {
                        Some(before) if *before != certificates => {
                            let message = format!(
                                "another service of the host {host} says something else of certificates{}",
                                after(before.origin())
                            );
                            let help = "a handshake knows the host alone: say the same, or use two hosts";
                            let key = format!("services[{index}].tls.clientCertificates");
                            self.error(&key, certificates.origin(), message, help);
                            return;
                        }
                        _ => {
                            said.insert(host, certificates);
                        }
                    }
                }
            }
        }
    }

    fn upstream_tls(&mut self, index: usize, service: &Service) {
        let Some(upstream) = &service.upstream else { return };
        let urls = &upstream.url;
        let key = format!("services[{index}].upstream");
        let tls = urls.iter().filter(|url| url.is_tls()).count();
        if let Some(odd) = urls.iter().find(|url| url.is_tls() != urls[0].is_tls()) {
            let message = "some of its URLs are over TLS and some are not".to_owned();
            let help = "places that are alike are spoken to alike: write all with https, or all with http";
            self.error(&format!("{key}.url"), odd.origin(), message, help);
            return;
        }
        if let Some(told) = &upstream.tls
            && tls == 0
        {
            let message = "TLS towards a service whose URL is http".to_owned();
            let url = urls[0].as_str().replacen("http://", "https://", 1);
            self.error(
                &format!("{key}.tls"),
                told.origin(),
                message,
                format!("write {url}, or remove `tls`"),
            );
        }
        if tls > 0
            && upstream.tls.as_ref().is_none_or(|told| told.server_name.is_none())
            && let Some(other) = urls.iter().find(|url| url.host() != urls[0].host())
        {
            let message = format!("{} is another host: which name is its certificate to have?", other.host());
            let help = format!(
                "write `tls: {{serverName: {}}}` with the name that all of them have",
                urls[0].host()
            );
            self.error(&format!("{key}.url"), other.origin(), message, help);
        }
        if let Some(crl) =
            upstream.tls.as_ref().and_then(|told| told.crl.as_ref().filter(|_| !told.spiffe_ids.is_empty()))
        {
            let message = "revocation lists are not looked at where SPIFFE ids count".to_owned();
            let help = "remove `crl`: such certificates live for hours, and are not revoked but not renewed";
            self.error(&format!("{key}.tls.crl"), crl.origin(), message, help);
        }
        if let Some(told) = upstream.tls.as_ref().filter(|told| !told.verify) {
            if told.ca.is_some() || told.crl.is_some() || !told.spiffe_ids.is_empty() {
                let message = "it is said whom to believe, and that everybody is believed".to_owned();
                let help = "remove `verify: false`, or `ca`, `crl` and `spiffeIds`";
                self.error(&format!("{key}.tls.verify"), told.origin(), message, help);
            } else {
                let message = "the service's certificate is not looked at".to_owned();
                let help = "name its authority by `ca`, and anybody on the way can no longer be the service";
                self.warning(&format!("{key}.tls.verify"), told.origin(), message, help);
            }
        }
    }

    /// Somebody's word counts, or nobody's is asked for.
    pub(super) fn client_addresses(&mut self, config: &Config) {
        for (index, listener) in config.listeners.iter().enumerate() {
            let Some(address) = &listener.client_address else { continue };
            let key = format!("listeners[{index}].clientAddress");
            let by_protocol = *address.from == AddressSource::ProxyProtocol;
            if by_protocol && address.hops.get() > 0 {
                let message = "the PROXY protocol names one client, whatever the number of hops".to_owned();
                self.error(&format!("{key}.hops"), address.origin(), message, "remove `hops`");
            } else if address.trusted.is_empty() && address.hops.get() == 0 {
                let message = "nobody's word counts".to_owned();
                let help = match by_protocol {
                    true => "add `trusted: [10.0.0.0/8]` with the networks of your load balancers",
                    false => "add `trusted: [10.0.0.0/8]` with the networks of your proxies, or `hops: 1`",
                };
                self.error(&key, address.origin(), message, help);
            } else if let Some(all) = address.trusted.iter().find(|network| network.bits() == 0) {
                let message = format!("{}: everybody may say to be anybody", **all);
                let help = "name the networks of your proxies; lists, rules and logs go by the address";
                self.warning(&format!("{key}.trusted"), all.origin(), message, help);
            }
        }
    }

    /// A listener for the workload's own calls is the workload's alone, and says where they go.
    pub(super) fn outbound(&mut self, config: &Config) {
        for (index, listener) in config.listeners.iter().enumerate() {
            if listener.direction == Direction::Inbound {
                continue;
            }
            let key = format!("listeners[{index}]");
            let (address, origin) = (listener.address.0, listener.address.origin());
            if !address.ip().is_loopback() {
                let message = format!(
                    "{address} is no loopback address: whoever reaches it calls in the workload's name"
                );
                let help = format!("write 127.0.0.1:{}", address.port());
                self.error(&format!("{key}.address"), origin, message, help);
            }
            for (what, there) in [
                ("tls", listener.tls.is_some()),
                ("clientAddress", listener.client_address.is_some()),
                ("redirect", listener.redirect.is_some()),
            ] {
                if there {
                    let message = format!("`{what}` has no meaning for the workload's own calls");
                    self.error(&format!("{key}.{what}"), listener.name.origin(), message, "remove it");
                }
            }
            let own = |route: &&Route| route.listener.as_ref().is_some_and(|name| **name == *listener.name);
            if config.routes.iter().find(own).is_none() {
                let name = listener.name.as_str();
                let message = format!("no route says where calls through {} go", quoted(name));
                let help = format!("add `- {{listener: {name}, hosts: [shop.example.com], service: ...}}`");
                self.error(&key, listener.name.origin(), message, help);
            }
            for (number, route) in
                config.routes.iter().enumerate().filter(|(_, route)| route.listener.is_none())
            {
                let message = format!("it takes calls through {} as well", quoted(listener.name.as_str()));
                let help = "name the listener of clients in it: `listener: web`";
                let origins = [route.path.origin(), route.service.origin()];
                let origin = origins.into_iter().find(|origin| *origin != Origin::Default);
                self.error(&format!("routes[{number}]"), origin.unwrap_or_default(), message, help);
            }
        }
    }
}

/// Where routes lead from and to, found once for all objects.
struct Leads<'c> {
    /// Each with its number, the first of a name.
    services: HashMap<&'c Name, (usize, &'c Service)>,
    by_listener: ByListener<'c>,
    /// The listeners that lead to each service, as numbers.
    listeners: HashMap<&'c Name, Vec<usize>>,
}

impl<'c> Leads<'c> {
    fn of(config: &'c Config) -> Self {
        let by_listener = ByListener::of(config);
        let mut services = HashMap::new();
        for (number, service) in config.services.iter().enumerate() {
            services.entry(&*service.name).or_insert((number, service));
        }
        // Only services that ask for certificates are asked about: what every listener leads to is not noted for others.
        let asks = |name: &Name| {
            services.get(name).is_some_and(|(_, service)| service.tls.client_certificates.is_some())
        };
        let mut listeners: HashMap<&Name, Vec<usize>> = HashMap::new();
        for (number, listener) in config.listeners.iter().enumerate() {
            for (_, route) in by_listener.routes(&listener.name).filter(|(_, route)| asks(&route.service)) {
                let of_service = listeners.entry(&*route.service).or_default();
                if of_service.last() != Some(&number) {
                    of_service.push(number);
                }
            }
        }
        Self { services, by_listener, listeners }
    }

    /// The listeners that lead to a service, in the order of the configuration.
    fn listeners_of<'s>(&self, config: &'s Config, service: &Service) -> impl Iterator<Item = &'s Listener> {
        self.listeners.get(&*service.name).into_iter().flatten().map(|number| &config.listeners[*number])
    }
}
