//! What several Ingresses do to one another in ingress-nginx, and how paths match there: people depend on it without having
//! written it anywhere.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ingress::annotations::PREFIX;
use crate::migrate::{Finding, annotations_of, title};

/// A path of an Ingress.
struct Path<'a> {
    ingress: &'a Value,
    kind: &'a str,
    path: &'a str,
}

/// What is to be said of Ingresses together, host by host.
pub(super) fn of(ingresses: &[&Value]) -> Vec<Finding> {
    let mut hosts: BTreeMap<&str, Vec<Path<'_>>> = BTreeMap::new();
    for ingress in ingresses {
        for rule in ingress["spec"]["rules"].as_array().into_iter().flatten() {
            let host = rule["host"].as_str().unwrap_or("*");
            let paths = hosts.entry(host).or_default();
            for path in rule["http"]["paths"].as_array().into_iter().flatten() {
                let kind = path["pathType"].as_str().unwrap_or("ImplementationSpecific");
                paths.push(Path { ingress, kind, path: path["path"].as_str().unwrap_or("/") });
            }
        }
    }
    let mut out = Vec::new();
    for (host, paths) in &hosts {
        regexes(host, paths, &mut out);
        prefixes(host, paths, &mut out);
        twice(host, paths, &mut out);
        host_wide(host, paths, &mut out);
    }
    out
}

fn quirk(object: &Value, name: &str, why: String) -> Finding {
    Finding { object: title(object), name: name.to_owned(), verdict: "quirk", why }
}

fn has(ingress: &Value, name: &str) -> bool {
    annotations_of(ingress).contains_key(&format!("{PREFIX}{name}"))
}

/// One Ingress with patterns makes patterns of all paths of its host.
fn regexes(host: &str, paths: &[Path<'_>], out: &mut Vec<Finding>) {
    let uses = |ingress: &Value| {
        has(ingress, "rewrite-target")
            || annotations_of(ingress).get(&format!("{PREFIX}use-regex")).is_some_and(|on| on == "true")
    };
    let Some(by) = paths.iter().find(|path| uses(path.ingress)) else { return };
    for path in paths {
        let why = format!(
            "{host}{}: because of {} every path of the host is a pattern there, found at the beginning and whatever the case: \
             `{}` also takes what merely begins so. Here it is matched as its type says",
            path.path,
            title(by.ingress),
            path.path
        );
        out.push(quirk(path.ingress, "use-regex", why));
    }
}

fn prefixes(host: &str, paths: &[Path<'_>], out: &mut Vec<Finding>) {
    for path in paths.iter().filter(|path| path.kind == "ImplementationSpecific" && path.path != "/") {
        let why = match path.path.strip_suffix('/') {
            Some(bare) => format!(
                "{host}{}: there a request for {bare} is sent to {} by 301; here it belongs to the path as it is",
                path.path, path.path
            ),
            None => format!(
                "{host}{0}: of type ImplementationSpecific it takes {0}x there as well; here it takes {0} and what is below it, \
                 as Prefix does",
                path.path
            ),
        };
        out.push(quirk(path.ingress, "pathType", why));
    }
}

fn twice(host: &str, paths: &[Path<'_>], out: &mut Vec<Finding>) {
    for (index, path) in paths.iter().enumerate() {
        let same = |before: &&Path<'_>| {
            let alike = before.path.trim_end_matches('/') == path.path.trim_end_matches('/');
            alike && (before.kind == "Exact") == (path.kind == "Exact")
        };
        if let Some(before) = paths[..index].iter().find(same)
            && !std::ptr::eq(before.ingress, path.ingress)
        {
            let why = format!(
                "{host}{}: {} says it as well; the older one counts",
                path.path,
                title(before.ingress)
            );
            out.push(quirk(path.ingress, "path", why));
        }
    }
}

/// What one Ingress says for a whole host acts on paths of others.
fn host_wide(host: &str, paths: &[Path<'_>], out: &mut Vec<Finding>) {
    let mut seen: Vec<&Value> = Vec::new();
    for path in paths {
        if !seen.iter().any(|ingress| std::ptr::eq(*ingress, path.ingress)) {
            seen.push(path.ingress);
        }
    }
    for name in ["auth-tls-secret", "server-alias", "server-snippet", "ssl-ciphers"] {
        let saying: Vec<&&Value> = seen.iter().filter(|ingress| has(ingress, name)).collect();
        let Some(first) = saying.first() else { continue };
        for other in saying.iter().skip(1) {
            let why =
                format!("{host}: {} says it as well; the older one counts for the whole host", title(first));
            out.push(quirk(other, name, why));
        }
        for other in seen.iter().filter(|ingress| !has(ingress, name)) {
            let why =
                format!("{host}: what {} says of it holds for the paths of this Ingress too", title(first));
            out.push(quirk(other, name, why));
        }
    }
}
