//! A flow as `policy eval` reads it, one JSON object.

use std::net::IpAddr;

use palisade_policy::{
    ClaimPath, Claims, Direction, Flow, HttpHead, Icmp, Identity, Objects, Party, Patience, Protocol,
    Request, TrustDomains, WorkloadName, comparable_path, host_name,
};
use serde::Deserialize;
use serde_json::Value;

/// A line of the input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowLine {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(default)]
    direction: DirectionLine,
    #[serde(default)]
    source: PartyLine,
    #[serde(default)]
    destination: PartyLine,
    protocol: Option<ProtocolLine>,
    icmp: Option<IcmpLine>,
    http: Option<HttpLine>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DirectionLine {
    #[default]
    Ingress,
    Egress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyLine {
    principal: Option<String>,
    address: Option<IpAddr>,
    port: Option<u16>,
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ProtocolLine {
    Number(u8),
    Name(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IcmpLine {
    #[serde(rename = "type")]
    kind: Option<u8>,
    code: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpLine {
    method: String,
    path: String,
    #[serde(default)]
    headers: HeaderLines,
    /// Claims of a token that was verified; absent where none was.
    claims: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HeaderLines {
    Pairs(Vec<(String, String)>),
    Names(serde_json::Map<String, Value>),
}

impl Default for HeaderLines {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

/// Headers, by name and value.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A flow with all that it borrows from.
pub(super) struct OwnedFlow {
    direction: Direction,
    source: Party,
    destination: Party,
    protocol: Protocol,
    icmp: Option<Icmp>,
    http: Option<OwnedHead>,
}

struct OwnedHead {
    method: Vec<u8>,
    path: Option<Vec<u8>>,
    host: Option<String>,
    headers: Pairs,
    claims: Option<Vouched>,
}

/// Claims as a token has them.
#[derive(Debug)]
struct Vouched(palisade_authn::Claims);

impl Claims for Vouched {
    fn each_value(&self, path: &ClaimPath, call: &mut dyn FnMut(&str)) -> bool {
        self.0.each_value(path.names(), call)
    }
}

impl FlowLine {
    /// The flow; an end that names a workload and no address has that workload's first.
    pub(super) fn into_flow(self, objects: &Objects, ours: &TrustDomains) -> Result<OwnedFlow, String> {
        let protocol = match &self.protocol {
            None => Protocol::TCP,
            Some(ProtocolLine::Number(number)) => Protocol(*number),
            Some(ProtocolLine::Name(name)) => {
                Protocol::parse(name).ok_or(format!("`{name}` is no protocol"))?
            }
        };
        let http = self.http.map(|http| {
            let headers = http.headers.into_pairs()?;
            let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
            Ok::<_, String>(OwnedHead {
                path: comparable_path(http.path.as_bytes()).map(std::borrow::Cow::into_owned),
                method: http.method.into_bytes(),
                host: host.and_then(|(_, value)| host_name(value)),
                headers,
                claims: http.claims.map(|claims| Vouched(palisade_authn::Claims::new(claims))),
            })
        });
        Ok(OwnedFlow {
            direction: match self.direction {
                DirectionLine::Ingress => Direction::Ingress,
                DirectionLine::Egress => Direction::Egress,
            },
            source: self.source.into_party(objects, ours)?,
            destination: self.destination.into_party(objects, ours)?,
            protocol,
            icmp: self.icmp.map(|icmp| Icmp { kind: icmp.kind, code: icmp.code }),
            http: http.transpose()?,
        })
    }
}

impl PartyLine {
    fn into_party(self, objects: &Objects, ours: &TrustDomains) -> Result<Party, String> {
        let workload = match (self.namespace, self.name) {
            (namespace, Some(name)) => Some(WorkloadName {
                namespace: namespace.unwrap_or_else(|| "default".to_owned()).into(),
                name: name.into(),
            }),
            (Some(_), None) => return Err("`namespace` without `name`: name the workload".to_owned()),
            (None, None) => None,
        };
        let of_workload = || objects.addresses_of(workload.as_ref()?).first().copied();
        Ok(Party {
            address: self.address.or_else(of_workload),
            port: self.port,
            identity: Identity::of_principal(self.principal.as_deref().unwrap_or_default(), ours),
            workload,
        })
    }
}

impl HeaderLines {
    fn into_pairs(self) -> Result<Pairs, String> {
        match self {
            Self::Pairs(pairs) => {
                Ok(pairs.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect())
            }
            Self::Names(names) => names
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(value) => Ok((name.into_bytes(), value.into_bytes())),
                    _ => Err(format!("the value of the header `{name}` is no text")),
                })
                .collect(),
        }
    }
}

impl OwnedFlow {
    pub(super) fn flow(&self) -> Flow<'_> {
        let request = match &self.http {
            None => Request::None,
            Some(head) => Request::Head(HttpHead {
                method: &head.method,
                path: head.path.as_deref(),
                host: head.host.as_deref(),
                headers: &head.headers,
                claims: head.claims.as_ref().map(|claims| claims as &dyn Claims),
            }),
        };
        Flow {
            direction: self.direction,
            source: self.source.clone(),
            destination: self.destination.clone(),
            protocol: self.protocol,
            icmp: self.icmp,
            request,
            patience: Patience::Over,
        }
    }
}
