//! What our own compiler makes of objects, as the agent says it: the same sets, rules and endpoints, in messages.

use palisade_policy::{
    CompiledPolicy, DefaultAction, Endpoint, EndpointId, EndpointTier, Entity, Icmp, Member, NamespaceMatch,
    PathMatch, PolicyKind, PolicyRef, Rule, Sets, Update,
};
use palisade_policysync::messages::{self, *};
use prost::Message as _;
use prost::bytes::Bytes;

/// How policies are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By kind, namespace and name.
    Kind,
    /// By one text.
    Text,
}

/// A message that says it.
pub(crate) fn message(payload: Payload) -> ToDataplane {
    ToDataplane { sequence_number: 0, payload: Some(payload) }
}

/// The messages of an update, a set's in parts. None where the agent says no such thing.
pub(crate) fn messages_of(update: &Update, naming: Naming, part: usize) -> Vec<ToDataplane> {
    let texts = |members: &[Member]| members.iter().map(member).collect::<Vec<_>>();
    let payloads = match update {
        Update::Set(name, members) => {
            let kind = match members.first() {
                Some(Member::Port(..)) => IpSetType::IpAndPort,
                _ => IpSetType::Net,
            };
            let all = texts(members);
            let (first, rest) = all.split_at(part.min(all.len()));
            let first = IpSetUpdate { id: name.to_string(), members: first.to_vec(), kind: kind.into() };
            let rest = rest.chunks(part.max(1)).map(|part| {
                Payload::IpSetDeltaUpdate(IpSetDeltaUpdate {
                    id: name.to_string(),
                    added_members: part.to_vec(),
                    removed_members: vec![],
                })
            });
            std::iter::once(Payload::IpSetUpdate(first)).chain(rest).collect()
        }
        Update::SetDelta { name, added, removed } => vec![Payload::IpSetDeltaUpdate(IpSetDeltaUpdate {
            id: name.to_string(),
            added_members: texts(added),
            removed_members: texts(removed),
        })],
        Update::SetRemoved(name) => vec![Payload::IpSetRemove(IpSetRemove { id: name.to_string() })],
        Update::Policy(named, policy) => vec![Payload::ActivePolicyUpdate(ActivePolicyUpdate {
            id: Some(policy_id(named, naming)),
            policy: Some(messages::Policy {
                inbound_rules: rules(&policy.ingress),
                outbound_rules: rules(&policy.egress),
                namespace: named.id.namespace.to_string(),
            }),
        })],
        Update::PolicyRemoved(named) => {
            vec![Payload::ActivePolicyRemove(ActivePolicyRemove { id: Some(policy_id(named, naming)) })]
        }
        Update::Profile(name, CompiledPolicy { ingress, egress }) => {
            vec![Payload::ActiveProfileUpdate(ActiveProfileUpdate {
                id: Some(ProfileId { name: name.to_string() }),
                profile: Some(Profile { inbound_rules: rules(ingress), outbound_rules: rules(egress) }),
            })]
        }
        Update::ProfileRemoved(name) => vec![Payload::ActiveProfileRemove(ActiveProfileRemove {
            id: Some(ProfileId { name: name.to_string() }),
        })],
        Update::Endpoint(id, endpoint) => vec![Payload::WorkloadEndpointUpdate(WorkloadEndpointUpdate {
            id: Some(endpoint_id(id)),
            endpoint: Some(self::endpoint(endpoint, naming)),
        })],
        Update::EndpointRemoved(id) => {
            vec![Payload::WorkloadEndpointRemove(WorkloadEndpointRemove { id: Some(endpoint_id(id)) })]
        }
        // The agent does not say who runs where.
        Update::Owner(..) => vec![],
        Update::Namespace(name, Some(labels)) => vec![Payload::NamespaceUpdate(NamespaceUpdate {
            id: Some(NamespaceId { name: name.to_string() }),
            labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })],
        Update::Namespace(name, None) => vec![Payload::NamespaceRemove(NamespaceRemove {
            id: Some(NamespaceId { name: name.to_string() }),
        })],
        Update::ServiceAccount(namespace, name, labels) => {
            let id = Some(ServiceAccountId { namespace: namespace.to_string(), name: name.to_string() });
            vec![match labels {
                Some(labels) => Payload::ServiceAccountUpdate(ServiceAccountUpdate {
                    id,
                    labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                }),
                None => Payload::ServiceAccountRemove(ServiceAccountRemove { id }),
            }]
        }
        Update::InSync => vec![Payload::InSync(InSync {})],
    };
    payloads.into_iter().map(message).collect()
}

