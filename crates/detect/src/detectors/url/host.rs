//! A host as resolvers read it, and where it lies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host of a URL.
#[derive(Debug)]
pub(super) struct Host {
    /// In lower case, without port.
    pub(super) name: Vec<u8>,
    /// Its address, where it is one.
    pub(super) address: Option<IpAddr>,
    /// Whether the address is written in a way that nobody writes.
    pub(super) odd: bool,
}

/// Where a host lies, if that is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Loopback,
    Unspecified,
    Private,
    LinkLocal,
    Metadata,
    Cluster,
    /// A public name that resolves to the address in it.
    Rebound,
    /// A name that only a private network knows.
    Internal,
}

impl Place {
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Loopback => "the machine itself",
            Self::Unspecified => "the unspecified address, which is the machine itself",
            Self::Private => "a private network",
            Self::LinkLocal => "the local link",
            Self::Metadata => "the cloud's metadata service",
            Self::Cluster => "a service of the cluster",
            Self::Rebound => "a public name that resolves to an inner address",
            Self::Internal => "a name that only a private network knows",
        }
    }
}

impl Host {
    /// Reads a host with or without a port.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if let Some(rest) = text.strip_prefix(b"[") {
            let end = memchr::memchr(b']', rest)?;
            let inner = std::str::from_utf8(&rest[..end]).ok()?;
            let inner = inner.split('%').next()?;
            let address: Ipv6Addr = inner.parse().ok()?;
            let odd =
                address.to_ipv4_mapped().is_some() || address.to_ipv4().is_some_and(|v4| v4.octets()[0] != 0);
            return Some(Self {
                name: rest[..end].to_ascii_lowercase(),
                address: Some(IpAddr::V6(address)),
                odd,
            });
        }
        let name = text.split(|byte| *byte == b':').next()?.to_ascii_lowercase();
        // Ideographic full stops part labels too.
        let name = if name.is_ascii() { name } else { dotted(&name) };
        if name.is_empty() || name.len() > 255 {
            return None;
        }
        let (address, odd) = match inet_aton(&name) {
            Some((address, odd)) => (Some(IpAddr::V4(address)), odd),
            None => (None, false),
        };
        Some(Self { name, address, odd })
    }

    /// Where it lies, if inside.
    pub(super) fn place(&self) -> Option<Place> {
        match self.address {
            Some(IpAddr::V4(address)) => place_of_v4(address),
            Some(IpAddr::V6(address)) => place_of_v6(address),
            None => place_of_name(self.name.strip_suffix(b".").unwrap_or(&self.name)),
        }
    }
}

