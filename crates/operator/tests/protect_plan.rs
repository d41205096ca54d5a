//! From objects of a cluster to what is to become of them: who is protected and who is not, what the pool is told, and that a
//! data plane takes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{self, ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use palisade_config::Overrides;
use palisade_control::{Bundle, ENTRY};
use palisade_operator::kinds::{Attachment, Target, Way};
use palisade_operator::protect::{
    ApplicationLayer, HONOURED_CONDITION, Key, Ledger, Member, Observed, POLICY_SYNC_CONDITION,
    PROTECTED_CONDITION, Plan, Pod, Pool, RuleFolder, RulesRefused, Settings, Slice, Step, Wish, plan,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn of<T: DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).expect("it is such an object"))
}

fn service(namespace: &str, name: &str, annotations: Value, spec: Value) -> Arc<Service> {
    let mut base = json!({"type": "ClusterIP", "clusterIP": "10.0.0.9", "ipFamilies": ["IPv4"], "selector": {"app": name},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]});
    base.as_object_mut().unwrap().extend(spec.as_object().cloned().unwrap_or_default());
    of(
        json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("uid-{name}"), "resourceVersion": "5",
        "annotations": annotations}, "spec": base}),
    )
}

fn annotated() -> Value {
    json!({"projectcalico.org/l7-logging": "true"})
}

