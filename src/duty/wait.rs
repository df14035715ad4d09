//! Until when a command waits.

use plan::{Phase, TaskState};

use super::window::{Glance, Window};

/// What is to come about for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Its stop is made: its channel was read off, or is on for others.
    Stopped,
    /// The operator has taken up that its start is held back.
    Suspended,
    /// It is on air, or waits for its start.
    Resumed,
    /// Its account's key has read its job: from then on it counts.
    Counted,
    /// What was pending is called off.
    Cancelled,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Reached(String),
    Waiting(String),
    /// It will not come about.
    Failed(String),
}

impl Goal {
    /// How far it has come; `None`: the window is gone. `before`: how it was when it was last looked at.
    pub(super) fn progress(self, window: Option<&Window>, before: Option<&Window>) -> Progress {
        let Some(window) = window else { return self.gone(before) };
        if !window.up_to_date() {
            return Progress::Waiting("the operator is to take the edit up".to_owned());
        }
        let (reached, says) = match self {
            Self::Stopped => stopped(window),
            Self::Suspended => (window.suspended(), said(window)),
            Self::Resumed => resumed(window),
            Self::Counted if window.counts() => (true, "its job was read: it counts".to_owned()),
            Self::Counted => (false, said(window)),
            Self::Cancelled => (window.settled(), said(window)),
        };
        let failed = match self {
            Self::Stopped => window.stop().is(TaskState::Failed) || window.stop().is(TaskState::Cancelled),
            Self::Resumed => failed(window),
            Self::Counted => failed(window) || window.dead().is_some(),
            // The edit crossed the call.
            Self::Suspended => window.start().is(TaskState::Finished) || window.start().called().is_some(),
            Self::Cancelled => false,
        };
        match (failed, reached) {
            (true, _) => Progress::Failed(says),
            (false, true) => Progress::Reached(says),
            (false, false) => Progress::Waiting(says),
        }
    }

    /// An object that has its channel on is held until it is off, most often. But it may have been deleted with a policy
    /// that leaves the channel on, released, or given up for lack of a key.
    fn gone(self, before: Option<&Window>) -> Progress {
        let over = before.is_some_and(|before| {
            let kept_until_deleted = before.spec.as_ref().is_some_and(|spec| spec.ttl_seconds_after_finished.is_some());
            before.stop().is(TaskState::Finished) || kept_until_deleted && before.deleted.is_none()
        });
        match self {
            Self::Cancelled => Progress::Reached("it is gone".to_owned()),
            Self::Stopped if over => Progress::Reached("it is gone, after its stop".to_owned()),
            Self::Stopped => Progress::Failed("It is gone; whether its channel is off is not known here.".to_owned()),
            _ => Progress::Failed("It is gone.".to_owned()),
        }
    }
}

fn failed(window: &Window) -> bool {
    [Phase::Failed, Phase::Missed].iter().any(|phase| phase.as_str() == window.status.phase)
}

fn stopped(window: &Window) -> (bool, String) {
    let stop = window.stop();
    (stop.is(TaskState::Finished), if stop.why().is_empty() { said(window) } else { stop.why() })
}

fn resumed(window: &Window) -> (bool, String) {
    let glance = window.glance(jiff::Timestamp::MAX);
    let ready = window.condition("Ready").is_some_and(|ready| ready.reason == "Scheduled");
    (ready || glance == Glance::OnAir, said(window))
}

/// Ready, in a line.
fn said(window: &Window) -> String {
    let ready = window.condition("Ready");
    ready.map_or_else(|| window.status.phase.clone(), |ready| format!("{}: {}", ready.reason, ready.message))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::duty::fixtures::{active, finished, parsed, pending, stored, with};

    fn reached(goal: Goal, object: Value) -> &'static str {
        match goal.progress(Some(&parsed(object)), None) {
            Progress::Reached(_) => "reached",
            Progress::Waiting(_) => "waiting",
            Progress::Failed(_) => "failed",
        }
    }

    #[test]
    fn each_goal_is_reached_by_what_the_status_shows_and_not_before() {
        let cut = |task: &str, state: &str| with(finished(), &format!("/status/{task}/state"), json!(state));
        let missed = with(pending(), "/status/phase", json!("Missed"));
        let unread = with(pending(), "/status/job/verifiedAt", json!(""));
        for (goal, object, expected) in [
            (Goal::Stopped, active(), "waiting"),
            (Goal::Stopped, finished(), "reached"),
            (Goal::Stopped, cut("deactivation", "failed"), "failed"),
            (Goal::Stopped, cut("deactivation", "cancelled"), "failed"),
            (Goal::Cancelled, active(), "waiting"),
            (Goal::Cancelled, finished(), "reached"),
            (Goal::Resumed, active(), "reached"),
            (Goal::Resumed, pending(), "reached"),
            (Goal::Resumed, missed, "failed"),
            (Goal::Counted, pending(), "reached"),
            (Goal::Counted, unread, "waiting"),
            (Goal::Counted, with(pending(), "/spec/cancel", json!(true)), "failed"),
            (Goal::Suspended, with(pending(), "/spec/suspend", json!(true)), "reached"),
            (Goal::Suspended, with(active(), "/spec/suspend", json!(true)), "failed"),
        ] {
            assert_eq!(reached(goal, object), expected, "{goal:?}");
        }
    }

    #[test]
    fn an_edit_that_is_not_answered_yet_reaches_nothing() {
        for goal in [Goal::Stopped, Goal::Suspended, Goal::Resumed, Goal::Counted, Goal::Cancelled] {
            assert_eq!(reached(goal, with(finished(), "/metadata/generation", json!(2))), "waiting", "{goal:?}");
        }
    }

    #[test]
    fn a_window_that_is_gone_was_stopped_only_if_that_was_seen_or_its_time_to_live_shows_it() {
        let lived = with(active(), "/spec/ttlSecondsAfterFinished", json!(0));
        let deleted = with(lived.clone(), "/metadata/deletionTimestamp", json!("2026-12-02T13:29:00Z"));
        for (before, reached) in [
            (None, false),
            (Some(active()), false),
            (Some(finished()), true),
            (Some(lived), true),
            (Some(deleted), false),
        ] {
            let before = before.map(parsed);
            let progress = Goal::Stopped.progress(None, before.as_ref());
            assert_eq!(matches!(progress, Progress::Reached(_)), reached, "{before:?}: {progress:?}");
        }
        assert!(matches!(Goal::Counted.progress(None, None), Progress::Failed(_)));
        assert!(matches!(Goal::Cancelled.progress(None, None), Progress::Reached(_)));
    }

    #[test]
    fn while_a_stop_is_refused_it_says_so() {
        let Progress::Waiting(says) = Goal::Stopped.progress(Some(&stored("going")), None) else {
            panic!("not waiting")
        };
        assert!(says.contains("Called 3 times"), "{says}");
    }
}
