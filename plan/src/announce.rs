//! What is worth an event: one for each change of state, none for a repeat.

use crate::conditions::{self, Health};
use crate::outbox::{Delivery, DeliveryState};
use crate::reason::Reason;
use crate::record::{Record, Task, TaskState};

/// An event to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// A person may want to act.
    pub warning: bool,
    /// The stable word.
    pub reason: Reason,
    /// What it is about, as the event's action: `Activate`, `Deactivate`, `Check`, `Overlap`, `Register`,
    /// `Notify`.
    pub action: &'static str,
    /// The sentence.
    pub note: String,
}

/// What changed from the stored record to the next, in words. `before` is `None` when nothing was stored; `suspended`:
/// no start is to be made.
pub fn changes(
    suspended: bool,
    before: Option<(&Record, bool)>,
    after: &Record,
    conflict: Option<&str>,
) -> Vec<Announcement> {
    let mut all = Vec::new();
    let old = before.map(|(record, _)| record);
    all.extend(task_change("Activate", old.map(|r| &r.activation), &after.activation));
    all.extend(task_change("Deactivate", old.map(|r| &r.deactivation), &after.deactivation));
    let health = conditions::health(suspended, after);
    let old_health = old.map(|r| conditions::health(suspended, r));
    if old_health.as_ref().map(Health::reason) != Some(health.reason()) {
        let told = all.iter().any(|a: &Announcement| a.reason == health.reason());
        match &health {
            Health::Ready(reason @ (Reason::Scheduled | Reason::StoppedExternally | Reason::AutoDeactivated), note)
                if !told =>
            {
                all.push(Announcement {
                    warning: *reason != Reason::Scheduled,
                    reason: *reason,
                    action: "Check",
                    note: note.to_string(),
                });
            }
            Health::Reconciling(reason, note) | Health::Stalled(reason, note)
                if !told
                    // Not read yet, for a moment after a start or an apply: no trouble.
                    && *reason != Reason::Checking
                    && after.trouble.as_ref().is_some_and(|t| t.reason == *reason) =>
            {
                all.push(Announcement { warning: true, reason: *reason, action: "Check", note: note.to_string() });
            }
            _ => {}
        }
    }
    if let (Some(with), false) = (conflict, before.is_some_and(|(_, conflicted)| conflicted)) {
        all.push(Announcement {
            warning: true,
            reason: Reason::Overlap,
            action: "Overlap",
            note: format!("Overlaps with {with} on the same job."),
        });
    }
    all.extend(registration_change(old, after));
    all.extend(after.outbox.deliveries().iter().filter_map(|delivery| lost(old, delivery)));
    if after.too_many_starts && !old.is_some_and(|record| record.too_many_starts) {
        let note = Reason::TooManyStarts.meaning().to_owned();
        all.push(Announcement { warning: true, reason: Reason::TooManyStarts, action: "Check", note });
    }
    all
}

/// How a window stands with the vendor's scheduler, where that is news.
fn registration_change(old: Option<&Record>, after: &Record) -> Option<Announcement> {
    let told = old.and_then(|record| record.registered.as_ref()).map(|told| told.reason);
    let differed = old.is_some_and(|record| record.differs.is_some());
    let changed = after.registered.as_ref().filter(|now| told != Some(now.reason));
    if let Some(now) = changed {
        let calm = matches!(
            now.reason,
            Reason::Registered | Reason::CarriedByAnother | Reason::RegistersLater | Reason::WaitingForQuota
        );
        let aside = matches!(
            now.reason,
            Reason::CancellingWorkflow | Reason::Cancelled | Reason::WaitingForQuota | Reason::RegistersLater
        );
        let note = now.message.clone();
        return (!aside).then_some(Announcement { warning: !calm, reason: now.reason, action: "Register", note });
    }
    let beside = after.foreign.as_ref().filter(|id| old.and_then(|record| record.foreign.as_ref()) != Some(id));
    if let Some(id) = beside.filter(|_| after.registered.as_ref().is_none_or(|t| t.reason != Reason::ForeignWorkflow)) {
        let reason = Reason::ForeignWorkflow;
        let note = format!("Workflow {id} of somebody else stands on the same job, at the same time.");
        return Some(Announcement { warning: true, reason, action: "Overlap", note });
    }
    let differs = after.differs.clone().filter(|_| !differed)?;
    Some(Announcement { warning: true, reason: Reason::VendorCopyDiffers, action: "Register", note: differs })
}

