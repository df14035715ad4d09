//! One job: what it needs now, and what its windows' records say.
//!
//! Read it from top to bottom: the last call is stamped on its tasks, each start is decided ([`activation`]), the
//! windows that stand are merged into the timeline, each stop is decided ([`deactivation`]), and at most one call and
//! one look come out, with the instant at which to run this again.

mod activation;
mod claim;
mod deactivation;
mod delegation;
mod draft;
mod facts;
#[cfg(test)]
pub(crate) mod fixtures;
mod keys;
mod recheck;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::conditions::{self, Condition, Health};
use crate::ids::{AccountName, WindowId};
use crate::lease::Term;
use crate::memory::{Memory, Verb};
use crate::outbox::{self, Action, Attempt};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{Claim, Record, TaskState, Trouble};
use crate::registration::{Offer, Registration};
use crate::scheduler::WorkflowOp;
use crate::timeline::{Interval, Timeline};
use crate::timings::Timings;
use crate::window::{DeletionPolicy, Window};

pub use keys::key_at_hand;
pub use recheck::{Recheck, one_list_for_all};

use draft::{Draft, Known};
use facts::Facts;

/// One window of the job, as stored and as this process knows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What its owner wants.
    pub window: Window,
    /// Its record: the stored one, overlaid with what this process has planned since. `None`: nothing is stored.
    pub record: Option<Record>,
    /// The apiserver has acknowledged a status of this window with `activation: finished`. Until then nobody else's
    /// duty to stop may rest on it.
    pub acknowledged: bool,
    /// The claim that the apiserver has acknowledged: ours, or another process's.
    pub claimed: Option<Claim>,
    /// The workflow that the apiserver has acknowledged as recorded on it.
    pub registered: Option<Registration>,
    /// What the account's scheduler offers it.
    pub offer: Offer,
    /// Why its account cannot be used, if it cannot.
    pub access: Option<Trouble>,
    /// More starts are due about its own than its load has slots for ([`crate::capacity`]).
    pub short_of_capacity: bool,
    /// The last attempt to deliver a notification of it, if its record does not bear it yet.
    pub attempt: Option<Attempt>,
}

impl Entry {
    /// The window has the channel on, as far as its record goes.
    pub(crate) fn has_it_on(&self) -> bool {
        self.record.as_ref().is_some_and(Record::has_it_on)
    }
}

/// What a look at the job is for; decides its place in the account's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadPurpose {
    /// A stop that is due, or about to be, needs it.
    ForStop,
    /// A start that is due, or about to be, needs it.
    ForStart,
    /// The channel is turning after a call.
    Turning,
    /// The channel is on air.
    Supervise,
    /// Key and job are checked: first seen, ahead of the start, or after trouble.
    Check,
}

impl ReadPurpose {
    /// A call waits for it.
    pub fn needed(self) -> bool {
        matches!(self, Self::ForStop | Self::ForStart)
    }
}

/// Something to be done for the job now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Read the job.
    Read {
        /// With this account's key.
        account: AccountName,
        /// What for.
        purpose: ReadPurpose,
    },
    /// Switch the job.
    Call {
        /// On or off.
        verb: Verb,
        /// With this account's key.
        account: AccountName,
        /// The windows it is for: their tasks bear the call.
        windows: Vec<WindowId>,
        /// The how-manieth call of its task, from 1.
        attempt: u32,
        /// When it was due: lateness counts from here.
        planned: Timestamp,
    },
    /// Ask the vendor's scheduler.
    Workflow {
        /// With this account's key.
        account: AccountName,
        /// The window that the workflow is recorded on.
        window: WindowId,
        /// What.
        op: WorkflowOp,
        /// Something that is due hangs on it.
        pressing: bool,
    },
}

/// What should become of our finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinalizerWish {
    /// It stands as it should, or is not there and not needed.
    Leave,
    /// Put it on: nothing is called for this window before.
    Add,
    /// Take it off: no duty is left.
    Remove,
}

