//! Distinguished names: compared as OpenSSL compares them, printed as nginx prints them.

use std::fmt::Write as _;

use crate::der::{self, Element, Malformed, SEQUENCE, SET};

/// A subject or an issuer.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    attributes: Vec<Attribute>,
    /// What equal names have in common: case of ASCII letters and runs of blanks make no difference, nor does the type of
    /// a string. Each relative name says how long it is, so that a name begins with another one exactly where its bytes
    /// do.
    comparable: Box<[u8]>,
    der: Box<[u8]>,
}

#[derive(Clone, Debug)]
struct Attribute {
    /// Which relative name it belongs to; those of one are joined by `+`.
    rdn: usize,
    oid: Box<[u8]>,
    tag: u8,
    value: Box<[u8]>,
    /// The value with tag and length, for those that print as `#0402`.
    whole: Box<[u8]>,
}

impl Name {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Malformed> {
        if element.tag != SEQUENCE {
            return Err(Malformed);
        }
        let (mut attributes, mut comparable) = (Vec::new(), Vec::new());
        let (mut sets, mut rdn) = (element.reader(), 0);
        while !sets.is_empty() {
            let mut members = sets.expect(SET)?.reader();
            let mut parts = Vec::new();
            while !members.is_empty() {
                let mut pair = members.expect(SEQUENCE)?.reader();
                let (oid, value) = (pair.expect(der::OID)?, pair.next()?);
                pair.end()?;
                let attribute = Attribute {
                    rdn,
                    oid: oid.content.into(),
                    tag: value.tag,
                    value: value.content.into(),
                    whole: value.whole.into(),
                };
                parts.push(attribute.comparable());
                attributes.push(attribute);
            }
            if parts.is_empty() {
                return Err(Malformed);
            }
            parts.sort_unstable();
            comparable.extend(length(&parts));
            comparable.extend(parts.concat());
            rdn += 1;
        }
        Ok(Self { attributes, comparable: comparable.into(), der: element.whole.into() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether this name stands below another, or is it.
    pub(crate) fn is_within(&self, base: &Name) -> bool {
        self.comparable.starts_with(&base.comparable)
    }

    /// What equal names have in common.
    pub(crate) fn comparable(&self) -> &[u8] {
        &self.comparable
    }

    /// Every CN that is a text, in the order of the certificate.
    pub(crate) fn common_names(&self) -> Vec<String> {
        self.texts(&[0x55, 4, 3])
    }

    /// Every e-mail address in the name.
    pub(crate) fn emails(&self) -> Vec<String> {
        self.texts(EMAIL)
    }

    fn texts(&self, oid: &[u8]) -> Vec<String> {
        let wanted = self.attributes.iter().filter(|attribute| *attribute.oid == *oid);
        wanted.filter_map(|attribute| String::from_utf8(attribute.utf8()?).ok()).collect()
    }

    /// As RFC 2253 has it, the last first: `CN=web,O=Shop`. Bytes beyond ASCII print as `\C3`.
    /// Source: OpenSSL's `X509_NAME_print_ex` under `XN_FLAG_RFC2253`, which nginx's `$ssl_client_s_dn` is.
    pub(crate) fn rfc2253(&self) -> String {
        let mut out = String::new();
        let mut before = None;
        for attribute in self.attributes.iter().rev() {
            match before {
                Some(rdn) if rdn == attribute.rdn => out.push('+'),
                Some(_) => out.push(','),
                None => {}
            }
            before = Some(attribute.rdn);
            let known = short_name(&attribute.oid);
            match known {
                Some(name) => out.push_str(name),
                None => out.push_str(&der::dotted(&attribute.oid).unwrap_or_default()),
            }
            out.push('=');
            match attribute.printable().filter(|_| known.is_some()) {
                Some(bytes) => escape_2253(&bytes, &mut out),
                None => {
                    out.push('#');
                    hex_upper(&attribute.whole, &mut out);
                }
            }
        }
        out
    }

    /// In the order of the certificate: `/O=Shop/CN=web`.
    /// Source: OpenSSL's `X509_NAME_oneline`, which nginx's `$ssl_client_s_dn_legacy` is, in releases that escape `/` and
    /// `+` (3.0.19 does); older ones leave it ambiguous.
    pub(crate) fn oneline(&self) -> String {
        let mut out = String::new();
        let mut before = None;
        for attribute in &self.attributes {
            out.push(if before == Some(attribute.rdn) { '+' } else { '/' });
            before = Some(attribute.rdn);
            match short_name(&attribute.oid) {
                Some(name) => out.push_str(name),
                None => out.push_str(&der::dotted(&attribute.oid).unwrap_or_default()),
            }
            out.push('=');
            for byte in &attribute.value {
                match byte {
                    b'/' | b'+' => out.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => out.push(char::from(*byte)),
                    _ => {
                        out.push_str("\\x");
                        hex_upper(&[*byte], &mut out);
                    }
                }
            }
        }
        out
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.comparable == other.comparable
    }
}

impl Attribute {
    /// The value as UTF-8 where its type is one of the texts that OpenSSL folds.
    fn utf8(&self) -> Option<Vec<u8>> {
        match self.tag {
            UTF8_STRING => std::str::from_utf8(&self.value).ok().map(|text| text.as_bytes().to_vec()),
            PRINTABLE_STRING | T61_STRING | IA5_STRING | VISIBLE_STRING => Some(widen(&self.value, 1)?),
            BMP_STRING => widen(&self.value, 2),
            UNIVERSAL_STRING => widen(&self.value, 4),
            _ => None,
        }
    }

    /// The value's characters as UTF-8 where it prints as text. A UTF8String is passed on as it is.
    fn printable(&self) -> Option<Vec<u8>> {
        match self.tag {
            UTF8_STRING => Some(self.value.to_vec()),
            NUMERIC_STRING | der::UTC_TIME | der::GENERALIZED_TIME => widen(&self.value, 1),
            _ => self.utf8(),
        }
    }

    fn comparable(&self) -> Box<[u8]> {
        let (tag, text) = match self.utf8() {
            Some(text) => (UTF8_STRING, fold(&text)),
            None => (self.tag, self.value.to_vec()),
        };
        [&length(&self.oid)[..], &self.oid, &[tag], &length(&text), &text].concat().into()
    }
}

fn length<T>(parts: &[T]) -> [u8; 8] {
    (parts.len() as u64).to_be_bytes()
}

/// Characters of so many bytes each, as UTF-8.
fn widen(bytes: &[u8], width: usize) -> Option<Vec<u8>> {
    if !bytes.len().is_multiple_of(width) {
        return None;
    }
    let mut out = String::with_capacity(bytes.len());
    for unit in bytes.chunks_exact(width) {
        out.push(char::from_u32(unit.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))?);
    }
    Some(out.into_bytes())
}

/// Lower case, no blanks at the ends, one for each run of them: of ASCII only, as OpenSSL does.
fn fold(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for word in text.split(|byte| byte.is_ascii_whitespace() || *byte == 0x0B).filter(|word| !word.is_empty())
    {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend(word.iter().map(u8::to_ascii_lowercase));
    }
    out
}

fn escape_2253(bytes: &[u8], out: &mut String) {
    for (at, byte) in bytes.iter().enumerate() {
        let (first, last) = (at == 0, at + 1 == bytes.len());
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' ' if first || last => out.push_str("\\ "),
            b'#' if first => out.push_str("\\#"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => {
                out.push('\\');
                hex_upper(&[*byte], out);
            }
        }
    }
}

pub(crate) fn hex_upper(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "{byte:02X}");
    }
}

