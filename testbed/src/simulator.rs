use std::{ffi::OsString, path::PathBuf, time::Duration};

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    process::{Launch, Process},
    run::Run,
    workspace_binary,
};

const READY_WITHIN: Duration = Duration::from_secs(20);
const ANNOUNCEMENT: &str = "listening on ";

/// The simulated Live API, in a process of its own.
#[derive(Debug)]
pub struct Simulator {
    /// Where it answers, without a slash at the end.
    pub base_url: String,
    process: Process,
    client: reqwest::Client,
}

impl Simulator {
    /// Starts `live-simulator` on a free port and waits until it listens. Blocks the calling thread.
    pub fn start(run: &Run, args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Self> {
        Self::start_program(run, workspace_binary::find("live-simulator")?, args)
    }

    /// The same with a program from elsewhere.
    pub fn start_program(
        run: &Run,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self> {
        let process = Launch::new("live-simulator", program).args(args).grace(Duration::ZERO).start(run)?;
        let mut base_url = None;
        process.wait_until_ready(READY_WITHIN, |process| {
            base_url = announced(&process.log_text());
            base_url.is_some()
        })?;
        Ok(Self { base_url: base_url.unwrap_or_default(), process, client: client()? })
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// GET of its control interface; `path` begins with a slash.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.call(Method::GET, path, None).await?;
        serde_json::from_value(answer).map_err(|error| Error::Invalid(format!("GET {path}: {error}")))
    }

    /// POST of JSON; an answer without a body reads as null.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PUT of JSON; an answer without a body reads as null.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// DELETE; an answer without a body reads as null.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.base_url);
        let call = format!("{method} {url}");
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let failed = |source| Error::Control { call: call.clone(), source };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = response.text().await.map_err(failed)?;
        if !status.is_success() {
            return Err(Error::ControlRefused { call, status: status.as_u16(), body });
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).map_err(|error| Error::Invalid(format!("{call}: {error}: {body}")))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.process.show_log_if_panicking();
    }
}

/// The address in its first line of output, once that line is whole.
fn announced(log: &str) -> Option<String> {
    let (before, rest) = log.split_once(ANNOUNCEMENT)?;
    let (url, _) = rest.split_once('\n')?;
    (before.is_empty() || before.ends_with('\n')).then(|| url.trim().trim_end_matches('/').to_owned())
}

fn client() -> Result<reqwest::Client> {
    // reqwest is built without a provider and looks for the process's default one, even for plain HTTP;
    // an error says that there is one already.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder()
        // Proxies of the environment are not for this machine's own addresses.
        .no_proxy()
        // A pooled connection belongs to the runtime that opened it, and each test has its own.
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|source| Error::Control { call: "making a client".to_owned(), source })
}
