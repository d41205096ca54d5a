//! A throw-away certificate authority: made at a start, gone with the process, believed by nobody else.
//!
//! Certificates are as a mesh gives them to workloads: a SPIFFE id by namespace and service account, and the names that a
//! service is called by. They hold from an hour ago for two days, so that a clock that is a little off does no harm.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// An authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate alone; its authority's is [`Authority::certificate`].
    pub certificate: String,
    /// PKCS#8.
    pub key: String,
}

/// What could not be made: a name that certificates cannot carry, or no randomness.
pub type IdentityError = rcgen::Error;

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(name: &str) -> Result<Self, IdentityError> {
        let mut params = params(name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a service account, `spiffe://cluster.local/ns/NAMESPACE/sa/ACCOUNT`, that is also good for a server
    /// of these names.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn workload(
        &self,
        namespace: &str,
        account: &str,
        names: &[&str],
    ) -> Result<Identity, IdentityError> {
        let id = format!("spiffe://cluster.local/ns/{namespace}/sa/{account}");
        self.issue(account, names, Some(&id))
    }

    /// A certificate with a common name, for names, and with an id if any.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue(
        &self,
        common_name: &str,
        names: &[&str],
        id: Option<&str>,
    ) -> Result<Identity, IdentityError> {
        let mut params = params(common_name)?;
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into()?),
            });
        }
        if let Some(id) = id {
            params.subject_alt_names.push(SanType::URI(id.try_into()?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn params(common_name: &str) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs());
    params.not_before = now - Duration::from_secs(3600);
    params.not_after = now + Duration::from_secs(2 * 24 * 3600);
    Ok(params)
}