const UTF8_STRING: u8 = 0x0C;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1A;
const UNIVERSAL_STRING: u8 = 0x1C;
const BMP_STRING: u8 = 0x1E;

const EMAIL: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1];

/// How OpenSSL abbreviates a type of attribute. Source: its object table, those that can stand in a name.
fn short_name(oid: &[u8]) -> Option<&'static str> {
    let table = match oid {
        [0x55, 4, _] => X520,
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, _] => PILOT,
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, _] => PKCS9,
        [0x2B, 6, 1, 4, 1, 0x82, 0x37, 0x3C, 2, 1, _] => JURISDICTION,
        [0x2B, 6, 1, 5, 5, 7, 9, _] => PDA,
        [0x2A, 0x85, 3, 0x64, _] => RUSSIAN,
        [0x2A, 0x85, 3, 3, 0x81, 3, 1, 1] => return Some("INN"),
        _ => return None,
    };
    let last = *oid.last()?;
    table.iter().find(|(number, _)| *number == last).map(|(_, name)| *name)
}

const X520: &[(u8, &str)] = &[
    (3, "CN"),
    (4, "SN"),
    (5, "serialNumber"),
    (6, "C"),
    (7, "L"),
    (8, "ST"),
    (9, "street"),
    (10, "O"),
    (11, "OU"),
    (12, "title"),
    (13, "description"),
    (14, "searchGuide"),
    (15, "businessCategory"),
    (16, "postalAddress"),
    (17, "postalCode"),
    (18, "postOfficeBox"),
    (19, "physicalDeliveryOfficeName"),
    (20, "telephoneNumber"),
    (21, "telexNumber"),
    (22, "teletexTerminalIdentifier"),
    (23, "facsimileTelephoneNumber"),
    (24, "x121Address"),
    (25, "internationaliSDNNumber"),
    (26, "registeredAddress"),
    (27, "destinationIndicator"),
    (28, "preferredDeliveryMethod"),
    (29, "presentationAddress"),
    (30, "supportedApplicationContext"),
    (31, "member"),
    (32, "owner"),
    (33, "roleOccupant"),
    (34, "seeAlso"),
    (35, "userPassword"),
    (36, "userCertificate"),
    (37, "cACertificate"),
    (38, "authorityRevocationList"),
    (39, "certificateRevocationList"),
    (40, "crossCertificatePair"),
    (41, "name"),
    (42, "GN"),
    (43, "initials"),
    (44, "generationQualifier"),
    (45, "x500UniqueIdentifier"),
    (46, "dnQualifier"),
    (47, "enhancedSearchGuide"),
    (48, "protocolInformation"),
    (49, "distinguishedName"),
    (50, "uniqueMember"),
    (51, "houseIdentifier"),
    (52, "supportedAlgorithms"),
    (53, "deltaRevocationList"),
    (54, "dmdName"),
    (65, "pseudonym"),
    (72, "role"),
    (97, "organizationIdentifier"),
    (98, "c3"),
    (99, "n3"),
    (100, "dnsName"),
];

