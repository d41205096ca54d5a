//! What a certificate's extensions say, as far as a verdict asks.

use crate::constraints::NameConstraints;
use crate::der::{self, Element, Malformed, Reader};
use crate::name::Name;

/// The extensions that are read. Nothing here is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions {
    pub(crate) basic: Option<BasicConstraints>,
    /// The bits of keyUsage, the first one the highest.
    pub(crate) key_usage: Option<u16>,
    pub(crate) extended: Option<ExtendedKeyUsage>,
    /// The bits of Netscape's certificate type, the first one the highest.
    pub(crate) netscape: Option<u16>,
    pub(crate) subject_key: Option<Box<[u8]>>,
    pub(crate) authority_key: AuthorityKey,
    pub(crate) alternative_names: Vec<GeneralName>,
    pub(crate) constraints: Option<NameConstraints>,
    /// The distribution points' full names, as they are written.
    pub(crate) crl_points: Vec<Box<[u8]>>,
    pub(crate) is_proxy: bool,
    /// There is one that must be understood and is not.
    pub(crate) unknown_critical: bool,
    /// One of those that are read here cannot be read, or stands there twice: the certificate is nobody's child.
    pub(crate) malformed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BasicConstraints {
    pub(crate) is_ca: bool,
    pub(crate) path_length: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtendedKeyUsage {
    pub(crate) client: bool,
}

/// Whose key signed it. All None where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthorityKey {
    pub(crate) key: Option<Box<[u8]>>,
    pub(crate) issuer: Option<Name>,
    pub(crate) serial: Option<Box<[u8]>>,
}

/// One of the names of a subjectAltName or of a constraint.
#[derive(Clone, Debug)]
pub(crate) enum GeneralName {
    Email(String),
    Dns(String),
    Uri(String),
    Directory(Name),
    /// 4 or 16 bytes; twice as many in a constraint.
    Address(Box<[u8]>),
    /// By the number of its tag.
    Other(u8),
}

pub(crate) const DIGITAL_SIGNATURE: u16 = 0x8000;
pub(crate) const KEY_AGREEMENT: u16 = 0x0800;
pub(crate) const KEY_CERT_SIGN: u16 = 0x0400;
pub(crate) const CRL_SIGN: u16 = 0x0200;

pub(crate) const NETSCAPE_CLIENT: u16 = 0x8000;
pub(crate) const NETSCAPE_TLS_CA: u16 = 0x0400;

impl Extensions {
    /// Reads the list of a version 3 certificate. Whoever cannot be told apart from an extension is an error; an
    /// extension whose content is wrong makes them `malformed`.
    pub(crate) fn read(list: &Element<'_>) -> Result<Self, Malformed> {
        let mut out = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for_each(list, |oid, critical, value| {
            let known = match oid {
                [0x55, 0x1D, which] => out.read_standard(*which, value),
                NETSCAPE_CERT_TYPE => Some(
                    Reader::only(value, der::BIT_STRING).and_then(|bits| bits.named_bits()).map(|bits| {
                        out.netscape = Some(bits);
                    }),
                ),
                OCSP_NO_CHECK => Some(Ok(())),
                PROXY_CERT_INFO => {
                    out.is_proxy = true;
                    Some(Ok(()))
                }
                _ => None,
            };
            match known {
                Some(read) => {
                    // Key identifiers are read, but may not be critical; OpenSSL 3.0 knows them only so.
                    out.unknown_critical |= critical && matches!(oid, [0x55, 0x1D, 14 | 35]);
                    out.malformed |= read.is_err() || seen.contains(&oid);
                    seen.push(oid);
                }
                None => out.unknown_critical |= critical,
            }
        })?;
        Ok(out)
    }

    /// Those of RFC 5280 by their last number; None for one that OpenSSL does not take as critical.
    fn read_standard(&mut self, which: u8, value: &[u8]) -> Option<Result<(), Malformed>> {
        Some(match which {
            14 => {
                Reader::only(value, der::OCTET_STRING).map(|key| self.subject_key = Some(key.content.into()))
            }
            15 => Reader::only(value, der::BIT_STRING).and_then(|bits| bits.named_bits()).and_then(|bits| {
                self.key_usage = Some(bits);
                // RFC 5280, 4.2.1.3: at least one bit is set.
                if bits == 0 { Err(Malformed) } else { Ok(()) }
            }),
            17 => general_names(value).map(|names| self.alternative_names = names),
            19 => BasicConstraints::read(value).map(|basic| self.basic = Some(basic)),
            30 => NameConstraints::read(value).map(|constraints| self.constraints = Some(constraints)),
            31 => distribution_points(value).map(|points| self.crl_points = points),
            35 => AuthorityKey::read(value).map(|key| self.authority_key = key),
            37 => ExtendedKeyUsage::read(value).map(|extended| self.extended = Some(extended)),
            // Policies bind only where somebody asks for one, and nobody here does; OpenSSL reads them so as well.
            32 | 33 | 36 | 54 => Ok(()),
            _ => return None,
        })
    }
}

