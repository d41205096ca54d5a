//! Name constraints: which names an authority may vouch for.
//!
//! Source: RFC 5280, 4.2.1.10, as OpenSSL 3.0 reads it: a name of a kind that a constraint speaks of and that is not
//! one of the kinds below is a failure, not a pass.

use palisade_model::Failure;

use crate::certificate::Certificate;
use crate::der::{self, Malformed, Reader};
use crate::extensions::GeneralName;
use crate::failure;

/// The subtrees of one authority.
#[derive(Clone, Debug)]
pub(crate) struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

#[derive(Clone, Debug)]
struct Subtree {
    base: GeneralName,
    /// It has a minimum other than 0, or a maximum: forms that nobody honours.
    is_bounded: bool,
}

/// A certificate's names times an authority's subtrees are at most so many: a certificate of 64 KiB has room for
/// thousands of either. OpenSSL has the same bound.
const COMPARISONS_MAX: usize = 1 << 20;

impl NameConstraints {
    pub(crate) fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Reader::only(value, der::SEQUENCE)?.reader();
        let mut subtrees = |number| match parts.optional(der::constructed(number))? {
            Some(list) => Subtree::read_all(list.reader()),
            None => Ok(Vec::new()),
        };
        let (permitted, excluded) = (subtrees(0)?, subtrees(1)?);
        parts.end()?;
        Ok(Self { permitted, excluded })
    }

    /// Whether the names of a certificate are within them; `is_leaf` asks its CN as well, where it has no DNS name and
    /// the CN looks like one.
    pub(crate) fn check(&self, certificate: &Certificate, is_leaf: bool) -> Result<(), Failure> {
        let alternative = &certificate.extensions.alternative_names;
        let subject = &certificate.subject;
        let emails: Vec<_> = subject.emails().into_iter().map(GeneralName::Email).collect();
        let has_dns = alternative.iter().any(|name| matches!(name, GeneralName::Dns(_)));
        let hosts: Vec<_> = subject
            .common_names()
            .into_iter()
            .filter(|name| is_leaf && !has_dns && looks_like_a_host(name))
            .map(GeneralName::Dns)
            .collect();
        let names = 1 + emails.len() + alternative.len() + hosts.len();
        if names.saturating_mul(self.permitted.len() + self.excluded.len()) > COMPARISONS_MAX {
            return Err(failure::UNSPECIFIED);
        }
        if !subject.is_empty() {
            self.check_name(&GeneralName::Directory(subject.clone()))?;
        }
        emails.iter().chain(alternative).chain(&hosts).try_for_each(|name| self.check_name(name))
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), Failure> {
        let of_its_kind = |subtrees: &'_ [Subtree]| -> Result<(bool, bool), Failure> {
            let (mut any, mut inside) = (false, false);
            for subtree in subtrees.iter().filter(|subtree| kind(&subtree.base) == kind(name)) {
                if subtree.is_bounded {
                    return Err(failure::SUBTREE_MINMAX);
                }
                any = true;
                inside = inside || is_inside(name, &subtree.base)?;
            }
            Ok((any, inside))
        };
        if let (true, false) = of_its_kind(&self.permitted)? {
            return Err(failure::NOT_PERMITTED);
        }
        if of_its_kind(&self.excluded)?.1 {
            return Err(failure::EXCLUDED);
        }
        Ok(())
    }
}

impl Subtree {
    fn read_all(mut list: Reader<'_>) -> Result<Vec<Self>, Malformed> {
        let mut out = Vec::new();
        while !list.is_empty() {
            let mut parts = list.expect(der::SEQUENCE)?.reader();
            let base = GeneralName::read(&parts.next()?)?;
            let minimum = parts.optional(der::primitive(0))?;
            let maximum = parts.optional(der::primitive(1))?;
            parts.end()?;
            let is_bounded = maximum.is_some() || minimum.is_some_and(|minimum| minimum.content != [0]);
            out.push(Self { base, is_bounded });
        }
        Ok(out)
    }
}

/// The number of a name's tag.
fn kind(name: &GeneralName) -> u8 {
    match name {
        GeneralName::Email(_) => 1,
        GeneralName::Dns(_) => 2,
        GeneralName::Directory(_) => 4,
        GeneralName::Uri(_) => 6,
        GeneralName::Address(_) => 7,
        GeneralName::Other(tag) => *tag,
    }
}

fn is_inside(name: &GeneralName, base: &GeneralName) -> Result<bool, Failure> {
    match (name, base) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Ok(name.is_within(base)),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Ok(is_host_inside(name, base)),
        (GeneralName::Email(name), GeneralName::Email(base)) => is_mailbox_inside(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => is_uri_inside(name, base),
        (GeneralName::Address(name), GeneralName::Address(base)) => is_address_inside(name, base),
        _ => Err(failure::CONSTRAINT_TYPE),
    }
}

