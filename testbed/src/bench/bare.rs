//! A client that does nothing but send the same calls at the same instant, over connections that are open already: what
//! this machine, with this simulator beside it, lets anybody reach.

use std::sync::Arc;

use anyhow::ensure;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use tokio::task::JoinSet;

use super::windows::{earlier, job, until};

/// How long before the instant every connection is opened and used once, as long as the operator does it before its.
const WARM_UP: SignedDuration = SignedDuration::from_millis(1_500);

pub(super) struct Bare {
    client: Client,
    base_url: Arc<str>,
}

impl Bare {
    pub(super) fn of(base_url: &str) -> anyhow::Result<Self> {
        Ok(Self { client: Client::builder().no_proxy().http1_only().build()?, base_url: base_url.into() })
    }

    /// Sends `verb` for the first so many jobs at `at`.
    pub(super) async fn call(&self, verb: &'static str, jobs: u32, at: Timestamp) -> anyhow::Result<()> {
        until(earlier(at, WARM_UP)).await;
        self.ask_all(Method::GET, "", jobs).await?;
        until(at).await;
        self.ask_all(Method::PUT, verb, jobs).await
    }

    async fn ask_all(&self, method: Method, verb: &'static str, jobs: u32) -> anyhow::Result<()> {
        let mut asked = JoinSet::new();
        for number in 0..jobs {
            let (client, base_url, method) = (self.client.clone(), Arc::clone(&self.base_url), method.clone());
            asked.spawn(async move {
                let slash = if verb.is_empty() { "" } else { "/" };
                let url = format!("{base_url}/v1/jobs/{}{slash}{verb}", job(number));
                let answer = client.request(method, url).header("X-API-KEY", "demo-key").send().await?;
                ensure!(answer.status().is_success(), "{verb} answered {}", answer.status());
                // To its end: only then does the connection serve again.
                answer.bytes().await?;
                anyhow::Ok(())
            });
        }
        while let Some(answer) = asked.join_next().await {
            answer??;
        }
        Ok(())
    }
}
