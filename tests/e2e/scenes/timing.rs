//! Never early, and hardly late.

use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{Channel, Stage, Window, in_seconds, plus, received};

/// On a machine that runs all of this at once. What an idle one does is for `make bench` to show.
const LATE: SignedDuration = SignedDuration::from_secs(1);

pub(crate) async fn twenty_windows_over_ten_seconds_are_never_early() {
    let stage = Stage::unattended("twenty").await;
    stage.edit_account(json!({ "limits": { "simultaneousActivations": 0, "requestsPerSecond": 0 } })).await;
    let _operator = stage.start_operator().await;
    let first = in_seconds(5);
    let mut windows: Vec<(Channel, Window, i64)> = Vec::new();
    for number in 0..20 {
        let name = format!("channel-{number}");
        let (channel, offset) = (stage.channel(&name).await, number / 2);
        let window = stage.window(&name, &channel).between(plus(first, offset), plus(first, offset + 3)).create().await;
        windows.push((channel, window, offset));
    }
    join_all(windows.iter().map(|(_, window, _)| window.reaches("Finished"))).await;
    for (channel, _, offset) in &windows {
        let calls = channel.was_called(1, 1).await;
        for (call, planned) in
            [(&calls.activate[0], plus(first, *offset)), (&calls.deactivate[0], plus(first, offset + 3))]
        {
            let late = received(call).duration_since(planned);
            assert!(!late.is_negative(), "{} of {} was {late:?} early", call.method, channel.id);
            assert!(late <= LATE, "{:?} of {} was {late:?} late", call.operation, channel.id);
        }
    }
}
