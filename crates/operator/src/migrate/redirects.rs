//! `permanent-redirect` and `temporal-redirect` as a filter `RequestRedirect`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::gateway_api::Stays;
use crate::ingress::table::is_host;

/// Where an Ingress with these annotations sends all of its requests, as a filter.
///
/// # Errors
/// Why there is no such filter.
pub(super) fn redirect(annotations: &BTreeMap<String, String>) -> Result<Option<Value>, Stays> {
    let named = [("permanent-redirect", 301), ("temporal-redirect", 302)];
    let written = named.into_iter().find_map(|(name, usual)| {
        let to = annotations.get(name).map(|to| to.trim()).filter(|to| !to.is_empty())?;
        Some((name, to, usual))
    });
    let Some((name, to, usual)) = written else { return Ok(None) };
    let stays = |why: &str| Err((name.to_owned(), why.to_owned()));
    let code = annotations.get(&format!("{name}-code")).and_then(|code| code.trim().parse().ok());
    let code: u16 = code.unwrap_or(usual);
    if to.contains('$') || ![301, 302, 303, 307, 308].contains(&code) {
        return stays("neither form takes it: a URL without variables, and a status of a redirect");
    }
    if to.contains(['?', '#', '\\']) || to.contains(char::is_whitespace) {
        return stays("a RequestRedirect has no word for a query or a fragment");
    }
    let mut redirect = json!({"statusCode": code});
    let path = match to.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0))),
                None => (authority, None),
            };
            if host.is_empty() || !is_host(host) || host.starts_with("*.") || port == Some(None) {
                return stays("a RequestRedirect names a host in lower case, and perhaps a port");
            }
            (redirect["scheme"], redirect["hostname"]) = (json!(scheme), json!(host));
            if let Some(Some(port)) = port {
                redirect["port"] = json!(port);
            }
            path
        }
        None if to.starts_with('/') && !to.starts_with("//") => to,
        _ => return stays("a RequestRedirect leads to a host or a path"),
    };
    redirect["path"] = json!({"type": "ReplaceFullPath", "replaceFullPath": path});
    Ok(Some(json!({"type": "RequestRedirect", "requestRedirect": redirect})))
}
