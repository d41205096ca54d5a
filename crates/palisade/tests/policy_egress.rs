//! Egress rules before a workload's own calls: where they may go, and what they may ask there.

mod support;

use std::net::SocketAddr;

use support::{Folder, Response, Running, Upstream, command, eventually, send};

/// Objects of a cluster: pods at addresses of this machine, a service of one of them at one port.
fn objects(database: SocketAddr) -> String {
    let pod = |name: &str, account: &str, address: &str| {
        format!(
            "- {{apiVersion: v1, kind: Pod, metadata: {{name: {name}-1, namespace: yaobank, labels: {{app: {name}}}}}, \
             spec: {{serviceAccountName: {account}}}, status: {{phase: Running, podIP: {address}}}}}\n"
        )
    };
    format!(
        "apiVersion: v1\nkind: List\nitems:\n{}{}{}{}\
         - {{apiVersion: v1, kind: Namespace, metadata: {{name: yaobank, labels: {{team: bank}}}}}}\n\
         - {{apiVersion: v1, kind: Service, metadata: {{name: database, namespace: yaobank}}, spec: {{clusterIP: 127.0.28.113, ports: [{{port: {port}}}]}}}}\n\
         - {{apiVersion: v1, kind: Endpoints, metadata: {{name: database, namespace: yaobank}}, \
         subsets: [{{addresses: [{{ip: {ip}}}], ports: [{{port: {port}}}]}}]}}\n",
        pod("summary", "summary", "127.0.28.112"),
        pod("database", "database", "127.0.28.115"),
        pod("audit", "audit", "127.0.28.114"),
        pod("attack", "default", "127.0.28.116"),
        ip = database.ip(),
        port = database.port(),
    )
}

const POLICY: &str = "---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\n\
    metadata: {name: calls, namespace: yaobank}\nspec:\n  selector: app == 'customer'\n  types: [Egress]\n  egress:\n  \
    - {action: Deny, http: {paths: [{prefix: /secret}]}}\n  \
    - {action: Allow, destination: {selector: app == 'summary'}, http: {methods: [GET], paths: [{prefix: /accounts}]}}\n  \
    - {action: Allow, destination: {services: {name: database}}, http: {methods: [GET, PUT]}}\n  \
    - {action: Allow, destination: {serviceAccounts: {names: [audit]}, namespaceSelector: team == 'bank'}, http: {methods: [POST]}}\n  \
    - {action: Allow, protocol: TCP, destination: {nets: [127.0.28.150/32], notPorts: [1]}, http: {hosts: [partner]}}\n";

