//! The operator's own log, for what no call shows: when it leads, and when it lets go.

use jiff::Timestamp;
use serde::Deserialize;
use testbed::Operator;

pub(super) const LEADS: &str = "leading";
pub(super) const CALLS_NO_MORE: &str = "no new calls; those under way are finished and recorded";

#[derive(Deserialize)]
struct Line {
    timestamp: String,
    fields: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    message: String,
}

/// When it last said this, after `since`.
pub(super) fn said(operator: &Operator, message: &str, since: Timestamp) -> Option<Timestamp> {
    last(&operator.process().log_text(), message, since)
}

fn last(log: &str, message: &str, since: Timestamp) -> Option<Timestamp> {
    let lines = log.lines().rev().filter(|line| line.contains(message));
    let read = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let said = read.filter(|line| line.fields.message == message).find_map(|line| line.timestamp.parse().ok());
    said.filter(|at| *at >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_with_the_whole_message_counts() {
        let line = |second: u32, message: &str| {
            format!(
                "{{\"timestamp\":\"2026-11-25T12:00:0{second}.000001Z\",\"fields\":{{\"message\":\"{message}\"}}}}\n"
            )
        };
        let log =
            [line(1, "leading"), line(2, "leading"), line(3, "leading somebody"), "leading\n".to_owned()].concat();
        let at = |second: i64| Timestamp::from_microsecond(1_795_608_000_000_001 + second * 1_000_000).unwrap();
        assert_eq!(last(&log, LEADS, Timestamp::UNIX_EPOCH), Some(at(2)));
        assert_eq!(last(&log, LEADS, at(3)), None);
    }
}
