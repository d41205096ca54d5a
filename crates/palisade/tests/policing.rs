//! Policies before a running proxy: who may ask, in every mode, and what a change of the files does.

mod support;

use std::path::PathBuf;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use support::{Folder, Running, Upstream, command, eventually, get, palisade, send};

fn policy(name: &str, selector: &str, rule: &str) -> String {
    format!(
        "apiVersion: projectcalico.org/v3\nkind: {name}\nmetadata: {{name: customer}}\nspec:\n  selector: {selector}\n  ingress:\n  - {rule}\n"
    )
}

const GET_ONLY: &str = "{action: Allow, http: {methods: [GET]}}";

/// A proxy with a file of policies before a workload, in a mode.
fn proxy(folder: &Folder, upstream: &Upstream, mode: &str, more: &str) -> Running {
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         workload: {{namespace: yaobank, name: customer, serviceAccount: customer, labels: {{app: customer}}}}\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}}}]\nprofiles: {{default: {{mode: {mode}}}}}\n\
         policies: {{files: [policies]{more}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

fn log_of(folder: &Folder) -> String {
    std::fs::read_to_string(folder.at("error.log")).unwrap_or_default()
}

#[test]
fn policies_refuse_in_every_mode_with_a_reason_in_the_log_and_follow_their_files() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let file = PathBuf::from(folder.at("policies")).join("customer.yaml");
    std::fs::write(&file, policy("GlobalNetworkPolicy", "app == 'customer'", GET_ONLY)).unwrap();
    let mut proxy = proxy(&folder, &upstream, "off", "");
    let address = proxy.address();
    assert_eq!(get(address, "/", "").status, 200, "{}", proxy.err());
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b";
    let refused = send(address, post);
    assert_eq!(refused.status, 403, "{refused:?}");
    let id = refused.header("x-request-id").unwrap().to_owned();
    assert!(refused.body.contains(&id), "{refused:?}");
    let line = eventually("the line of the denial", || {
        log_of(&folder).lines().find(|line| line.contains(&id)).map(str::to_owned)
    });
    assert!(
        line.starts_with("[client 127.0.0.1] Palisade: Policy denied the request [tier \"default\"] [policy \"customer\"] [rule \"-1\"]")
            && line.contains("nearest was rule 0 of customer, by its http.methods"),
        "{line}"
    );
    assert_eq!(upstream.heads().len(), 1, "what is refused does not reach the service");

    // A staged policy only says what it would do.
    let staged = folder.at("policies/staged.yaml");
    std::fs::write(&staged, policy("StagedGlobalNetworkPolicy", "app == 'customer'", "{action: Deny}"))
        .unwrap();
    eventually("a line of what is staged", || {
        assert_eq!(get(address, "/", "").status, 200);
        log_of(&folder).contains("Staged policies would deny the request [tier \"default\"] [policy \"customer\"] [rule \"0\"]").then_some(())
    });

    // A change that is wrong leaves what there is; one that is right is taken.
    std::fs::write(&file, "a: [").unwrap();
    proxy.wait_err("policies policies stays as it was: 1 error in policies");
    assert_eq!((get(address, "/", "").status, send(address, post).status), (200, 403));
    std::fs::write(&file, policy("GlobalNetworkPolicy", "app == 'customer'", "{action: Allow}")).unwrap();
    eventually("the change to be in force", || (send(address, post).status == 200).then_some(()));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_rule_for_a_service_account_wants_more_than_plain_text() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let rule = "{action: Allow, source: {serviceAccounts: {names: [summary]}}}";
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: summary, namespace: yaobank, labels: {app: summary}}\nspec: {serviceAccountName: summary}\nstatus: {podIP: 127.0.0.1}\n";
    let text = policy("GlobalNetworkPolicy", "app == 'customer'", rule) + pod;
    std::fs::write(folder.at("policies/p.yaml"), text).unwrap();
    let mut denying = proxy(&folder, &upstream, "monitoring", "");
    assert_eq!(asked_on(&mut connect(denying.address()), "GET"), None, "nothing could be allowed on it");
    eventually("the line", || {
        log_of(&folder).contains("[client 127.0.0.1] Palisade: Policy closed the connection [tier \"default\"] [policy \"customer\"] [rule \"-1\"] [reason \"no rule of the tier's policies matched; nearest was rule 0 of customer, by its source identity (the peer showed no certificate)").then_some(())
    });
    drop(denying);
    // Whom a listener owes an answer to health checks it lets in, and says the rest to its requests.
    let config = std::fs::read_to_string(folder.at("palisade.yaml")).unwrap();
    let config =
        config.replace("address: \"127.0.0.1:0\"", "address: \"127.0.0.1:0\", healthPath: /def-healthz");
    let mut checked = Running::start(command(&["run", "--config", &folder.write("checked.yaml", config)]));
    assert_eq!(get(checked.address(), "/def-healthz", "").status, 200);
    assert_eq!(get(checked.address(), "/", "").status, 403);
    eventually("the request's line", || {
        log_of(&folder).contains("Policy denied the request [tier").then_some(())
    });
    drop(checked);
    assert!(upstream.heads().is_empty());
    let mut by_address = proxy_again(&folder, &upstream);
    assert_eq!(get(by_address.address(), "/", "").status, 200);
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
}

