//! Many windows at one instant, each on a channel of its own.

use jiff::Timestamp;
use simulator::Call;
use tokio::sync::OnceCell;

use super::{FAILPOINTS, leads};
use crate::harness::{Channel, Stage, Watched, in_seconds, plus, received, until_past};

const WINDOWS: usize = 200;

/// docs/cases.md, cases 15 and 19, by builds that are not optimised. The figures of those that are: docs/performance.md.
pub(crate) async fn case_15_two_hundred_starts_at_one_instant_are_made_within_two_seconds() {
    let crowd = Crowd::gathered().await;
    assert_on_time(&crowd.activates, crowd.start);
}

pub(crate) async fn case_19_two_hundred_stops_at_one_instant_are_as_prompt_as_starts_and_counted_alike() {
    let crowd = Crowd::gathered().await;
    assert_on_time(&crowd.deactivates, crowd.stop);
    for (action, counted) in &crowd.counted {
        assert!((counted - 200.0).abs() < 0.5, "{action}: {counted} in the histogram");
    }
}

/// What became of a crowd, once it was over.
struct Crowd {
    start: Timestamp,
    stop: Timestamp,
    activates: Vec<Call>,
    deactivates: Vec<Call>,
    /// Calls in the histogram of lateness.
    counted: [(&'static str, f64); 2],
}

impl Crowd {
    /// One crowd tells of its starts and of its stops.
    async fn gathered() -> &'static Self {
        static CROWD: OnceCell<Crowd> = OnceCell::const_new();
        CROWD.get_or_init(Self::gather).await
    }

    async fn gather() -> Self {
        let stage = Stage::unattended("crowd").await;
        let limits =
            serde_json::json!({ "simultaneousActivations": 0, "requestsPerSecond": 0, "concurrentRequests": 0 });
        stage.edit_account(serde_json::json!({ "limits": limits })).await;
        stage.bind("jobstartstop").await;
        let operator = stage.launch(FAILPOINTS, &["--lease-divisor", "1"], &[]).await;
        leads(&operator).await;
        let mut channels = Vec::new();
        for index in 0..WINDOWS {
            channels.push(stage.channel(&format!("c{index}")).await);
        }
        let (start, stop) = (in_seconds(20), in_seconds(30));
        for (index, channel) in channels.iter().enumerate() {
            stage.window(&format!("w{index}"), channel).between(start, stop).create().await;
        }
        assert!(Timestamp::now() < plus(start, -3), "made too late for what this scene is about");
        until_past(plus(stop, 6)).await;
        let told = operator.scrape().await;
        let counted = ["activate", "deactivate"].map(|action| {
            (
                action,
                told.value(&format!(
                    "jobstartstop_action_lateness_seconds_count{{action=\"{action}\",outcome=\"ok\"}}"
                )),
            )
        });
        let (activates, deactivates) = calls(&channels).await;
        Self { start, stop, activates, deactivates, counted }
    }
}

/// The one start and the one stop of each.
async fn calls(channels: &[Channel]) -> (Vec<Call>, Vec<Call>) {
    let (mut activates, mut deactivates) = (Vec::new(), Vec::new());
    for channel in channels {
        let calls = channel.calls().await;
        for (of, all) in [(calls.activate, &mut activates), (calls.deactivate, &mut deactivates)] {
            assert_eq!(of.len(), 1, "{}: {of:?}", channel.id);
            all.extend(of);
        }
    }
    (activates, deactivates)
}

fn assert_on_time(calls: &[Call], planned: Timestamp) {
    let mut late: Vec<i64> =
        calls.iter().map(|call| received(call).as_millisecond() - planned.as_millisecond()).collect();
    late.sort_unstable();
    let (p50, p99, max) = (late[late.len() / 2], late[late.len() * 99 / 100 - 1], late[late.len() - 1]);
    println!("{} calls: p50 {p50} ms, p99 {p99} ms, at most {max} ms late", late.len());
    assert!(late[0] >= 0, "early: {} ms", late[0]);
    assert!(p99 <= 2_000 && max <= 10_000, "p99 {p99} ms, at most {max} ms");
}
