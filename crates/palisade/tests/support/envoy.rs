//! A real Envoy, started with one of our examples.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Folder, eventually, get};

/// Where Envoy's binary is: by `PALISADE_TEST_ENVOY`, or where `make tools` puts it. Prints why not, when it is nowhere.
pub(crate) fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("PALISADE_TEST_ENVOY").map(PathBuf::from);
    let found = named.or_else(|| {
        let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/python/lib"));
        let mut versions = std::fs::read_dir(tools).ok()?.flatten();
        versions.find_map(|version| {
            let binary = version.path().join("site-packages/envoy/_bin/envoy");
            binary.exists().then_some(binary)
        })
    });
    if found.is_none() {
        println!("skipped: no Envoy by PALISADE_TEST_ENVOY or of `make tools`");
    }
    found
}

/// An example with some of its text replaced; each must be there.
pub(crate) fn changed(name: &str, replaced: &[(&str, &str)]) -> String {
    let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/envoy/{}"), name);
    let text = std::fs::read_to_string(path).unwrap();
    replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{name} has no {from}");
        text.replace(from, to)
    })
}

/// An example, its addresses replaced by those of a test.
pub(crate) fn example(name: &str, upstream: &str, palisade: &str) -> String {
    let upstream = upstream.rsplit(':').next().unwrap();
    changed(
        name,
        &[
            ("port_value: 9902", "port_value: 0"),
            ("port_value: 10000", "port_value: 0"),
            ("port_value: 8080", &format!("port_value: {upstream}")),
            ("/run/palisade/envoy.sock", palisade),
        ],
    )
}

/// An Envoy at work.
pub(crate) struct Envoy {
    child: Child,
    /// Its first listener.
    pub(crate) address: SocketAddr,
}

impl Envoy {
    pub(crate) fn start(binary: &Path, folder: &Folder, bootstrap: &str) -> Self {
        let file = folder.write("envoy.yaml", bootstrap);
        let admin_file = folder.at("envoy-admin");
        // Of one that was here before.
        let _ = std::fs::remove_file(&admin_file);
        let log = std::fs::File::create(folder.at("envoy.log")).unwrap();
        let child = Command::new(binary)
            .args([
                "-c",
                &file,
                "--concurrency",
                "1",
                "--use-dynamic-base-id",
                "--admin-address-path",
                &admin_file,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut envoy = Self { child, address: ([127, 0, 0, 1], 0).into() };
        let admin: SocketAddr = eventually("Envoy's admin address", || {
            assert!(
                envoy.child.try_wait().unwrap().is_none(),
                "{}",
                std::fs::read_to_string(folder.at("envoy.log")).unwrap()
            );
            std::fs::read_to_string(&admin_file).ok()?.trim().parse().ok()
        });
        envoy.address = eventually("Envoy's listener", || {
            let listeners = get(admin, "/listeners", "").body;
            let (_, address) = listeners.lines().next()?.split_once("::")?;
            let mut address: SocketAddr = address.parse().ok()?;
            address.set_ip([127, 0, 0, 1].into());
            Some(address)
        });
        envoy
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