fn slice(namespace: &str, service: &str, addresses: &[&str]) -> Arc<Slice> {
    let endpoint = |address: &&str| {
        json!({"addresses": [address], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": format!("pod-{address}")}})
    };
    let slice = of::<EndpointSlice>(json!({
        "metadata": {"namespace": namespace, "name": format!("{service}-abc"), "labels": {
            "kubernetes.io/service-name": service,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "addressType": "IPv4", "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }));
    Arc::new(Arc::unwrap_or_clone(slice).into())
}

fn pod(namespace: &str, address: &str, labels: Value) -> Arc<Pod> {
    let pod = of::<v1::Pod>(
        json!({"metadata": {"namespace": namespace, "name": format!("pod-{address}"), "labels": labels,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9f", "uid": "u",
                "controller": true}]},
        "spec": {"serviceAccountName": "web", "containers": []},
        "status": {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"}}),
    );
    Arc::new(Arc::unwrap_or_clone(pod).into())
}

fn shop() -> Observed {
    Observed {
        services: vec![service("shop", "web", annotated(), json!({}))],
        slices: vec![slice("shop", "web", &["10.1.0.1", "10.1.0.2"])],
        pods: vec![
            pod("shop", "10.1.0.1", json!({"app": "web", "pod-template-hash": "7d9f", "version": "v1"})),
            pod("shop", "10.1.0.2", json!({"app": "web", "pod-template-hash": "7d9f", "version": "v2"})),
        ],
        ..Observed::default()
    }
}

fn pool() -> Pool {
    let member = Member {
        pod: Key::new("palisade-system", "pool-0"),
        uid: "uid-pool-0".to_owned(),
        addresses: vec!["10.9.0.1".parse().unwrap()],
        node: None,
    };
    Pool { members: vec![member], in_force: BTreeMap::new() }
}

fn planned(observed: &Observed) -> Plan {
    let settings = Settings::default();
    let ledger = Ledger::read(settings.ports.clone(), &BTreeMap::new());
    plan(observed, &settings, ledger, &pool(), None, 1000)
}

fn entry(bundle: &Bundle) -> Value {
    serde_json::from_slice(bundle.get(ENTRY).unwrap()).unwrap()
}

/// The data plane's own reader has nothing against it.
fn assert_taken(bundle: &Bundle) {
    let file = palisade_config::File { text: bundle.get(ENTRY).unwrap(), folder: "/bundle" };
    let read = palisade_config::read(Some(file), &Overrides::default());
    let errors: Vec<_> = read.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    assert!(errors.is_empty() && read.config.is_some(), "{errors:#?}");
    for (name, text) in bundle.files().filter(|(name, _)| name.starts_with("policies/")) {
        let read = palisade_policy::read_objects(text);
        assert!(
            !read.unreadable && read.refused.is_empty() && !read.objects.is_empty(),
            "{name}: {:#?}",
            read.diagnostics
        );
    }
}

#[test]
fn an_annotated_service_gets_a_shadow_and_a_port_of_the_pool() {
    let planned = planned(&shop());
    let service = &planned.services[0];
    assert_eq!(service.wish, Wish::Protect([("http".to_owned(), 20_000)].into()));
    let [Step::ApplyShadow(shadow)] = &service.next.steps[..] else { panic!("{:#?}", service.next) };
    let shadow = serde_json::to_value(shadow).unwrap();
    assert_eq!(
        shadow,
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web-palisade", "namespace": "shop",
                "labels": {"palisade.dev/shadow-of": "web", "app.kubernetes.io/managed-by": "palisade"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "uid-web"}]},
            "spec": {"clusterIP": "None", "type": "ClusterIP", "ipFamilies": ["IPv4"], "selector": {"app": "web"},
                "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}})
    );
    let bundle = planned.bundle.unwrap();
    assert_taken(&bundle);
    let config = entry(&bundle);
    assert_eq!(config["listeners"], json!([{"name": "shop.web.http", "address": "0.0.0.0:20000"}]));
    assert_eq!(
        config["services"],
        json!([{"name": "shop.web.http", "profile": "waf",
            "upstream": {"url": ["http://10.1.0.1:8080", "http://10.1.0.2:8080"]},
            // What only one of the pods has selects neither.
            "workload": {"namespace": "shop", "name": "web", "serviceAccount": "web", "address": "10.1.0.1", "port": 8080,
                "labels": {"app": "web", "pod-template-hash": "7d9f"}}}])
    );
    assert_eq!(planned.serves, [(20_000, ("shop.web.http".to_owned(), 2))].into());
}

#[test]
fn who_cannot_be_protected_is_told_why() {
    let port = |port: Value| json!({"ports": [port]});
    let cases = [
        ("kube-system", "web", json!({}), "SystemNamespace"),
        ("calico-apiserver", "web", json!({}), "SystemNamespace"),
        ("tigera-operator", "web", json!({}), "SystemNamespace"),
        ("openshift-console", "web", json!({}), "SystemNamespace"),
        ("palisade-system", "web", json!({}), "OwnNamespace"),
        ("default", "kubernetes", json!({}), "ApiServer"),
        ("shop", "web", json!({"clusterIP": "None"}), "Headless"),
        ("shop", "web", json!({"type": "ExternalName", "externalName": "a.example"}), "ExternalName"),
        ("shop", "web", json!({"selector": null}), "NoSelector"),
        ("shop", "web", json!({"ports": []}), "NoPorts"),
        ("shop", "web", port(json!({"port": 53, "protocol": "UDP"})), "NotTcp"),
        ("shop", "web", port(json!({"port": 443, "name": "https", "protocol": "TCP"})), "NotHttp"),
        ("shop", "web", port(json!({"port": 3306, "name": "mysql-main", "protocol": "TCP"})), "NotHttp"),
        (
            "shop",
            "web",
            port(json!({"port": 80, "appProtocol": "kubernetes.io/wss", "protocol": "TCP"})),
            "NotHttp",
        ),
        ("shop", "web", json!({"externalTrafficPolicy": "Local"}), "LocalTraffic"),
    ];
    for (namespace, name, spec, reason) in cases {
        let services = vec![service(namespace, name, annotated(), spec.clone())];
        let planned = planned(&Observed { services, ..Observed::default() });
        let of = &planned.services[0];
        assert_eq!(
            of.refusal.as_ref().map(|refusal| refusal.reason()),
            Some(reason),
            "{namespace}/{name} {spec}"
        );
        assert!(of.next.steps.is_empty() && planned.ledger.entries().len() == 0, "{reason}");
        let finding = &of.findings[0];
        assert!(
            !finding.is && finding.reason == reason && finding.message.starts_with("not protected: "),
            "{finding:?}"
        );
        assert_taken(planned.bundle.as_ref().unwrap());
    }
    // Beside them, who looks like one of them and is none.
    for (namespace, spec) in [
        ("calico", json!({})),
        ("shop", port(json!({"port": 443, "protocol": "TCP"}))),
        ("shop", port(json!({"port": 80, "name": "tcpdump", "protocol": "TCP"}))),
        ("shop", port(json!({"port": 80, "name": "grpc-api", "protocol": "TCP"}))),
    ] {
        let services = vec![service(namespace, "web", annotated(), spec)];
        let planned = planned(&Observed { services, ..Observed::default() });
        assert_eq!(planned.services[0].refusal, None, "{namespace}");
    }
}

#[test]
fn pods_of_the_hosts_network_are_left_alone() {
    let mut observed = shop();
    let on_host = |pod: &mut Arc<Pod>| Arc::make_mut(pod).on_host = true;
    on_host(&mut observed.pods[0]);
    assert_eq!(planned(&observed).services[0].refusal, None);
    on_host(&mut observed.pods[1]);
    assert_eq!(planned(&observed).services[0].refusal.as_ref().unwrap().reason(), "HostNetwork");
}

#[test]
fn the_nearest_protection_decides_and_who_comes_too_late_is_told() {
    let attachment = |name: &str, created: &str, target: Target, mode: &str| Attachment {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        created: created.to_owned(),
        targets: vec![target],
        mode: Some(mode.to_owned()),
        ..Attachment::default()
    };
    let all = |attachments: Vec<Attachment>, annotations: Value| {
        let services = vec![service("shop", "web", annotations, json!({}))];
        planned(&Observed { services, attachments, ..shop() })
    };
    let mode = |planned: &Plan| entry(planned.bundle.as_ref().unwrap())["services"][0]["mode"].clone();
    let namespace = attachment("ns", "2026-01-01T00:00:00Z", Target::Namespace, "monitoring");
    let workload = Target::Workload("Deployment".to_owned(), "web".to_owned());
    let workload = attachment("workload", "2026-01-02T00:00:00Z", workload, "safe_blocking");
    let of_service = Target::Service("web".to_owned());
    let named = attachment("named", "2026-01-03T00:00:00Z", of_service.clone(), "block");
    let late = attachment("late", "2026-01-04T00:00:00Z", of_service, "off");
    assert_eq!(mode(&all(vec![namespace.clone()], json!({}))), "monitoring");
    assert_eq!(mode(&all(vec![namespace.clone(), workload.clone()], json!({}))), "safe_blocking");
    let every = all(vec![late, namespace.clone(), workload, named.clone()], json!({}));
    assert_eq!(mode(&every), "block");
    // Whoever is protected by sidecars does not go to the pool as well, also where the namespace does.
    let sidecar = Attachment { way: Way::Sidecar, ..named.clone() };
    assert!(all(vec![namespace.clone(), sidecar], json!({})).services.is_empty());
    // A no on the Service beats what is meant for its namespace, and not what is meant for itself.
    let no = json!({"palisade.dev/protect": "false"});
    assert!(all(vec![namespace], no.clone()).services.is_empty());
    assert_eq!(mode(&all(vec![named], no)), "block");
    let unclear = all(Vec::new(), json!({"palisade.dev/protect": "yes"}));
    assert_eq!(unclear.services[0].refusal.as_ref().unwrap().reason(), "InvalidAnnotation");
}

#[test]
fn gitops_that_writes_the_selector_is_named() {
    let mut observed = shop();
    let fields = json!([{"manager": "argocd-controller", "operation": "Apply", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:selector": {}}}}, {"manager": "kubectl", "operation": "Update",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:selector": {}}}}]);
    let service = Arc::make_mut(&mut observed.services[0]);
    service.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
    let planned = planned(&observed);
    let message = &planned.services[0].findings[0].message;
    assert!(
        message.contains("argocd-controller also writes spec.selector") && !message.contains("kubectl"),
        "{message}"
    );
    assert_eq!(planned.services[0].findings[0].reason, "Preparing");
    // One that was ours and has its selector back sends connections to its pods: it is protected no more until that is taken.
    let mut contested = observed.clone();
    Arc::make_mut(&mut contested.services[0])
        .metadata
        .annotations
        .get_or_insert_default()
        .insert("palisade.dev/original-selector".to_owned(), "{\"app\":\"web\"}".to_owned());
    let contested = self::planned(&contested);
    let [finding] = &contested.services[0].findings[..] else {
        panic!("{:?}", contested.services[0].findings)
    };
    assert_eq!(
        (finding.kind, finding.is, &*finding.reason),
        (PROTECTED_CONDITION, false, "SelectorContested")
    );
    assert!(finding.message.contains("argocd-controller also writes spec.selector"), "{finding:?}");
}

fn rules(files: &[(&str, &str)]) -> ConfigMap {
    let data = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    ConfigMap { data: Some(data), ..ConfigMap::default() }
}

#[test]
fn rules_of_the_config_map_are_loaded_in_their_order() {
    let map = rules(&[
        ("REQUEST-942.conf", "SecRule ARGS \"@detectSQLi\" \"id:942100,phase:2\"\n"),
        ("crs-setup.conf", "SecDefaultAction \"phase:2,log,auditlog,pass\"\n"),
        ("modsecdefault.conf", "SecRuleEngine On\nSecRequestBodyAccess On\n"),
        ("sql-errors.data", "ORA-\n"),
    ]);
    let folder = RuleFolder::of(&map).unwrap();
    assert_eq!(
        folder.order().collect::<Vec<_>>(),
        ["modsecdefault.conf", "crs-setup.conf", "REQUEST-942.conf"]
    );
    assert_eq!(folder.check(), Ok(()));
    let observed = Observed { rules: Some(Arc::new(folder)), ..shop() };
    let bundle = planned(&observed).bundle.unwrap();
    assert_taken(&bundle);
    let profile = &entry(&bundle)["profiles"]["waf"];
    assert_eq!(
        *profile,
        json!({"mode": "block", "detect": {"enabled": false}, "rules": {"files": [
            "rules/modsecurity-ruleset/modsecdefault.conf", "rules/modsecurity-ruleset/crs-setup.conf",
            "rules/modsecurity-ruleset/REQUEST-942.conf"]}})
    );
    assert!(bundle.get("rules/modsecurity-ruleset/sql-errors.data").is_some());
}

#[test]
fn rules_that_cannot_be_used_are_refused_with_what_is_wrong() {
    let fine = [("modsecdefault.conf", "SecRuleEngine On\n"), ("crs-setup.conf", "")];
    assert_eq!(RuleFolder::of(&rules(&fine[..1])), Err(RulesRefused::Missing("crs-setup.conf")));
    let upper = [("Modsecdefault.conf", ""), ("crs-setup.conf", "")];
    assert_eq!(RuleFolder::of(&rules(&upper)), Err(RulesRefused::Missing("modsecdefault.conf")));
    let mut broken = fine.to_vec();
    broken.push(("x.conf", "SecRule ARGS \"@rx (\" \"id:1,phase:2\"\n"));
    let error = RuleFolder::of(&rules(&broken)).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("x.conf:1"), "{error}");
    // Nothing is read but the ConfigMap.
    let mut elsewhere = fine.to_vec();
    elsewhere.push(("x.conf", "Include /etc/passwd\n"));
    assert!(RuleFolder::of(&rules(&elsewhere)).unwrap().check().is_err());
}

fn policy(name: &str, spec: Value) -> Arc<Value> {
    Arc::new(json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy",
        "metadata": {"name": name, "uid": "x", "managedFields": []}, "spec": spec}))
}

#[test]
fn policies_and_whom_they_are_about_go_to_the_pool() {
    let fine =
        json!({"selector": "app == 'web'", "ingress": [{"action": "Allow", "http": {"methods": ["GET"]}}]});
    let broken = json!({"selector": "app == 'web'", "ingress": [{"action": "Allow", "newClause": 1}]});
    let hopeless = json!({"selector": "app ="});
    let policies = vec![policy("fine", fine), policy("broken", broken), policy("hopeless", hopeless)];
    let planned = planned(&Observed { policies, ..shop() });
    let bundle = planned.bundle.unwrap();
    assert_taken(&bundle);
    let names: Vec<_> = bundle.files().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "palisade.yaml",
            "policies/calico.GlobalNetworkPolicy.broken.yaml",
            "policies/calico.GlobalNetworkPolicy.fine.yaml",
            "policies/pods.shop.yaml"
        ]
    );
    // In place of one that cannot be read stands one that allows nothing.
    let closed: Value =
        serde_json::from_slice(bundle.get("policies/calico.GlobalNetworkPolicy.broken.yaml").unwrap())
            .unwrap();
    assert_eq!(closed["spec"], json!({"selector": "app == 'web'", "types": ["Ingress"]}));
    let unusable: Vec<_> = planned.unusable.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(unusable, ["GlobalNetworkPolicy broken", "GlobalNetworkPolicy hopeless"]);
    assert_eq!(entry(&bundle)["policies"], json!({"plaintextPeers": "address", "files": ["policies"]}));
}