/// A notification that its receiver will not have. One that expired before it was sent at all is none: the operator was
/// down, or the window suspended, and that is told by other means.
fn lost(old: Option<&Record>, delivery: &Delivery) -> Option<Announcement> {
    let reason = match delivery.state {
        DeliveryState::Failed => Reason::NotificationFailed,
        DeliveryState::Dropped => Reason::NotificationDropped,
        DeliveryState::Expired if delivery.attempts > 0 => Reason::NotificationExpired,
        _ => return None,
    };
    let before = old.and_then(|record| record.outbox.get(delivery.action));
    if before.is_some_and(|before| before.state == delivery.state && before.time == delivery.time) {
        return None;
    }
    let why = delivery.reason.map(|why| format!(" {}", why.meaning())).unwrap_or_default();
    let code = delivery.last_code.map(|code| format!(" Last answer: HTTP {code}.")).unwrap_or_default();
    let sent = match delivery.attempts {
        0 => "Never sent".to_owned(),
        1 => "Sent once".to_owned(),
        many => format!("Sent {many} times"),
    };
    let note = format!("{} ({}). {sent}.{why}{code}", reason.meaning(), delivery.action.as_str());
    Some(Announcement { warning: true, reason, action: "Notify", note })
}

/// How many calls of a task may make events of their own.
const RETRIES_TOLD: u32 = 3;