/// The status of one more request on a connection; `None` when it is closed.
fn asked_on(stream: &mut TcpStream, method: &str) -> Option<u16> {
    stream.write_all(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    loop {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if answer.len() >= end + 4 + length {
                return Some(head[9..12].parse().unwrap());
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
}

#[test]
fn a_connection_of_old_policies_is_judged_by_the_new_ones() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let set = |rule: &str| {
        let text = policy("GlobalNetworkPolicy", "app == 'customer'", rule);
        std::fs::write(folder.at("policies/customer.yaml"), text).unwrap();
    };
    set("{action: Allow}");
    let mut proxy = proxy(&folder, &upstream, "off", "");
    let address = proxy.address();
    let mut stream = connect(address);
    for method in ["GET", "PUT", "GET"] {
        assert_eq!(asked_on(&mut stream, method), Some(200), "{}", proxy.err());
    }
    // Refused altogether: who is here already is answered, who comes is not let in.
    set("{action: Deny}");
    eventually("the denial", || (asked_on(&mut stream, "GET") == Some(403)).then_some(()));
    assert_eq!(asked_on(&mut connect(address), "GET"), None);
    assert_eq!(asked_on(&mut stream, "PUT"), Some(403));
    // By request.
    set(GET_ONLY);
    eventually("the rule about requests", || (asked_on(&mut stream, "GET") == Some(200)).then_some(()));
    assert_eq!(asked_on(&mut stream, "PUT"), Some(403));
    // And allowed altogether, while something staged goes on to say what it would do.
    set("{action: Allow}");
    eventually("the allowance", || (asked_on(&mut stream, "PUT") == Some(200)).then_some(()));
    let staged = policy("StagedGlobalNetworkPolicy", "app == 'customer'", GET_ONLY);
    std::fs::write(folder.at("policies/staged.yaml"), staged).unwrap();
    eventually("what is staged", || {
        assert_eq!(asked_on(&mut stream, "PUT"), Some(200));
        log_of(&folder).contains("Staged policies would deny the request").then_some(())
    });
    assert_eq!(proxy.end(), 0);
}

#[test]
fn policies_act_whatever_becomes_of_bodies() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let text = policy("GlobalNetworkPolicy", "app == 'customer'", "{action: Allow, http: {methods: [PUT]}}");
    std::fs::write(folder.at("policies/p.yaml"), text).unwrap();
    drop(proxy(&folder, &upstream, "block", ""));
    let config = std::fs::read_to_string(folder.at("palisade.yaml")).unwrap();
    let routes: Vec<String> = ["hold", "stream", "off"]
        .iter()
        .map(|body| format!("{{path: /{body}, service: web, body: {body}}}"))
        .collect();
    let config = format!("{config}routes: [{}]\n", routes.join(", "));
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("bodies.yaml", config)]));
    let address = proxy.address();
    let mut seen = 0;
    for body in ["hold", "stream", "off"] {
        for (kind, more) in [("text/plain", ""), ("application/grpc", "TE: trailers\r\n")] {
            let ask = |method: &str| {
                let request = format!(
                    "{method} /{body}/x HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\n{more}Content-Length: 5\r\nConnection: close\r\n\r\nhello"
                );
                send(address, request.as_bytes())
            };
            assert_eq!(ask("PUT").status, 200, "{body} {kind} {}", log_of(&folder));
            seen += 1;
            let refused = ask("POST");
            // gRPC says no in its own words.
            let said = refused.status == 403 || refused.header("grpc-status") == Some("7");
            assert!(said, "{body} {kind} {refused:?}");
            assert_eq!(upstream.heads().len(), seen, "{body} {kind}: nothing of it went on");
        }
    }
    assert_eq!(proxy.end(), 0);
}