#[test]
fn a_profile_that_no_data_plane_takes_harms_no_other() {
    let profiles = [
        (Key::new("shop", "good"), json!({"mode": "block"})),
        (Key::new("shop", "bad"), json!({"mode": "blocking"})),
    ];
    let attachments = vec![Attachment {
        namespace: "shop".to_owned(),
        targets: vec![Target::Namespace],
        profile: Some("good".to_owned()),
        ..Attachment::default()
    }];
    let planned = planned(&Observed { profiles: profiles.into(), attachments, ..shop() });
    let bundle = planned.bundle.unwrap();
    assert_taken(&bundle);
    assert_eq!(entry(&bundle)["services"][0]["profile"], "shop.good");
    assert_eq!(entry(&bundle)["profiles"].as_object().unwrap().len(), 2);
    assert_eq!(planned.unusable[0].0, "WafProfile shop/bad");
}

#[test]
fn calicos_switches_act_or_are_reported() {
    let layer = |spec: Value| {
        let (layer, unreadable) = ApplicationLayer::read(&json!({"spec": spec}));
        assert_eq!(unreadable, None);
        layer
    };
    let on = layer(json!({"webApplicationFirewall": "Enabled", "logCollection": {"collectLogs": "Enabled",
        "logIntervalSeconds": 7, "logRequestsPerInterval": -1}, "envoy": {"useRemoteAddress": true, "xffNumTrustedHops": 2}}));
    let bundle = planned(&Observed { application_layer: Some(on.clone()), ..shop() }).bundle.unwrap();
    assert_taken(&bundle);
    let config = entry(&bundle);
    assert_eq!(
        config["events"]["l7"],
        json!({"enabled": true, "flushInterval": "7s", "perFlushLimit": 1_000_000})
    );
    assert_eq!(config["listeners"][0]["clientAddress"], json!({"from": "x-forwarded-for", "hops": 2}));
    assert!(on.findings(None, None)[0].is);
    // The Policy Sync API matters to others of us.
    let findings = on.findings(None, Some(""));
    assert!(
        findings[1].kind == POLICY_SYNC_CONDITION
            && !findings[1].is
            && findings[1].message.contains("kubectl patch")
    );
    assert!(on.findings(None, Some("/var/run/nodeagent"))[1].is);

    let logs_only = layer(json!({"logCollection": {"collectLogs": "Enabled"}}));
    let bundle = planned(&Observed { application_layer: Some(logs_only), ..shop() }).bundle.unwrap();
    assert_eq!(entry(&bundle)["profiles"]["waf"], json!({"mode": "off"}));

    let nothing = layer(json!({"webApplicationFirewall": "Disabled"}));
    assert_eq!(nothing.findings(None, None)[0].reason, "NothingEnabled");
    assert!(planned(&Observed { application_layer: Some(nothing), ..shop() }).services.is_empty());

    let partly = layer(json!({"webApplicationFirewall": "Enabled", "sidecarInjection": "Enabled",
        "l7LogCollectorDaemonSet": {"spec": {}}, "unknownField": [1]}));
    let finding = &partly.findings(None, None)[0];
    assert!(finding.kind == HONOURED_CONDITION && !finding.is, "{finding:?}");
    assert!(
        finding.message.contains("l7LogCollectorDaemonSet") && finding.message.contains("sidecarInjection")
    );
    let (_, unreadable) = ApplicationLayer::read(&json!({"spec": {"envoy": "on"}}));
    assert!(unreadable.is_some());
}

