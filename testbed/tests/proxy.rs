//! A client behind the proxy sees what the API server has, late or not at all when it is told so.

// The lint's exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use testbed::{ApiProxy, ControlPlane};
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(20);

/// Long enough that something which takes no time would have come.
const SILENCE: Duration = Duration::from_secs(1);

/// A namespace, and somebody who may do with its config maps what they like, behind a proxy.
struct Setting {
    plane: &'static ControlPlane,
    proxy: ApiProxy,
    namespace: String,
    client: reqwest::Client,
    base: String,
    token: String,
}

async fn setting(name: &str) -> Setting {
    let plane = testbed::shared().unwrap();
    let namespace = plane.create_namespace(name).unwrap();
    let admin = |args: &str| plane.kubectl().ok(args.split(' ').chain(["--namespace", &namespace])).unwrap();
    admin("create serviceaccount viewer");
    admin("create role viewer --verb=* --resource=configmaps");
    admin(&format!("create rolebinding viewer --role=viewer --serviceaccount={namespace}:viewer"));
    let proxy = plane.start_proxy().unwrap();
    let kubeconfig = plane.service_account_kubeconfig_through(&proxy, &namespace, "viewer").unwrap();
    // By hand: kubectl sends no token over plain HTTP.
    let kubeconfig: serde_json::Value = serde_norway::from_str(&std::fs::read_to_string(kubeconfig).unwrap()).unwrap();
    let base = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let setting = Setting { plane, proxy, namespace, client, base, token };
    // The API server learns of new roles through a watch of its own.
    let known = async {
        while !setting.get("").await.unwrap().status().is_success() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, known).await.unwrap();
    setting
}

impl Setting {
    async fn get(&self, query: &str) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/api/v1/namespaces/{}/configmaps{query}", self.base, self.namespace);
        self.client.get(url).bearer_auth(&self.token).send().await
    }

    /// Past the proxy.
    fn create(&self, name: &str) {
        self.plane.kubectl().ok(["create", "configmap", name, "--namespace", &self.namespace]).unwrap();
    }

    async fn lists(&self, name: &str) -> bool {
        self.get("").await.unwrap().text().await.unwrap().contains(name)
    }

    async fn watch(&self) -> Watch {
        let answer = timeout(SOON, self.get("?watch=true")).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        Watch { answer, told: String::new() }
    }
}

struct Watch {
    answer: reqwest::Response,
    told: String,
}

impl Watch {
    /// Listens until this was told; false when it is not within that time.
    async fn tells(&mut self, what: &str, within: Duration) -> bool {
        let listen = async {
            while !self.told.contains(what) {
                let part = self.answer.chunk().await.unwrap().expect("the watch is open");
                self.told.push_str(str::from_utf8(&part).unwrap());
            }
        };
        timeout(within, listen).await.is_ok()
    }
}

#[tokio::test]
async fn frozen_watches_are_open_and_silent_while_requests_go_through() {
    let setting = setting("frozen").await;
    let mut early = setting.watch().await;
    setting.create("before");
    assert!(early.tells("before", SOON).await);
    setting.proxy.freeze_watches();
    let mut late = setting.watch().await;
    setting.create("meanwhile");
    assert!(setting.lists("meanwhile").await);
    assert!(!early.tells("meanwhile", SILENCE).await);
    assert!(!late.tells("before", SILENCE).await);
    setting.proxy.thaw_watches();
    assert!(early.tells("meanwhile", SOON).await);
    assert!(late.tells("meanwhile", SOON).await);
}

#[tokio::test]
async fn watches_that_lag_tell_everything_later() {
    let setting = setting("lagging").await;
    let mut watch = setting.watch().await;
    setting.proxy.let_watches_lag(2 * SILENCE);
    setting.create("news");
    assert!(setting.lists("news").await);
    assert!(!watch.tells("news", SILENCE).await);
    assert!(watch.tells("news", SOON).await);
}

#[tokio::test]
async fn requests_are_delayed_connections_cut_and_both_counted() {
    let setting = setting("cut").await;
    let mut watch = setting.watch().await;
    setting.proxy.delay_requests(Duration::from_millis(500));
    let asked = Instant::now();
    assert!(!setting.lists("nothing").await);
    assert!(asked.elapsed() >= Duration::from_millis(500));
    setting.proxy.delay_requests(Duration::ZERO);
    setting.proxy.cut();
    let ended = async { while watch.answer.chunk().await.is_ok_and(|part| part.is_some()) {} };
    timeout(SOON, ended).await.unwrap();
    assert!(setting.get("").await.is_err());
    setting.proxy.mend();
    let before = setting.proxy.counts();
    assert!(!setting.lists("nothing").await);
    assert_eq!(before["watch configmaps"], 1);
    assert_eq!(setting.proxy.counts()["list configmaps"], before["list configmaps"] + 1);
}
