//! The questions that a real API server asked, and answers in its shape.

use serde_json::{Value, json};

use super::*;
use crate::inject::apply;
use crate::probes::Told as _;

/// Questions of the transcripts: what an API server sent to a webhook.
fn transcript(file: &str) -> Option<Vec<Value>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/kubernetes/transcripts/");
    let Ok(text) = std::fs::read(format!("{folder}{file}")) else {
        println!("skipped: no {file} beside the repository");
        return None;
    };
    let exchanges: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let asked =
        |exchange: &Value| exchange["direction"].as_str().is_some_and(|to| to.starts_with("API server"));
    let bodies =
        exchanges.iter().filter(|exchange| asked(exchange)).map(|exchange| &exchange["request"]["body"]);
    // Some stand there in short.
    Some(bodies.filter(|body| body["kind"] == "AdmissionReview").cloned().collect())
}

fn ask(review: &Value, metrics: &AdmissionMetrics) -> Value {
    let settings = Settings::default();
    let body = review.to_string();
    let answer = answer(body.as_bytes(), |request| match request.resource {
        "pods" => decide_injection(request, &settings, metrics),
        _ => validate(request, metrics),
    });
    serde_json::from_slice(&answer.unwrap()).unwrap()
}

fn counted(metrics: &AdmissionMetrics, line: &str) -> bool {
    metrics.metrics().lines().any(|there| there == line)
}

#[test]
fn what_an_api_server_asked_is_answered_in_its_shape() {
    let metrics = AdmissionMetrics::default();
    let mut questions = 0;
    for file in ["06-admission-mutating.json", "06b-admission-answers.json", "06c-admission-validating.json"]
    {
        let Some(reviews) = transcript(file) else { return };
        for review in reviews {
            let answer = ask(&review, &metrics);
            assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
            assert_eq!(answer["kind"], "AdmissionReview");
            assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
            // The pods there declare no port.
            assert_eq!(answer["response"]["allowed"], true, "{review}");
            assert_eq!(answer["response"].get("patch"), None);
            questions += 1;
        }
    }
    assert!(questions > 20, "{questions}");
    assert!(
        counted(&metrics, "palisade_injection_skips_total{reason=\"no-port\"} 5"),
        "{}",
        metrics.metrics()
    );
}

#[test]
fn the_pod_of_a_deployment_gets_a_sidecar() {
    let Some(reviews) = transcript("06-admission-mutating.json") else { return };
    let of_controller =
        |review: &&Value| review["request"]["object"]["metadata"].get("generateName").is_some();
    let mut review = reviews.iter().rfind(of_controller).unwrap().clone();
    review["request"]["object"]["spec"]["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 8080}]);
    // As older servers ask.
    review["request"]["object"]["metadata"].as_object_mut().unwrap().remove("namespace");
    let metrics = AdmissionMetrics::default();
    let answer = ask(&review, &metrics);
    let response = &answer["response"];
    assert_eq!(
        (&response["allowed"], &response["patchType"]),
        (&json!(true), &json!("JSONPatch")),
        "{answer}"
    );
    use base64::Engine as _;
    let patch =
        base64::engine::general_purpose::STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    let pod = apply(&review["request"]["object"], &patch).unwrap();
    assert_eq!(pod["spec"]["initContainers"][0]["name"], "palisade");
    assert_eq!(pod["spec"]["containers"][0]["ports"][0]["name"], "app-http");
    assert!(counted(&metrics, "palisade_injections_total{outcome=\"injected\"} 1"));
    // It is asked again after others have changed the pod (reinvocationPolicy: IfNeeded).
    review["request"]["object"] = pod;
    let again = ask(&review, &metrics);
    assert_eq!(again["response"].get("patch"), None, "{again}");
    assert!(counted(&metrics, "palisade_injection_skips_total{reason=\"already-injected\"} 1"));
    review["request"]["namespace"] = json!("kube-system");
    assert_eq!(
        ask(&review, &metrics)["response"]["auditAnnotations"],
        json!({"skipped": "excluded-namespace"})
    );
}

fn review(kind: &str, group: &str, name: &str, object: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": format!("{}s", kind.to_lowercase())},
        "name": name, "namespace": "shop", "operation": "CREATE", "object": object, "oldObject": null,
    }})
}

#[test]
fn a_pod_that_cannot_be_injected_is_denied_with_what_to_write() {
    let pod =
        json!({"metadata": {}, "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}});
    let metrics = AdmissionMetrics::default();
    let answer = ask(&review("Pod", "", "", pod), &metrics);
    let response = &answer["response"];
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(400)));
    assert!(response["status"]["message"].as_str().unwrap().contains("Name the port"), "{answer}");
    assert!(counted(&metrics, "palisade_injections_total{outcome=\"denied\"} 1"));
}

