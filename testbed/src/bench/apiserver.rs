//! The apiserver over plain HTTP: thousands of objects at once, which kubectl applies one by one, and what the apiserver
//! itself counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Certificate, Client, Method, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::NAMESPACE;
use super::windows::Planned;

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// A client with the rights of a kubeconfig of the testbed's own: an authority's file and a token.
#[derive(Clone)]
pub(super) struct Apiserver {
    client: Client,
    server: String,
    token: String,
}

#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: PathBuf,
}

#[derive(Deserialize)]
struct NamedUser {
    user: User,
}

#[derive(Deserialize)]
struct User {
    token: String,
}

impl Apiserver {
    pub(super) fn of(kubeconfig: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(kubeconfig)?;
        let config: Kubeconfig =
            serde_norway::from_str(&text).context("the bench needs a control plane of the testbed's own")?;
        let cluster = config.clusters.into_iter().next().context("the kubeconfig has no cluster")?.cluster;
        let user = config.users.into_iter().next().context("the kubeconfig has no user")?.user;
        let authority = Certificate::from_pem(&fs::read(&cluster.certificate_authority)?)?;
        let client =
            Client::builder().no_proxy().tls_certs_only([authority]).timeout(Duration::from_mins(1)).build()?;
        Ok(Self { client, server: cluster.server, token: user.token })
    }

    /// Makes these windows, several at once.
    pub(super) async fn create(&self, windows: &[Planned]) -> anyhow::Result<()> {
        let manifests: Vec<String> = windows.iter().map(|window| window.manifest().to_string()).collect();
        let left = Arc::new(Mutex::new(manifests.into_iter()));
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (api, left) = (self.clone(), Arc::clone(&left));
            workers.spawn(async move {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(manifest) = next else { return anyhow::Ok(()) };
                    api.ask(Method::POST, &collection(), Some(manifest)).await?;
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        Ok(())
    }

    /// Deletes every window and waits until none is left.
    pub(super) async fn delete_all(&self) -> anyhow::Result<()> {
        self.ask(Method::DELETE, &collection(), None).await?;
        let began = Instant::now();
        loop {
            let one: Value = self.ask(Method::GET, &format!("{}?limit=1", collection()), None).await?.json().await?;
            if one["items"].as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            ensure!(began.elapsed() < Duration::from_mins(2), "deleted windows are still there: {}", one["items"]);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Statuses of windows that the apiserver has stored, by its own count.
    pub(super) async fn status_writes(&self) -> anyhow::Result<u64> {
        let text = self.ask(Method::GET, "/metrics", None).await?.text().await?;
        Ok(stored_statuses(&text))
    }

    /// Its version.
    pub(super) async fn version(&self) -> anyhow::Result<String> {
        let version: Value = self.ask(Method::GET, "/version", None).await?.json().await?;
        Ok(version["gitVersion"].as_str().unwrap_or("unknown").to_owned())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Response> {
        let mut request = self.client.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("the apiserver answered {status} for {path}: {}", answer.text().await?);
        }
        Ok(answer)
    }
}

fn collection() -> String {
    format!("/apis/scheduler.bcovlive.io/v1alpha1/namespaces/{NAMESPACE}/jobstartstops")
}

/// Successful writes of `/status` in the apiserver's metrics.
fn stored_statuses(metrics: &str) -> u64 {
    let counted = |line: &&str| {
        line.starts_with("apiserver_request_total{")
            && ["resource=\"jobstartstops\"", "subresource=\"status\"", "code=\"200\""]
                .iter()
                .all(|label| line.contains(label))
            && !line.contains("verb=\"GET\"")
    };
    let count = |line: &str| line.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
    metrics.lines().filter(counted).filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stored_statuses_of_windows_count() {
        let line = |code: u32, resource: &str, subresource: &str, verb: &str, count: u32| {
            format!(
                "apiserver_request_total{{code=\"{code}\",component=\"apiserver\",dry_run=\"\",\
                 group=\"scheduler.bcovlive.io\",resource=\"{resource}\",scope=\"resource\",\
                 subresource=\"{subresource}\",verb=\"{verb}\",version=\"v1alpha1\"}} {count}\n"
            )
        };
        let text = [
            "# TYPE apiserver_request_total counter\n".to_owned(),
            line(200, "jobstartstops", "status", "PUT", 5),
            line(200, "jobstartstops", "status", "PATCH", 2),
            line(409, "jobstartstops", "status", "PUT", 3),
            line(200, "jobstartstops", "status", "GET", 1),
            line(200, "jobstartstops", "", "PUT", 7),
            line(200, "liveaccounts", "status", "PUT", 11),
        ]
        .concat();
        assert_eq!(stored_statuses(&text), 7);
    }
}
