//! LDAP filters that leave the assertion into which a value was put.
//!
//! # What it finds
//! Values that close the assertion around them and go on with filters of their own: `*)(uid=*))(|(uid=*`.
//!
//! # Why it matters
//! A directory that is asked with such a filter answers for other people's entries, or says yes to any password.
//!
//! # How it decides
//! A value stands in an assertion, `(attribute=VALUE)`. It is read up to its first bracket; a closing one there, with none
//! opened before, leaves the assertion. What follows is read as RFC 4515 says, tolerant of brackets that are too many or
//! left for the filter around to close. Attributes that directories have, operators and wildcards raise the confidence.
//! A value that is nothing but a filter counts where it asks for such an attribute by a wildcard, an operator or a matching
//! rule.
//!
//! # Example
//! `admin)(&)` closes the assertion, then an operator that is always true.
//!
//! # What it misses
//! `*` alone, which people type as well.
//!
//! # References
//! RFC 4515; RFC 4519 for the attributes; CWE-90.

use palisade_codec::ByteSet;

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "ldap-filter", attack: Attack::Ldapi, gate: ByteSet::of(b")("), look };

/// Bytes of an attribute's name.
const ATTRIBUTE_BYTES_MAX: usize = 64;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let Some(head) = memchr::memchr2(b'(', b')', text) else { return };
    if text[..head].trim_ascii().is_empty() && text[head] == b'(' {
        let filter = Filter::read(text.trim_ascii());
        if filter.is_whole(text) {
            evidence.found(Confidence::LIKELY, 0..text.len(), filter.why_whole());
        }
        return;
    }
    let closed = text[head..].iter().take_while(|byte| **byte == b')').count();
    // `)&(a=b`: an operator between filters is none, but sent.
    let between = closed > 0 && matches!(text[head + closed..], [b'&' | b'|' | b'!', b'(', ..]);
    let from = head + closed + usize::from(between);
    let rest = &text[from..];
    // Without a bracket that closes the assertion, only an operator is more than brackets in a text.
    let begins = if closed == 0 {
        head > 0 && matches!(rest, [b'(', b'&' | b'|' | b'!', b'(', ..])
    } else {
        matches!(rest.first(), Some(b'(' | 0))
    };
    if !begins {
        return;
    }
    let filter = Filter::read(rest);
    let wild = text[..head].contains(&b'*') || text[..head].windows(3).any(|escape| escape == b"\\2a");
    let Some(confidence) = filter.confidence(closed, wild) else { return };
    evidence.found(confidence, head..from + filter.end, filter.why(closed));
}

/// Filters after a place where an assertion was left.
#[derive(Debug, Default)]
struct Filter {
    operators: usize,
    assertions: usize,
    wildcards: usize,
    /// `~=`, `>=`, `<=`, `:rule:=`.
    rules: usize,
    /// An attribute that directories have.
    known: Option<&'static str>,
    /// Read to the text's end, or to a null byte, which ends it for libraries in C.
    complete: bool,
    null: bool,
    end: usize,
}

impl Filter {
    fn read(text: &[u8]) -> Self {
        let mut filter = Self::default();
        let mut at = 0;
        loop {
            filter.end = at;
            match text.get(at) {
                None => {
                    filter.complete = true;
                    return filter;
                }
                Some(0) => {
                    filter.complete = true;
                    filter.null = true;
                    return filter;
                }
                Some(b')' | b'*') => at += 1,
                Some(b'(') => {
                    at += 1;
                    if let Some(b'&' | b'|' | b'!') = text.get(at) {
                        filter.operators += 1;
                        at += 1;
                    }
                    // An assertion, unless brackets follow or the text ends.
                    if !matches!(text.get(at), None | Some(b'(' | b')' | 0)) {
                        match filter.assertion(&text[at..]) {
                            Some(len) => at += len,
                            None => return filter,
                        }
                    }
                }
                _ => return filter,
            }
        }
    }

