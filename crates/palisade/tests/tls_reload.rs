//! Certificates, authorities and revocation lists that change all the time, under load: no handshake fails that should
//! succeed, and nobody gets in who should not.

mod pki;
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pki::Pki;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::{Folder, PATIENCE, Running, Upstream, command};

/// A client that believes one authority, with or without a certificate. Sessions are not taken up again.
fn client(folder: &Folder, certificate: Option<&str>) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.at("ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some(name) => {
            let chain = vec![CertificateDer::from_pem_file(folder.at(&format!("{name}.crt"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(folder.at(&format!("{name}.key"))).unwrap();
            // Past rustls's own look at it: certificates of version 1 are what most recipes make.
            let key = provider.key_provider.load_private_key(key).unwrap();
            let certified = rustls::sign::CertifiedKey::new(chain, key);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// The status of an answer on a connection of its own.
fn ask(address: SocketAddr, client: &Arc<rustls::ClientConfig>) -> Result<u16, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).map_err(|error| words(&error))?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = "shop.example".try_into().unwrap();
    let connection = rustls::ClientConnection::new(client.clone(), name).map_err(|error| words(&error))?;
    let mut tls = rustls::StreamOwned::new(connection, stream);
    tls.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        .map_err(|error| words(&error))?;
    let mut answer = Vec::new();
    // What counts is the answer; how the connection ends after it does not.
    let _ = tls.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| format!("no answer: {text:?}"))
}

#[test]
fn files_that_change_every_second_break_no_handshake_and_let_nobody_in() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    // The listener's own authority, one whose clients are always believed, one that comes and goes, one that nobody names.
    for authority in ["ca", "always", "sometimes", "never"] {
        pki.authority(authority);
    }
    pki.server("ca", "one", &["shop.example"]);
    pki.server("ca", "two", &["shop.example"]);
    for (authority, name) in
        [("always", "good"), ("always", "revoked"), ("sometimes", "guest"), ("never", "stranger")]
    {
        pki.issue(authority, name, &format!("/CN={name}"), "", 30);
    }
    pki.revoke("always", &["revoked"]);
    pki.revoke("sometimes", &[]);
    let put = |turn: u64| {
        let pair = if turn.is_multiple_of(2) { "one" } else { "two" };
        // Key and certificate are never both new at one moment: what lies in between must not be taken.
        pki.bundle("tls.crt", &[&format!("{pair}.crt")]);
        pki.bundle("tls.key", &[&format!("{pair}.key")]);
        let (authorities, lists): (&[&str], &[&str]) = match turn % 2 {
            0 => (&["always.crt", "sometimes.crt"], &["always.crl", "sometimes.crl"]),
            _ => (&["always.crt"], &["always.crl"]),
        };
        pki.bundle("crl.pem", lists);
        pki.bundle("ca.pem", authorities);
    };
    put(0);
    let file = folder.write(
        "c.yaml",
        format!(
            "admin: {{address: 'off'}}\ndataDir: data\nlisteners:\n- name: web\n  address: 127.0.0.1:0\n  tls:\n\
             \x20   certificates: [{{cert: tls.crt, key: tls.key}}]\n\
             \x20   clientCertificates: {{ca: ca.pem, crl: crl.pem}}\n\
             services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n",
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let web = proxy.listener("web");
    let over = AtomicBool::new(false);
    let (asked, guests, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for (certificate, expected) in [
            (Some("good"), &[200][..]),
            (Some("revoked"), &[400]),
            (Some("stranger"), &[400]),
            (None, &[400]),
            (Some("guest"), &[200, 400]),
        ] {
            let (over, asked, guests, refused) = (&over, &asked, &guests, &refused);
            let client = client(&folder, certificate);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask(web, &client);
                    if !answer.as_ref().is_ok_and(|status| expected.contains(status)) {
                        over.store(true, Ordering::Relaxed);
                        panic!("{certificate:?}: {answer:?}");
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                    if certificate == Some("guest") {
                        let of = if answer == Ok(200) { guests } else { refused };
                        of.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let begun = Instant::now();
        let mut turn = 0;
        while begun.elapsed() < Duration::from_secs(8) && !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_secs(1));
            turn += 1;
            put(turn);
        }
        over.store(true, Ordering::Relaxed);
    });
    let (asked, guests, refused) = (asked.into_inner(), guests.into_inner(), refused.into_inner());
    println!("{asked} handshakes; of a guest whose authority comes and goes {guests} let in, {refused} not");
    assert!(asked > 100 && guests > 0 && refused > 0, "{asked} {guests} {refused}");
    assert_eq!(proxy.end(), 0);
}
