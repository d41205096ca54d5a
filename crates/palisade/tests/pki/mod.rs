//! Certificates as people make them: by the openssl command line, in a folder of the test. And curl, which shows them.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::net::SocketAddr;
use std::process::Command;

use crate::support::Folder;

/// Whether the tools are here; prints which are not.
pub(crate) fn tools() -> bool {
    let there = |tool: &str, argument: &str| Command::new(tool).arg(argument).output().is_ok();
    let all = there("openssl", "version") && there("curl", "--version");
    if !all {
        println!("skipped: openssl and curl are not both here");
    }
    all
}

/// A folder with certificates.
pub(crate) struct Pki<'f>(pub(crate) &'f Folder);

impl Pki<'_> {
    /// Runs openssl in the folder.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.0.path()).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {err}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A certificate authority, as `NAME.crt` and `NAME.key`.
    pub(crate) fn authority(&self, name: &str) {
        let (key, crt, subject) = (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &crt,
            "-subj",
            &subject,
            "-days",
            "30",
        ]);
    }

    /// A certificate by an authority, as `NAME.crt` and `NAME.key`, with extensions as a file of openssl has them; without
    /// any it is of version 1, as most recipes make it.
    pub(crate) fn issue(&self, authority: &str, name: &str, subject: &str, extensions: &str, days: i32) {
        let file = |end: &str| format!("{name}.{end}");
        let (key, csr, crt) = (file("key"), file("csr"), file("crt"));
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &csr,
            "-subj",
            subject,
        ]);
        let (ca, ca_key, days) = (format!("{authority}.crt"), format!("{authority}.key"), days.to_string());
        let mut arguments = vec![
            "x509",
            "-req",
            "-in",
            &csr,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-out",
            &crt,
            "-days",
            &days,
        ];
        let ext = self.0.write(&file("ext"), extensions);
        if !extensions.is_empty() {
            arguments.extend(["-extfile", &ext]);
        }
        self.openssl(&arguments);
    }

    /// The revocation list of an authority, as `AUTHORITY.crl`, with certificates that it revokes. Of version 1, as recipes
    /// make it.
    pub(crate) fn revoke(&self, authority: &str, names: &[&str]) {
        self.revocation_list(authority, names, "");
    }

    /// The same of version 2.
    pub(crate) fn revoke_v2(&self, authority: &str, names: &[&str]) {
        self.0.write(&format!("{authority}.number"), "01\n");
        let more = format!(
            "crlnumber = {authority}.number\ncrl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid\n"
        );
        self.revocation_list(authority, names, &more);
    }

    fn revocation_list(&self, authority: &str, names: &[&str], more: &str) {
        let file = |end: &str| format!("{authority}.{end}");
        let (index, settings) = (file("index"), file("cnf"));
        self.0.write(&index, "");
        self.0.write(
            &settings,
            format!(
                "[ca]\ndefault_ca = c\n[c]\ndatabase = {index}\ndefault_md = sha256\ndefault_crl_days = 30\n{more}"
            ),
        );
        let (key, crt, crl) = (file("key"), file("crt"), file("crl"));
        let common = ["ca", "-config", &settings, "-keyfile", &key, "-cert", &crt];
        for name in names {
            self.openssl(&[&common[..], &["-revoke", &format!("{name}.crt")]].concat());
        }
        self.openssl(&[&common[..], &["-gencrl", "-out", &crl]].concat());
    }

    /// Puts files together into one, at once.
    pub(crate) fn bundle(&self, into: &str, files: &[&str]) {
        let content: Vec<u8> =
            files.iter().flat_map(|file| std::fs::read(self.0.at(file)).unwrap()).collect();
        self.0.write(&format!("{into}.new"), content);
        std::fs::rename(self.0.at(&format!("{into}.new")), self.0.at(into)).unwrap();
    }

    /// A certificate for names.
    pub(crate) fn server(&self, authority: &str, name: &str, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let extensions = format!("subjectAltName={},IP:127.0.0.1\n", names.join(","));
        self.issue(authority, name, &format!("/CN={name}"), &extensions, 30);
    }

    /// The SHA-1 fingerprint of a certificate, 40 hex digits.
    pub(crate) fn sha1(&self, name: &str) -> String {
        let file = format!("{name}.crt");
        let said = self.openssl(&["x509", "-noout", "-fingerprint", "-sha1", "-in", &file]);
        said.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
    }

    /// Asks by curl, believing an authority. Gives status and body; status 0 where there is no answer.
    pub(crate) fn ask(&self, at: SocketAddr, ca: &str, url: &str, more: &[&str]) -> (u16, String) {
        let host = url.split('/').nth(2).unwrap().split(':').next().unwrap();
        let resolve = format!("{host}:{}:{}", at.port(), at.ip());
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "--max-time",
            "10",
            "--cacert",
            ca,
            "--resolve",
            &resolve,
            "-w",
            "\n%{http_code}",
        ]);
        let output = command.args(more).arg(url).current_dir(self.0.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap();
        if status == "000" {
            // Shown where a test fails that expected an answer.
            eprintln!("{url}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        (status.parse().unwrap(), body.to_owned())
    }

    /// The subject of the certificate that a listener shows who asks for a name.
    pub(crate) fn shown(&self, at: SocketAddr, name: Option<&str>) -> String {
        let connect = at.to_string();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &connect]);
        match name {
            Some(name) => command.args(["-servername", name]),
            None => command.arg("-noservername"),
        };
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let subject = text.lines().find_map(|line| line.strip_prefix("subject="));
        subject.unwrap_or_else(|| panic!("{text}")).replace(' ', "")
    }
}
