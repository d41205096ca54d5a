//! Flows and objects out of test data.

use std::path::PathBuf;

use palisade_policy::{
    ClaimPath, Claims, Compiler, Direction, Feed, Flow, HttpHead, Icmp, Identity, Index, Judgement, Objects,
    Party, Patience, Protocol, Request, TrustDomains, Update, WorkloadName, comparable_path, host_name,
    read_objects,
};
use serde_json::Value;

pub(crate) fn testdata(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/policy")).join(name)
}

/// The objects of files, and an index of them.
pub(crate) fn load(files: &[&str]) -> (Objects, Index) {
    let mut compiler = Compiler::new();
    for file in files {
        let text = std::fs::read(testdata(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let read = read_objects(&text);
        assert!(read.diagnostics.is_empty(), "{file}: {:#?}", read.diagnostics);
        let updates = compiler.apply(read.objects.into_iter().map(|(key, object)| (key, Some(object))));
        // Thrown away: the whole is made again below, at once.
        drop::<Vec<Update>>(updates);
    }
    let objects = compiler.objects().clone();
    (objects.clone(), index_of(&objects))
}

/// An index of objects, made at once.
pub(crate) fn index_of(objects: &Objects) -> Index {
    let mut compiler = Compiler::new();
    let all = objects.iter().map(|(key, object)| (key.clone(), Some(object.clone())));
    let mut index = Index::new(Feed::Complete);
    index.apply(compiler.apply(all.collect::<Vec<_>>()));
    index
}

/// A flow in the form of `palisade policy eval`, as owned parts.
pub(crate) struct Line {
    pub(crate) direction: Direction,
    pub(crate) source: Party,
    pub(crate) destination: Party,
    pub(crate) protocol: Protocol,
    pub(crate) icmp: Option<Icmp>,
    pub(crate) http: Option<Http>,
}

pub(crate) struct Http {
    method: String,
    path: Option<Vec<u8>>,
    host: Option<String>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    claims: Option<Vouched>,
}

/// Claims as a case writes them.
#[derive(Debug)]
pub(crate) struct Vouched(pub(crate) Value);

impl Claims for Vouched {
    fn each_value(&self, path: &ClaimPath, call: &mut dyn FnMut(&str)) -> bool {
        let found = path.names().try_fold(&self.0, |value, name| value.as_object()?.get(name));
        match found {
            None => return false,
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).for_each(call),
            Some(value) => call(value.as_str().unwrap_or_default()),
        }
        true
    }
}

impl Line {
    pub(crate) fn of(line: &Value) -> Self {
        let party = |name: &str| {
            let party = &line[name];
            let text = |name: &str| party[name].as_str();
            Party {
                address: text("address").map(|address| address.parse().expect("an address")),
                port: party["port"].as_u64().map(|port| port as u16),
                identity: Identity::of_principal(
                    text("principal").unwrap_or_default(),
                    &TrustDomains::default(),
                ),
                workload: text("name").map(|name| WorkloadName {
                    namespace: text("namespace").expect("a namespace").into(),
                    name: name.into(),
                }),
            }
        };
        let http = line.get("http").map(|http| {
            let pairs = http["headers"].as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().expect("a text").as_bytes().to_vec();
            let headers: Vec<_> = pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
            let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"host"));
            Http {
                method: http["method"].as_str().expect("a method").to_owned(),
                path: comparable_path(http["path"].as_str().expect("a path").as_bytes())
                    .map(|path| path.into_owned()),
                host: host.and_then(|(_, host)| host_name(host)),
                headers,
                claims: http.get("claims").cloned().map(Vouched),
            }
        });
        let icmp = line.get("icmp").map(|icmp| {
            let number = |name: &str| icmp[name].as_u64().map(|number| number as u8);
            Icmp { kind: number("type"), code: number("code") }
        });
        let protocol = match &line["protocol"] {
            Value::Number(number) => Protocol(number.as_u64().unwrap() as u8),
            Value::String(name) => Protocol::parse(name).expect("a protocol"),
            _ => Protocol::TCP,
        };
        let direction = if line["direction"] == "egress" { Direction::Egress } else { Direction::Ingress };
        Self { direction, source: party("source"), destination: party("destination"), protocol, icmp, http }
    }

    pub(crate) fn flow(&self) -> Flow<'_> {
        let request = match &self.http {
            None => Request::None,
            Some(http) => Request::Head(HttpHead {
                method: http.method.as_bytes(),
                path: http.path.as_deref(),
                host: http.host.as_deref(),
                headers: &http.headers,
                claims: http.claims.as_ref().map(|claims| claims as &dyn Claims),
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

pub(crate) fn judgement() -> Judgement {
    Judgement::default()
}