#[test]
fn a_bundle_without_services_is_one_that_a_data_plane_takes() {
    assert_taken(&planned(&Observed::default()).bundle.unwrap());
}

/// A cluster of the size that is promised. `cargo test --release ... -- --ignored --nocapture` prints what it takes.
#[test]
#[ignore = "a measurement"]
fn two_thousand_services() {
    let mut observed = Observed::default();
    for n in 0..2000u32 {
        let (namespace, name) = (format!("ns-{}", n % 100), format!("service-{n}"));
        observed.services.push(service(&namespace, &name, annotated(), json!({})));
        let addresses: Vec<_> = (0..5).map(|p| format!("10.{}.{}.{}", 1 + n / 250, n % 250, p + 1)).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        observed.slices.push(slice(&namespace, &name, &addresses));
        let labels = json!({"app": name, "pod-template-hash": "7d9f", "version": "v1", "team": "shop"});
        observed.pods.extend(addresses.iter().map(|address| pod(&namespace, address, labels.clone())));
    }
    for n in 0..500 {
        let http = json!({"methods": ["GET", "POST"], "paths": [{"prefix": "/a"}]});
        let rule =
            json!({"action": "Allow", "source": {"selector": format!("app == 'service-{n}'")}, "http": http});
        let selector = format!("app == 'service-{}'", n * 2);
        observed
            .policies
            .push(policy(&format!("policy-{n}"), json!({"selector": selector, "ingress": [rule]})));
    }
    let settings = Settings::default();
    let memory = || std::fs::read_to_string("/proc/self/status").unwrap();
    let rss = |status: &str| status.lines().find(|line| line.starts_with("VmRSS")).unwrap().to_owned();
    let before = rss(&memory());
    let mut ledger = Ledger::read(settings.ports.clone(), &BTreeMap::new());
    let mut bundle = None;
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let planned = plan(&observed, &settings, ledger, &pool(), bundle.as_ref(), 1000);
        let took = started.elapsed();
        ledger = planned.ledger;
        bundle = planned.bundle;
        let made = bundle.as_ref().unwrap();
        println!(
            "plan {took:?}, {} services, bundle {} files {} bytes, entry {}",
            planned.services.len(),
            made.files().len(),
            made.bytes(),
            made.get(ENTRY).unwrap().len()
        );
    }
    println!("{before} before, {} after", rss(&memory()));
    assert_taken(bundle.as_ref().unwrap());
}

