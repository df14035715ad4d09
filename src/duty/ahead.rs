//! What comes next for a window, when nobody edits anything.

use jiff::{SignedDuration, Timestamp};
use plan::TaskState;

use crate::api::time::read_status;

use super::session::{After, Session};
use super::window::Window;

/// Something that will happen, or is happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// `None`: now, or nobody knows when.
    pub(super) at: Option<Timestamp>,
    pub(super) what: String,
}

fn step(at: Option<Timestamp>, what: impl Into<String>) -> Step {
    Step { at, what: what.into() }
}

/// What comes next, in the order of time.
pub(super) fn next(window: &Window, session: Option<&Session<'_>>, now: Timestamp) -> Vec<Step> {
    let (start, stop) = (window.start(), window.stop());
    if window.settled() {
        return settled(window);
    }
    if !window.seen() {
        let what = "No operator has looked at it yet. Does one run, and does it watch this namespace?";
        return vec![step(None, what), step(start.call_at, "the start is due"), step(stop.call_at, "the stop is due")];
    }
    let mut steps = Vec::new();
    if window.deleted.is_some() {
        let what = match window.status.deletion_policy.as_str() {
            "Stop" if window.has_it_on() => "being deleted: the channel is switched off, then the object goes",
            "Stop" => "being deleted",
            _ => "being deleted: nothing is called, a channel that is on stays on",
        };
        return vec![step(None, what)];
    }
    if window.cancelled() {
        return vec![step(None, "cancelled: what was not called yet is called off")];
    }
    match start.call_at {
        _ if !start.is_pending() => {}
        Some(at) if start.called().is_none() && window.suspended() => {
            steps.push(step(Some(at), "the start would be called, but it is suspended"));
        }
        Some(at) if at > now => steps.push(step(Some(at), at_the_start(window, session, at, now))),
        _ => steps.push(step(None, said("the start is under way", &start.why()))),
    }
    steps.push(at_the_end(window, session, now));
    steps
}

fn said(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") }
}

/// Where others have the channel on then, it is read on, and nothing is called.
fn at_the_start(window: &Window, session: Option<&Session<'_>>, start: Timestamp, now: Timestamp) -> String {
    let on = session.map(|session| session.on_before(start, now)).unwrap_or_default();
    if on.is_empty() {
        return "the start is called".to_owned();
    }
    format!("it begins; the channel is on already, for {}", window.names_of(&on))
}

fn at_the_end(window: &Window, session: Option<&Session<'_>>, now: Timestamp) -> Step {
    let (start, stop) = (window.start(), window.stop());
    let due = stop.call_at.is_some_and(|at| at <= now);
    if stop.called().is_some() || due && window.has_it_on() {
        return step(None, said("the stop is under way, and repeated until the channel is off", &stop.why()));
    }
    if start.is(TaskState::Failed) {
        return step(stop.call_at, "the channel is looked at, and switched off if it is on all the same");
    }
    if start.called().is_none() && start.is_pending() && window.suspended() {
        return step(stop.call_at, "it is missed, if it is still suspended then");
    }
    let others = session.zip(stop.call_at).map(|(session, end)| session.without(window, end));
    match others {
        Some(After::StaysOn(names, _)) => {
            step(stop.call_at, format!("it ends; the channel stays on for {}", window.names_of(&names)))
        }
        _ => step(stop.call_at, "the stop is called"),
    }
}

fn settled(window: &Window) -> Vec<Step> {
    let on = window.on_air() == "True";
    let left_on =
        on.then(|| step(None, "the channel is ON, and no window stops it: switch it off by hand if nobody wants it"));
    let seconds = window.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
    let gone = read_status(&window.status.finished_at).zip(seconds).and_then(|(at, seconds)| {
        let at = at.checked_add(SignedDuration::from_secs(seconds.into())).ok()?;
        Some(step(Some(at), "the object is deleted (ttlSecondsAfterFinished)"))
    });
    let steps: Vec<_> = left_on.into_iter().chain(gone).collect();
    if steps.is_empty() { vec![step(None, "nothing more is called for it")] } else { steps }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::duty::fixtures::{active, at, finished, named, parsed, pending, stored, with};

    fn told(objects: impl IntoIterator<Item = Value>, now: &str) -> Vec<(Option<String>, String)> {
        let all: Vec<_> = objects.into_iter().map(parsed).collect();
        let session = Session::of(&all[0], &all, at(now));
        let steps = next(&all[0], session.as_ref(), at(now));
        steps.into_iter().map(|step| (step.at.map(|at| at.to_string()), step.what)).collect()
    }

    #[test]
    fn what_comes_next_is_told_for_every_state() {
        let (before, during, after) = ("2026-12-02T12:00:00Z", "2026-12-02T13:30:00Z", "2026-12-02T15:00:05Z");
        let suspended = with(pending(), "/spec/suspend", json!(true));
        let mut failed = pending();
        failed["status"]["activation"]["state"] = json!("failed");
        for (object, now, words) in [
            (pending(), before, ["the start is called", "the stop is called"].as_slice()),
            (pending(), during, &["the start is under way", "the stop is called"]),
            (suspended, before, &["it is suspended", "it is missed"]),
            (active(), during, &["the stop is called"]),
            (active(), after, &["the stop is under way"]),
            (failed, during, &["is looked at"]),
            (with(active(), "/spec/cancel", json!(true)), during, &["called off"]),
            (
                with(active(), "/metadata/deletionTimestamp", json!(during)),
                during,
                &["switched off, then the object goes"],
            ),
            (finished(), after, &["nothing more"]),
            (with(finished(), "/spec/ttlSecondsAfterFinished", json!(60)), after, &["is deleted"]),
            (with(pending(), "/status", json!({})), before, &["No operator", "the start is due", "the stop is due"]),
        ] {
            let steps = told([object], now);
            assert_eq!(steps.len(), words.len(), "{steps:?}");
            for (step, word) in steps.iter().zip(words) {
                assert!(step.1.contains(word), "{word}: {steps:?}");
            }
        }
        assert!(next(&stored("left-on"), None, at(during))[0].what.contains("is ON"));
    }

    #[test]
    fn a_window_that_another_one_touches_ends_without_a_stop() {
        let longer = named(pending(), "longer", "2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z");
        let steps = told([active(), longer], "2026-12-02T13:30:00Z");
        let expected = "it ends; the channel stays on for longer".to_owned();
        assert_eq!(steps, [(Some("2026-12-02T15:00:00Z".to_owned()), expected)]);
        let longer = named(pending(), "longer", "2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z");
        let first = named(active(), "first", "2026-12-02T13:00:00Z", "2026-12-02T15:00:00Z");
        let steps = told([longer, first], "2026-12-02T13:30:00Z");
        assert_eq!(steps[0].1, "it begins; the channel is on already, for first");
    }
}
