//! What goes over the wire: messages of `felix.PolicySync`, as far as we read them.
//!
//! Written from the facts of the interface (names, numbers and types of fields). Where a message may hold very many small
//! others (rules, tiers), those stay bytes here and are decoded one by one: an empty rule is two bytes on the wire and half a
//! kilobyte in memory.
//!
//! Two forms of naming a policy are understood: by tier and name (Calico up to 3.31), and by kind, namespace and name (from
//! 3.32).

use std::collections::BTreeMap;

use bytes::Bytes;

/// The path of the call.
pub const SYNC_PATH: &str = "/felix.PolicySync/Sync";

/// What we ask for.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SyncRequest {
    /// `per-pod-policies` or `per-host-policies`.
    #[prost(string, tag = "3")]
    pub subscription_type: String,
}

/// One piece of news.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ToDataplane {
    /// Counts up.
    #[prost(uint64, tag = "15")]
    pub sequence_number: u64,
    /// What it says; none of those below: something that is not for us.
    #[prost(oneof = "Payload", tags = "1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 19, 20, 21, 22")]
    pub payload: Option<Payload>,
}

/// What a piece of news says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    /// Everything has been said once.
    #[prost(message, tag = "1")]
    InSync(InSync),
    /// A set of addresses, whole, or its first part.
    #[prost(message, tag = "2")]
    IpSetUpdate(IpSetUpdate),
    /// A change of a set.
    #[prost(message, tag = "3")]
    IpSetDeltaUpdate(IpSetDeltaUpdate),
    /// A set that is no more.
    #[prost(message, tag = "4")]
    IpSetRemove(IpSetRemove),
    /// A profile.
    #[prost(message, tag = "5")]
    ActiveProfileUpdate(ActiveProfileUpdate),
    /// A profile that is no more.
    #[prost(message, tag = "6")]
    ActiveProfileRemove(ActiveProfileRemove),
    /// A policy.
    #[prost(message, tag = "7")]
    ActivePolicyUpdate(ActivePolicyUpdate),
    /// A policy that is no more.
    #[prost(message, tag = "8")]
    ActivePolicyRemove(ActivePolicyRemove),
    /// An endpoint.
    #[prost(message, tag = "11")]
    WorkloadEndpointUpdate(WorkloadEndpointUpdate),
    /// An endpoint that is no more.
    #[prost(message, tag = "12")]
    WorkloadEndpointRemove(WorkloadEndpointRemove),
    /// A service account.
    #[prost(message, tag = "19")]
    ServiceAccountUpdate(ServiceAccountUpdate),
    /// A service account that is no more.
    #[prost(message, tag = "20")]
    ServiceAccountRemove(ServiceAccountRemove),
    /// A namespace.
    #[prost(message, tag = "21")]
    NamespaceUpdate(NamespaceUpdate),
    /// A namespace that is no more.
    #[prost(message, tag = "22")]
    NamespaceRemove(NamespaceRemove),
}

/// Everything has been said once.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct InSync {}

/// A set of addresses.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct IpSetUpdate {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Its members, by its type.
    #[prost(string, repeated, tag = "2")]
    pub members: Vec<String>,
    /// What its members are.
    #[prost(enumeration = "IpSetType", tag = "3")]
    pub kind: i32,
}

/// What members of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum IpSetType {
    /// An address.
    Ip = 0,
    /// `ADDRESS,PROTOCOL:PORT`.
    IpAndPort = 1,
    /// A range.
    Net = 2,
}

/// A change of a set.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct IpSetDeltaUpdate {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Members that are new.
    #[prost(string, repeated, tag = "2")]
    pub added_members: Vec<String>,
    /// Members that are gone.
    #[prost(string, repeated, tag = "3")]
    pub removed_members: Vec<String>,
}