/// `a.example.com` is inside `example.com` and inside `.example.com`.
fn is_host_inside(name: &str, base: &str) -> bool {
    let (name, base) = (name.as_bytes(), base.as_bytes());
    if base.is_empty() {
        return true;
    }
    let Some(cut) = name.len().checked_sub(base.len()) else { return false };
    name[cut..].eq_ignore_ascii_case(base) && (cut == 0 || base[0] == b'.' || name[cut - 1] == b'.')
}

/// Inside `a@example.com`, `example.com` (that host alone) or `.example.com` (hosts below).
fn is_mailbox_inside(name: &str, base: &str) -> Result<bool, Failure> {
    let (local, host) = name.rsplit_once('@').ok_or(failure::NAME_SYNTAX)?;
    Ok(match base.split_once('@') {
        Some(("", base_host)) => host.eq_ignore_ascii_case(base_host),
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => is_host_or_below(host, base),
    })
}

fn is_uri_inside(name: &str, base: &str) -> Result<bool, Failure> {
    let (_, rest) = name.split_once(':').ok_or(failure::NAME_SYNTAX)?;
    let rest = rest.strip_prefix("//").ok_or(failure::NAME_SYNTAX)?;
    let host = &rest[..rest.find([':', '/']).unwrap_or(rest.len())];
    if host.is_empty() { Err(failure::NAME_SYNTAX) } else { Ok(is_host_or_below(host, base)) }
}

/// A base that begins with a dot stands for what is below it, any other for itself alone.
fn is_host_or_below(host: &str, base: &str) -> bool {
    if base.starts_with('.') {
        let (host, base) = (host.as_bytes(), base.as_bytes());
        host.len() > base.len() && host[host.len() - base.len()..].eq_ignore_ascii_case(base)
    } else {
        host.eq_ignore_ascii_case(base)
    }
}

fn is_address_inside(name: &[u8], base: &[u8]) -> Result<bool, Failure> {
    if !matches!(name.len(), 4 | 16) {
        return Err(failure::NAME_SYNTAX);
    }
    if !matches!(base.len(), 8 | 32) {
        return Err(failure::CONSTRAINT_SYNTAX);
    }
    let (network, mask) = base.split_at(base.len() / 2);
    Ok(name.len() == network.len()
        && name.iter().zip(network).zip(mask).all(|((byte, network), mask)| (byte ^ network) & mask == 0))
}

/// Whether a CN could be a host: labels of letters, digits, `-` and `_`, with a dot among them.
fn looks_like_a_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_inside_by_whole_labels() {
        for (name, base, inside) in [
            ("example.com", "example.com", true),
            ("a.EXAMPLE.com", "example.com", true),
            ("notexample.com", "example.com", false),
            ("example.com", ".example.com", false),
            ("a.example.com", ".example.com", true),
            ("com", "example.com", false),
            ("anything", "", true),
        ] {
            assert_eq!(is_host_inside(name, base), inside, "{name} {base}");
        }
    }

    #[test]
    fn mailboxes_and_uris_are_inside_by_their_hosts() {
        for (name, base, inside) in [
            ("a@b.com", "a@b.com", Ok(true)),
            ("A@b.com", "a@b.com", Ok(false)),
            ("a@B.com", "b.com", Ok(true)),
            ("a@x.b.com", "b.com", Ok(false)),
            ("a@x.b.com", ".b.com", Ok(true)),
            ("a@b.com", ".b.com", Ok(false)),
            ("nobody", "b.com", Err(failure::NAME_SYNTAX)),
        ] {
            assert_eq!(is_mailbox_inside(name, base), inside, "{name} {base}");
        }
        for (name, base, inside) in [
            ("spiffe://cluster.local/ns/a", "cluster.local", Ok(true)),
            ("spiffe://x.cluster.local/ns/a", "cluster.local", Ok(false)),
            ("https://x.b.com:8443/", ".b.com", Ok(true)),
            ("urn:x", "b.com", Err(failure::NAME_SYNTAX)),
            ("https:///x", "b.com", Err(failure::NAME_SYNTAX)),
        ] {
            assert_eq!(is_uri_inside(name, base), inside, "{name} {base}");
        }
    }

    #[test]
    fn addresses_are_inside_by_the_mask() {
        let base = [10, 0, 0, 0, 255, 0, 0, 0];
        assert_eq!(is_address_inside(&[10, 1, 2, 3], &base), Ok(true));
        assert_eq!(is_address_inside(&[11, 1, 2, 3], &base), Ok(false));
        assert_eq!(is_address_inside(&[0; 16], &base), Ok(false));
        assert_eq!(is_address_inside(&[0; 5], &base), Err(failure::NAME_SYNTAX));
        assert_eq!(is_address_inside(&[0; 4], &[0; 9]), Err(failure::CONSTRAINT_SYNTAX));
    }

    #[test]
    fn a_common_name_is_a_host_only_where_it_looks_like_one() {
        for (text, host) in [
            ("a.example.com", true),
            ("client", false),
            ("Jane Doe", false),
            ("a..b", false),
            ("-a.b", false),
        ] {
            assert_eq!(looks_like_a_host(text), host, "{text}");
        }
    }
}
