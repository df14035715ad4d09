//! A proxy in front of an API server, through which a test lets a client see late, or not at all.

mod request;
mod serve;
mod stream;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::error::{Doing as _, Error, Result};

/// An HTTP proxy on a free port of the loopback interface, on a thread of its own, until it is dropped.
///
/// It speaks plain HTTP to its clients and TLS to the API server. The bearer token goes through, so each client keeps its
/// rights. What it is told holds at once, for connections and watches that are open too.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the proxy does to those who use it.
#[derive(Clone, Copy, Debug, Default)]
struct Mode {
    watches_frozen: bool,
    watch_lag: Duration,
    delay: Duration,
    cut: bool,
    ended: bool,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl ApiProxy {
    /// Starts it before the API server at this address, whose certificates this authority signed.
    pub(crate) fn start(server: SocketAddr, authority: &Path) -> Result<Self> {
        let doing = || "starting the proxy".to_owned();
        let client = client(authority)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        let address = listener.local_addr().doing(doing)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing(doing)?;
        let shared = Arc::new(Shared { mode: watch::Sender::default(), counts: Mutex::default() });
        let upstream = serve::Upstream { client, base: format!("https://{server}") };
        let serving = serve::serve(listener, upstream, Arc::clone(&shared));
        let work = move || {
            if let Err(error) = runtime.block_on(serving) {
                eprintln!("the proxy has ended: {error}");
            }
        };
        let thread = thread::Builder::new().name("api-proxy".to_owned()).spawn(work).doing(doing)?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// From now on watches stay open and say nothing, those opened meanwhile too.
    pub fn freeze_watches(&self) {
        self.tell(|mode| mode.watches_frozen = true);
    }

    /// Watches say what they have kept, and go on.
    pub fn thaw_watches(&self) {
        self.tell(|mode| mode.watches_frozen = false);
    }

    /// From now on watches tell everything so much later.
    pub fn let_watches_lag(&self, by: Duration) {
        self.tell(|mode| mode.watch_lag = by);
    }

    /// From now on each request is passed on so much later.
    pub fn delay_requests(&self, by: Duration) {
        self.tell(|mode| mode.delay = by);
    }

    /// Closes all connections, and new ones as they come.
    pub fn cut(&self) {
        self.tell(|mode| mode.cut = true);
    }

    /// Serves again after [`ApiProxy::cut`].
    pub fn mend(&self) {
        self.tell(|mode| mode.cut = false);
    }

    /// How many requests came, by verb and resource: `watch jobstartstops`, `update jobstartstops/status`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cluster as a kubeconfig names it.
    pub(crate) fn cluster(&self) -> Value {
        json!({"server": format!("http://{}", self.address)})
    }

    fn tell(&self, change: impl FnOnce(&mut Mode)) {
        self.shared.mode.send_modify(change);
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.tell(|mode| mode.ended = true);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn count(&self, kind: String) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }
}

fn client(authority: &Path) -> Result<reqwest::Client> {
    let pem = std::fs::read(authority).doing(|| format!("reading {}", authority.display()))?;
    // An error says that there is one already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let unmade = |error: reqwest::Error| Error::Invalid(format!("no client for the API server: {error}"));
    reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).map_err(unmade)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(unmade)
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
