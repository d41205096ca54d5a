//! What becomes of workloads, profiles, ports and pods that sidecars are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_operator::inject::Settings;
use palisade_operator::kinds::Attachment;
use palisade_operator::protect::Key;
use palisade_operator::sidecars::{
    CONFIG_MAP_BYTES_MAX, Injected, Observed, Plan, Pod, Standing, Workload, plan, profile_map,
};
use serde_json::{Value, json};

fn protection(name: &str, target: Value, more: Value) -> Attachment {
    let mut object = json!({"metadata": {"namespace": "shop", "name": name}, "spec": {"targetRefs": [target], "strategy": "sidecar"}});
    for (field, value) in more.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    Attachment::read(&object)
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn workload(name: &str) -> Workload {
    Workload {
        kind: "Deployment",
        key: Key::new("shop", name),
        uid: "1".to_owned(),
        selector: json!({"matchLabels": {"app": name}}),
        labels: texts(&[("app", name)]),
        template: json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "app", "image": "app", "ports": [{"name": "http", "containerPort": 8080}]}]}}),
        ..Workload::default()
    }
}

fn pod(name: &str, of: &str, standing: Standing) -> Arc<Pod> {
    Arc::new(Pod {
        key: Key::new("shop", name),
        uid: name.to_owned(),
        controller: Some(("Deployment".to_owned(), of.to_owned())),
        label: None,
        standing,
    })
}

fn of(observed: &Observed) -> Plan {
    plan(observed, &Settings::default())
}

#[test]
fn a_workload_is_rolled_once_and_rolled_back_when_nobody_asks() {
    let strict = protection(
        "strict",
        json!({"kind": "Deployment", "name": "web"}),
        json!({"profile": "p", "mode": "block"}),
    );
    let mut observed = Observed {
        attachments: vec![strict],
        workloads: vec![workload("web"), workload("other")],
        ..Observed::default()
    };
    let rolls = of(&observed).rolls;
    assert_eq!(rolls.len(), 1);
    let template = &rolls[0].intention["spec"]["template"]["metadata"];
    assert_eq!(template["labels"], json!({"palisade.dev/inject": "true"}));
    assert_eq!(template["annotations"], json!({"palisade.dev/profile": "p", "palisade.dev/mode": "block"}));
    // As it is then, nothing is left to be done.
    let web = &mut observed.workloads[0];
    web.protected_by = Some("strict".to_owned());
    web.labels.insert("palisade.dev/inject".to_owned(), "true".to_owned());
    web.annotations = texts(&[("palisade.dev/profile", "p"), ("palisade.dev/mode", "block")]);
    assert_eq!(of(&observed).rolls, []);
    // Another mode is another roll; no Protection takes everything back.
    observed.attachments[0].mode = None;
    assert_eq!(
        of(&observed).rolls[0].intention["spec"]["template"]["metadata"]["annotations"],
        json!({"palisade.dev/profile": "p"})
    );
    observed.attachments.clear();
    let back = of(&observed).rolls;
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].intention["metadata"], json!({"name": "web", "namespace": "shop"}));
    assert_eq!(back[0].intention["spec"], Value::Null);
}

#[test]
fn the_nearest_decides_and_the_pool_rolls_nothing() {
    let namespace = protection("all", json!({"kind": "Namespace", "name": "shop"}), json!({}));
    let by_pool =
        protection("pool", json!({"kind": "Deployment", "name": "web"}), json!({"strategy": "pool"}));
    let service = protection("api", json!({"kind": "Service", "name": "api"}), json!({}));
    let observed = Observed {
        attachments: vec![namespace, by_pool, service],
        workloads: vec![workload("web"), workload("api"), workload("db")],
        services: [(Key::new("shop", "api"), texts(&[("app", "api")]))].into(),
        ..Observed::default()
    };
    let rolled: BTreeMap<String, String> = of(&observed)
        .rolls
        .iter()
        .map(|roll| {
            (
                roll.key.name.clone(),
                roll.intention["metadata"]["annotations"]["palisade.dev/protected-by"].to_string(),
            )
        })
        .collect();
    assert_eq!(rolled, texts(&[("api", "\"api\""), ("db", "\"all\"")]));
    // The system's namespaces are left alone.
    let mut system = observed.clone();
    system.attachments.iter_mut().for_each(|attachment| attachment.namespace = "kube-system".to_owned());
    system.workloads.iter_mut().for_each(|workload| workload.key.namespace = "kube-system".to_owned());
    assert_eq!(of(&system).rolls, []);
}

