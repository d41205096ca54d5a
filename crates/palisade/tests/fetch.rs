//! `palisade rules fetch` from outside, against a server on loopback.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::{Answer, Folder, command, finish, palisade};

const VERSION: &str = "4.28.0";

/// The files of a release beside the repository.
fn release(version: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/crs/{}"), version);
    if !Path::new(&folder).is_dir() {
        println!("skipped: CRS {version} is not beside the repository");
        return None;
    }
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.to_str().unwrap().to_owned());
            } else {
                let name = path.to_str().unwrap()[folder.len() + 1..].to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    Some(files)
}

/// As a forge packs a tag: everything below one folder.
fn packed(version: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("coreruleset-{version}/{path}"), &**content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Answers `GET /v...tar.gz` with some bytes after a head; everything else with 404.
fn serve(path: &str, head: &str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (path, head) = (path.to_owned(), head.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &path, &head, &body);
        }
    });
    base
}

fn answer(mut stream: impl Read + Write, path: &str, head: &str, body: &[u8]) {
    let mut asked = String::new();
    let mut lines = BufReader::new(&mut stream);
    if lines.read_line(&mut asked).is_err() {
        return;
    }
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    let found = asked.split(' ').nth(1) == Some(path);
    let head = if found { head } else { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" };
    let _ = stream.write_all(head.as_bytes());
    if found {
        let _ = stream.write_all(body);
    }
    let _ = stream.flush();
}

fn serve_archive(version: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
    let body = packed(version, files);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    serve(&format!("/v{version}.tar.gz"), &head, body)
}

/// Fetches into a folder's `crs`, without anybody's proxy.
fn fetch(folder: &Folder, base: &str, arguments: &[&str]) -> Answer {
    let to = folder.at("crs");
    let all = [&["rules", "fetch", "--base-url", base, "--to", &to], arguments].concat();
    finish(without_proxies(command(&all)), b"")
}

fn without_proxies(mut command: Command) -> Command {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

/// Nothing stays behind.
fn is_empty(folder: &Folder) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

#[test]
fn a_known_release_is_installed_verified_and_usable() {
    for version in [VERSION, "3.3.9"] {
        let Some(files) = release(version) else { return };
        let folder = Folder::new();
        let base = serve_archive(version, &files);
        let answer = fetch(&folder, &base, &[version]);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(answer.out.contains("each verified by its SHA-256"), "{answer:?}");
        let installed = folder.at("crs");
        assert!(!Path::new(&installed).join("tests").exists(), "only what is on the list");
        let check = palisade(&["check", "--crs", &installed]);
        assert_eq!(check.code, 0, "{check:?}");
        let again = fetch(&folder, "http://127.0.0.1:1", &[&format!("v{version}")]);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.out.contains("nothing was fetched"), "{again:?}");
        std::fs::write(folder.path().join("crs/rules/mine.conf"), "").unwrap();
        std::fs::write(folder.path().join("crs/rules/REQUEST-901-INITIALIZATION.conf"), "").unwrap();
        let changed = fetch(&folder, &base, &[version]);
        assert_eq!(changed.code, 2);
        assert!(changed.err.contains("name another folder by --to"), "{changed:?}");
    }
}

#[test]
fn the_newest_known_release_is_the_default_and_its_folder_is_named_for_it() {
    let Some(files) = release(VERSION) else { return };
    let folder = Folder::new();
    let mut fetch =
        without_proxies(command(&["rules", "fetch", "--base-url", &serve_archive(VERSION, &files)]));
    fetch.current_dir(folder.path());
    let answer = finish(fetch, b"");
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(folder.path().join("coreruleset-4.28.0/rules/REQUEST-901-INITIALIZATION.conf").exists());
}

#[test]
fn one_changed_or_missing_file_and_nothing_is_installed() {
    let Some(files) = release(VERSION) else { return };
    let first = "rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf";
    let mut changed = files.clone();
    changed.get_mut(first).unwrap().push(b'\n');
    let mut missing = files.clone();
    missing.remove(first);
    for (files, said) in [(changed, "differs from the release"), (missing, "is missing")] {
        let folder = Folder::new();
        // The flag is for releases without a list; one that has a list is verified with it as well.
        for arguments in [&[VERSION][..], &[VERSION, "--allow-unverified"]] {
            let answer = fetch(&folder, &serve_archive(VERSION, &files), arguments);
            assert_eq!(answer.code, 2, "{answer:?}");
            assert!(answer.err.contains(first) && answer.err.contains(said), "{answer:?}");
            assert!(is_empty(&folder));
        }
    }
}

#[test]
fn an_unknown_release_needs_a_word_and_is_said_to_be_unverified() {
    let Some(mut files) = release(VERSION) else { return };
    files.insert("plugins/empty-after.conf".to_owned(), b"".to_vec());
    let folder = Folder::new();
    let base = serve_archive("4.99.0", &files);
    let answer = fetch(&folder, &base, &["4.99.0"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.err.contains("--allow-unverified") && answer.err.contains("4.28.0 and 3.3.9"),
        "{answer:?}"
    );
    assert!(is_empty(&folder));
    let answer = fetch(&folder, &base, &["4.99.0", "--allow-unverified"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("NOT verified"), "{answer:?}");
    assert!(folder.path().join("crs/plugins/empty-after.conf").exists());
    assert_eq!(palisade(&["check", "--crs", &folder.at("crs")]).code, 0);
    files.retain(|path, _| !path.contains("901"));
    let other = Folder::new();
    let answer = fetch(&other, &serve_archive("4.99.0", &files), &["4.99.0", "--allow-unverified"]);
    assert!(answer.code == 2 && answer.err.contains("REQUEST-901"), "{answer:?}");
}

#[test]
fn what_is_no_archive_or_cannot_be_had_leaves_nothing_and_says_what_to_do() {
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n";
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 15000\r\nConnection: close\r\n\r\n";
    let path = "/v4.28.0.tar.gz";
    let nobody = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("http://{free}")
    };
    for (base, said) in [
        (serve(path, page, b"<html>no</html>".to_vec()), "it is no"),
        (serve(path, short, b"<html>".to_vec()), "ended early"),
        (serve("/elsewhere", page, Vec::new()), "is it a version that was released?"),
        (serve(path, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", Vec::new()), "is answered with 503"),
        (serve(path, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", vec![0; 33 << 20]), "is larger than"),
        (nobody, "--base-url file:///FOLDER"),
        ("ftp://a".to_owned(), "begin --base-url with https://"),
        ("file:///nowhere".to_owned(), "`/nowhere/v4.28.0.tar.gz` cannot be read"),
    ] {
        let folder = Folder::new();
        let answer = fetch(&folder, &base, &[]);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.err.contains(said), "{said}: {answer:?}");
        assert!(is_empty(&folder), "{said}");
    }
    let answer = fetch(&Folder::new(), "http://127.0.0.1:1", &["../4.28.0"]);
    assert!(answer.code == 2 && answer.err.contains("is no version"), "{answer:?}");
}

#[test]
fn a_folder_serves_as_well() {
    let Some(files) = release(VERSION) else { return };
    let (folder, mirror) = (Folder::new(), Folder::new());
    mirror.write("v4.28.0.tar.gz", packed(VERSION, &files));
    let answer = fetch(&folder, &format!("file://{}", mirror.path().display()), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn a_server_is_believed_only_with_a_certificate_that_the_system_trusts() {
    let Some(files) = release(VERSION) else { return };
    let folder = Folder::new();
    let (cert, key) = (folder.at("cert.pem"), folder.at("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &cert])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no openssl to make a certificate with");
        return;
    }
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(&cert).unwrap()],
                PrivateKeyDer::from_pem_file(&key).unwrap(),
            )
            .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let body = packed(VERSION, &files);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            answer(rustls::StreamOwned::new(connection, stream), "/v4.28.0.tar.gz", &head, &body);
        }
    });
    let to = folder.at("crs");
    let arguments = ["rules", "fetch", "--base-url", &base, "--to", &to];
    let refused = finish(without_proxies(command(&arguments)), b"");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(!Path::new(&to).exists());
    let mut trusting = without_proxies(command(&arguments));
    trusting.env("SSL_CERT_FILE", &cert);
    let answer = finish(trusting, b"");
    assert_eq!(answer.code, 0, "{answer:?}");
}