#[test]
fn the_workloads_own_calls_are_judged_by_egress_rules() {
    let folder = Folder::new();
    let at = |address: &str| Upstream::start_at(&format!("{address}:0"));
    let (summary, database, audit) = (at("127.0.28.112"), at("127.0.28.115"), at("127.0.28.114"));
    let (attack, partner, beside) = (at("127.0.28.116"), at("127.0.28.150"), at("127.0.28.115"));
    let of = |upstream: &Upstream| upstream.url.trim_start_matches("http://").parse::<SocketAddr>().unwrap();
    // As a cluster translates a service's address, at the same port.
    let cluster = Upstream::start_at(&format!("127.0.28.113:{}", of(&database).port()));
    folder.write("policies/p.yaml", objects(of(&database)) + POLICY);
    let hosts = [
        ("summary", &summary),
        ("database", &database),
        ("cluster", &cluster),
        ("audit", &audit),
        ("attack", &attack),
        ("partner", &partner),
        ("beside", &beside),
    ];
    let services = hosts
        .map(|(name, upstream)| format!("- {{name: {name}, upstream: {{url: \"{}\"}}}}\n", upstream.url));
    let mut routes =
        hosts.map(|(name, _)| format!("{{listener: out, hosts: [{name}], service: {name}}}")).to_vec();
    routes.push("{listener: out, hosts: [other], service: partner}".to_owned());
    routes.push("{listener: web, service: summary}".to_owned());
    let config = format!(
        "admin: {{address: 'off'}}\ndataDir: data\nlogs: {{error: error.log, access: access.log}}\n\
         workload: {{namespace: yaobank, name: customer-1, serviceAccount: customer, labels: {{app: customer}}}}\n\
         listeners: [{{name: out, address: 127.0.0.1:0, direction: outbound}}, {{name: web, address: 127.0.0.1:0}}]\n\
         services:\n{}routes: [{}]\nprofiles: {{default: {{mode: monitoring}}}}\npolicies: {{files: [policies]}}\n",
        services.concat(),
        routes.join(", ")
    );
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]));
    let out = proxy.listener("out");
    let log = || std::fs::read_to_string(folder.at("error.log")).unwrap_or_default();
    let ask = |method: &str, host: &str, path: &str| -> Response {
        send(out, format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").as_bytes())
    };
    for (method, host, path) in [
        ("GET", "summary", "/accounts/1"),
        ("GET", "database", "/v2"),
        ("PUT", "database", "/v2"),
        ("GET", "cluster", "/v2"),
        ("POST", "audit", "/log"),
        ("DELETE", "partner", "/a"),
    ] {
        assert_eq!(ask(method, host, path).status, 200, "{method} {host} {path}\n{}", log());
    }
    for (method, host, path, why) in [
        ("POST", "summary", "/accounts/1", "nearest was rule 1 of yaobank/calls, by its http.methods"),
        ("GET", "summary", "/other", "nearest was rule 1 of yaobank/calls, by its http.paths"),
        // A rule that denies acts where a path could be meant.
        ("GET", "database", "/secret/a", "[rule \"0\"] [reason \"a rule matched\"]"),
        (
            "GET",
            "database",
            "/%2e%2e/secret",
            "[rule \"0\"] [reason \"a Deny rule acts where http.paths cannot be decided",
        ),
        ("DELETE", "database", "/v2", "nearest was rule 2 of yaobank/calls, by its http.methods"),
        // The same pod, at a port that is not the service's.
        (
            "GET",
            "beside",
            "/v2",
            "no rule of the tier's policies matched; nearest was rule 2 of yaobank/calls, by its destination.services",
        ),
        ("GET", "attack", "/accounts/1", "no rule of the tier's policies matched"),
        ("GET", "audit", "/log", "nearest was rule 3 of yaobank/calls, by its http.methods"),
        ("GET", "other", "/a", "nearest was rule 4 of yaobank/calls, by its http.hosts"),
    ] {
        let refused = ask(method, host, path);
        assert_eq!(refused.status, 403, "{method} {host} {path}\n{}", log());
        let id = refused.header("x-request-id").unwrap().to_owned();
        assert!(refused.body.contains(&id), "{refused:?}");
        let line =
            eventually("the line", || log().lines().find(|line| line.contains(&id)).map(str::to_owned));
        let towards =
            hosts.iter().find(|(name, _)| *name == host).map_or(of(&partner), |(_, upstream)| of(upstream));
        assert!(
            line.contains(&format!(
                "Policy denied the workload's own request to {towards} [tier \"default\"]"
            )) && line.contains(why),
            "{method} {host} {path}: {line}"
        );
    }
    // What comes to the workload is no call of its own.
    assert_eq!(
        send(proxy.listener("web"), b"DELETE /secret HTTP/1.1\r\nHost: h\r\n\r\n").status,
        200,
        "{}",
        log()
    );
    let seen = hosts.map(|(_, upstream)| upstream.heads().len());
    assert_eq!(seen, [2, 2, 1, 1, 0, 1, 0], "what is refused went nowhere");
    // The log knows who was called.
    let lines = std::fs::read_to_string(folder.at("access.log")).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        [&first["source"]["service_account"], &first["destination"]["name"]],
        ["customer", "summary-1"],
        "{first}"
    );
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_service_at_several_addresses_is_called_only_where_all_are_allowed() {
    let folder = Folder::new();
    let (one, other) = (Upstream::start_at("127.0.28.121:0"), Upstream::start_at("127.0.28.122:0"));
    let policy = |nets: &str| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: calls}}\nspec:\n  \
             selector: all()\n  types: [Egress]\n  egress: [{{action: Allow, destination: {{nets: {nets}}}}}]\n"
        )
    };
    folder.write("policies/p.yaml", policy("[127.0.28.121/32, 127.0.28.122/32]"));
    let config = format!(
        "admin: {{address: 'off'}}\ndataDir: data\nworkload: {{name: customer-1}}\n\
         listeners: [{{name: out, address: 127.0.0.1:0, direction: outbound}}]\n\
         services: [{{name: both, upstream: {{url: [\"{}\", \"{}\"]}}}}]\nroutes: [{{listener: out, hosts: [both], service: both}}]\n\
         policies: {{files: [policies]}}\n",
        one.url, other.url
    );
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]));
    let out = proxy.listener("out");
    let ask = || send(out, b"GET / HTTP/1.1\r\nHost: both\r\n\r\n").status;
    assert_eq!([ask(), ask()], [200, 200], "{}", proxy.err());
    folder.write("policies/p.yaml", policy("[127.0.28.121/32]"));
    eventually("the change", || (ask() == 403).then_some(()));
    assert_eq!([ask(), ask(), ask()], [403; 3], "{}", proxy.err());
    assert_eq!(proxy.end(), 0);
}