/// What a message is about; messages about one thing keep their order.
pub(crate) fn about(message: &ToDataplane) -> String {
    let shown = |kind: &str, id: String| format!("{kind} {id}");
    match message.payload.as_ref() {
        Some(Payload::InSync(_)) | None => String::new(),
        Some(Payload::IpSetUpdate(set)) => shown("set", set.id.clone()),
        Some(Payload::IpSetDeltaUpdate(set)) => shown("set", set.id.clone()),
        Some(Payload::IpSetRemove(set)) => shown("set", set.id.clone()),
        Some(Payload::ActiveProfileUpdate(update)) => shown("profile", format!("{:?}", update.id)),
        Some(Payload::ActiveProfileRemove(remove)) => shown("profile", format!("{:?}", remove.id)),
        Some(Payload::ActivePolicyUpdate(update)) => shown("policy", format!("{:?}", update.id)),
        Some(Payload::ActivePolicyRemove(remove)) => shown("policy", format!("{:?}", remove.id)),
        Some(Payload::WorkloadEndpointUpdate(update)) => shown("endpoint", format!("{:?}", update.id)),
        Some(Payload::WorkloadEndpointRemove(remove)) => shown("endpoint", format!("{:?}", remove.id)),
        Some(Payload::ServiceAccountUpdate(update)) => shown("account", format!("{:?}", update.id)),
        Some(Payload::ServiceAccountRemove(remove)) => shown("account", format!("{:?}", remove.id)),
        Some(Payload::NamespaceUpdate(update)) => shown("namespace", format!("{:?}", update.id)),
        Some(Payload::NamespaceRemove(remove)) => shown("namespace", format!("{:?}", remove.id)),
    }
}

/// In which order the agent says things of a kind.
pub(crate) fn rank(message: &ToDataplane) -> usize {
    match message.payload.as_ref() {
        Some(Payload::IpSetUpdate(_) | Payload::IpSetDeltaUpdate(_)) => 0,
        Some(Payload::ActivePolicyUpdate(_)) => 1,
        Some(Payload::ActiveProfileUpdate(_)) => 2,
        Some(Payload::WorkloadEndpointUpdate(_) | Payload::WorkloadEndpointRemove(_)) => 3,
        Some(Payload::ActivePolicyRemove(_) | Payload::ActiveProfileRemove(_)) => 4,
        Some(Payload::IpSetRemove(_)) => 5,
        Some(Payload::InSync(_)) => 7,
        _ => 6,
    }
}

fn member(member: &Member) -> String {
    match member {
        Member::Net(net) => match net.single() {
            Some(address) => address.to_string(),
            None => net.to_string(),
        },
        Member::Port(address, protocol, port) => {
            format!("{address},{}:{port}", protocol.to_string().to_lowercase())
        }
    }
}

fn policy_id(named: &PolicyRef, naming: Naming) -> PolicyId {
    match naming {
        Naming::Text => PolicyId { tier: "default".into(), name: text_name(named), ..PolicyId::default() },
        Naming::Kind => PolicyId {
            tier: String::new(),
            name: named.id.name.to_string(),
            namespace: named.id.namespace.to_string(),
            kind: format!(
                "{}{}",
                if named.staged { "Staged" } else { "" },
                match named.id.kind {
                    PolicyKind::Global => "GlobalNetworkPolicy",
                    PolicyKind::Kubernetes => "KubernetesNetworkPolicy",
                    PolicyKind::Namespaced => "NetworkPolicy",
                }
            ),
        },
    }
}

