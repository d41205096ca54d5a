//! A real API server: `kube-apiserver` and `etcd` of the folder that `KUBEBUILDER_ASSETS` names, started on loopback for one
//! test and gone with it. No controller runs, so nothing makes slices or pods, ends namespaces, or collects garbage.
//!
//! Nothing is fetched or built. Flags are those that an API server 1.36 and etcd 3.5 were seen to take: a loopback address
//! may not be advertised, hence no endpoints of the Service `kubernetes`; no controller makes service accounts, hence
//! no admission of theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::credentials::Credentials;
use crate::rest::Rest;

/// An API server at work. It ends, with its store, when this is dropped.
#[derive(Debug)]
pub struct Real {
    rest: Rest,
    credentials: Credentials,
    url: String,
    _api_server: Process,
    _etcd: Process,
    _folder: Folder,
}

impl Real {
    /// The folder with `etcd` and `kube-apiserver`.
    ///
    /// # Errors
    /// Why there is none: what a test prints that is skipped.
    pub fn assets() -> Result<PathBuf, String> {
        let folder = std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
        let folder = PathBuf::from(folder.ok_or("KUBEBUILDER_ASSETS not set")?);
        match [ETCD, API_SERVER].into_iter().find(|name| !folder.join(name).is_file()) {
            Some(missing) => Err(format!("KUBEBUILDER_ASSETS has no {missing}")),
            None => Ok(folder),
        }
    }

    /// Starts both, and waits until the API server is ready.
    ///
    /// # Panics
    /// When it does not come up, with what both said; as tests may.
    #[must_use]
    pub fn start(assets: &Path) -> Real {
        let mut told = String::new();
        // A port that was free may be taken by the time it is used: whoever cannot listen ends soon.
        for _ in 0..TRIES {
            let begun = Instant::now();
            match Self::try_start(assets) {
                Ok(real) => return real,
                Err(error) => told = error,
            }
            if begun.elapsed() > PATIENCE {
                break;
            }
        }
        panic!("the API server of KUBEBUILDER_ASSETS does not come up: {told}");
    }

    fn try_start(assets: &Path) -> Result<Real, String> {
        let folder = Folder::new();
        let credentials = Credentials::new();
        let put = |name: &str, content: &str| {
            let path = folder.0.join(name);
            std::fs::write(&path, content).expect("a file in a folder of our own");
            path.display().to_string()
        };
        let authority = put("ca.crt", &credentials.authority);
        let certificate = put("server.crt", &credentials.server.certificate);
        let key = put("server.key", &credentials.server.key);
        let users = [
            format!("{},admin,admin-uid,\"system:masters\"\n", credentials.token),
            format!("{},nobody,nobody-uid\n", credentials.unprivileged),
        ];
        let tokens = put("tokens.csv", &users.concat());
        let signs = put("accounts.key", &credentials.accounts.0);
        let verifies = put("accounts.pub", &credentials.accounts.1);
        let [clients, peers, secure] = free_ports();
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let data = folder.0.join("etcd").display().to_string();
        let mut etcd = Process::start(
            &assets.join(ETCD),
            &folder.0.join("etcd.log"),
            &[
                format!("--data-dir={data}"),
                format!("--listen-client-urls={}", at(clients)),
                format!("--advertise-client-urls={}", at(clients)),
                format!("--listen-peer-urls={}", at(peers)),
                format!("--initial-advertise-peer-urls={}", at(peers)),
                format!("--initial-cluster=default={}", at(peers)),
                "--unsafe-no-fsync".to_owned(),
            ],
        )?;
        let url = format!("https://127.0.0.1:{secure}");
        let mut api_server = Process::start(
            &assets.join(API_SERVER),
            &folder.0.join("kube-apiserver.log"),
            &[
                format!("--etcd-servers={}", at(clients)),
                "--bind-address=127.0.0.1".to_owned(),
                "--advertise-address=127.0.0.1".to_owned(),
                format!("--secure-port={secure}"),
                format!("--cert-dir={}", folder.0.display()),
                format!("--tls-cert-file={certificate}"),
                format!("--tls-private-key-file={key}"),
                format!("--client-ca-file={authority}"),
                format!("--token-auth-file={tokens}"),
                "--authorization-mode=RBAC".to_owned(),
                "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
                format!("--service-account-issuer={url}"),
                format!("--service-account-signing-key-file={signs}"),
                format!("--service-account-key-file={verifies}"),
                "--endpoint-reconciler-type=none".to_owned(),
                "--disable-admission-plugins=ServiceAccount".to_owned(),
                "--enable-priority-and-fairness=false".to_owned(),
            ],
        )?;
        let rest = Rest::new((Ipv4Addr::LOCALHOST, secure).into(), &credentials);
        let begun = Instant::now();
        // Ready, and its namespaces are there.
        while !(rest.is_ready() && rest.get("namespaces", "", "default").is_some()) {
            for process in [&mut etcd, &mut api_server] {
                process.is_running()?;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("not ready after {PATIENCE:?}\n{}\n{}", etcd.tail(), api_server.tail()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Real { rest, credentials, url, _api_server: api_server, _etcd: etcd, _folder: folder })
    }

    /// `https://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What clients have to show.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn rest(&self) -> &Rest {
        &self.rest
    }
}

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const TRIES: usize = 3;
/// It was seen to be ready after 2 to 3 s; a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ports that were free just now.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port on loopback"));
    held.each_ref().map(|listener| listener.local_addr().expect("a bound socket has an address").port())
}

