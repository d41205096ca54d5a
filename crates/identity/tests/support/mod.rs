//! Certificates for tests, made by openssl once for each test program.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use palisade_identity::Anchors;

/// The folder that `testdata/identity/make-certificates` filled, or None, said once, where there is no openssl 3.
pub(crate) fn certificates() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(make).as_deref()
}

fn make() -> Option<PathBuf> {
    let version = Command::new("openssl").arg("version").output().ok();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with("OpenSSL 3.") {
        eprintln!("skipped: certificates are made by OpenSSL 3, and `openssl version` says {version:?}");
        return None;
    }
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/identity/make-certificates");
    let status = Command::new(script).arg(&folder).stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "{script} failed; see {}", folder.join("openssl.log").display());
    Some(folder)
}

/// Folders of test programs that ended long ago.
fn remove_old(home: &Path) {
    for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with("certificates-");
        let made = entry.metadata().and_then(|data| data.modified()).ok();
        let is_old = made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age.as_secs() > 3600);
        if is_ours && is_old {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Every leaf that the script made, by name, in order.
pub(crate) fn leaves(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().ok()?.strip_suffix(".chain").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 100, "{} leaves", names.len());
    names
}

/// What a holder sends: the leaf, and what its chain file says.
pub(crate) fn chain(folder: &Path, name: &str) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for kind in ["crt", "chain"] {
        out.extend(pem_blocks(&std::fs::read_to_string(folder.join(format!("{name}.{kind}"))).unwrap()));
    }
    out
}

/// Blocks of a text by a decoder that shares nothing with the crate's.
fn pem_blocks(text: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|block| {
            let body: String = block.split("-----END").next().unwrap().split_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(body).unwrap()
        })
        .collect()
}

/// Anchors of files in the folder: `root`, `bundle` ...
pub(crate) fn anchors(folder: &Path, ca: &str, crl: Option<&str>, depth: u8) -> Anchors {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let crl = crl.map(|name| read(&format!("{name}.crl")));
    Anchors::new(&read(&format!("{ca}.crt")), crl.as_deref(), depth).unwrap()
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The verdict on a holder.
pub(crate) fn verify(folder: &Path, name: &str, anchors: &Anchors) -> palisade_model::PeerIdentity {
    let chain = chain(folder, name);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    palisade_identity::verify(&chain, anchors, now()).unwrap_or_else(|error| panic!("{name}: {error}"))
}
