//! Who stands at an end of an exchange, for logs and events. What decides anything is `palisade-policy`'s own.

/// A workload, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its own name, such as a pod's. A certificate does not tell it.
    pub name: Option<Box<str>>,
    /// The service account that it runs as.
    pub service_account: Option<Box<str>>,
    /// How this is known.
    pub known_by: KnownBy,
}

/// How it is known who a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KnownBy {
    /// The configuration says whom we stand before.
    Configuration,
    /// It showed a certificate that is believed; nobody is known to have its address.
    Certificate,
    /// It has an address that is known to be a workload's. It showed no certificate of one, or that of another.
    Address,
    /// It showed a certificate, and the address belongs to a workload with the same service account.
    CertificateAndAddress,
}

impl KnownBy {
    /// The word in logs and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Certificate => "certificate",
            Self::Address => "address",
            Self::CertificateAndAddress => "certificate_and_address",
        }
    }
}