const PILOT: &[(u8, &str)] = &[
    (1, "UID"),
    (2, "textEncodedORAddress"),
    (3, "mail"),
    (4, "info"),
    (5, "favouriteDrink"),
    (6, "roomNumber"),
    (7, "photo"),
    (8, "userClass"),
    (9, "host"),
    (10, "manager"),
    (11, "documentIdentifier"),
    (12, "documentTitle"),
    (13, "documentVersion"),
    (14, "documentAuthor"),
    (15, "documentLocation"),
    (20, "homeTelephoneNumber"),
    (21, "secretary"),
    (22, "otherMailbox"),
    (23, "lastModifiedTime"),
    (24, "lastModifiedBy"),
    (25, "DC"),
    (26, "aRecord"),
    (27, "pilotAttributeType27"),
    (28, "mXRecord"),
    (29, "nSRecord"),
    (30, "sOARecord"),
    (31, "cNAMERecord"),
    (37, "associatedDomain"),
    (38, "associatedName"),
    (39, "homePostalAddress"),
    (40, "personalTitle"),
    (41, "mobileTelephoneNumber"),
    (42, "pagerTelephoneNumber"),
    (43, "friendlyCountryName"),
    (44, "uid"),
    (45, "organizationalStatus"),
    (46, "janetMailbox"),
    (47, "mailPreferenceOption"),
    (48, "buildingName"),
    (49, "dSAQuality"),
    (50, "singleLevelQuality"),
    (51, "subtreeMinimumQuality"),
    (52, "subtreeMaximumQuality"),
    (53, "personalSignature"),
    (54, "dITRedirect"),
    (55, "audio"),
    (56, "documentPublisher"),
];

const PKCS9: &[(u8, &str)] = &[
    (1, "emailAddress"),
    (2, "unstructuredName"),
    (3, "contentType"),
    (4, "messageDigest"),
    (5, "signingTime"),
    (6, "countersignature"),
    (7, "challengePassword"),
    (8, "unstructuredAddress"),
    (9, "extendedCertificateAttributes"),
    (14, "extReq"),
    (15, "SMIME-CAPS"),
    (16, "SMIME"),
    (20, "friendlyName"),
    (21, "localKeyID"),
];

const JURISDICTION: &[(u8, &str)] = &[(1, "jurisdictionL"), (2, "jurisdictionST"), (3, "jurisdictionC")];

const PDA: &[(u8, &str)] = &[
    (1, "id-pda-dateOfBirth"),
    (2, "id-pda-placeOfBirth"),
    (3, "id-pda-gender"),
    (4, "id-pda-countryOfCitizenship"),
    (5, "id-pda-countryOfResidence"),
];

