//! `palisade sim`: server and client against each other, by their environment, as microsim's containers are run.

mod support;

use serde_json::Value;
use support::{Running, command, eventually, finish, get};

fn server(variables: &[(&str, &str)], more: &[&str]) -> Running {
    let mut command = command(&[&["sim", "server", "--bind", "127.0.0.1"], more].concat());
    command.env("LISTEN_PORT", "0").env("STATS_PORT", "0").envs(variables.iter().copied());
    Running::start(command)
}

#[test]
fn a_client_attacks_a_server_and_both_count_the_same() {
    let mut server = server(&[("RESPOND_BYTES", "64")], &[]);
    let (at, stats) = (server.listener("server"), server.listener("stats"));
    let url = format!("http://{at}/");
    let mut client = command(&["sim", "client", "--max-requests", "20", "--seed", "5"]);
    let variables = [
        ("REQUEST_URLS", url.as_str()),
        ("SEND_SQLI", "True"),
        ("SEND_XSS", "True"),
        ("ATTACK_PROBABILITY", "0.5"),
        ("REQUEST_WAIT_SECONDS", "0.01"),
    ];
    client.envs(variables);
    let said = finish(client, b"");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.out
            .lines()
            .filter(
                |line| line.contains(&format!("   Request to {url}   Request size: 1036   Response size: "))
            )
            .count(),
        20,
        "{}",
        said.out
    );
    let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    let sent = |name: &str| last["Total"][name].as_u64().unwrap();
    assert!(sent("Attacks") > 0 && sent("Attacks") == sent("SQLi") + sent("XSS"), "{last}");

    let shown: Value = serde_json::from_str(&get(stats, "/", "").body).unwrap();
    let received = |name: &str| shown["stats"][name].as_u64().unwrap();
    assert_eq!(received("Requests"), 20 + sent("Attacks"));
    assert_eq!((received("SQLi"), received("XSS")), (sent("SQLi"), sent("XSS")));
    assert_eq!(shown["config"]["RESPOND_BYTES"], 64);
    let metrics = get(stats, "/metrics", "").body;
    assert!(metrics.contains(&format!("\npalisade_sim_server_sqli_total {}\n", sent("SQLi"))), "{metrics}");
    eventually("the line of an attack", || server.out().contains("   SQLi attack detected\n").then_some(()));
    assert!(server.out().contains("] \"POST / HTTP/1.1\" 200 -\n"), "{}", server.out());
    assert_eq!(server.end(), 0);
}

#[test]
fn bounds_end_with_0_and_stop_seconds_with_1() {
    let mut bounded = server(&[], &["--duration", "100ms"]);
    assert_eq!(bounded.wait(), 0);
    let mut killed = server(&[("STOP_SECONDS", "1")], &[]);
    assert_eq!(killed.wait(), 1);
    eventually("the last line", || killed.out().ends_with("Server killed after 1 seconds.\n").then_some(()));
}

#[test]
fn what_cannot_be_used_or_was_not_named_is_an_error() {
    for (variables, expected) in [
        (&[][..], "REQUEST_URLS is not set"),
        (&[("REQUEST_URLS", "db:8080")], "REQUEST_URLS=db:8080: "),
        (&[("REQUEST_URLS", "http://db/"), ("REQUEST_INTERNET", "True")], "EGRESS_URLS is not set"),
        (&[("REQUEST_URLS", "http://db/"), ("SEND_DGA", "True")], "DGA_RESOLVER is not set"),
        (&[("REQUEST_URLS", "http://db/"), ("REQUEST_MALWARE", "True")], "MALWARE_URL is not set"),
    ] {
        let mut command = command(&["sim", "client"]);
        command.envs(variables.iter().copied());
        let said = finish(command, b"");
        assert!(said.code == 2 && said.err.contains(expected), "{said:?}");
    }
}
