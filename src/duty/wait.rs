//! Until when a command waits.

use plan::{Phase, TaskState};

use super::window::{Glance, Window};

/// What is to come about for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Its stop is made: its channel was read off, or is on for others.
    Stopped,
    /// The operator has taken up its latest edit.
    Answered,
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
    /// How far it has come; `None`: the window is gone.
    pub(super) fn progress(self, window: Option<&Window>) -> Progress {
        let Some(window) = window else {
            return match self {
                Self::Stopped | Self::Cancelled => Progress::Reached("it is gone".to_owned()),
                _ => Progress::Failed("it is gone".to_owned()),
            };
        };
        if !window.up_to_date() {
            return Progress::Waiting("the operator is to take the edit up".to_owned());
        }
        let (reached, says) = match self {
            Self::Stopped => stopped(window),
            Self::Answered => (true, said(window)),
            Self::Resumed => resumed(window),
            Self::Counted => {
                (window.counts(), if window.counts() { "its job was read: it counts".to_owned() } else { said(window) })
            }
            Self::Cancelled => (window.settled(), said(window)),
        };
        let failed = match self {
            Self::Stopped => window.stop().is(TaskState::Failed) || window.stop().is(TaskState::Cancelled),
            Self::Resumed | Self::Counted => {
                [Phase::Failed, Phase::Missed].iter().any(|phase| phase.as_str() == window.status.phase)
            }
            Self::Answered | Self::Cancelled => false,
        };
        match (failed, reached) {
            (true, _) => Progress::Failed(says),
            (false, true) => Progress::Reached(says),
            (false, false) => Progress::Waiting(says),
        }
    }
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
        match goal.progress(Some(&parsed(object))) {
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
            (Goal::Answered, pending(), "reached"),
        ] {
            assert_eq!(reached(goal, object), expected, "{goal:?}");
        }
    }

    #[test]
    fn an_edit_that_is_not_answered_yet_reaches_nothing() {
        for goal in [Goal::Stopped, Goal::Answered, Goal::Resumed, Goal::Counted, Goal::Cancelled] {
            assert_eq!(reached(goal, with(finished(), "/metadata/generation", json!(2))), "waiting", "{goal:?}");
        }
        assert_eq!(Goal::Stopped.progress(None), Progress::Reached("it is gone".to_owned()));
        assert!(matches!(Goal::Counted.progress(None), Progress::Failed(_)));
    }

    #[test]
    fn while_a_stop_is_refused_it_says_so() {
        let Progress::Waiting(says) = Goal::Stopped.progress(Some(&stored("going"))) else { panic!("not waiting") };
        assert!(says.contains("Called 3 times"), "{says}");
    }
}
