//! The scenes.

pub(crate) mod amid;
pub(crate) mod crowd;
pub(crate) mod doubled;
pub(crate) mod frozen;
pub(crate) mod ground;
pub(crate) mod steps;
pub(crate) mod struck;
pub(crate) mod upgrade;
pub(crate) mod vendor;
pub(crate) mod watches;
pub(crate) mod workflows;

use jiff::Timestamp;
use simulator::Call;

use testbed::Operator;

use crate::harness::{Channel, Stage, blocking, eventually, received};

/// The operator with failpoints.
pub(crate) const FAILPOINTS: &str = "sweep-operator";

/// A lease of 3 s, a renew deadline of 2 s, calls of at most 1 s.
pub(crate) const A_FIFTH: &[&str] = &["--lease-divisor", "5"];

/// Milliseconds from planned to the first of these calls.
pub(crate) fn lateness(calls: &[Call], planned: Timestamp) -> Option<i64> {
    calls.first().map(|call| received(call).as_millisecond() - planned.as_millisecond())
}

/// The first of these calls came at its planned time, or so many milliseconds after it.
pub(crate) fn within(calls: &[Call], planned: Timestamp, most: i64) {
    assert!(lateness(calls, planned).is_some_and(|late| (0..=most).contains(&late)), "planned {planned}: {calls:?}");
}

/// Started once, never while it was on, and off at the end.
pub(crate) async fn was_on_once(channel: &Channel) {
    let report = channel.report().await;
    assert_eq!((report.sessions, report.restarts), (1, 0), "{report:?}");
    assert!(!channel.is_on().await, "left on: {report:?}");
}

/// Waits until the process has ended by itself.
pub(crate) async fn ends(operator: &Operator) {
    eventually("the process has ended", async || (!operator.process().is_running()).then_some(())).await;
}

/// An operator that leads, and one that stands by.
pub(crate) async fn pair(stage: &Stage, more: &[&str]) -> (Operator, Operator) {
    stage.bind("jobstartstop").await;
    let leader = stage.launch(FAILPOINTS, more, &[]).await;
    leads(&leader).await;
    (leader, stage.launch(FAILPOINTS, more, &[]).await)
}

/// Waits until it leads.
pub(crate) async fn leads(operator: &Operator) {
    use crate::harness::Watched;
    eventually("it leads", async || (operator.scrape().await.value("jobstartstop_leading") > 0.5).then_some(())).await;
}

/// Ends a process as a crash would.
pub(crate) async fn kill(operator: Operator) {
    blocking(move || operator.process().kill9().unwrap()).await;
}
