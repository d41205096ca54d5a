//! A line of the access log, as far as policies can be learned from it.

use std::borrow::Cow;
use std::net::SocketAddr;

use palisade_http::Target;
use palisade_model::{KnownBy, Workload};
use palisade_policy::Observation;
use serde::Deserialize;

/// A line.
#[derive(Debug, Deserialize)]
pub(super) struct AccessLine<'a> {
    #[serde(borrow, default)]
    pub(super) time: Cow<'a, str>,
    pub(super) peer: SocketAddr,
    server: Option<SocketAddr>,
    #[serde(borrow)]
    direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<WorkloadLine<'a>>,
    #[serde(borrow)]
    destination: Option<WorkloadLine<'a>>,
    #[serde(borrow)]
    client_certificate: Option<CertificateLine<'a>>,
    #[serde(borrow)]
    pub(super) service: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) path: Cow<'a, str>,
    status: Option<u16>,
    #[serde(borrow)]
    answered_by: Option<Cow<'a, str>>,
    upstream: Option<SocketAddr>,
    #[serde(borrow)]
    verdict: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct WorkloadLine<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    service_account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    known_by: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct CertificateLine<'a> {
    #[serde(borrow)]
    spiffe_id: Option<Cow<'a, str>>,
}

/// What a request is to who learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It was served: to be learned.
    Served,
    /// Rules or the detector took it for an attack.
    Flagged,
    /// Palisade itself answered: a refusal, an error.
    NotPassed,
    /// Nobody answered.
    Unanswered,
    /// The service said that it was wrong, forbidden or not there.
    ClientError,
    /// Its certificate is another's than has the address.
    Contradiction,
}

impl Kind {
    /// In words, after a count.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Flagged => "taken for attacks",
            Self::NotPassed => "answered by Palisade, not by the service",
            Self::Unanswered => "without an answer",
            Self::ClientError => "that the service answered with 400 to 499",
            Self::Contradiction => "with another's certificate than has the address",
        }
    }
}

impl AccessLine<'_> {
    /// Whether it is a call of the workload's own.
    pub(super) fn is_outbound(&self) -> bool {
        self.direction.as_deref() == Some("outbound")
    }

    /// The port where it arrived; none in lines of older versions.
    pub(super) fn port(&self) -> Option<u16> {
        self.server.map(|server| server.port())
    }

    /// Where it arrived.
    pub(super) fn server(&self) -> Option<SocketAddr> {
        self.server
    }

    /// The workload that asked.
    pub(super) fn source(&self) -> Option<Workload> {
        self.source.as_ref().map(WorkloadLine::workload)
    }

    /// The workload that was asked.
    pub(super) fn destination(&self) -> Option<Workload> {
        self.destination.as_ref().map(WorkloadLine::workload)
    }

    /// The SPIFFE id of its certificate.
    pub(super) fn spiffe_id(&self) -> Option<&str> {
        self.client_certificate.as_ref()?.spiffe_id.as_deref()
    }

    /// The path, without query; that of an absolute target too.
    pub(super) fn path(&self) -> Vec<u8> {
        let target = Target::new(self.path.as_bytes(), self.method.as_bytes());
        target.path().to_vec()
    }

    /// The same for who learns.
    pub(super) fn observation<'o>(
        &'o self,
        asked: &'o Workload,
        port: u16,
        source: Option<&'o Workload>,
        path: &'o [u8],
    ) -> Observation<'o> {
        Observation {
            asked,
            port,
            application: self.upstream,
            source,
            address: Some(self.peer.ip()),
            method: &self.method,
            path,
            requests: 1,
        }
    }

    /// What it is to who learns.
    pub(super) fn kind(&self) -> Kind {
        let is_another = |source: &WorkloadLine<'_>| source.known_by.as_deref() == Some("address");
        if self.spiffe_id().is_some() && self.source.as_ref().is_some_and(is_another) {
            return Kind::Contradiction;
        }
        if self.verdict.as_deref().is_some_and(|verdict| verdict != "pass") {
            return Kind::Flagged;
        }
        match (self.answered_by.as_deref(), self.status) {
            (Some("upstream"), Some(400..=499)) => Kind::ClientError,
            (Some("upstream"), Some(_)) => Kind::Served,
            (Some(_), _) => Kind::NotPassed,
            (None, _) => Kind::Unanswered,
        }
    }
}

impl WorkloadLine<'_> {
    fn workload(&self) -> Workload {
        Workload {
            namespace: (&*self.namespace).into(),
            name: self.name.as_deref().map(Box::from),
            service_account: self.service_account.as_deref().map(Box::from),
            known_by: match self.known_by.as_deref() {
                Some("certificate") => KnownBy::Certificate,
                Some("certificate_and_address") => KnownBy::CertificateAndAddress,
                Some("configuration") => KnownBy::Configuration,
                _ => KnownBy::Address,
            },
        }
    }
}
