//! By TLS: a client shows a token or a certificate, and finds the server to be who it says; nobody else is answered.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use palisade_kube_fake::{Credentials, Identity, Server};
use serde_json::json;

async fn client(kubeconfig: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a cluster"))
        .expect("certificates that can be read")
}

fn code(outcome: kube::Result<kube::api::ObjectList<ConfigMap>>) -> (u16, String) {
    match outcome.expect_err("refused") {
        kube::Error::Api(status) => (status.code, status.message),
        other => (0, other.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_or_a_certificate_of_the_authority_lets_a_client_in() {
    let server = Server::start_secure();
    let credentials = server.credentials().expect("it is spoken to by TLS");
    for (n, identity) in [Identity::Token, Identity::Certificate].into_iter().enumerate() {
        let api: Api<ConfigMap> =
            Api::default_namespaced(client(&credentials.kubeconfig(&server.url(), identity)).await);
        let map = serde_json::from_value(json!({"metadata": {"name": format!("by-{n}")}})).expect("a map");
        api.create(&PostParams::default(), &map).await.expect("created");
        assert_eq!(api.list(&ListParams::default()).await.expect("listed").items.len(), n + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_else_is_let_in_and_no_other_server_is_believed() {
    let server = Server::start_secure();
    let ours = server.credentials().expect("it is spoken to by TLS");
    let list = async |kubeconfig: String| {
        code(
            Api::<ConfigMap>::namespaced(client(&kubeconfig).await, "shop")
                .list(&ListParams::default())
                .await,
        )
    };
    // Messages as transcript 07 has them.
    let wrong = {
        let mut wrong = ours.clone();
        wrong.token = "x".to_owned();
        wrong
    };
    assert_eq!(
        list(wrong.kubeconfig(&server.url(), Identity::Token)).await,
        (401, "Unauthorized".to_owned())
    );
    let mut nobody: serde_json::Value =
        serde_json::from_str(&ours.kubeconfig(&server.url(), Identity::Token)).expect("JSON");
    nobody["users"][0]["user"] = json!({});
    let told = "configmaps is forbidden: User \"system:anonymous\" cannot list resource \"configmaps\" in API group \"\" \
                in the namespace \"shop\"";
    assert_eq!(list(nobody.to_string()).await, (403, told.to_owned()));
    // Another authority's certificate ends the handshake; another authority's server is not believed.
    let mut others = Credentials::new();
    others.authority.clone_from(&ours.authority);
    assert_eq!(list(others.kubeconfig(&server.url(), Identity::Certificate)).await.0, 0);
    let (code, _) = list(Credentials::new().kubeconfig(&server.url(), Identity::Token)).await;
    assert_eq!(code, 0);
}
