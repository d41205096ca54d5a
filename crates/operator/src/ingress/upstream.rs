//! What the backends of an Ingress come to: services of a configuration, with how they are asked and what they are told.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressServiceBackend};
use serde_json::{Map, Value, json};

use crate::draft::short;
use crate::ingress::options::Options;
use crate::ingress::table::{Making, Table, To};

impl Table<'_> {
    /// What a backend comes to.
    pub(super) fn resolved(
        &mut self,
        backend: &IngressBackend,
        making: &Making<'_>,
        say: &mut impl FnMut(&'static str, String, bool),
    ) -> To {
        if making.refused {
            return To::Answer(503);
        }
        if let Some((status, location)) = &making.options.redirect {
            let name = short(format!("{}.{}.redirect", making.namespace, making.name));
            return To::Redirect { name, status: *status, location: location.clone() };
        }
        let Some(service) = &backend.service else {
            say("NotHonoured", "a backend that is no Service is answered with 503".to_owned(), false);
            return To::Answer(503);
        };
        match self.upstream(service, making) {
            Ok(Some(upstream)) => {
                let port = service.port.as_ref().map(|port| match (&port.name, port.number) {
                    (Some(name), _) if !name.is_empty() => name.clone(),
                    (_, number) => number.unwrap_or_default().to_string(),
                });
                let name = format!(
                    "{}.{}.{}.{}",
                    making.namespace,
                    making.name,
                    service.name,
                    port.unwrap_or_else(|| "0".to_owned())
                );
                let mut value = json!({"upstream": upstream});
                making.inspected.inspect(&mut value);
                let forward = self.forward(making.options);
                if !forward.is_empty() {
                    value["forward"] = Value::Object(forward);
                }
                To::Service { name: short(name), service: value }
            }
            Ok(None) => {
                let what = format!("the Service {}/{} has nobody ready: 503", making.namespace, service.name);
                say("NoEndpoints", what, true);
                To::Answer(503)
            }
            Err(why) => {
                say("BadBackend", format!("503: {why}"), false);
                To::Answer(503)
            }
        }
    }

    fn upstream(
        &mut self,
        service: &IngressServiceBackend,
        making: &Making<'_>,
    ) -> Result<Option<Value>, String> {
        let options = making.options;
        let scheme = if options.https { "https" } else { "http" };
        let urls = self.backends.urls(&making.namespace, service, scheme, options.service_upstream)?;
        if urls.is_empty() {
            return Ok(None);
        }
        let mut upstream = json!({
            "url": urls,
            "connect": format!("{}s", options.connect.unwrap_or(self.global.connect)),
            "response": format!("{}s", options.read.unwrap_or(self.global.read)),
        });
        if options.http2 {
            upstream["protocol"] = json!("http2");
        }
        if options.https {
            let mut tls = json!({});
            let name = format!("{}.{}", service.name, making.namespace);
            tls["serverName"] = json!(options.upstream_name.clone().unwrap_or(name));
            match (&options.upstream_secret, options.upstream_verify) {
                (Some(secret), true) => {
                    let files = self.secrets.authorities(secret)?;
                    tls["ca"] = json!(files[0].0);
                    self.tls.extend(files);
                }
                (None, true) => {
                    return Err("proxy-ssl-verify asks for a proxy-ssl-secret with ca.crt".to_owned());
                }
                (_, false) => tls["verify"] = json!(false),
            }
            if let Some(secret) = options.upstream_secret.as_ref().filter(|of| self.secrets.has_pair(of)) {
                let files = self.secrets.pair(secret, &self.settings.checks, &mut self.memory.pairs)?;
                tls["clientCert"] = json!({"cert": files[0].0, "key": files[1].0});
                self.tls.extend(files);
            }
            upstream["tls"] = tls;
        }
        Ok(Some(upstream))
    }

    fn forward(&self, options: &Options) -> Map<String, Value> {
        let mut forward = Map::new();
        if options.auth_tls.as_ref().is_some_and(|asked| asked.pass_certificate) {
            forward.insert("clientCertificate".to_owned(), json!(true));
        }
        let headers: Map<String, Value> =
            options.headers.iter().map(|(name, fact)| (name.clone(), json!(fact))).collect();
        if !headers.is_empty() {
            forward.insert("headers".to_owned(), Value::Object(headers));
        }
        forward
    }

    /// What the data plane's own reader would not take of an Ingress, read alone.
    pub(super) fn unreadable(&mut self, ingress: &Ingress, options: &Options) -> Option<String> {
        let spec = ingress.spec.as_ref()?;
        let mut routes = Vec::new();
        let mut seen = BTreeSet::new();
        for path in spec.rules.iter().flatten().flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths))
        {
            let exact = path.path_type == "Exact";
            let written = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
            if seen.insert((written.trim_end_matches('/'), exact)) {
                routes.push(json!({"path": written, "exact": exact, "service": "s"}));
            }
        }
        routes.push(json!({"path": "/palisade-default", "service": "s"}));
        let mut service = json!({"name": "s", "upstream": {
            "url": if options.https { "https://a" } else { "http://a" },
            "connect": format!("{}s", options.connect.unwrap_or(5)),
            "response": format!("{}s", options.read.unwrap_or(60)),
        }, "forward": self.forward(options)});
        if let Some(name) = options.upstream_name.as_ref().filter(|_| options.https) {
            service["upstream"]["tls"] = json!({"serverName": name});
        }
        let mut services = vec![service];
        let places = [options.app_root.as_ref(), options.redirect.as_ref().map(|(_, to)| to)];
        for (number, place) in places.into_iter().flatten().enumerate() {
            let name = format!("redirect{number}");
            services.push(json!({"name": name, "answer": {"status": 302, "location": place}}));
            routes.push(json!({"path": format!("/palisade-{number}"), "service": name}));
        }
        self.memory.readable.wrong_with(&services, &routes)
    }
}