fn dotted(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        let stop = [&b"\xe3\x80\x82"[..], b"\xef\xbc\x8e", b"\xef\xbd\xa1"]
            .into_iter()
            .find_map(|stop| rest.strip_prefix(stop));
        match stop {
            Some(tail) => {
                out.push(b'.');
                rest = tail;
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal, the last filling what
/// is left. Also whether it is written otherwise than `a.b.c.d`.
fn inet_aton(name: &[u8]) -> Option<(Ipv4Addr, bool)> {
    if !name.first()?.is_ascii_digit() {
        return None;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut parts = [0_u64; 4];
    let mut count = 0;
    let mut odd = false;
    for part in name.split(|byte| *byte == b'.') {
        let (digits, radix) = match part {
            [b'0', b'x', digits @ ..] => (digits, 16),
            [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
            digits => (digits, 10),
        };
        odd |= radix != 10;
        if count == 4 || digits.len() > 24 {
            return None;
        }
        // Some take what overflows modulo a part.
        let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
        parts[count] = number;
        count += 1;
    }
    odd |= count != 4 || parts[..4].iter().any(|part| *part > 255);
    let mut address = 0_u32;
    for (number, part) in parts[..count].iter().enumerate() {
        let shift = 8 * (3 - number as u32);
        address |= if number + 1 == count && count < 4 {
            (*part as u32) & (u32::MAX >> (8 * number as u32))
        } else {
            (*part as u32 & 0xff) << shift
        };
    }
    Some((Ipv4Addr::from(address), odd))
}

fn place_of_v4(address: Ipv4Addr) -> Option<Place> {
    let [a, b, ..] = address.octets();
    match address.octets() {
        // AWS, GCP, Azure, OpenStack; ECS tasks; Alibaba; Oracle; EKS pod identity.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [100, 100, 100, 200] | [192, 0, 0, 192] => {
            Some(Place::Metadata)
        }
        [127, ..] => Some(Place::Loopback),
        [0, 0, 0, 0] => Some(Place::Unspecified),
        [169, 254, ..] => Some(Place::LinkLocal),
        _ if address.is_private() => Some(Place::Private),
        // Shared by carriers, and by clouds for what is inside.
        _ if a == 100 && (64..128).contains(&b) => Some(Place::Private),
        _ => None,
    }
}

fn place_of_v6(address: Ipv6Addr) -> Option<Place> {
    let segments = address.segments();
    if address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
        return Some(Place::Metadata);
    }
    if address.is_loopback() {
        return Some(Place::Loopback);
    }
    if address.is_unspecified() {
        return Some(Place::Unspecified);
    }
    let inner = address.to_ipv4().or_else(|| {
        let [high, low] = [segments[6], segments[7]];
        let v4 = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
        match segments {
            // NAT64 and 6to4 carry one too.
            [0x64, 0xff9b, ..] => Some(v4),
            [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
            _ => None,
        }
    });
    match inner {
        Some(inner) => place_of_v4(inner),
        None if segments[0] & 0xffc0 == 0xfe80 => Some(Place::LinkLocal),
        None if segments[0] & 0xfe00 == 0xfc00 => Some(Place::Private),
        None => None,
    }
}

fn place_of_name(name: &[u8]) -> Option<Place> {
    let is_or_in = |zones: &[&[u8]]| {
        zones.iter().any(|zone| {
            name.strip_suffix(*zone).is_some_and(|before| before.is_empty() || before.ends_with(b"."))
        })
    };
    if is_or_in(&[b"localhost", b"localhost.localdomain", b"localhost6", b"ip6-localhost", b"ip6-loopback"]) {
        return Some(Place::Loopback);
    }
    if is_or_in(METADATA) {
        return Some(Place::Metadata);
    }
    if is_or_in(CLUSTER) {
        return Some(Place::Cluster);
    }
    if is_or_in(LOOPBACK_NAMES) {
        return Some(Place::Rebound);
    }
    if REBINDERS.iter().any(|zone| name.ends_with(zone)) {
        return Some(Place::Rebound);
    }
    if is_or_in(INTERNAL) {
        return Some(Place::Internal);
    }
    None
}

const METADATA: &[&[u8]] = &[
    b"metadata.google.internal",
    b"metadata.goog",
    b"metadata.azure.internal",
    b"metadata.azure.com",
    b"metadata.packet.net",
    b"metadata.tencentyun.com",
    b"instance-data",
    b"instance-data.ec2.internal",
    b"metadata",
    b"metadata.internal",
];

/// Names that Kubernetes resolves inside: `service.namespace.svc`, and namespaces that every cluster has.
const CLUSTER: &[&[u8]] = &[
    b"svc",
    b"svc.cluster.local",
    b"cluster.local",
    b"kube-system",
    b"kube-public",
    b"kubernetes.default",
    b"kubernetes",
    b"kubernetes.docker.internal",
    b"istio-system",
    b"cattle-system",
    b"calico-system",
    b"kube-node-lease",
    b"default",
    b"monitoring",
    b"logging",
    b"observability",
    b"argocd",
    b"cert-manager",
    b"ingress-nginx",
    b"flux-system",
    b"linkerd",
    b"tigera-operator",
    b"consul",
    b"host.docker.internal",
    b"gateway.docker.internal",
];

/// Public names of 127.0.0.1.
const LOOPBACK_NAMES: &[&[u8]] = &[
    b"localtest.me",
    b"lvh.me",
    b"vcap.me",
    b"lacolhost.com",
    b"localh.st",
    b"spoofed.burpcollaborator.net",
    b"loopback.jp",
    b"ulh.us",
    b"bugbounty.dod.network",
];

/// Zones that answer with the address in the name, or with one after another.
const REBINDERS: &[&[u8]] = &[
    b".nip.io",
    b".sslip.io",
    b".xip.io",
    b".xip.name",
    b".rbndr.us",
    b".1u.ms",
    b".127-0-0-1.org.uk",
    b".r87.me",
];

const INTERNAL: &[&[u8]] = &[
    b"internal",
    b"intranet",
    b"corp",
    b"lan",
    b"home.arpa",
    b"localdomain",
    b"docker.internal",
    b"consul.service",
    b"service.consul",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> Option<Place> {
        Host::read(host.as_bytes()).and_then(|host| host.place())
    }

    #[test]
    fn addresses_are_read_as_resolvers_read_them() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0177.0.0.1",
            "0x7f.1",
            "0x7f000001",
            "[::1]:80",
            "localhost:9200",
        ] {
            assert_eq!(place(host), Some(Place::Loopback), "{host}");
        }
        for host in
            ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"]
        {
            assert_eq!(place(host), Some(Place::Metadata), "{host}");
        }
        assert_eq!(place("0.0.0.0"), Some(Place::Unspecified));
        assert_eq!(place("etcd.kube-system:2379"), Some(Place::Cluster));
        assert_eq!(place("web.shop.svc.cluster.local"), Some(Place::Cluster));
        assert_eq!(place("10.0.0.1.nip.io"), Some(Place::Rebound));
        for host in [
            "example.com",
            "198.51.100.7",
            "localhost.example.com",
            "1.example.com",
            "[2001:db8::1]",
            "3.com",
        ] {
            assert_eq!(place(host), None, "{host}");
        }
    }

    #[test]
    fn odd_spellings_are_seen() {
        let odd = |host: &str| Host::read(host.as_bytes()).expect("a host").odd;
        assert!(odd("0177.0.0.1") && odd("2130706433") && odd("127.1") && odd("[::ffff:127.0.0.1]"));
        assert!(!odd("127.0.0.1") && !odd("[::1]") && !odd("example.com"));
    }
}
