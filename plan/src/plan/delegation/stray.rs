//! A start of the vendor's scheduler that nobody wants any more: its window was moved, cancelled or deleted, and that did
//! not get through in time. What goes on then is ours, and is switched off.

use jiff::{SignedDuration, Timestamp};

use super::{is_another_clusters, is_past, keeping, retained};
use crate::memory::Verb;
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, later, sooner};
use crate::plan::{Alarm, ReadPurpose, Want, recheck};
use crate::reading::Reading;

/// How far the vendor's clock may be ahead of ours for what it did to count as done at its time.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// The stop of what went on for nobody.
#[derive(Default)]
pub(in crate::plan) struct Strays(Option<Want>);

impl Strays {
    /// Looks out for them. `covered`: the channel is meant to be on now.
    pub(in crate::plan) fn look_out(drafts: &mut [Draft], covered: bool, facts: &Facts, alarm: &mut Alarm) -> Self {
        let on_for_one = drafts.iter().any(|draft| draft.record.has_it_on());
        let mut found = Self::default();
        for draft in drafts.iter_mut() {
            let Some((started_at, spent)) = unwanted_start(draft, facts) else { continue };
            if covered || on_for_one {
                // The channel is on for others, and is stopped with them.
                clear(draft, spent);
            } else if let Some(want) = switch_off(draft, started_at, spent, facts, alarm) {
                found.0.get_or_insert(want);
            }
        }
        found
    }

    /// The call to be made for them, where no other is.
    pub(in crate::plan) fn stop(self) -> Option<Want> {
        self.0
    }
}

/// When the vendor made, or may have made, the start that its window no longer has for its own; and whether it surely did.
fn unwanted_start(draft: &Draft, facts: &Facts) -> Option<(Timestamp, bool)> {
    let record = &draft.record;
    let workflow = record.registration.as_deref()?;
    let at = workflow.start.slot.time;
    let possible = !workflow.gone
        && !workflow.cleared
        && !workflow.start.came_to_nothing()
        // Moved there by somebody else: whoever did that wants it.
        && keeping::is_as_asked(workflow)
        && is_past(at, facts)
        && !record.activation.may_be_made()
        && !retained(draft)
        && !is_another_clusters(&draft.entry.window, record);
    let spent = workflow.start.is_spent();
    (possible && (spent || facts.now < keeping::watched_until(workflow, facts))).then_some((at, spent))
}

fn clear(draft: &mut Draft, spent: bool) {
    if let Some(workflow) = draft.record.registration.as_mut().filter(|_| spent) {
        workflow.cleared = true;
    }
}

fn switch_off(draft: &mut Draft, started_at: Timestamp, spent: bool, facts: &Facts, alarm: &mut Alarm) -> Option<Want> {
    draft.look(ReadPurpose::Turning, facts);
    let seen = facts.fresh().filter(|seen| seen.asked_at > started_at && facts.believes(seen))?;
    match seen.reading {
        Reading::Off | Reading::Ended => {
            clear(draft, spent);
            None
        }
        Reading::On if !is_of(started_at, facts) => {
            clear(draft, spent);
            None
        }
        Reading::On => call(draft, started_at, facts, alarm),
        Reading::GoingOn | Reading::GoingOff | Reading::Unknown => None,
    }
}

/// The channel went on about the time of that start.
fn is_of(started_at: Timestamp, facts: &Facts) -> bool {
    let (from, to) = (sooner(started_at, SLACK), later(started_at, facts.timings.believe_answered));
    let history = facts.memory.seen.as_ref().and_then(|seen| seen.on_since);
    let since = history.map(|since| later(since, facts.memory.clock_ahead)).or(facts.memory.reading_since);
    since.is_none_or(|since| (from..=to).contains(&since))
}

fn call(draft: &mut Draft, started_at: Timestamp, facts: &Facts, alarm: &mut Alarm) -> Option<Want> {
    draft.recheck = recheck::wanted(Verb::Deactivate, started_at, facts, alarm);
    if !draft.entry.window.finalizer || facts.call_under_way() || !recheck::enough(Verb::Deactivate, started_at, facts)
    {
        return None;
    }
    if let Some(retry_at) = facts.retry_at(Verb::Deactivate, draft.entry).filter(|at| *at > facts.now) {
        alarm.at(retry_at);
        return None;
    }
    let before = facts.memory.last_call().filter(|call| call.verb == Verb::Deactivate && call.windows.is_empty());
    Some(Want::Call {
        verb: Verb::Deactivate,
        account: facts.account_for(draft.entry)?,
        windows: Vec::new(),
        attempt: before.map_or(0, |call| call.attempt) + 1,
        planned: facts.now,
    })
}
