//! The documentation: links lead somewhere, and the commands that it marks as runnable do what it says.

use std::process::Command;

#[test]
fn links_lead_somewhere_and_runnable_commands_print_what_the_pages_say() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/check-docs");
    let answer = Command::new(script)
        .args(["--binary", env!("CARGO_BIN_EXE_palisade")])
        .output()
        .expect("python3 runs the script");
    // What was skipped, and how much ran, is for whoever reads the tests' output.
    print!("{}", String::from_utf8_lossy(&answer.stdout));
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
}
