//! The walks of the articles: each holds, and says so step by step.

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use support::{Folder, Running, command, crs};

/// Takes a walk on a folder of its own for temporary files, and gives what it printed.
fn walk(scenario: &str, more: &[&str], steps_min: usize) -> String {
    walk_with(scenario, more, steps_min, |_| {})
}

/// The same, started in some other way.
fn walk_with(scenario: &str, more: &[&str], steps_min: usize, start: impl Fn(&mut Command)) -> String {
    let folder = Folder::new();
    let mut command = command(&[&["demo", "--scenario", scenario], more].concat());
    command.env("TMPDIR", folder.path());
    start(&mut command);
    let mut walking = Running::start(command);
    // One waits for an alert that asks once a minute.
    let began = Instant::now();
    while !walking.out().lines().last().is_some_and(|line| line.contains(" steps")) {
        assert!(began.elapsed() < Duration::from_secs(400), "{}{}", walking.out(), walking.err());
        if !walking.err().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let code = walking.wait();
    let out = walking.out();
    assert_eq!(code, 0, "{scenario}:\n{out}{}", walking.err());
    let last = out.lines().last().unwrap_or_default();
    let steps = last.strip_suffix(" steps, all as expected").unwrap_or_else(|| panic!("{out}"));
    assert!(steps.parse::<usize>().unwrap() >= steps_min, "{scenario}: {out}");
    assert_eq!(out.matches("\n     expected  ").count(), out.matches("\n     seen      ").count());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left on disk");
    out
}

#[test]
fn a_workloads_waf_detects_then_denies_and_an_alert_is_heard() {
    let Some(crs) = crs() else { return };
    let out = walk("seed-000", &["--crs", &crs], 13);
    assert!(out.contains("Without protection\n"), "{out}");
}

#[test]
fn a_container_before_a_gateway_goes_through_all_modes() {
    let Some(crs) = crs() else { return };
    let out = walk("seed-001", &["--crs", &crs], 40);
    for mode in ["off", "monitoring", "safe_blocking", "block"] {
        assert!(out.contains(&format!("WALLARM_MODE={mode}\n")), "{out}");
    }
}

#[test]
fn a_container_without_rules_decides_the_same_by_its_detector() {
    walk("seed-001", &[], 40);
}

#[test]
fn sidecars_stop_what_services_send_each_other_and_the_way_past_them_is_closed() {
    let Some(crs) = crs() else { return };
    for seed in ["1", "2"] {
        let out = walk("seed-002", &["--crs", &crs, "--seed", seed], 20);
        // Which of the two it was depends on who runs the tests, and on the machine's tools.
        let by_network = out.contains("pods are network namespaces");
        assert_eq!(by_network, out.contains("as a network plugin puts it into db's pod"), "{out}");
        assert_ne!(by_network, out.contains("the way past the sidecar is closed by policy"), "{out}");
    }
    // Without the tools for namespaces it is closed by policy, and says why.
    let out = walk_with("seed-002", &["--crs", &crs], 20, |command| {
        command.env("PATH", "/nonexistent");
    });
    assert!(out.contains("pods are addresses of loopback"), "{out}");
    assert!(out.contains("network namespaces are for root") || out.contains("cannot run ip"), "{out}");
}

#[test]
fn clients_are_known_by_certificates_and_a_sites_rules_hold() {
    walk("seed-003", &[], 16);
}

#[test]
fn a_stolen_key_opens_nothing_once_there_are_policies() {
    let out = walk("seed-004", &[], 16);
    let control = out.find("10000.00").unwrap();
    assert!(
        control < out.find("With the tutorial's three policies").unwrap(),
        "the attack succeeds first: {out}"
    );
}