#[test]
fn pods_that_should_have_a_sidecar_are_counted_and_named() {
    let namespace = protection("all", json!({"kind": "Namespace", "name": "shop"}), json!({}));
    let mut observed = Observed {
        attachments: vec![namespace],
        workloads: vec![workload("web")],
        pods: vec![
            pod("a", "web", Standing::Injected),
            pod("b", "web", Standing::Without),
            pod("c", "web", Standing::Ended),
            pod("d", "elsewhere", Standing::Skipped),
        ],
        ..Observed::default()
    };
    let planned = of(&observed);
    assert_eq!(planned.injected[&0], Injected { workloads: 1, pods: 2, with: 1 });
    // Neither label nor namespace asks yet: it is on its way, and nothing is missing.
    assert_eq!(planned.missing, []);
    observed.namespaces = [("shop".to_owned(), texts(&[("palisade.dev/injection", "enabled")]))].into();
    assert_eq!(of(&observed).missing, [(Key::new("shop", "b"), "b".to_owned())]);
    Arc::make_mut(&mut observed.pods[1]).label = Some(false);
    assert_eq!(of(&observed).missing, []);
}

#[test]
fn a_port_is_closed_once_every_pod_has_its_sidecar_and_opened_when_nobody_asks() {
    let mut web = workload("web");
    web.closes = true;
    web.labels.insert("palisade.dev/inject".to_owned(), "true".to_owned());
    let mut observed = Observed {
        workloads: vec![web],
        pods: vec![pod("a", "web", Standing::Injected), pod("b", "web", Standing::Without)],
        ..Observed::default()
    };
    assert_eq!(of(&observed).apply, Vec::<Value>::new());
    Arc::make_mut(&mut observed.pods[1]).standing = Standing::Injected;
    let made = of(&observed).apply;
    assert_eq!(made[0]["kind"], "NetworkPolicy");
    assert_eq!(made[0]["spec"]["podSelector"], json!({"matchLabels": {"app": "web"}}));
    assert_eq!(made[0]["spec"]["ingress"][0]["ports"], json!([{"protocol": "TCP", "port": 16080}]));
    let key = Key::new("shop", "palisade-deployment-web");
    observed.policies = [(key.clone(), ("Deployment/web".to_owned(), made[0]["spec"].clone()))].into();
    assert_eq!(of(&observed), Plan::default());
    // A pod that comes without its sidecar opens nothing again.
    Arc::make_mut(&mut observed.pods[1]).standing = Standing::Without;
    assert_eq!(of(&observed).drop_policies, []);
    observed.workloads[0].closes = false;
    assert_eq!(of(&observed).drop_policies, [key]);
    // Without sidecars there is nothing to close.
    observed.workloads[0].closes = true;
    observed.workloads[0].labels.remove("palisade.dev/inject");
    let unusable = of(&observed).unusable;
    assert!(unusable[0].2.contains("neither their label nor their namespace's"), "{unusable:?}");
}

#[test]
fn a_profile_is_a_config_map_with_its_rules_beside_it() {
    let (key, profile) =
        (Key::new("shop", "strict"), json!({"mode": "block", "rules": {"files": ["rules/shop.a/a.conf"]}}));
    let files = texts(&[("rules/shop.a/a.conf", "SecAction \"id:1,phase:1,pass\"\n")]);
    let map = profile_map(&key, "7", &profile, &files).expect("it fits");
    assert_eq!(map["metadata"]["name"], "palisade-profile-strict");
    assert_eq!(map["data"]["a.conf"], files["rules/shop.a/a.conf"]);
    let text = map["data"]["palisade.yaml"].as_str().expect("text");
    let read = palisade_operator::manifest::read(text.as_bytes()).expect("YAML");
    assert_eq!(read[0]["profiles"]["default"], json!({"mode": "block", "rules": {"files": ["a.conf"]}}));
    let twice = texts(&[("rules/shop.a/a.conf", ""), ("rules/shop.b/a.conf", "")]);
    assert!(profile_map(&key, "7", &profile, &twice).expect_err("two of one name").contains("a.conf"));
    let large = BTreeMap::from([("rules/shop.a/a.conf".to_owned(), "#".repeat(CONFIG_MAP_BYTES_MAX))]);
    assert!(profile_map(&key, "7", &profile, &large).expect_err("too large").contains("1048576"));

    // One that is there as it should be is not written; of one that cannot be used any more the last good one stays.
    let mut observed = Observed {
        profiles: [(key.clone(), ("7".to_owned(), profile, files))].into(),
        profile_names: [key.clone()].into(),
        ..Observed::default()
    };
    assert_eq!(of(&observed).apply, std::slice::from_ref(&map));
    observed.maps = [(Key::new("shop", "palisade-profile-strict"), map["data"].clone())].into();
    assert_eq!(of(&observed), Plan::default());
    observed.profiles.clear();
    assert_eq!(of(&observed), Plan::default());
    observed.profile_names.clear();
    assert_eq!(of(&observed).drop_maps, [Key::new("shop", "palisade-profile-strict")]);
}
