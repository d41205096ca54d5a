//! Our verdicts beside those of a real nginx, for every certificate that `testdata/identity/make-certificates` makes:
//! what it says of the chain, its names, numbers and prints, and whether each mode lets the client in.

mod support;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use palisade_identity::{Admission, ClientCertificates, escaped_certificate_pem, hex_lower};
use palisade_model::PeerIdentity;

/// An authority file, revocation lists, a depth.
#[derive(Clone, Copy, Debug)]
struct Setting {
    ca: &'static str,
    crl: Option<&'static str>,
    depth: u8,
}

const SETTINGS: &[Setting] = &[
    Setting { ca: "bundle", crl: None, depth: 1 },
    Setting { ca: "bundle", crl: None, depth: 0 },
    Setting { ca: "bundle", crl: None, depth: 2 },
    Setting { ca: "only-sub", crl: None, depth: 1 },
    Setting { ca: "with-sub", crl: None, depth: 1 },
    Setting { ca: "with-self", crl: None, depth: 1 },
    Setting { ca: "root", crl: Some("root"), depth: 1 },
    Setting { ca: "root", crl: Some("both"), depth: 2 },
    Setting { ca: "root", crl: Some("root-expired"), depth: 1 },
    Setting { ca: "root", crl: Some("root-future"), depth: 1 },
    Setting { ca: "root", crl: Some("mimic"), depth: 1 },
    Setting { ca: "root", crl: Some("other"), depth: 1 },
    Setting { ca: "root", crl: Some("renewed"), depth: 1 },
];

#[test]
fn verdicts_facts_and_admissions_are_nginxs() {
    let Some(folder) = support::certificates() else { return };
    let leaves = support::leaves(folder);
    let Some(nginx) = Nginx::start(folder) else { return };
    let failures = Mutex::new(Vec::new());
    let pairs = (0..SETTINGS.len()).flat_map(|setting| leaves.iter().map(move |leaf| (setting, leaf)));
    let next = Mutex::new(pairs.filter(|(setting, leaf)| *setting == 0 || !is_about_itself(leaf)));
    let compared = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((setting, leaf)) = next.lock().unwrap().next() else { return };
                    let found = compare(&nginx, folder, setting, leaf);
                    *compared.lock().unwrap() += 1;
                    failures.lock().unwrap().extend(found);
                }
            });
        }
    });
    let (mut failures, compared) = (failures.into_inner().unwrap(), compared.into_inner().unwrap());
    println!("compared {compared} chains with nginx, {} differences", failures.len());
    failures.sort();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(compared > 600, "{compared}");
}

/// Certificates whose rows are about what they hold: for them, one setting is as good as the others.
fn is_about_itself(leaf: &str) -> bool {
    let kinds = [
        "name-",
        "critical-",
        "netscape-",
        "client-",
        "by-",
        "dns-",
        "uri-",
        "email-",
        "ip-",
        "dir-",
        "rid-",
    ];
    kinds.iter().any(|kind| leaf.starts_with(kind))
}

fn compare(nginx: &Nginx, folder: &Path, setting: usize, leaf: &str) -> Vec<String> {
    let Setting { ca, crl, depth } = SETTINGS[setting];
    let mut out = Vec::new();
    let anchors = support::anchors(folder, ca, crl, depth);
    let ours = support::verify(folder, leaf, &anchors);

    let answer = nginx.ask(nginx.echo_port(setting), folder, Some(leaf));
    let Some((_, body)) = answer.split_once("\r\n\r\n") else {
        return vec![format!("{leaf} {ca} {crl:?} {depth}: nginx gave no answer: {answer:?}")];
    };
    let theirs: Vec<&str> = body.lines().collect();
    for (theirs, ours) in theirs.iter().zip(facts(&ours)) {
        if *theirs != ours {
            out.push(format!("{leaf} {ca} {crl:?} {depth}:\n  nginx {theirs}\n  we    {ours}"));
        }
    }
    if theirs.len() != facts(&ours).len() {
        out.push(format!("{leaf}: {body:?}"));
    }
    // The modes differ in the same way whatever the authorities are.
    if setting == 0 {
        for mode in ClientCertificates::ALL {
            let answer = nginx.ask(nginx.mode_port(mode), folder, Some(leaf));
            // Where none is asked for, none comes.
            let peer = mode.asks().then_some(&ours);
            if answer_of(&answer) != expected(mode.admit(peer)) {
                out.push(format!("{leaf} {mode}: nginx {:?}, we {:?}", answer_of(&answer), mode.admit(peer)));
            }
        }
    }
    out
}

#[test]
fn a_client_without_a_certificate_is_answered_as_nginx_answers() {
    let Some(folder) = support::certificates() else { return };
    let Some(nginx) = Nginx::start(folder) else { return };
    for mode in ClientCertificates::ALL {
        let answer = nginx.ask(nginx.mode_port(mode), folder, None);
        let peer = mode.asks().then_some(&PeerIdentity::NONE);
        assert_eq!(answer_of(&answer), expected(mode.admit(peer)), "{mode}: {answer}");
    }
}

/// Status and title of the page.
fn answer_of(answer: &str) -> (&str, &str) {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let title = answer.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    (status, title.unwrap_or_default())
}