/// A set that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct IpSetRemove {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// What a profile is known by.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ProfileId {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A profile.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ActiveProfileUpdate {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<ProfileId>,
    /// Its rules.
    #[prost(message, optional, tag = "2")]
    pub profile: Option<Profile>,
}

/// A profile that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ActiveProfileRemove {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<ProfileId>,
}

/// A profile's rules, each a [`Rule`] as bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Profile {
    /// For what comes in.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub inbound_rules: Vec<Bytes>,
    /// For what goes out.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub outbound_rules: Vec<Bytes>,
}

/// What a policy is known by: tier and name, or name with namespace and kind.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PolicyId {
    /// Its tier, up to 3.31.
    #[prost(string, tag = "1")]
    pub tier: String,
    /// Its name; up to 3.31 with `NAMESPACE/` before it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its namespace, or its kind: kinds begin with a capital, which namespaces do not have.
    #[prost(string, tag = "3")]
    pub namespace: String,
    /// The other of the two.
    #[prost(string, tag = "4")]
    pub kind: String,
}

/// A policy.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ActivePolicyUpdate {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<PolicyId>,
    /// Its rules.
    #[prost(message, optional, tag = "2")]
    pub policy: Option<Policy>,
}

/// A policy that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ActivePolicyRemove {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<PolicyId>,
}

/// A policy's rules, each a [`Rule`] as bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Policy {
    /// For what comes in.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub inbound_rules: Vec<Bytes>,
    /// For what goes out.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub outbound_rules: Vec<Bytes>,
    /// The namespace of a policy that has one.
    #[prost(string, tag = "5")]
    pub namespace: String,
}