/// Calls back with OID, criticality and value of each extension.
pub(crate) fn for_each<'a>(
    list: &Element<'a>,
    mut each: impl FnMut(&'a [u8], bool, &'a [u8]),
) -> Result<(), Malformed> {
    let mut extensions = list.reader();
    while !extensions.is_empty() {
        let mut parts = extensions.expect(der::SEQUENCE)?.reader();
        let oid = parts.expect(der::OID)?;
        let critical = parts.optional(der::BOOLEAN)?.map_or(Ok(false), |critical| critical.boolean())?;
        let value = parts.expect(der::OCTET_STRING)?;
        parts.end()?;
        each(oid.content, critical, value.content);
    }
    Ok(())
}

impl BasicConstraints {
    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Reader::only(value, der::SEQUENCE)?.reader();
        let is_ca = parts.optional(der::BOOLEAN)?.map_or(Ok(false), |ca| ca.boolean())?;
        let path_length = parts.optional(der::INTEGER)?.map(|length| length.unsigned()).transpose()?;
        parts.end()?;
        Ok(Self { is_ca, path_length })
    }
}

impl ExtendedKeyUsage {
    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut usages = Reader::only(value, der::SEQUENCE)?.reader();
        let mut client = false;
        while !usages.is_empty() {
            client |= usages.expect(der::OID)?.content == CLIENT_AUTH;
        }
        Ok(Self { client })
    }
}

impl AuthorityKey {
    pub(crate) fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut parts = Reader::only(value, der::SEQUENCE)?.reader();
        let key = parts.optional(der::primitive(0))?.map(|key| key.content.into());
        let issuer = match parts.optional(der::constructed(1))? {
            Some(names) => general_names_in(names.reader())?.into_iter().find_map(|name| match name {
                GeneralName::Directory(name) => Some(name),
                _ => None,
            }),
            None => None,
        };
        let serial = parts.optional(der::primitive(2))?.map(|serial| serial.content.into());
        parts.end()?;
        Ok(Self { key, issuer, serial })
    }
}

impl GeneralName {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Malformed> {
        // Should be ASCII and sometimes is not; what is replaced here equals no name that anybody looks for.
        let text = |element: &Element<'_>| String::from_utf8_lossy(element.content).into_owned();
        Ok(match element.tag {
            0x81 => Self::Email(text(element)),
            0x82 => Self::Dns(text(element)),
            0x86 => Self::Uri(text(element)),
            0x87 => Self::Address(element.content.into()),
            0xA4 => Self::Directory(Name::read(&element.only()?)?),
            tag if tag & 0xC0 == 0x80 && tag & 0x1F <= 8 => Self::Other(tag & 0x1F),
            _ => return Err(Malformed),
        })
    }
}

fn general_names(value: &[u8]) -> Result<Vec<GeneralName>, Malformed> {
    general_names_in(Reader::only(value, der::SEQUENCE)?.reader())
}

fn general_names_in(mut names: Reader<'_>) -> Result<Vec<GeneralName>, Malformed> {
    let mut out = Vec::new();
    while !names.is_empty() {
        out.push(GeneralName::read(&names.next()?)?);
    }
    Ok(out)
}

/// The full names of all distribution points; those relative to an issuer match nothing here.
fn distribution_points(value: &[u8]) -> Result<Vec<Box<[u8]>>, Malformed> {
    let mut points = Reader::only(value, der::SEQUENCE)?.reader();
    let mut out = Vec::new();
    while !points.is_empty() {
        let mut parts = points.expect(der::SEQUENCE)?.reader();
        if let Some(name) = parts.optional(der::constructed(0))? {
            out.extend(full_names(&name.only()?)?);
        }
        let (_reasons, _issuer) = (parts.optional(der::primitive(1))?, parts.optional(der::constructed(2))?);
        parts.end()?;
    }
    Ok(out)
}

/// The names of a DistributionPointName, as they are written.
pub(crate) fn full_names(name: &Element<'_>) -> Result<Vec<Box<[u8]>>, Malformed> {
    let mut out = Vec::new();
    if name.tag == der::constructed(0) {
        let mut names = name.reader();
        while !names.is_empty() {
            out.push(names.next()?.whole.into());
        }
    }
    Ok(out)
}

const NETSCAPE_CERT_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xF8, 0x42, 1, 1];
const OCSP_NO_CHECK: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 0x30, 1, 5];
const PROXY_CERT_INFO: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 1, 14];
const CLIENT_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 2];
