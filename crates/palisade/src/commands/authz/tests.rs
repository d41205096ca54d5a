use clap::Parser as _;

use super::*;
use crate::flags::{Command, Flags};

/// The flags of a command line without its first word.
fn server(line: &str) -> ServerFlags {
    let line = format!("palisade authz {line}");
    let arguments = normalised(line.split_whitespace().map(OsString::from));
    match Flags::try_parse_from(arguments).unwrap().command {
        Command::Authz(flags) => match flags.command {
            Some(AuthzCommand::Server(server)) => *server,
            _ => flags.server,
        },
        other => panic!("{other:?}"),
    }
}

fn translated(line: &str) -> Result<Overrides> {
    let flags = server(line);
    overrides(&flags, Enforced::of(&flags), &|_| false)
}

#[test]
fn the_operators_command_line_becomes_our_configuration() {
    let theirs = "server --dial /var/run/felix/nodeagent/socket --listen /var/run/dikastes/dikastes.sock \
                  --waf-ruleset-root-dir /etc/waf --waf-ruleset-file tigera.conf --per-host-waf-enabled";
    for line in [theirs.to_owned(), theirs.replace(" --", " -"), theirs.replacen("server ", "", 1)] {
        let told = translated(&line).unwrap();
        assert_eq!(told.ext_authz.as_deref(), Some("unix:/var/run/dikastes/dikastes.sock"), "{line}");
        assert_eq!(told.rules, ["/etc/waf/tigera.conf"]);
        assert_eq!(
            (told.mode.as_deref(), told.detect, told.dikastes_log),
            (Some("block"), Some(false), true)
        );
        assert!(told.policies.is_empty());
    }
}

#[test]
fn what_is_said_is_enforced_and_nothing_in_silence_left_out() {
    for (line, firewall, policy) in [
        ("--per-host-waf-enabled", true, false),
        ("--per-host-waf-enabled=true --dial /s", true, false),
        ("--per-host-waf-enabled --per-host-alp-enabled --dial /s", true, true),
        ("--per-host-waf-enabled=false --per-host-alp-enabled --dial /s", false, true),
        ("--waf-ruleset-root-dir /etc/modsecurity-ruleset", true, false),
        // The first Dikastes had policy and no other word.
        ("--dial /s", false, true),
        ("--waf-ruleset-file tigera.conf --dial /s", true, true),
        ("", false, false),
    ] {
        let flags = server(line);
        assert_eq!(Enforced::of(&flags), Enforced { firewall, policy }, "{line}");
    }
}

#[test]
fn policy_without_a_source_is_refused_by_the_flags_name() {
    let dialled = translated("--per-host-alp-enabled --dial /run/sync.sock").unwrap();
    assert_eq!(
        (dialled.policy_sync_socket.as_deref(), dialled.policy_sync_mode.as_deref()),
        (Some("/run/sync.sock"), Some("per-host-policies"))
    );
    let one = translated("--dial /run/sync.sock --subscription-type per-pod-policies").unwrap();
    assert_eq!(one.policy_sync_mode.as_deref(), Some("per-pod-policies"));
    let nowhere = translated("--per-host-alp-enabled").unwrap_err().to_string();
    assert!(nowhere.starts_with("--per-host-alp-enabled: "), "{nowhere}");
    let files = translated("--per-host-alp-enabled --policies policies").unwrap();
    assert_eq!((files.policies, files.mode.as_deref()), (vec!["policies".to_owned()], Some("off")));
}

#[test]
fn a_socket_is_a_path_and_an_address_says_so_itself() {
    for (line, expected) in [
        ("--listen /run/a.sock", Ok("unix:/run/a.sock")),
        ("--listen unix:///run/a.sock", Ok("unix:/run/a.sock")),
        ("--listen unix:/run/a.sock", Ok("unix:/run/a.sock")),
        ("--listen 127.0.0.1:9191", Ok("127.0.0.1:9191")),
        ("--listen :9191 --listen-network tcp", Ok("0.0.0.0:9191")),
        ("--listen a.sock", Err("--listen a.sock: write the path of a socket from the root, or an address")),
    ] {
        let said = address(&server(line)).map_err(|error| error.to_string());
        assert_eq!(said.as_deref().map_err(String::as_str), expected, "{line}");
    }
}

#[test]
fn our_own_variables_win_over_what_a_dikastes_does_of_itself() {
    let flags = server("--per-host-waf-enabled");
    let told = overrides(&flags, Enforced::of(&flags), &|name| name == "PALISADE_MODE").unwrap();
    assert_eq!((told.mode, told.detect), (None, Some(false)));
    let flags = server("--per-host-waf-enabled --mode monitoring --detect on");
    let told = overrides(&flags, Enforced::of(&flags), &|_| true).unwrap();
    assert_eq!((told.mode.as_deref(), told.detect), (Some("monitoring"), Some(true)));
}

#[test]
fn only_this_command_takes_flags_with_one_dash() {
    let plain = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
    let run = plain("palisade run -listen -h");
    assert_eq!(normalised(run.iter().cloned()), run);
    let said =
        normalised(plain("palisade authz -listen -h -1 --dial=x -per-host-waf-enabled=true").into_iter());
    assert_eq!(said, plain("palisade authz --listen -h -1 --dial=x --per-host-waf-enabled=true"));
}