fn expected(admission: Admission) -> (&'static str, &'static str) {
    match admission {
        Admission::Pass => ("200", ""),
        Admission::Missing => ("400", "400 No required SSL certificate was sent"),
        Admission::Invalid => ("400", "400 The SSL certificate error"),
    }
}

/// The variables of nginx, in the order of its configuration below.
const VARIABLES: [&str; 8] = [
    "ssl_client_verify",
    "ssl_client_s_dn",
    "ssl_client_i_dn",
    "ssl_client_s_dn_legacy",
    "ssl_client_i_dn_legacy",
    "ssl_client_fingerprint",
    "ssl_client_serial",
    "ssl_client_escaped_cert",
];

/// What we say in their place.
fn facts(peer: &PeerIdentity) -> [String; 8] {
    let facts = peer.certificate().unwrap();
    [
        peer.verify().to_string(),
        facts.subject_dn.clone(),
        facts.issuer_dn.clone(),
        facts.subject_dn_legacy.clone(),
        facts.issuer_dn_legacy.clone(),
        hex_lower(&facts.sha1),
        facts.serial.clone(),
        escaped_certificate_pem(&facts.der),
    ]
}

struct Nginx {
    process: Child,
    /// One for each setting, then one for each mode.
    ports: Vec<u16>,
}

impl Nginx {
    fn start(folder: &Path) -> Option<Self> {
        let version = Command::new("nginx").arg("-V").output();
        let has_tls =
            version.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("http_ssl_module"));
        if !has_tls {
            eprintln!("skipped: there is no nginx with TLS to compare with");
            return None;
        }
        let ports = free_ports(SETTINGS.len() + ClientCertificates::ALL.len());
        let home = folder.join(format!("nginx-{}", ports[0]));
        std::fs::create_dir_all(&home).unwrap();
        let path = home.display();
        let mut text = format!(
            "daemon off; pid {path}/pid; error_log {path}/error.log; events {{}}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {path}/b; proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; \
             uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\n\
             ssl_certificate {0}/root.crt; ssl_certificate_key {0}/root.key; ssl_session_cache off;\n",
            folder.display()
        );
        let echo: String = VARIABLES.iter().map(|name| format!("${name}\\n")).collect();
        let certificates = |setting: &Setting| {
            let mut out = format!(
                "ssl_client_certificate {0}/{1}.crt; ssl_verify_depth {2};",
                folder.display(),
                setting.ca,
                setting.depth
            );
            if let Some(crl) = setting.crl {
                write!(out, " ssl_crl {}/{crl}.crl;", folder.display()).unwrap();
            }
            out
        };
        for (setting, port) in SETTINGS.iter().zip(&ports) {
            writeln!(
                text,
                "server {{ listen 127.0.0.1:{port} ssl; {} ssl_verify_client optional_no_ca; error_page 495 496 =200 /e; \
                 location / {{ return 200 \"{echo}\"; }} }}",
                certificates(setting)
            )
            .unwrap();
        }
        for (mode, port) in ClientCertificates::ALL.iter().zip(&ports[SETTINGS.len()..]) {
            writeln!(
                text,
                "server {{ listen 127.0.0.1:{port} ssl; {} ssl_verify_client {mode}; location / {{ return 200 x; }} }}",
                certificates(&SETTINGS[0])
            )
            .unwrap();
        }
        text.push_str("}\n");
        std::fs::write(home.join("nginx.conf"), text).unwrap();
        let mut process = Command::new("nginx")
            .args(["-p", &home.display().to_string(), "-c", &home.join("nginx.conf").display().to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let up = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(25));
            std::net::TcpStream::connect(("127.0.0.1", *ports.last().unwrap())).is_ok()
        });
        if !up {
            let _ = process.kill();
            let said: Vec<_> =
                BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
            panic!("nginx did not come up: {said:?}");
        }
        Some(Self { process, ports })
    }

    fn echo_port(&self, setting: usize) -> u16 {
        self.ports[setting]
    }

    fn mode_port(&self, mode: ClientCertificates) -> u16 {
        let at = ClientCertificates::ALL.iter().position(|known| *known == mode).unwrap();
        self.ports[SETTINGS.len() + at]
    }

    /// The whole answer to `GET /` by a client with that certificate.
    fn ask(&self, port: u16, folder: &Path, leaf: Option<&str>) -> String {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["s_client", "-quiet", "-ign_eof", "-cipher", "DEFAULT@SECLEVEL=0"]);
        command.args(["-connect", &format!("127.0.0.1:{port}")]);
        if let Some(leaf) = leaf {
            command.args(["-cert", &format!("{leaf}.crt"), "-key", &format!("{leaf}.key")]);
            let chain = format!("{leaf}.chain");
            if std::fs::metadata(folder.join(&chain)).unwrap().len() > 0 {
                command.args(["-cert_chain", &chain]);
            }
        }
        let mut client =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let output = client.wait_with_output().unwrap();
        if output.stdout.is_empty() {
            return format!("nothing; openssl said {}", String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends its workers on SIGTERM; a kill would leave them.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// Ports that nobody has now. Somebody may take one before nginx does, which then says so.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
