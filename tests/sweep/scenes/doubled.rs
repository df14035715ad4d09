//! Two processes that both believe to lead.

use super::{FAILPOINTS, was_on_once};
use crate::harness::{Stage, in_seconds};

/// docs/cases.md, case 100: a claim is stored on the object before the call, and only one of two can store it.
pub(crate) async fn case_100_of_two_that_believe_to_lead_one_starts() {
    let stage = Stage::unattended("believers").await;
    stage.bind("jobstartstop").await;
    let believer = &["--lease-divisor", "5", "--force-leadership"];
    let _both = (stage.launch(FAILPOINTS, believer, &[]).await, stage.launch(FAILPOINTS, believer, &[]).await);
    let mut on_air = Vec::new();
    for number in 0..8 {
        let channel = stage.channel(&format!("c{number}")).await;
        let name = format!("w{number}");
        let window = stage.window(&name, &channel).between(in_seconds(4), in_seconds(8)).create().await;
        on_air.push((window, channel));
    }
    for (window, channel) in &on_air {
        window.reaches("Finished").await;
        was_on_once(channel).await;
        assert_eq!(channel.calls().await.activate.len(), 1, "{}", channel.id);
    }
}
