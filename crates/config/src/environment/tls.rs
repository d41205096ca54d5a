//! What the CRS image's variables say of TLS and of addresses: several of them together make one thing here.
//!
//! Differs from the image: without a certificate there is no TLS listener, where the image makes one that signs itself.

use std::collections::BTreeMap;

use super::{Reader, reading};
use crate::node::{Node, Origin};
use crate::overrides::{Place, Said};

/// Where the image has its certificate.
const CERTIFICATE: (&str, &str) = ("/etc/nginx/conf/server.crt", "/etc/nginx/conf/server.key");

/// Where it listens for TLS.
const PORT: &str = "8443";

impl Reader<'_> {
    /// The first that is set, of names that mean the same.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.said_of(name)?)))
    }

    fn say(&mut self, place: Place, value: Node) {
        self.environment.under.push(Said { place, value });
    }

    /// A listener for TLS beside the plain one, where there is a certificate.
    pub(super) fn server_tls(&mut self, is_mounted: &dyn Fn(&str) -> bool) {
        let named =
            [self.first(&["SSL_CERT", "SSL_CERT_FILE"]), self.first(&["SSL_CERT_KEY", "SSL_CERT_KEY_FILE"])];
        let mounted = is_mounted(CERTIFICATE.0) && is_mounted(CERTIFICATE.1);
        // On its own this is OpenSSL's variable, which names whom the system believes.
        let is_openssls = named[0].as_ref().is_some_and(|(name, _)| *name == "SSL_CERT_FILE");
        let named = match named {
            [_, None] if is_openssls => [None, None],
            named => named,
        };
        let redirect = ["NGINX_ALWAYS_TLS_REDIRECT", "APACHE_ALWAYS_TLS_REDIRECT"]
            .into_iter()
            .find(|name| self.is_on(name));
        let port = self.first(&["SSL_PORT"]);
        if named.iter().all(Option::is_none) && !mounted {
            if let Some(name) = redirect {
                let message =
                    "`on` leads to a listener for TLS, and there is no certificate for one".to_owned();
                self.wrong(name, message, "name one by SSL_CERT and SSL_CERT_KEY".to_owned());
            } else if let Some((name, _)) = port {
                self.note(format!(
                    "{name} has no effect: no certificate is named by SSL_CERT and SSL_CERT_KEY, or mounted at {}",
                    CERTIFICATE.0
                ));
            }
            return;
        }
        let origin = |said: &Option<(&'static str, String)>| {
            said.as_ref().map_or(Origin::Default, |(name, _)| Origin::Flag(name))
        };
        let text = |said: &Option<(&'static str, String)>, default: &str| {
            let value = said.as_ref().map_or(default, |(_, value)| value);
            Node::text(value, origin(said))
        };
        let by = origin(&named[0]);
        let mut pair = Node::empty_map(by);
        pair.set("cert", text(&named[0], CERTIFICATE.0));
        pair.set("key", text(&named[1], CERTIFICATE.1));
        let mut tls = Node::empty_map(by);
        tls.set("certificates", Node::list(vec![pair], by));
        if let Some((name, value)) = self.first(&["SSL_PROTOCOLS", "SSL_PROTOCOL"]) {
            match oldest(&value) {
                Some(version) => {
                    tls.set("minVersion", Node::text(version, Origin::Flag(name)));
                }
                None => {
                    let message = format!("{} has no version that is spoken", crate::node::quoted(&value));
                    self.wrong(name, message, "write \"TLSv1.2 TLSv1.3\"".to_owned());
                }
            }
        }
        let number = port.as_ref().map_or(PORT, |(_, value)| value);
        let address = match reading::Reading::Port.read(number) {
            Ok(Some(address)) => address,
            Ok(None) => return,
            Err((what, help)) => {
                return self.wrong("SSL_PORT", format!("{} {what}", crate::node::quoted(number)), help);
            }
        };
        let mut listener = Node::empty_map(by);
        // By this origin what is said of the plain listener passes it over.
        listener.set("name", Node::text("tls", Origin::Flag("SSL_PORT")));
        listener.set("address", Node::text(address, origin(&port)));
        listener.set("tls", tls);
        self.say(Place::TlsListener, listener);
        if let Some(name) = redirect {
            let mut to = Node::empty_map(Origin::Flag(name));
            to.set("status", Node::text("301", Origin::Flag(name)));
            to.set("port", Node::text(number, Origin::Flag(name)));
            self.say(Place::Listener("redirect"), to);
        }
    }

    /// TLS towards the service, where its URL asks for it. As in the image nobody checks it unless that is said.
    pub(super) fn upstream_tls(&mut self) {
        let backend = self.first(&["BACKEND", "PROXYLOCATION", "UPSTREAM"]);
        let is_tls = backend.is_some_and(|(_, url)| url.starts_with("https://"));
        let named = |reader: &Self, names: &[&'static str]| {
            reader.first(names).map(|(name, value)| Node::text(value, Origin::Flag(name)))
        };
        let certificate = named(self, &["PROXY_SSL_CERT", "PROXY_SSL_CERT_FILE"]);
        let key = named(self, &["PROXY_SSL_CERT_KEY", "PROXY_SSL_CERT_KEY_FILE"]);
        let ca = named(self, &["PROXY_SSL_CA_CERT", "PROXY_SSL_CA_CERT_FILE"]);
        let verify = self.is_on("PROXY_SSL_VERIFY");
        if !is_tls {
            let said = BTreeMap::from([("PROXY_SSL", self.is_on("PROXY_SSL")), ("PROXY_SSL_VERIFY", verify)]);
            for (name, _) in said.into_iter().filter(|(_, on)| *on) {
                self.note(format!("{name} has no effect: the URL of BACKEND does not begin with https://"));
            }
            return;
        }
        let mut tls = Node::empty_map(Origin::Default);
        tls.set("verify", Node::text(verify.to_string(), Origin::Default));
        match ca {
            Some(ca) if verify => {
                tls.set("ca", ca);
            }
            Some(_) => {
                self.note("the certificate authority has no effect: PROXY_SSL_VERIFY is not on".to_owned())
            }
            None => {}
        }
        if let (Some(certificate), Some(key)) = (certificate, key) {
            let mut pair = Node::empty_map(certificate.origin);
            pair.set("cert", certificate);
            pair.set("key", key);
            tls.set("clientCert", pair);
        }
        self.say(Place::Service(&["upstream", "tls"]), tls);
    }

    /// Who is believed about the addresses of clients.
    pub(super) fn addresses(&mut self) {
        let trusted = self.first(&["SET_REAL_IP_FROM", "REMOTEIP_INT_PROXY"]);
        let header = self.first(&["REAL_IP_HEADER", "REMOTEIP_HEADER"]);
        let Some((name, networks)) = trusted else {
            if let Some((name, _)) = header {
                self.note(format!("{name} has no effect: SET_REAL_IP_FROM does not say whom to believe"));
            }
            return;
        };
        let by = Origin::Flag(name);
        let (of, from) = header.unwrap_or(if name == "SET_REAL_IP_FROM" {
            ("REAL_IP_HEADER", "X-REAL-IP".to_owned())
        } else {
            ("REMOTEIP_HEADER", "X-Forwarded-For".to_owned())
        });
        // nginx's word for it.
        let from = if from == "proxy_protocol" { "proxy-protocol".to_owned() } else { from };
        let networks = networks.split([',', ' ']).filter(|network| !network.is_empty());
        let mut address = Node::empty_map(by);
        address.set("from", Node::text(from, Origin::Flag(of)));
        address.set("trusted", Node::list(networks.map(|network| Node::text(network, by)).collect(), by));
        self.say(Place::Listener("clientAddress"), address);
    }
}

/// The oldest version among nginx's or Apache's words that we speak.
fn oldest(words: &str) -> Option<&'static str> {
    let without = |version: &str| words.split_whitespace().any(|word| word == format!("-{version}"));
    let with = |version: &str| {
        let named = |word: &str| word.trim_start_matches('+').eq_ignore_ascii_case(version);
        words.split_whitespace().any(|word| named(word) || word.eq_ignore_ascii_case("all"))
            && !without(version)
    };
    ["TLSv1.2", "TLSv1.3"].into_iter().find(|version| with(version))
}