/// A child that is killed when this is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    fn start(binary: &Path, log: &Path, flags: &[String]) -> Result<Process, String> {
        let name = binary.display().to_string();
        let out = std::fs::File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let err = out.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let child = Command::new(binary)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(Process { child, name, log: log.to_owned() })
    }

    fn is_running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended with {status}\n{}", self.name, self.tail())),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// The end of what it said.
    fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        format!("{}:\n{}", self.name, lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that goes when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("palisade-kube-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the server");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder of programs that are called as the real ones are.
    fn assets(etcd: &str, api_server: &str) -> Folder {
        let folder = Folder::new();
        for (name, script) in [(ETCD, etcd), (API_SERVER, api_server)] {
            let path = folder.0.join(name);
            std::fs::write(&path, script).expect("a script");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        }
        folder
    }

    /// What is told of a server that does not come up is what helps to mend it.
    #[test]
    fn a_server_that_does_not_come_up_is_told_with_what_it_said() {
        let called = "#!/bin/sh\necho called \"$@\"\nexit 3\n";
        let waits = "#!/bin/sh\nexec sleep 60\n";
        let told = |etcd, api_server| Real::try_start(&assets(etcd, api_server).0).expect_err("it ends");
        let of_etcd = told(called, waits);
        assert!(of_etcd.contains("etcd ended with exit status: 3"), "{of_etcd}");
        for flag in ["--data-dir=/", "--listen-client-urls=http://127.0.0.1:", "--unsafe-no-fsync"] {
            assert!(of_etcd.contains(flag), "{flag}: {of_etcd}");
        }
        let of_api_server = told(waits, called);
        assert!(of_api_server.contains("kube-apiserver ended with exit status: 3"), "{of_api_server}");
        for flag in [
            "--etcd-servers=http://127.0.0.1:",
            "--client-ca-file=/",
            "--authorization-mode=RBAC",
            "--secure-port=",
            "--service-cluster-ip-range=",
            "--service-account-issuer=https://127.0.0.1:",
            "--endpoint-reconciler-type=none",
            "--disable-admission-plugins=ServiceAccount",
            "--enable-priority-and-fairness=false",
        ] {
            assert!(of_api_server.contains(flag), "{flag}: {of_api_server}");
        }
    }

    /// A server with the files that it was called with, and no more: its certificate, the users of its tokens, keys that are there.
    const STANDS_IN: &str = r##"#!/usr/bin/env python3
import csv, http.server, ssl, sys
flags = dict(flag.removeprefix("--").split("=", 1) for flag in sys.argv[1:])
users = {row[0]: row[1:] for row in csv.reader(open(flags["token-auth-file"]))}
for key in "service-account-signing-key-file", "service-account-key-file", "client-ca-file":
    assert open(flags[key]).read().startswith("-----BEGIN ")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        user = users.get(self.headers.get("authorization", "").removeprefix("Bearer "))
        admin = user and user[2:] == ["system:masters"]
        self.send_response(200 if admin else 403 if user else 401)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer((flags["bind-address"], int(flags["secure-port"])), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(flags["tls-cert-file"], flags["tls-private-key-file"])
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"##;

    #[test]
    fn a_server_that_comes_up_knows_its_users_and_ends_with_what_holds_it() {
        let real = Real::start(&assets("#!/bin/sh\nexec sleep 600\n", STANDS_IN).0);
        let address = real.url().strip_prefix("https://").and_then(|url| url.parse().ok()).expect("a URL");
        let code = |token: &str| {
            let credentials = Credentials { token: token.to_owned(), ..real.credentials().clone() };
            Rest::new(address, &credentials).code("/readyz")
        };
        assert_eq!(code(&real.credentials().token), Some(200));
        assert_eq!(code(&real.credentials().unprivileged), Some(403));
        assert_eq!(code("of nobody"), Some(401));
        let (processes, folder) =
            ([real._etcd.child.id(), real._api_server.child.id()], real._folder.0.clone());
        drop(real);
        assert!(TcpStream::connect(address).is_err() && !folder.exists());
        for process in processes {
            assert!(!Path::new(&format!("/proc/{process}")).exists());
        }
    }
}
