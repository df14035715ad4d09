//! Operators of a scene's own, and what they tell over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use testbed::Operator;

use super::blocking;

/// What an operator is started with. The election's times run at a third, unless a scene says otherwise: at a twentieth
/// a busy machine would lose its lease.
pub(super) fn arguments(vendor: &str, namespace: Option<&str>, more: &[&str]) -> Vec<String> {
    let times = ["--time-divisor", "20", "--live-endpoint", vendor];
    let a_third: &[&str] = if more.contains(&"--lease-divisor") { &[] } else { &["--lease-divisor", "3"] };
    // Not in a namespace that a scene may delete: the lease would go with it.
    let lease = ["--lease-namespace", "live", "--lease-name", namespace.unwrap_or("jobstartstop")];
    let scope = namespace.into_iter().flat_map(|namespace| ["--namespace", namespace]).chain(lease);
    times.into_iter().chain(scope).chain(a_third.iter().chain(more).copied()).map(str::to_owned).collect()
}

/// A GET of an operator's observe address: status and body, once anybody listens there.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Kills it without its knowledge.
pub(crate) async fn killed(operator: Operator) -> Operator {
    blocking(move || {
        operator.process().kill9().unwrap();
        operator
    })
    .await
}

/// Starts it again and waits until it is ready.
pub(crate) async fn restarted(operator: Operator) -> Operator {
    blocking(move || {
        operator.restart().unwrap();
        operator
    })
    .await
}

/// Asks an operator.
pub(crate) trait Watched {
    /// What its metrics say now.
    async fn scrape(&self) -> Scrape;
}

impl Watched for Operator {
    async fn scrape(&self) -> Scrape {
        let (status, text) = get(self.observe_address(), "/metrics").await.unwrap();
        assert_eq!(status, 200, "{text}");
        Scrape(text)
    }
}

/// One scrape of its metrics.
pub(crate) struct Scrape(pub(crate) String);

impl Scrape {
    /// The value of a series, named with its labels as it is printed; 0 when there is none.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}
