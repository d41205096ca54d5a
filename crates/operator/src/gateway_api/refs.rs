//! What references lead to: across namespaces only where a ReferenceGrant of the other namespace lets them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use palisade_identity::Anchors;
use sha2::{Digest as _, Sha256};

use super::objects::{GROUP, GrantSpec, ObjectRef, Read};
use super::status::Wrong;
use crate::ingress::secrets::{NamedFiles, Secrets};

/// Who may name what of another namespace.
#[derive(Debug, Default)]
pub(super) struct Grants(HashMap<String, Vec<GrantSpec>>);

impl Grants {
    pub(super) fn new(grants: impl IntoIterator<Item = Read<GrantSpec>>) -> Self {
        let mut all: HashMap<String, Vec<GrantSpec>> = HashMap::new();
        grants.into_iter().for_each(|grant| all.entry(grant.namespace).or_default().push(grant.spec));
        Self(all)
    }

    /// Whether an object of a kind and namespace may name another one.
    pub(super) fn allow(
        &self,
        (kind, from): (&str, &str),
        (group, to_kind): (&str, &str),
        to: (&str, &str),
    ) -> bool {
        let grants = self.0.get(to.0).map_or(&[][..], Vec::as_slice);
        from == to.0
            || grants.iter().any(|grant| {
                let who = |it: &super::objects::GrantFrom| {
                    it.group == GROUP && it.kind == kind && it.namespace == from
                };
                let what = |it: &super::objects::GrantTo| {
                    it.group == group
                        && it.kind == to_kind
                        && it.name.as_deref().is_none_or(|name| name.is_empty() || name == to.1)
                };
                grant.from.iter().any(who) && grant.to.iter().any(what)
            })
    }
}

/// ConfigMaps by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Maps<'a>(HashMap<(String, String), &'a ConfigMap>);

impl<'a> Maps<'a> {
    pub(crate) fn new(maps: &'a [Arc<ConfigMap>]) -> Self {
        Self(maps.iter().map(|map| (crate::ingress::key(&map.metadata), &**map)).collect())
    }

    pub(crate) fn data(&self, namespace: &str, name: &str) -> Option<&'a BTreeMap<String, String>> {
        self.0.get(&(namespace.to_owned(), name.to_owned()))?.data.as_ref()
    }
}

/// Where authorities are looked for.
#[derive(Clone, Copy)]
pub(super) struct Authorities<'a> {
    pub(super) grants: &'a Grants,
    pub(super) maps: &'a Maps<'a>,
    pub(super) secrets: &'a Secrets<'a>,
}

impl Authorities<'_> {
    /// The certificates of the authorities that an object names, joined, and what is wrong with some of them.
    pub(super) fn of(
        &self,
        kind: &str,
        namespace: &str,
        refs: &[ObjectRef],
    ) -> (Option<Vec<u8>>, Option<Wrong>) {
        let (mut joined, mut wrong) = (Vec::new(), None);
        for named in refs {
            match self.one(kind, namespace, named) {
                Ok(text) => {
                    joined.extend_from_slice(&text);
                    joined.push(b'\n');
                }
                Err(why) => wrong = wrong.or(Some(why)),
            }
        }
        if refs.is_empty() {
            wrong = Some(("InvalidCACertificateRef", "no authority is named".to_owned()));
        }
        ((!joined.is_empty()).then_some(joined), wrong)
    }

    fn one(&self, kind: &str, namespace: &str, named: &ObjectRef) -> Result<Vec<u8>, Wrong> {
        let (group, what) =
            (named.group.as_deref().unwrap_or(""), named.kind.as_deref().unwrap_or("ConfigMap"));
        let at = named.namespace.as_deref().unwrap_or(namespace);
        let title = format!("the {what} {at}/{}", named.name);
        if !group.is_empty() || !matches!(what, "ConfigMap" | "Secret") {
            return Err((
                "InvalidCACertificateKind",
                format!("{title}: an authority is a ConfigMap or a Secret"),
            ));
        }
        if !self.grants.allow((kind, namespace), (group, what), (at, &named.name)) {
            return Err(("RefNotPermitted", format!("no ReferenceGrant lets {namespace} name {title}")));
        }
        let found = match what {
            "ConfigMap" => self
                .maps
                .data(at, &named.name)
                .and_then(|data| data.get("ca.crt"))
                .map(|text| text.clone().into_bytes()),
            _ => self.secrets.value(&(at.to_owned(), named.name.clone()), "ca.crt").map(<[u8]>::to_vec),
        };
        let bad = |why: String| ("InvalidCACertificateRef", why);
        let text = found.ok_or_else(|| bad(format!("{title} is not there, or has no key ca.crt")))?;
        Anchors::new(&text, None, 1).map_err(|error| bad(format!("{title}: {error}")))?;
        Ok(text)
    }
}

/// A file of authorities, by the name that it has in the bundle: one for what is alike, whoever names it.
pub(super) fn authority_file(text: Vec<u8>) -> (String, NamedFiles) {
    let digest = Sha256::digest(&text);
    let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("tls/authorities-{digest}.ca.crt");
    (name.clone(), vec![(name, text.into())])
}