fn text_name(named: &PolicyRef) -> String {
    let namespace = match &*named.id.namespace {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    let staged = if named.staged { "staged:" } else { "" };
    let prefix = if named.id.kind == PolicyKind::Kubernetes { "knp.default." } else { "" };
    format!("{namespace}{staged}{prefix}{}", named.id.name)
}

fn rules(rules: &[Rule<Sets>]) -> Vec<Bytes> {
    rules.iter().map(|rule| self::rule(rule).encode_to_vec().into()).collect()
}

fn rule(rule: &Rule<Sets>) -> messages::Rule {
    let ids = |names: &[std::sync::Arc<str>]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let nets = |nets: &[palisade_policy::Net]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    let ports = |ranges: &[(u16, u16)]| {
        let range = |(first, last): &(u16, u16)| PortRange { first: (*first).into(), last: (*last).into() };
        ranges.iter().map(range).collect::<Vec<_>>()
    };
    let protocol = |protocol: palisade_policy::Protocol| Protocol {
        number_or_name: Some(NumberOrName::Number(protocol.0.into())),
    };
    let accounts = |entity: &Entity<Sets>| {
        let principal = entity.principal.as_ref()?;
        (!principal.names.is_empty() || principal.selector.is_some()).then(|| ServiceAccountMatch {
            selector: principal.selector.as_ref().map(ToString::to_string).unwrap_or_default(),
            names: principal.names.iter().map(ToString::to_string).collect(),
        })
    };
    // By the scope rule a selector without namespaces means the policy's own.
    let selectors =
        |entity: &Entity<Sets>| match entity.principal.as_ref().map(|principal| &principal.namespace) {
            Some(NamespaceMatch::Is(_)) => ("all()".to_owned(), String::new()),
            Some(NamespaceMatch::Labels(selector)) => (String::new(), selector.to_string()),
            _ => (String::new(), String::new()),
        };
    let (source, destination) = (&rule.source, &rule.destination);
    let (original_src_selector, original_src_namespace_selector) = selectors(source);
    let (original_dst_selector, original_dst_namespace_selector) = selectors(destination);
    let has_service = !source.who.services.is_empty();
    messages::Rule {
        action: rule.action.as_str().to_lowercase(),
        ip_version: rule.ip_version.unwrap_or_default().into(),
        protocol: rule.protocol.map(protocol),
        not_protocol: rule.not_protocol.map(protocol),
        icmp: rule.icmp.map(|Icmp { kind, code }| match (kind.unwrap_or_default().into(), code) {
            (kind, Some(code)) => messages::Icmp::IcmpTypeCode(IcmpTypeAndCode { kind, code: code.into() }),
            (kind, None) => messages::Icmp::IcmpType(kind),
        }),
        not_icmp: None,
        src_net: nets(&source.nets),
        not_src_net: nets(&source.not_nets),
        src_ports: ports(&source.ports),
        not_src_ports: ports(&source.not_ports),
        src_ip_set_ids: ids(if has_service { &source.who.services } else { &source.who.all }),
        not_src_ip_set_ids: ids(&source.who.none),
        src_named_port_ip_set_ids: ids(&source.who.ports),
        not_src_named_port_ip_set_ids: ids(&source.who.not_ports),
        dst_net: nets(&destination.nets),
        not_dst_net: nets(&destination.not_nets),
        dst_ports: ports(&destination.ports),
        not_dst_ports: ports(&destination.not_ports),
        dst_ip_set_ids: ids(&destination.who.all),
        not_dst_ip_set_ids: ids(&destination.who.none),
        dst_ip_port_set_ids: ids(&destination.who.services),
        dst_named_port_ip_set_ids: ids(&destination.who.ports),
        not_dst_named_port_ip_set_ids: ids(&destination.who.not_ports),
        original_src_selector,
        original_src_namespace_selector,
        original_dst_selector,
        original_dst_namespace_selector,
        original_src_service: if has_service { "a-service".into() } else { String::new() },
        src_service_account_match: accounts(source),
        dst_service_account_match: accounts(destination),
        http_match: rule.http.as_ref().map(|http| HttpMatch {
            methods: http.methods.iter().map(ToString::to_string).collect(),
            paths: http
                .paths
                .iter()
                .map(|path| {
                    let text = |path: &[u8]| String::from_utf8(path.to_vec()).unwrap();
                    messages::PathMatch {
                        path_match: Some(match path {
                            PathMatch::Exact(path) => PathMatchKind::Exact(text(path)),
                            PathMatch::Prefix(path) => PathMatchKind::Prefix(text(path)),
                        }),
                    }
                })
                .collect(),
        }),
        ..messages::Rule::default()
    }
}

fn endpoint_id(id: &EndpointId) -> WorkloadEndpointId {
    WorkloadEndpointId {
        orchestrator_id: "k8s".into(),
        workload_id: format!("{}/{}", id.namespace, id.name),
        endpoint_id: "eth0".into(),
    }
}

fn endpoint(endpoint: &Endpoint, naming: Naming) -> WorkloadEndpoint {
    let of_version = |v4: bool| {
        let addresses = endpoint.addresses.iter().filter(move |address| address.is_ipv4() == v4);
        addresses.map(|address| format!("{address}/{}", if v4 { 32 } else { 128 })).collect()
    };
    let policies = |named: &[PolicyRef]| -> Vec<Bytes> {
        let one = |named: &PolicyRef| match naming {
            Naming::Text => text_name(named).into(),
            Naming::Kind => policy_id(named, naming).encode_to_vec().into(),
        };
        named.iter().map(one).collect()
    };
    let tier = |tier: &EndpointTier| TierInfo {
        name: tier.name.to_string(),
        ingress_policies: policies(&tier.ingress),
        egress_policies: policies(&tier.egress),
        default_action: match tier.default_action {
            DefaultAction::Deny => "Deny".into(),
            DefaultAction::Pass => "Pass".into(),
        },
    };
    assert!(endpoint.pending.is_none(), "the agent says staged policies in another way");
    WorkloadEndpoint {
        profile_ids: endpoint.profiles.iter().map(ToString::to_string).collect(),
        ipv4_nets: of_version(true),
        ipv6_nets: of_version(false),
        tiers: endpoint.tiers.iter().map(|one| tier(one).encode_to_vec().into()).collect(),
    }
}