const RUSSIAN: &[(u8, &str)] = &[
    (1, "OGRN"),
    (3, "SNILS"),
    (5, "OGRNIP"),
    (111, "subjectSignTool"),
    (112, "issuerSignTool"),
    (113, "classSignTool"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::Reader;

    fn read_alone(der: &[u8]) -> Result<Name, Malformed> {
        Name::read(&Reader::only(der, SEQUENCE)?)
    }

    /// Type, tag and value.
    type Pair<'a> = (&'a [u8], u8, &'a [u8]);

    /// One relative name after the other.
    fn name(rdns: &[&[Pair<'_>]]) -> Name {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8][..], content].concat();
        let mut out = Vec::new();
        for rdn in rdns {
            let pairs: Vec<u8> = rdn
                .iter()
                .flat_map(|(oid, tag, value)| wrap(0x30, &[wrap(6, oid), wrap(*tag, value)].concat()))
                .collect();
            out.extend(wrap(0x31, &pairs));
        }
        read_alone(&wrap(0x30, &out)).unwrap()
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];

    #[test]
    fn names_print_in_both_forms() {
        for (name, rfc2253, oneline) in [
            (name(&[]), "", ""),
            (
                name(&[&[(O, UTF8_STRING, b"Acme, Inc.")], &[(CN, UTF8_STRING, "No\u{eb}l".as_bytes())]]),
                "CN=No\\C3\\ABl,O=Acme\\, Inc.",
                "/O=Acme, Inc./CN=No\\xC3\\xABl",
            ),
            (name(&[&[(O, PRINTABLE_STRING, b"a"), (CN, PRINTABLE_STRING, b"b")]]), "CN=b+O=a", "/O=a+CN=b"),
            (name(&[&[(CN, T61_STRING, b"\xEB")]]), "CN=\\C3\\AB", "/CN=\\xEB"),
            (name(&[&[(CN, BMP_STRING, b"\0a\0b")]]), "CN=ab", "/CN=\\x00a\\x00b"),
            (name(&[&[(CN, BMP_STRING, b"\0a\0")]]), "CN=#1E03006100", "/CN=\\x00a\\x00"),
            (name(&[&[(CN, UTF8_STRING, b" #a #")]]), "CN=\\ #a #", "/CN= #a #"),
            (
                name(&[&[(CN, UTF8_STRING, b"#a\"+;<=>\\ ")]]),
                "CN=\\#a\\\"\\+\\;\\<=\\>\\\\\\ ",
                "/CN=#a\"\\+;<=>\\ ",
            ),
            (name(&[&[(CN, UTF8_STRING, b"a\n\x7f")]]), "CN=a\\0A\\7F", "/CN=a\\x0A\\x7F"),
            (name(&[&[(CN, 0x04, b"ab")]]), "CN=#04026162", "/CN=ab"),
            (name(&[&[(&[0x88, 0x37, 3], UTF8_STRING, b"x")]]), "2.999.3=#0C0178", "/2.999.3=x"),
        ] {
            assert_eq!((name.rfc2253().as_str(), name.oneline().as_str()), (rfc2253, oneline));
        }
    }

    #[test]
    fn names_are_equal_in_spite_of_case_blanks_and_types_of_strings() {
        let base = name(&[&[(O, UTF8_STRING, b"Acme Inc")], &[(CN, UTF8_STRING, b"CA")]]);
        assert_eq!(base, name(&[&[(O, PRINTABLE_STRING, b" ACME  inc ")], &[(CN, BMP_STRING, b"\0c\0a")]]));
        assert_ne!(base, name(&[&[(CN, UTF8_STRING, b"CA")], &[(O, UTF8_STRING, b"Acme Inc")]]));
        assert_ne!(base, name(&[&[(O, UTF8_STRING, b"AcmeInc")], &[(CN, UTF8_STRING, b"CA")]]));
        assert_ne!(base, name(&[&[(O, UTF8_STRING, b"Acme Inc"), (CN, UTF8_STRING, b"CA")]]));
        assert_eq!(
            name(&[&[(O, UTF8_STRING, b"a"), (CN, UTF8_STRING, b"b")]]),
            name(&[&[(CN, UTF8_STRING, b"b"), (O, UTF8_STRING, b"a")]])
        );
        let below = name(&[
            &[(O, UTF8_STRING, b"acme inc")],
            &[(CN, UTF8_STRING, b"ca")],
            &[(CN, UTF8_STRING, b"x")],
        ]);
        assert!(below.is_within(&base) && base.is_within(&base) && !base.is_within(&below));
    }

    #[test]
    fn common_names_are_those_that_are_texts() {
        let several = name(&[
            &[(CN, UTF8_STRING, b"one")],
            &[(O, UTF8_STRING, b"CN=two")],
            &[(CN, BMP_STRING, b"\0x")],
            &[(CN, 0x04, b"no text")],
            &[(CN, UTF8_STRING, b"\xFF")],
        ]);
        assert_eq!(several.common_names(), ["one", "x"]);
    }

    #[test]
    fn what_is_not_wholly_a_name_is_none() {
        for bad in [
            &[0x30, 2, 0x31, 0][..],
            &[0x30, 3, 0x31, 0, 0],
            &[0x31, 0],
            &[0x30, 0, 0],
            &[0x30, 9, 0x31, 7, 0x30, 5, 6, 1, 0x55, 5, 0, 1],
        ] {
            assert!(read_alone(bad).is_err(), "{bad:02x?}");
        }
    }
}
