//! What is worth an event: one for each change of state, none for a repeat.

use crate::conditions::{self, Health};
use crate::reason::Reason;
use crate::record::{Record, Task, TaskState};
use crate::window::Window;

/// An event to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// A person may want to act.
    pub warning: bool,
    /// The stable word.
    pub reason: Reason,
    /// What it is about, as the event's action: `Activate`, `Deactivate`, `Check`, `Overlap`.
    pub action: &'static str,
    /// The sentence.
    pub note: String,
}

/// What changed from the stored record to the next, in words. `before` is `None` when nothing was stored.
pub fn changes(
    window: &Window,
    before: Option<(&Record, bool)>,
    after: &Record,
    conflict: Option<&str>,
) -> Vec<Announcement> {
    let mut all = Vec::new();
    let old = before.map(|(record, _)| record);
    all.extend(task_change("Activate", old.map(|r| &r.activation), &after.activation));
    all.extend(task_change("Deactivate", old.map(|r| &r.deactivation), &after.deactivation));
    let health = conditions::health(window, after);
    let old_health = old.map(|r| conditions::health(window, r));
    if old_health.as_ref().map(Health::reason) != Some(health.reason()) {
        let told = all.iter().any(|a: &Announcement| a.reason == health.reason());
        match &health {
            Health::Ready(reason @ (Reason::Scheduled | Reason::StoppedExternally), note) if !told => {
                all.push(Announcement {
                    warning: *reason == Reason::StoppedExternally,
                    reason: *reason,
                    action: "Check",
                    note: note.clone(),
                });
            }
            Health::Reconciling(reason, note) | Health::Stalled(reason, note)
                if !told && after.trouble.as_ref().is_some_and(|t| t.reason == *reason) =>
            {
                all.push(Announcement { warning: true, reason: *reason, action: "Check", note: note.clone() });
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
    all
}

fn task_change(action: &'static str, before: Option<&Task>, after: &Task) -> Option<Announcement> {
    let reason = after.reason?;
    // Waiting a moment for a slot, a reading or a turning channel is shown in status and is no event.
    let passing = matches!(
        reason,
        Reason::WaitingForReading | Reason::WaitingForStop | Reason::WaitingForStart | Reason::Suspended
    );
    if passing && after.state == TaskState::Pending {
        return None;
    }
    if before.is_some_and(|task| task.state == after.state && task.reason == after.reason) {
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
