//! What is counted of TLS: handshakes by how they ended, and until when certificates are valid.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Count, Sample, Take, Value};
use crate::tls::ServerTls;

/// How the beginning of a connection to a TLS listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeOutcome {
    Completed,
    Failed,
    Late,
    Gone,
    PlainHttp,
    Refused,
}

impl HandshakeOutcome {
    const ALL: [Self; 6] =
        [Self::Completed, Self::Failed, Self::Late, Self::Gone, Self::PlainHttp, Self::Refused];

    fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Gone => "gone",
            Self::PlainHttp => "plain_http",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct TlsMetrics {
    handshakes: [Count; HandshakeOutcome::ALL.len()],
    /// Listeners that speak TLS.
    listeners: Mutex<Vec<(Arc<str>, Arc<ServerTls>)>>,
}

impl TlsMetrics {
    pub(crate) fn one(&self, outcome: HandshakeOutcome) {
        self.handshakes[outcome as usize].one();
    }

    /// Shows certificates of a listener from now on.
    pub(crate) fn watch(&self, listener: Arc<str>, tls: Arc<ServerTls>) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push((listener, tls));
    }

    /// Shows them no longer: the listener is gone.
    pub(crate) fn unwatch(&self, tls: &Arc<ServerTls>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|(_, watched)| !Arc::ptr_eq(watched, tls));
    }

    pub(crate) fn visit(&self, take: Take<'_>) {
        for (outcome, count) in HandshakeOutcome::ALL.into_iter().zip(&self.handshakes) {
            take(Sample {
                name: "palisade_tls_handshakes_total",
                help: "Connections to TLS listeners by how their beginning ended: late is over its time, gone is without \
                       a word, plain_http is HTTP without TLS, refused is too many at once.",
                labels: &[("outcome", outcome.name())],
                value: Value::Counter(count.value()),
            });
        }
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (listener, tls) in &listeners {
            for (called, pair) in tls.in_force().certificates() {
                take(Sample {
                    name: "palisade_tls_certificate_expiry_timestamp_seconds",
                    help: "The last second in which a certificate of a listener is valid, since 1970.",
                    labels: &[("listener", listener), ("certificate", called)],
                    value: Value::Gauge(u64::try_from(pair.not_after()).unwrap_or(0)),
                });
            }
        }
    }
}
