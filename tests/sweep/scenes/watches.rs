//! Watches that say nothing, or say it late: what is done goes by what is stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use testbed::{ApiProxy, Operator};

use super::{A_FIFTH, FAILPOINTS, kill, leads, was_on_once, within};
use crate::harness::{Channel, Stage, Window, blocking, in_seconds, plus, until_past};

/// What a busy machine makes of "on time", in milliseconds.
const ON_TIME: i64 = 1_000;

/// A stage where operators can be put behind a proxy.
struct Behind {
    stage: Stage,
    proxy: ApiProxy,
    kubeconfig: String,
}

impl Behind {
    async fn new(name: &str) -> Self {
        let stage = Stage::unattended(name).await;
        stage.bind("jobstartstop").await;
        let plane = Arc::clone(stage.plane());
        let (proxy, kubeconfig) = blocking(move || {
            let proxy = plane.control().start_proxy().unwrap();
            let kubeconfig =
                plane.control().service_account_kubeconfig_through(&proxy, "live", "jobstartstop").unwrap();
            (proxy, kubeconfig.display().to_string())
        })
        .await;
        Self { stage, proxy, kubeconfig }
    }

    /// An operator behind the proxy.
    async fn launch(&self) -> Operator {
        let more: Vec<&str> = A_FIFTH.iter().copied().chain(["--kubeconfig", &self.kubeconfig]).collect();
        self.stage.launch(FAILPOINTS, &more, &[]).await
    }

    /// One that leads.
    async fn leader(&self) -> Operator {
        let operator = self.launch().await;
        leads(&operator).await;
        operator
    }

    async fn window(&self, start: Timestamp, stop: Timestamp) -> (Window, Channel) {
        let channel = self.stage.channel("news").await;
        let window = self.stage.window("news", &channel).between(start, stop).create().await;
        (window, channel)
    }
}

/// One start and one stop, on time.
async fn once_on_time(channel: &Channel, start: Timestamp, stop: Timestamp) {
    was_on_once(channel).await;
    let calls = channel.was_called(1, 1).await;
    within(&calls.activate, start, ON_TIME);
    within(&calls.deactivate, stop, ON_TIME);
}

/// docs/cases.md, case 27: what the operator wrote comes back late, and is not done a second time meanwhile.
pub(crate) async fn case_27_watches_5_s_behind_make_no_second_call() {
    let behind = Behind::new("lagging").await;
    let _operator = behind.leader().await;
    behind.proxy.let_watches_lag(Duration::from_secs(5));
    let (start, stop) = (in_seconds(8), in_seconds(14));
    let (window, channel) = behind.window(start, stop).await;
    window.reaches("Finished").await;
    // Long enough for everything that was written to have come back.
    until_past(plus(stop, 7)).await;
    once_on_time(&channel, start, stop).await;
}

/// docs/cases.md, case 27: the stop is read right before it is made.
pub(crate) async fn case_27_a_stop_moved_later_behind_frozen_watches_is_not_made_at_its_old_time() {
    let behind = Behind::new("frozen-later").await;
    let _operator = behind.leader().await;
    let (start, stop, later) = (in_seconds(3), in_seconds(9), in_seconds(14));
    let (window, channel) = behind.window(start, stop).await;
    window.reaches("Active").await;
    behind.proxy.freeze_watches();
    window.edit(serde_json::json!({ "deactivation": { "time": later } })).await;
    window.reaches("Finished").await;
    once_on_time(&channel, start, later).await;
}

/// Nothing tells of it before: the stop is as late as the watches.
pub(crate) async fn a_stop_moved_earlier_behind_frozen_watches_is_made_once_they_speak() {
    let behind = Behind::new("frozen-earlier").await;
    let _operator = behind.leader().await;
    let (start, stop, earlier) = (in_seconds(3), in_seconds(60), in_seconds(8));
    let (window, channel) = behind.window(start, stop).await;
    window.reaches("Active").await;
    behind.proxy.freeze_watches();
    window.edit(serde_json::json!({ "deactivation": { "time": earlier } })).await;
    let speaks = plus(earlier, 3);
    until_past(speaks).await;
    behind.proxy.thaw_watches();
    window.reaches("Finished").await;
    once_on_time(&channel, start, speaks).await;
}

/// A standby whose watches are frozen has seen neither the window nor the edit of its stop: it lists when it begins to lead.
pub(crate) async fn a_standby_with_frozen_watches_takes_over_what_it_never_saw() {
    let behind = Behind::new("frozen-standby").await;
    let leader = behind.stage.launch(FAILPOINTS, A_FIFTH, &[]).await;
    leads(&leader).await;
    let standby = behind.launch().await;
    behind.proxy.freeze_watches();
    let (start, stop, later) = (in_seconds(3), in_seconds(9), in_seconds(14));
    let (window, channel) = behind.window(start, stop).await;
    window.reaches("Active").await;
    window.edit(serde_json::json!({ "deactivation": { "time": later } })).await;
    kill(leader).await;
    leads(&standby).await;
    window.reaches("Finished").await;
    once_on_time(&channel, start, later).await;
}

/// docs/cases.md, case 101, with real processes: what has lost the API server calls nothing past its renew deadline, and
/// another starts.
pub(crate) async fn case_101_a_leader_cut_off_across_the_start_leaves_it_to_the_standby() {
    let behind = Behind::new("cut-off").await;
    let leader = behind.leader().await;
    let standby = behind.stage.launch(FAILPOINTS, A_FIFTH, &[]).await;
    let (start, stop) = (in_seconds(6), in_seconds(18));
    let (window, channel) = behind.window(start, stop).await;
    until_past(plus(start, -3)).await;
    behind.proxy.cut();
    leads(&standby).await;
    window.reaches("Active").await;
    behind.proxy.mend();
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    // Cut off 3 s before; the lease is 3 s.
    within(&calls.activate, start, 2_000);
    within(&calls.deactivate, stop, ON_TIME);
    assert!(leader.process().is_running(), "it stands by again, in place");
}

/// The same right before: whether the leader still calls or the standby does, one start is made.
pub(crate) async fn a_leader_cut_off_right_before_the_start_and_its_standby_start_once() {
    let behind = Behind::new("cut-off-late").await;
    let _leader = behind.leader().await;
    let _standby = behind.stage.launch(FAILPOINTS, A_FIFTH, &[]).await;
    let (start, stop) = (in_seconds(6), in_seconds(18));
    let (window, channel) = behind.window(start, stop).await;
    until_past(start - Duration::from_millis(500)).await;
    behind.proxy.cut();
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    within(&calls.activate, start, 5_000);
    within(&calls.deactivate, stop, ON_TIME);
}