#[test]
fn rules_that_do_not_compile_are_denied_with_their_line() {
    let metrics = AdmissionMetrics::default();
    let good = "SecRule ARGS \"@rx attack\" \"id:1,phase:2,deny\"\n";
    let bad = "# first\nSecRule ARGS \"@rx attack\" \"id:1,phase:2,dney\"\n";
    let map = |text: &str| json!({"metadata": {"labels": {"palisade.dev/rules": "true"}}, "data": {"shop.conf": text}});
    assert_eq!(ask(&review("ConfigMap", "", "shop", map(good)), &metrics)["response"]["allowed"], true);
    let answer = ask(&review("ConfigMap", "", "shop", map(bad)), &metrics);
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert_eq!(answer["response"]["status"]["code"], 422);
    assert!(message.contains("shop.conf:2:") && message.contains("`deny`"), "{message}");
    // The same text is nobody's rules without the label.
    let plain = json!({"metadata": {}, "data": {"shop.conf": bad}});
    assert_eq!(ask(&review("ConfigMap", "", "shop", plain), &metrics)["response"]["allowed"], true);
    // Calico's has to have two files.
    let calicos = json!({"metadata": {}, "data": {"crs-setup.conf": good}});
    let answer = ask(&review("ConfigMap", "", "modsecurity-ruleset", calicos), &metrics);
    assert!(
        answer["response"]["status"]["message"].as_str().unwrap().contains("modsecdefault.conf"),
        "{answer}"
    );
    let set = json!({"metadata": {}, "spec": {"text": bad}});
    let answer = ask(&review("RuleSet", "palisade.dev", "shop", set), &metrics);
    assert!(answer["response"]["status"]["message"].as_str().unwrap().contains("spec.text:2:"), "{answer}");
    assert!(counted(&metrics, "palisade_validations_total{kind=\"ConfigMap\",outcome=\"denied\"} 2"));
}

#[test]
fn rules_reach_for_no_file_of_the_server() {
    let metrics = AdmissionMetrics::default();
    let text = "Include /etc/passwd\nSecRule ARGS \"@pmFromFile /etc/hosts\" \"id:1,phase:2,deny\"\n";
    let map = json!({"metadata": {"labels": {"palisade.dev/rules": "true"}}, "data": {"a.conf": text}});
    let answer = ask(&review("ConfigMap", "", "a", map), &metrics);
    assert_eq!(answer["response"]["allowed"], false);
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("a.conf:1") && !message.contains("root:"), "{message}");
}

#[test]
fn a_profile_is_read_as_one_of_a_configuration() {
    let metrics = AdmissionMetrics::default();
    let good =
        json!({"spec": {"mode": "block", "detect": {"sensitivity": "high"}, "rules": {"ruleSets": ["x"]}}});
    let answer = ask(&review("WafProfile", "palisade.dev", "strict", good), &metrics);
    assert_eq!(answer["response"]["allowed"], true, "{answer}");
    let bad = json!({"spec": {"mode": "blok"}});
    let answer = ask(&review("WafProfile", "palisade.dev", "strict", bad), &metrics);
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("spec.mode: ") && message.contains("blok"), "{message}");
}

#[test]
fn hostile_bodies_are_refused_and_nothing_panics() {
    let settings = Settings::default();
    let metrics = AdmissionMetrics::default();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies = [
        "",
        "{}",
        "[]",
        "null",
        "\u{feff}{}",
        &nested,
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
        r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u"}}"#,
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":7}}"#,
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":[]}"#,
    ];
    for body in bodies {
        let answered = answer(body.as_bytes(), |request| decide_injection(request, &settings, &metrics));
        assert!(answered.is_err(), "{body:.60}");
    }
    // Objects of the wrong shape, at each place.
    for pod in [
        json!({}),
        json!({"spec": 7}),
        json!({"spec": {"containers": "x"}}),
        json!({"metadata": [], "spec": {"containers": []}}),
        json!({"metadata": {"annotations": [], "labels": 7}, "spec": {"containers": [7, null, {"name": 8, "ports": {}}]}}),
        json!({"spec": {"containers": [{"name": "a", "ports": [7, {"containerPort": -1}, {"containerPort": 1e300}]}]}}),
        json!({"metadata": {"annotations": {"palisade.dev/status": "{}"}}, "spec": {"initContainers": 7, "volumes": "x",
            "containers": [{"name": "a", "env": 7, "lifecycle": 7, "ports": [{"name": "http", "containerPort": 8080}]}]}}),
    ] {
        ask(&review("Pod", "", "x", pod), &metrics);
    }
}