/// A rule: sets of addresses that it was compiled to, and what of it is asked of certificates and requests.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Rule {
    /// `allow`, `deny`, `pass`, `next-tier` or `log`.
    #[prost(string, tag = "1")]
    pub action: String,
    /// 0, 4 or 6.
    #[prost(int32, tag = "2")]
    pub ip_version: i32,
    /// The protocol.
    #[prost(message, optional, tag = "3")]
    pub protocol: Option<Protocol>,
    /// Ranges of the source.
    #[prost(string, repeated, tag = "4")]
    pub src_net: Vec<String>,
    /// Ports of the source.
    #[prost(message, repeated, tag = "5")]
    pub src_ports: Vec<PortRange>,
    /// Ranges of the destination.
    #[prost(string, repeated, tag = "6")]
    pub dst_net: Vec<String>,
    /// Ports of the destination.
    #[prost(message, repeated, tag = "7")]
    pub dst_ports: Vec<PortRange>,
    /// The ICMP message.
    #[prost(oneof = "Icmp", tags = "8, 9")]
    pub icmp: Option<Icmp>,
    /// Sets that the source is in, each.
    #[prost(string, repeated, tag = "10")]
    pub src_ip_set_ids: Vec<String>,
    /// Sets that the destination is in, each.
    #[prost(string, repeated, tag = "11")]
    pub dst_ip_set_ids: Vec<String>,
    /// Sets of which the source with its port is in one, beside `src_ports`.
    #[prost(string, repeated, tag = "12")]
    pub src_named_port_ip_set_ids: Vec<String>,
    /// Sets of which the destination with its port is in one, beside `dst_ports`.
    #[prost(string, repeated, tag = "13")]
    pub dst_named_port_ip_set_ids: Vec<String>,
    /// Sets that the destination with its port is in: endpoints of services.
    #[prost(string, repeated, tag = "15")]
    pub dst_ip_port_set_ids: Vec<String>,
    /// Any other protocol.
    #[prost(message, optional, tag = "102")]
    pub not_protocol: Option<Protocol>,
    /// Ranges that the source is not in.
    #[prost(string, repeated, tag = "103")]
    pub not_src_net: Vec<String>,
    /// Ports that the source's is not.
    #[prost(message, repeated, tag = "104")]
    pub not_src_ports: Vec<PortRange>,
    /// Ranges that the destination is not in.
    #[prost(string, repeated, tag = "105")]
    pub not_dst_net: Vec<String>,
    /// Ports that the destination's is not.
    #[prost(message, repeated, tag = "106")]
    pub not_dst_ports: Vec<PortRange>,
    /// Any other ICMP message.
    #[prost(oneof = "NotIcmp", tags = "107, 108")]
    pub not_icmp: Option<NotIcmp>,
    /// Sets that the source is not in.
    #[prost(string, repeated, tag = "109")]
    pub not_src_ip_set_ids: Vec<String>,
    /// Sets that the destination is not in.
    #[prost(string, repeated, tag = "110")]
    pub not_dst_ip_set_ids: Vec<String>,
    /// Sets that the source with its port is not in.
    #[prost(string, repeated, tag = "112")]
    pub not_src_named_port_ip_set_ids: Vec<String>,
    /// Sets that the destination with its port is not in.
    #[prost(string, repeated, tag = "113")]
    pub not_dst_named_port_ip_set_ids: Vec<String>,
    /// The source's selector as written.
    #[prost(string, tag = "114")]
    pub original_src_selector: String,
    /// The destination's selector as written.
    #[prost(string, tag = "115")]
    pub original_dst_selector: String,
    /// The source's namespace selector as written.
    #[prost(string, tag = "116")]
    pub original_src_namespace_selector: String,
    /// The destination's namespace selector as written.
    #[prost(string, tag = "117")]
    pub original_dst_namespace_selector: String,
    /// The selector that the source is not to fit, as written.
    #[prost(string, tag = "118")]
    pub original_not_src_selector: String,
    /// The selector that the destination is not to fit, as written.
    #[prost(string, tag = "119")]
    pub original_not_dst_selector: String,
    /// The source's service account.
    #[prost(message, optional, tag = "120")]
    pub src_service_account_match: Option<ServiceAccountMatch>,
    /// The destination's service account.
    #[prost(message, optional, tag = "121")]
    pub dst_service_account_match: Option<ServiceAccountMatch>,
    /// The request.
    #[prost(message, optional, tag = "122")]
    pub http_match: Option<HttpMatch>,
    /// The destination's service as written.
    #[prost(string, tag = "130")]
    pub original_dst_service: String,
    /// Its namespace.
    #[prost(string, tag = "131")]
    pub original_dst_service_namespace: String,
    /// The source's service as written.
    #[prost(string, tag = "132")]
    pub original_src_service: String,
    /// Its namespace.
    #[prost(string, tag = "133")]
    pub original_src_service_namespace: String,
}

impl Rule {
    /// Fields that a rule may have without our knowing more than their number: annotations, a prefix for kernel logs, an id.
    /// They ask for nothing.
    pub(crate) const HARMLESS: [u32; 3] = [123, 200, 201];

    /// Whether a field is one of those above.
    pub(crate) fn reads(tag: u32) -> bool {
        matches!(tag, 1..=13 | 15 | 102..=110 | 112..=122 | 130..=133)
    }
}

/// The ICMP message of a rule.
#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub enum Icmp {
    /// Its type, any code.
    #[prost(int32, tag = "8")]
    IcmpType(i32),
    /// Its type and code.
    #[prost(message, tag = "9")]
    IcmpTypeCode(IcmpTypeAndCode),
}

/// The ICMP message that is not to match.
#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub enum NotIcmp {
    /// Its type, any code.
    #[prost(int32, tag = "107")]
    NotIcmpType(i32),
    /// Its type and code.
    #[prost(message, tag = "108")]
    NotIcmpTypeCode(IcmpTypeAndCode),
}

/// Type and code of an ICMP message.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct IcmpTypeAndCode {
    /// The type.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The code.
    #[prost(int32, tag = "2")]
    pub code: i32,
}

