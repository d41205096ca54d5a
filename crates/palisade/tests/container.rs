//! The image's root file system, assembled and started without a container engine: deploy/container/prove does it, and
//! says what it saw. Where it cannot (no root, no name spaces, no CRS) it says why.

mod support;

use std::path::Path;
use std::process::Command;

use support::crs;

/// What test runners understand as "not here".
const SKIPPED: i32 = 77;

#[test]
fn the_image_starts_as_its_user_with_the_articles_environments() {
    let Some(crs) = crs() else { return };
    let known = ["4.28.0", "3.3.9"];
    if !known.iter().any(|version| crs.ends_with(version)) {
        println!("skipped: the image was not started: {crs} is no release that `rules fetch` verifies");
        return;
    }
    let prove = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/container/prove");
    let mut command = Command::new("python3");
    command.arg(prove).args([env!("CARGO_BIN_EXE_palisade"), &crs]);
    if let Some(busybox) =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists())
    {
        command.args(["--busybox", busybox]);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: the image was not started: no python3 to do it with ({error})");
            return;
        }
    };
    let out = String::from_utf8_lossy(&output.stdout);
    print!("{out}");
    let err = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(SKIPPED) if out.contains("skipped: ") => return,
        code => panic!("{code:?}: {err}"),
    }
    let seen = out.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(seen > 25, "{seen} things were seen");
}

/// `palisade health` is what the image asks itself.
#[test]
fn health_asks_the_admin_listener() {
    let (folder, upstream) = (support::Folder::new(), support::Upstream::start());
    let mut proxy = support::Running::proxy(&folder, &upstream.url, &["--admin", "127.0.0.1:0"]);
    let admin = proxy.admin().to_string();
    assert_eq!(support::palisade(&["health", "--admin", &admin]).code, 0);
    let mut by_variable = support::command(&["health"]);
    by_variable.env("PALISADE_ADMIN", &admin);
    assert_eq!(support::finish(by_variable, b"").code, 0);
    assert_eq!(proxy.end(), 0);
    let gone = support::palisade(&["health", "--admin", &admin]);
    assert!(gone.code == 1 && gone.err.contains("/readyz"), "{gone:?}");
    let mut off = support::command(&["health"]);
    off.env("PALISADE_ADMIN", "off");
    assert_eq!(support::finish(off, b"").code, 2);
}