/// What a window's status should say now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowPlan {
    /// Which window.
    pub id: WindowId,
    /// Its record from now on.
    pub record: Record,
    /// It cannot be told yet what its record is, since what is stored of it may be out of date: this plan is not to be
    /// kept, and nothing of it written.
    pub undecided: bool,
    /// Its phase.
    pub phase: Phase,
    /// No start is to be made for now.
    pub suspended: bool,
    /// The earlier window that it overlaps with, as `namespace/name`.
    pub conflict: Option<String>,
    /// What to do about the finalizer, once the record is stored.
    pub finalizer: FinalizerWish,
    /// When the object has outlived its use and is to be deleted. `None`: it stays.
    pub expires_at: Option<Timestamp>,
    /// Since when its stop is due without having been confirmed.
    pub overdue_since: Option<Timestamp>,
    /// The notification of its outbox that is to be sent now, once its record is stored.
    pub post: Option<Action>,
    /// Its place among the workflows of its account whose start is pending. `None`: it takes none and wants none.
    pub place: Option<Place>,
}

/// A workflow whose start is pending, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its start.
    pub start: Timestamp,
    /// It is there, or may be.
    pub taken: bool,
}

impl WindowPlan {
    /// Whether all is well.
    pub fn health(&self) -> Health<'_> {
        conditions::health(self.suspended, &self.record)
    }

    /// Its conditions.
    pub fn conditions(&self) -> Vec<Condition> {
        conditions::of(self.suspended, &self.record, self.conflict.as_deref())
    }
}

/// When a window's next call is due, going by what is stored of it: that it is settled, or has its channel on. Says
/// which jobs are decided first, and nothing of what is decided.
pub fn next_call(window: &Window, settled: bool, has_it_on: bool) -> Option<Timestamp> {
    match (settled, has_it_on) {
        (true, _) => None,
        (false, true) => Some(window.deactivation),
        (false, false) => Some(window.start()),
    }
}

/// What one job needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At most one look, one call, and one request to the vendor's scheduler.
    pub wants: Vec<Want>,
    /// The job's stored objects are to be read anew, now.
    pub recheck: Option<Recheck>,
    /// A call is due that has to wait until the lease is renewed.
    pub awaits_lease: bool,
    /// One for each window, in the order given.
    pub windows: Vec<WindowPlan>,
    /// When time alone may change the plan.
    pub next: Option<Timestamp>,
}

/// The earliest of the instants at which something may change.
#[derive(Debug)]
pub(crate) struct Alarm {
    now: Timestamp,
    next: Option<Timestamp>,
}