#[test]
fn policies_that_select_nobody_and_services_of_nobody_are_warned_of() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("policies")).unwrap();
    let file = folder.at("policies/p.yaml");
    std::fs::write(&file, policy("GlobalNetworkPolicy", "app == 'other'", GET_ONLY)).unwrap();
    let mut proxy = proxy(&folder, &upstream, "off", "");
    assert_eq!(get(proxy.address(), "/", "").status, 200, "nothing selects it");
    let check = |file: &str, strict: &[&str]| palisade(&[&["check", "--config", file], strict].concat());
    let checked = check(&folder.at("palisade.yaml"), &[]);
    assert!(
        checked.code == 0 && checked.err.contains("warning: no policy selects the workload"),
        "{}",
        checked.err
    );
    assert_eq!(check(&folder.at("palisade.yaml"), &["--strict"]).code, 1);
    proxy.wait_err("warning: no policy selects the workload yaobank/customer for what comes in: every request is allowed");
    // Said once, and again when it is so again.
    std::fs::write(&file, policy("GlobalNetworkPolicy", "app == 'customer'", GET_ONLY)).unwrap();
    eventually("the policy", || {
        let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (send(proxy.address(), post).status == 403).then_some(())
    });
    assert_eq!(proxy.err().matches("no policy selects").count(), 1, "{}", proxy.err());
    // Without a workload.
    let config = std::fs::read_to_string(folder.at("palisade.yaml")).unwrap();
    let config: Vec<&str> = config.lines().filter(|line| !line.starts_with("workload:")).collect();
    assert_eq!(proxy.end(), 0);
    let nobodys = folder.write("nobodys.yaml", config.join("\n"));
    let checked = check(&nobodys, &[]);
    assert!(checked.err.contains("warning: service web: nobody says whose it is"), "{}", checked.err);
    let mut nobodys = Running::start(command(&["run", "--config", &nobodys]));
    assert_eq!(get(nobodys.address(), "/", "").status, 403);
    nobodys.wait_err(
        "warning: service web: nobody says whose it is, so that policies refuse every request to it: write `workload: {namespace: ..., name: ..., labels: {...}}`, at the top or at the service, or put the pod among the objects, with its address",
    );
}

fn proxy_again(folder: &Folder, upstream: &Upstream) -> Running {
    let other = Folder::new();
    let config = std::fs::read_to_string(folder.at("palisade.yaml")).unwrap();
    let config = config.replace("files: [policies]", "files: [policies], plaintextPeers: address");
    let config = config.replace(&folder.at("data"), &other.at("data"));
    let file = folder.write("by-address.yaml", config);
    let _ = upstream;
    Running::start(command(&["run", "--config", &file]))
}

#[test]
fn policies_that_cannot_be_used_start_nothing() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = folder.write("p.yaml", policy("GlobalNetworkPolicy", "app = 'x'", GET_ONLY));
    let data = folder.at("data");
    let answer = support::palisade(&[
        "run",
        "--upstream",
        &upstream.url,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--data-dir",
        &data,
        "--policies",
        &file,
    ]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("p.yaml:5:13") && answer.err.contains("write `==`"), "{}", answer.err);
}
