//! What rules may know of TLS and of a client's certificate: variables of the ENV collection, as Apache's mod_ssl sets them
//! for ModSecurity (`SSLOptions +StdEnvVars`). Only those that there is something to say about.
//!
//! Differs: fingerprints, SPIFFE id and URIs are ours, since mod_ssl has none of them. SSL_CLIENT_CERT is left out: rules
//! would look at two kilobytes of base64 in every request.

use palisade_engine::Clock;
use palisade_model::{Calendar, CertificateFacts, PeerIdentity};

use crate::inspection::{Peer, Secured};

/// Names of one kind that are told; a certificate may have hundreds.
const NAMES_MAX: usize = 16;

/// Tells each variable.
pub(crate) fn of(peer: &Peer, clock: Clock, tell: &mut dyn FnMut(&[u8], &[u8])) {
    let mut tell = |name: &str, value: &str| tell(name.as_bytes(), value.as_bytes());
    if let Some(Secured { version, cipher, server_name }) = &peer.secured {
        tell("HTTPS", "on");
        tell("SSL_PROTOCOL", version);
        tell("SSL_CIPHER", openssl_name(cipher));
        if let Some(name) = server_name {
            tell("SSL_TLS_SNI", name);
        }
    }
    if let Some(identity) = &peer.identity {
        of_client(identity, clock, &mut tell);
    }
}

fn of_client(identity: &PeerIdentity, clock: Clock, tell: &mut dyn FnMut(&str, &str)) {
    tell("SSL_CLIENT_VERIFY", &identity.verify().to_string());
    let Some(facts) = identity.certificate() else { return };
    let CertificateFacts { subject_dn, issuer_dn, common_names, serial, not_before, not_after, .. } = facts;
    tell("SSL_CLIENT_S_DN", subject_dn);
    tell("SSL_CLIENT_I_DN", issuer_dn);
    if let Some(name) = common_names.first() {
        tell("SSL_CLIENT_S_DN_CN", name);
    }
    tell("SSL_CLIENT_M_SERIAL", serial);
    tell("SSL_CLIENT_V_START", &openssl_time(*not_before));
    tell("SSL_CLIENT_V_END", &openssl_time(*not_after));
    let now = i64::try_from(clock.now.0 / 1000).unwrap_or(i64::MAX);
    tell("SSL_CLIENT_V_REMAIN", &(not_after.saturating_sub(now).max(0) / 86_400).to_string());
    for (number, name) in facts.dns_sans.iter().take(NAMES_MAX).enumerate() {
        tell(&format!("SSL_CLIENT_SAN_DNS_{number}"), name);
    }
    for (number, uri) in facts.uri_sans.iter().take(NAMES_MAX).enumerate() {
        tell(&format!("SSL_CLIENT_SAN_URI_{number}"), uri);
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    tell("SSL_CLIENT_FINGERPRINT", &hex(&facts.sha1));
    tell("SSL_CLIENT_FINGERPRINT_SHA256", &hex(&facts.sha256));
    if let Some(id) = identity.spiffe_id() {
        tell("SSL_CLIENT_SPIFFE_ID", &id.to_string());
    }
}

/// Cipher suites of TLS 1.2 as OpenSSL, and so mod_ssl, calls them; those of 1.3 have one name everywhere.
fn openssl_name(cipher: &'static str) -> &'static str {
    const NAMES: [(&str, &str); 6] = [
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ];
    NAMES.iter().find(|(iana, _)| *iana == cipher).map_or(cipher, |(_, openssl)| openssl)
}

/// `Nov 22 08:00:00 2026 GMT`, as OpenSSL prints it; what no calendar has is the number.
pub fn openssl_time(seconds: i64) -> String {
    match u64::try_from(seconds) {
        Ok(seconds) => {
            let asctime = Calendar::new(seconds.saturating_mul(1000), 0).asctime();
            format!("{} GMT", asctime.split_once(' ').map_or("", |(_weekday, rest)| rest))
        }
        Err(_) => seconds.to_string(),
    }
}