impl Alarm {
    pub(crate) fn at_instant(now: Timestamp) -> Self {
        Self { now, next: None }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    pub(crate) fn at(&mut self, when: Timestamp) {
        if when > self.now && self.next.is_none_or(|next| when < next) {
            self.next = Some(when);
        }
    }
}

/// Decides for one job at one instant. Pure: the same arguments give the same plan, and running it on its own records
/// changes nothing.
pub fn plan(entries: &[Entry], memory: &Memory, term: &Term, now: Timestamp, timings: &Timings) -> Plan {
    let entries = delegation::take(claim::inherit(entries, term, now), memory, term, timings);
    let facts = Facts::gather(&entries, memory, term, now, timings);
    let mut alarm = Alarm::at_instant(now);
    let mut drafts: Vec<Draft> = entries.iter().map(|entry| Draft::open(entry, &facts)).collect();

    for draft in &mut drafts {
        activation::resume(draft, &facts);
    }
    let duties = delegation::duties(&mut drafts, &facts, &mut alarm);
    for (draft, duty) in drafts.iter_mut().zip(&duties) {
        activation::step(draft, duty, &facts, &mut alarm);
    }
    let standing = Standing::of(&drafts, &facts);
    for (i, (draft, duty)) in drafts.iter_mut().zip(&duties).enumerate() {
        deactivation::step(draft, &standing.seen_from(i), duty, &facts, &mut alarm);
    }
    let covered = standing.timeline.covers(now);
    let strays = delegation::Strays::look_out(&mut drafts, covered, &facts, &mut alarm);
    for draft in &mut drafts {
        draft.watch(&facts);
    }
    let asking = delegation::see_to(&mut drafts, &facts, &mut alarm);

    let recheck = drafts.iter().filter_map(|draft| draft.recheck).max_by_key(|recheck| recheck.renew);
    let call = choose_call(&drafts, &facts, covered).or_else(|| strays.stop());
    let awaits_lease = call.is_some() && memory.lease_unproven;
    let call = call.filter(|_| !awaits_lease);
    let look = choose_look(&drafts, &facts, &mut alarm);
    let asked = asking.choose(&facts, &mut alarm);
    let conflicts = conflicts(&drafts);
    let windows: Vec<WindowPlan> = drafts
        .into_iter()
        .zip(conflicts)
        .map(|(draft, conflict)| conclude(draft, conflict, &facts, &mut alarm))
        .collect();
    for expiry in windows.iter().filter_map(|window| window.expires_at) {
        alarm.at(expiry);
    }
    Plan {
        wants: call.into_iter().chain(look).chain(asked).collect(),
        recheck,
        awaits_lease,
        windows,
        next: alarm.next(),
    }
}

/// The windows that hold the channel, and the timeline they make.
struct Standing {
    timeline: Timeline,
    windows: Vec<Option<Stand>>,
    now: Timestamp,
}

#[derive(Clone)]
struct Stand {
    interval: Interval,
    name: String,
    acknowledged: bool,
}

/// The same, as one window sees the others.
pub(crate) struct Others {
    /// The channel is meant to be on, this window's own time left aside.
    pub(crate) covered: bool,
    /// A window, acknowledged as started, on which the duty to stop can rest; by name.
    pub(crate) heir: Option<String>,
}

impl Standing {
    fn of(drafts: &[Draft], facts: &Facts) -> Self {
        let windows: Vec<Option<Stand>> = drafts
            .iter()
            .map(|draft| {
                draft.standing(facts).map(|interval| Stand {
                    interval,
                    name: draft.entry.window.name.to_string(),
                    acknowledged: draft.entry.acknowledged && draft.record.activation.state == TaskState::Finished,
                })
            })
            .collect();
        let timeline = Timeline::merge(windows.iter().flatten().map(|s| s.interval), facts.timings.channel_turn);
        Self { timeline, windows, now: facts.now }
    }

    fn seen_from(&self, index: usize) -> Others {
        let heir = self
            .windows
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != index)
            .filter_map(|(_, stand)| stand.as_ref())
            .filter(|stand| stand.acknowledged && stand.interval.contains(self.now))
            .max_by_key(|stand| stand.interval.stop)
            .map(|stand| stand.name.clone());
        Others { covered: self.timeline.covers(self.now), heir }
    }
}

/// A start is carried by the window that is due first; a stop by all that are due. A start and a stop can both be
/// wished for only when their windows disagree about now: the timeline decides.
fn choose_call(drafts: &[Draft], facts: &Facts, covered: bool) -> Option<Want> {
    let verb = if covered { Verb::Activate } else { Verb::Deactivate };
    if facts.call_under_way() {
        return None;
    }
    let mut wishing: Vec<&Draft> = drafts.iter().filter(|draft| draft.call_wish == Some(verb)).collect();
    wishing.sort_by_key(|draft| (draft.due(verb), draft.entry.window.created, draft.entry.window.id.clone()));
    if verb == Verb::Activate {
        wishing.truncate(1);
    }
    let account = wishing.iter().find_map(|draft| facts.account_for(draft.entry))?;
    let attempts = wishing.iter().map(|draft| draft.task(verb).attempts).max().unwrap_or(0);
    Some(Want::Call {
        verb,
        account,
        windows: wishing.iter().map(|draft| draft.entry.window.id.clone()).collect(),
        attempt: attempts + 1,
        planned: wishing.first()?.due(verb),
    })
}

