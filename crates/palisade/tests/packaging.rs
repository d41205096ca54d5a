//! What Palisade is installed with: chart, manifests, Terraform, as far as the tools that are here can tell.

use std::process::Command;

#[test]
fn chart_manifests_and_terraform_are_what_their_tools_take_and_commands_are_known() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/check-packaging");
    let answer = Command::new(script)
        .args(["--binary", env!("CARGO_BIN_EXE_palisade")])
        .output()
        .expect("python3 runs the script");
    // What was skipped, and how much was checked, is for whoever reads the tests' output.
    print!("{}", String::from_utf8_lossy(&answer.stdout));
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
}