#[test]
fn alerts_of_the_cluster_are_files_of_the_pool_and_bad_ones_stay_away() {
    let alert = |name: &str| {
        Arc::new(json!({"kind": "GlobalAlert", "metadata": {"name": name}, "spec": {"dataSet": "waf"}}))
    };
    let observed = Observed { alerts: vec![alert("good"), alert("bad")], ..shop() };
    let settings = Settings {
        alert_error: |text| text.contains("\"bad\"").then(|| "spec.severity is missing".to_owned()),
        ..Settings::default()
    };
    let ledger = Ledger::read(settings.ports.clone(), &BTreeMap::new());
    let planned = plan(&observed, &settings, ledger, &pool(), None, 1000);
    let bundle = planned.bundle.unwrap();
    assert_taken(&bundle);
    assert_eq!(entry(&bundle)["alerts"], json!({"files": ["alerts"]}));
    let good: Value = serde_json::from_slice(bundle.get("alerts/GlobalAlert.good.yaml").unwrap()).unwrap();
    assert_eq!(
        (&good["apiVersion"], &good["spec"]["dataSet"]),
        (&json!("projectcalico.org/v3"), &json!("waf"))
    );
    assert!(bundle.get("alerts/GlobalAlert.bad.yaml").is_none());
    assert_eq!(
        planned.unusable,
        [("GlobalAlert bad".to_owned(), "spec.severity is missing; it is left out".to_owned())]
    );
    assert_eq!(entry(&planned_bundle(&shop()))["alerts"], Value::Null);
}

fn planned_bundle(observed: &Observed) -> Bundle {
    planned(observed).bundle.unwrap()
}