/// One look answers for all windows of the job: the one that is due first is made.
fn choose_look(drafts: &[Draft], facts: &Facts, alarm: &mut Alarm) -> Option<Want> {
    let mut due: BTreeMap<(Timestamp, ReadPurpose), AccountName> = BTreeMap::new();
    for draft in drafts {
        for wish in &draft.look_wishes {
            if let Some(free) = facts.free_to_look_from(wish.purpose) {
                due.insert((wish.due.max(free), wish.purpose), wish.account.clone());
            }
        }
    }
    for (when, _) in due.keys() {
        alarm.at(*when);
    }
    // Of those due now, the most urgent purpose; the reader is the one who asked for it.
    due.into_iter()
        .filter(|((when, _), _)| *when <= facts.now)
        .min_by_key(|((_, purpose), _)| *purpose)
        .map(|((_, purpose), account)| Want::Read { account, purpose })
}

/// For each window, the earlier one that it overlaps with: by creation, then by the greater uid.
fn conflicts(drafts: &[Draft]) -> Vec<Option<String>> {
    let rank = |draft: &Draft| (draft.entry.window.created, std::cmp::Reverse(draft.entry.window.id.clone()));
    drafts
        .iter()
        .map(|draft| {
            let mine = draft.claims()?;
            drafts
                .iter()
                .filter(|other| rank(other) < rank(draft))
                .filter(|other| other.claims().is_some_and(|theirs| theirs.overlaps(&mine)))
                .min_by_key(|other| rank(other))
                .map(|other| other.entry.window.name.to_string())
        })
        .collect()
}

fn conclude(draft: Draft, conflict: Option<String>, facts: &Facts, alarm: &mut Alarm) -> WindowPlan {
    let Entry { window, record: before, attempt, .. } = draft.entry;
    let stop = draft.due(Verb::Deactivate);
    let overdue = draft.record.has_it_on() && stop <= facts.now && !draft.covered;
    let mut record = draft.record;
    if !record.activation.is_pending() && record.activation.called_at.is_none() {
        // Nothing was called under it: it tells nobody anything.
        record.claim = None;
    }
    if record.settled() && record.finished_at.is_none() {
        record.finished_at = Some(facts.now);
    }
    outbox::step(window, before.as_ref(), attempt.as_ref(), &mut record, (facts.now, facts.timings, alarm));
    let given_up = record.deactivation.reason == Some(Reason::StopGivenUp)
        || (window.deleting() && record.settled() && facts.credentials_gone(draft.entry, alarm).is_some());
    let retained = window.deleted_under() == Some(DeletionPolicy::Retain);
    let bound = delegation::binds(window, &record, facts) && !retained && !given_up;
    let finalizer = finalizer(window, &record, bound);
    WindowPlan {
        id: window.id.clone(),
        undecided: draft.known == Known::Undecided,
        phase: Phase::of(&record),
        suspended: window.suspend,
        conflict,
        finalizer,
        expires_at: expiry(window, &record).filter(|_| !bound),
        overdue_since: overdue.then_some(stop),
        post: record.outbox.wanted(facts.now).map(|delivery| delivery.action),
        place: draft.place,
        record,
    }
}

/// `bound`: something may still come of its workflow at the vendor's scheduler.
fn finalizer(window: &Window, record: &Record, bound: bool) -> FinalizerWish {
    let duty = bound || if window.deleting() { record.has_it_on() } else { !record.settled() };
    match (window.finalizer, duty) {
        (true, false) if !record.outbox.owes() => FinalizerWish::Remove,
        // An object that is being deleted takes no new finalizer.
        (false, true) if !window.deleting() => FinalizerWish::Add,
        _ => FinalizerWish::Leave,
    }
}

/// A settled window owes nothing, so that deleting it calls nothing. One that was over before it was there stays: what
/// put it there (a manifest, a backup) would put it there again, and again.
fn expiry(window: &Window, record: &Record) -> Option<Timestamp> {
    let over_when_seen =
        record.activation.reason == Some(Reason::WindowPast) || window.created >= record.deactivation.call_at;
    // What cannot be read of the object may be the wish to keep it.
    let owes = !record.settled() || record.outbox.owes();
    if window.deleting() || over_when_seen || window.undecodable.is_some() || owes {
        return None;
    }
    record.finished_at?.checked_add(window.ttl?).ok()
}
