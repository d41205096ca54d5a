//! Policies before a running proxy: who may ask, in every mode, and what a change of the files does.

mod support;

use std::path::PathBuf;

use support::{Folder, Running, Upstream, command, eventually, get, send};

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
    assert_eq!(get(denying.address(), "/", "").status, 403);
    eventually("the reason", || log_of(&folder).contains("(the peer showed no certificate)").then_some(()));
    let mut by_address = proxy_again(&folder, &upstream);
    assert_eq!(get(by_address.address(), "/", "").status, 200);
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
