//! Authorities and certificates of tests, thrown away with them.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use palisade_control::link::{ClientAuth, Files, LiveTls, Pem};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// An authority.
pub(crate) struct Pki {
    issuer: Issuer<'static, KeyPair>,
    ca: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), ca }
    }

    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn tls(&self, name: &str, believes: &Pki) -> Arc<LiveTls> {
        let (certificate, key) = self.issue(name);
        let own = Some((certificate.into_bytes(), key.into_bytes()));
        let pem = Pem { ca: believes.ca.clone().into_bytes(), own };
        Arc::new(LiveTls::of_pem(&pem, ClientAuth::Required).unwrap())
    }

    pub(crate) fn server(&self) -> Arc<LiveTls> {
        self.tls("localhost", self)
    }

    pub(crate) fn plane(&self, name: &str) -> Arc<LiveTls> {
        self.tls(name, self)
    }

    pub(crate) fn plane_that_believes(&self, name: &str, other: &Pki) -> Arc<LiveTls> {
        self.tls(name, other)
    }

    /// With no certificate of its own.
    pub(crate) fn anonymous(&self) -> Arc<LiveTls> {
        let pem = Pem { ca: self.ca.clone().into_bytes(), own: None };
        Arc::new(LiveTls::of_pem(&pem, ClientAuth::Required).unwrap())
    }

    /// A certificate in files.
    pub(crate) fn files(&self, folder: &Folder, name: &str) -> Files {
        let (certificate, key) = self.issue(name);
        let path = |file: &str| folder.0.join(file);
        let files = Files { ca: path("ca.crt"), own: Some((path("tls.crt"), path("tls.key"))) };
        write(&path("tls.crt"), &certificate);
        write(&path("tls.key"), &key);
        write(&files.ca, &self.ca);
        files
    }
}

/// Writes a file whole.
pub(crate) fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("palisade-control-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