/// A protocol.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Protocol {
    /// By its number or its name.
    #[prost(oneof = "NumberOrName", tags = "1, 2")]
    pub number_or_name: Option<NumberOrName>,
}

/// A protocol's number or name.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum NumberOrName {
    /// Its number.
    #[prost(int32, tag = "1")]
    Number(i32),
    /// Its name.
    #[prost(string, tag = "2")]
    Name(String),
}

/// Ports, from and to inclusive.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct PortRange {
    /// The first.
    #[prost(int32, tag = "1")]
    pub first: i32,
    /// The last.
    #[prost(int32, tag = "2")]
    pub last: i32,
}

/// What is asked of a service account.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ServiceAccountMatch {
    /// Its labels.
    #[prost(string, tag = "1")]
    pub selector: String,
    /// Its name, one of these.
    #[prost(string, repeated, tag = "2")]
    pub names: Vec<String>,
}

/// What is asked of a request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HttpMatch {
    /// The method, one of these.
    #[prost(string, repeated, tag = "1")]
    pub methods: Vec<String>,
    /// The path, one of these.
    #[prost(message, repeated, tag = "2")]
    pub paths: Vec<PathMatch>,
}

/// What is asked of a path.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PathMatch {
    /// It, or what begins with it.
    #[prost(oneof = "PathMatchKind", tags = "1, 2")]
    pub path_match: Option<PathMatchKind>,
}

/// A path or a prefix.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum PathMatchKind {
    /// It alone.
    #[prost(string, tag = "1")]
    Exact(String),
    /// It and what is below it.
    #[prost(string, tag = "2")]
    Prefix(String),
}

/// What an endpoint is known by.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WorkloadEndpointId {
    /// `k8s`.
    #[prost(string, tag = "2")]
    pub orchestrator_id: String,
    /// `NAMESPACE/POD`.
    #[prost(string, tag = "3")]
    pub workload_id: String,
    /// `eth0`.
    #[prost(string, tag = "4")]
    pub endpoint_id: String,
}

/// An endpoint.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WorkloadEndpointUpdate {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<WorkloadEndpointId>,
    /// What applies to it.
    #[prost(message, optional, tag = "5")]
    pub endpoint: Option<WorkloadEndpoint>,
}

/// An endpoint that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WorkloadEndpointRemove {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<WorkloadEndpointId>,
}

/// What applies to an endpoint.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WorkloadEndpoint {
    /// Its profiles, in order.
    #[prost(string, repeated, tag = "4")]
    pub profile_ids: Vec<String>,
    /// Its IPv4 addresses.
    #[prost(string, repeated, tag = "5")]
    pub ipv4_nets: Vec<String>,
    /// Its IPv6 addresses.
    #[prost(string, repeated, tag = "6")]
    pub ipv6_nets: Vec<String>,
    /// Its tiers, in order, each a [`TierInfo`] as bytes.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub tiers: Vec<Bytes>,
}

/// A tier, and the policies in it that select an endpoint, in order.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TierInfo {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Policies for what comes in: a name, or a [`PolicyId`] as bytes.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub ingress_policies: Vec<Bytes>,
    /// Policies for what goes out, likewise.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub egress_policies: Vec<Bytes>,
    /// `Deny` or `Pass`; empty is `Deny`.
    #[prost(string, tag = "4")]
    pub default_action: String,
}

/// What a service account is known by.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ServiceAccountId {
    /// Its namespace.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// A service account.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ServiceAccountUpdate {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<ServiceAccountId>,
    /// Its labels.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
}

/// A service account that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ServiceAccountRemove {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<ServiceAccountId>,
}

/// What a namespace is known by.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NamespaceId {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A namespace.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NamespaceUpdate {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<NamespaceId>,
    /// Its labels.
    #[prost(btree_map = "string, string", tag = "2")]
    pub labels: BTreeMap<String, String>,
}

/// A namespace that is no more.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NamespaceRemove {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub id: Option<NamespaceId>,
}