    /// `attribute=value`; answers its length.
    fn assertion(&mut self, text: &[u8]) -> Option<usize> {
        let name = text
            .iter()
            .take(ATTRIBUTE_BYTES_MAX)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-.;:_".contains(byte))
            .count();
        let rest = &text[name..];
        let operator = match rest {
            [b'~' | b'<' | b'>', b'=', ..] => 2,
            [b'=', ..] => 1,
            _ => return None,
        };
        // `:dn:2.4.6:=` is part of what was taken for the name.
        if name == 0 || !text[0].is_ascii_alphanumeric() {
            return None;
        }
        let value = &rest[operator..];
        let len = value.iter().take_while(|byte| !b"()\0\n".contains(byte)).count();
        if value.get(len) == Some(&b'\n') {
            return None;
        }
        self.assertions += 1;
        self.wildcards += usize::from(value[..len].contains(&b'*'));
        self.rules += usize::from(operator == 2 || text[name - 1] == b':');
        let bare = text[..name].split(|byte| b";:".contains(byte)).next().unwrap_or_default();
        self.known = self
            .known
            .or_else(|| ATTRIBUTES.iter().copied().find(|known| bare.eq_ignore_ascii_case(known.as_bytes())));
        Some(name + operator + len)
    }

    /// Whether it is a filter from its first bracket to its last, and one that asks a directory.
    fn is_whole(&self, text: &[u8]) -> bool {
        let opened = memchr::memchr_iter(b'(', text).count();
        let closed = memchr::memchr_iter(b')', text).count();
        let asks = self.wildcards > 0 || self.operators > 0 || self.rules > 0;
        self.complete && !self.null && opened == closed && self.known.is_some() && asks
    }

    fn why_whole(&self) -> String {
        let known = self.known.unwrap_or_default();
        match self.assertions {
            1 => format!("a whole filter that asks for {known}"),
            count => format!("a whole filter of {count} assertions, one of them on {known}"),
        }
    }

    fn confidence(&self, closed: usize, wild: bool) -> Option<Confidence> {
        let telling = self.operators > 0 || self.known.is_some() || self.wildcards > 0;
        if closed == 0 {
            return (self.complete && self.assertions > 0).then_some(Confidence::LIKELY);
        }
        if self.operators + self.assertions == 0 {
            return (self.null && wild).then_some(Confidence::LIKELY);
        }
        Some(match (self.complete, telling) {
            (true, true) if self.operators > 0 || self.wildcards > 0 || wild || closed > 1 => {
                Confidence::CERTAIN
            }
            (true, true) => Confidence::STRONG,
            (true, false) => Confidence::LIKELY,
            (false, true) if self.known.is_some() && (self.wildcards > 0 || self.operators > 0) => {
                Confidence::LIKELY
            }
            (false, _) => Confidence::HINT,
        })
    }

    fn why(&self, closed: usize) -> String {
        let mut why = String::from(match closed {
            0 => "goes on with an operator inside the assertion",
            1 => "closes the assertion",
            _ => "closes the assertion and the filter around it",
        });
        match (self.assertions, self.known) {
            (0, _) if self.operators > 0 => {
                why.push_str(", then an operator that is always true or left open")
            }
            (0, _) => {}
            (1, Some(known)) => why.push_str(&format!(", then asks for {known}")),
            (1, None) => why.push_str(", then one more assertion"),
            (count, Some(known)) => {
                why.push_str(&format!(", then {count} assertions, one of them on {known}"))
            }
            (count, None) => why.push_str(&format!(", then {count} assertions")),
        }
        if self.wildcards > 0 {
            why.push_str(", with a wildcard");
        }
        if self.null {
            why.push_str(", and ends the filter by a null byte");
        }
        why
    }
}

/// Attributes of RFC 4519 and RFC 2798, of Unix accounts (RFC 2307), and of Active Directory, that people ask for.
const ATTRIBUTES: &[&str] = &[
    "objectClass",
    "objectCategory",
    "cn",
    "sn",
    "uid",
    "mail",
    "userPassword",
    "password",
    "user",
    "username",
    "givenName",
    "displayName",
    "memberOf",
    "member",
    "uniqueMember",
    "memberUid",
    "manager",
    "title",
    "description",
    "telephoneNumber",
    "homePhone",
    "mobile",
    "street",
    "postalCode",
    "postalAddress",
    "l",
    "st",
    "o",
    "ou",
    "c",
    "dc",
    "dn",
    "distinguishedName",
    "entryDN",
    "employeeNumber",
    "employeeType",
    "department",
    "departmentNumber",
    "uidNumber",
    "gidNumber",
    "homeDirectory",
    "loginShell",
    "gecos",
    "shadowLastChange",
    "sAMAccountName",
    "sAMAccountType",
    "userPrincipalName",
    "userAccountControl",
    "servicePrincipalName",
    "adminCount",
    "primaryGroupID",
    "objectSid",
    "objectGUID",
    "lastLogon",
    "pwdLastSet",
    "unicodePwd",
    "info",
    "name",
    "comment",
    "roomNumber",
    "initials",
    "creatorsName",
    "hasSubordinates",
];