fn task_change(action: &'static str, before: Option<&Task>, after: &Task) -> Option<Announcement> {
    let reason = after.reason?;
    // Waiting a moment for a reading or a turning channel is shown in status and is no event.
    let passing = matches!(
        reason,
        Reason::WaitingForReading
            | Reason::WaitingForStop
            | Reason::WaitingForStart
            | Reason::Suspended
            | Reason::WaitingForWorkflow
            | Reason::CancellingWorkflow
            | Reason::Turning
    );
    if passing && after.state == TaskState::Pending {
        return None;
    }
    if before.is_some_and(|task| task.state == after.state && task.reason == after.reason) {
        return None;
    }
    // Each retry may end in another way; after the first few their trail is in status alone.
    if before.is_some() && after.state == TaskState::Pending && after.attempts > RETRIES_TOLD {
        return None;
    }
    // A cancelled stop beside a failed or cancelled start says nothing new.
    if action == "Deactivate"
        && matches!(reason, Reason::StartFailed | Reason::WindowPast | Reason::Cancelled | Reason::Deleted)
    {
        return None;
    }
    let calm = matches!(
        reason,
        Reason::Starting
            | Reason::Started
            | Reason::AlreadyOnAir
            | Reason::Stopping
            | Reason::Stopped
            | Reason::AlreadyOff
            | Reason::KeptOnAir
            | Reason::Cancelled
            | Reason::CancelledDuringStart
            | Reason::Deleted
            | Reason::WindowPast
            | Reason::Suspended
    );
    let note = if after.message.is_empty() { reason.meaning().to_owned() } else { after.message.clone() };
    Some(Announcement { warning: !calm, reason, action, note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;
    use crate::record::Trouble;

    fn seen() -> Record {
        let mut record = Record::new(&fixtures::window("w"));
        record.verified_at = Some(fixtures::at(0));
        record
    }

    fn told(before: Option<&Record>, after: &Record) -> Vec<(&'static str, bool)> {
        changes(false, before.map(|record| (record, false)), after, None)
            .into_iter()
            .map(|event| (event.reason.as_str(), event.warning))
            .collect()
    }

    #[test]
    fn one_event_for_a_change_and_none_for_a_repeat() {
        let mut starting = seen();
        starting.activation.say(Reason::Starting, "Called.");
        assert_eq!(told(Some(&seen()), &starting), [("Starting", false)]);
        assert_eq!(told(Some(&starting), &starting), []);
        let mut reworded = starting.clone();
        reworded.activation.message = "Called, in other words.".into();
        reworded.activation.lateness = Some(jiff::SignedDuration::from_millis(3));
        assert_eq!(told(Some(&starting), &reworded), [], "only state and reason count");
    }

    #[test]
    fn a_window_seen_and_read_is_scheduled_once() {
        let unread = Record::new(&fixtures::window("w"));
        assert_eq!(told(None, &unread), []);
        assert_eq!(told(Some(&unread), &seen()), [("Scheduled", false)]);
        assert_eq!(told(Some(&seen()), &seen()), []);
    }

    #[test]
    fn trouble_is_told_once_and_again_only_when_it_changes() {
        let mut refused = seen();
        refused.trouble = Some(Trouble { reason: Reason::KeyRefused, message: "401".into() });
        assert_eq!(told(Some(&seen()), &refused), [("KeyRefused", true)]);
        assert_eq!(told(Some(&refused), &refused), []);
        let mut gone = refused.clone();
        gone.trouble = Some(Trouble { reason: Reason::SecretNotFound, message: "no Secret".into() });
        assert_eq!(told(Some(&refused), &gone), [("SecretNotFound", true)]);
        assert_eq!(told(Some(&gone), &seen()), [("Scheduled", false)], "healed");
    }

    #[test]
    fn waiting_for_a_moment_is_no_event() {
        for reason in [Reason::WaitingForReading, Reason::WaitingForStop, Reason::WaitingForStart, Reason::Turning] {
            let mut waiting = seen();
            waiting.activation.say(reason, "A moment.");
            waiting.deactivation.say(reason, "A moment.");
            assert_eq!(told(Some(&seen()), &waiting), [], "{reason}");
        }
    }

    #[test]
    fn twenty_retries_in_turns_make_a_handful_of_events() {
        let mut events = 0;
        let mut before = seen();
        for attempt in 1..=20 {
            let mut after = before.clone();
            after.activation.attempts = attempt;
            let reason = if attempt % 2 == 0 { Reason::AnswerLost } else { Reason::StartRefused };
            after.activation.say(reason, "again");
            events += told(Some(&before), &after).len();
            before = after;
        }
        assert_eq!(events, 3);
        let mut after = before.clone();
        after.activation.settle(TaskState::Finished, Reason::Started, "On air.");
        after.on_air = crate::record::OnAir::True;
        assert_eq!(told(Some(&before), &after), [("Started", false)], "a change of state is always told");
    }

    #[test]
    fn the_stop_of_a_failed_start_and_of_a_cancelled_window_says_nothing_of_its_own() {
        for (state, reason) in [
            (TaskState::Failed, Reason::WindowPast),
            (TaskState::Cancelled, Reason::Cancelled),
            (TaskState::Cancelled, Reason::Deleted),
        ] {
            let mut after = seen();
            after.activation.settle(state, reason, "");
            after.deactivation.settle(TaskState::Cancelled, reason, "");
            assert_eq!(told(Some(&seen()), &after), [(reason.as_str(), false)]);
        }
    }

    #[test]
    fn an_overlap_is_told_when_it_begins() {
        let of = |was: bool, is: Option<&str>| changes(false, Some((&seen(), was)), &seen(), is).len();
        assert_eq!((of(false, Some("live/v")), of(true, Some("live/v")), of(true, None)), (1, 0, 0));
    }

    #[test]
    fn what_nobody_asked_for_is_a_warning() {
        let rows = [
            (Reason::StopRefused, true),
            (Reason::StopNotConfirmed, true),
            (Reason::StopCancelled, true),
            (Reason::Stopped, false),
            (Reason::KeptOnAir, false),
            (Reason::AlreadyOff, false),
        ];
        for (reason, warning) in rows {
            let mut after = seen();
            after.deactivation.settle(TaskState::Finished, reason, "");
            let told = changes(false, Some((&seen(), false)), &after, None);
            let stop = told.iter().find(|event| event.action == "Deactivate").unwrap();
            assert_eq!((stop.reason, stop.warning), (reason, warning));
            assert!(!stop.note.is_empty());
        }
    }
}
