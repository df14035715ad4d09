//! The notifications that a window owes, and when each is tried.
//!
//! They are kept in the record, and so in the object's status: what is owed survives the process that owes it, and is
//! sent again under the same id. A delivery is sent at least once, and those of one window in the order in which their
//! subjects happened.

use jiff::{SignedDuration, Timestamp};

use crate::ids::WindowId;
use crate::plan::Alarm;
use crate::reason::Reason;
use crate::record::{Record, Task, TaskState};
use crate::registration::Half;
use crate::timings::{Timings, spread_out};
use crate::window::{HeadsUp, Window};
use crate::workflow::workflow_id;

/// What a notification tells; the vendor's words (Live API guide, scheduler notifications). In the order in which the
/// notifications of a window go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The start is ahead.
    NotifyActivate,
    /// The start was made, or failed.
    Activate,
    /// The stop is ahead.
    NotifyDeactivate,
    /// The stop was made, or failed.
    Deactivate,
}

impl Action {
    /// All four.
    pub const ALL: [Self; 4] = [Self::NotifyActivate, Self::Activate, Self::NotifyDeactivate, Self::Deactivate];

    /// The vendor's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotifyActivate => "notify-activate",
            Self::Activate => "activate",
            Self::NotifyDeactivate => "notify-deactivate",
            Self::Deactivate => "deactivate",
        }
    }

    /// The action that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// It tells what is ahead, and is worth nothing once that has come.
    pub fn ahead(self) -> bool {
        matches!(self, Self::NotifyActivate | Self::NotifyDeactivate)
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Its moment is ahead.
    Scheduled,
    /// To be sent, or sent in vain so far.
    Pending,
    /// The receiver has it.
    Delivered,
    /// The time that it announces came first.
    Expired,
    /// Given up: a dead letter.
    Failed,
    /// Its object was deleted, or its receiver taken away, before it was delivered.
    Dropped,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Pending, Self::Delivered, Self::Expired, Self::Failed, Self::Dropped];

    /// The word in status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// The state that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// It ended without its receiver having it.
    pub fn lost(self) -> bool {
        matches!(self, Self::Expired | Self::Failed | Self::Dropped)
    }
}

/// One notification of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it tells.
    pub action: Action,
    /// The planned time of the call that it is about.
    pub time: Timestamp,
    /// From when on it is sent.
    pub since: Timestamp,
    /// How far it has come.
    pub state: DeliveryState,
    /// Why the last attempt failed.
    pub reason: Option<Reason>,
    /// How often it was sent.
    pub attempts: u32,
    /// The HTTP status of the last answer.
    pub last_code: Option<u16>,
    /// When it was last sent.
    pub attempted_at: Option<Timestamp>,
    /// When it is sent again; `None`: as soon as it may be.
    pub next_at: Option<Timestamp>,
    /// The times that were announced before, and are not any more: an edit back to one of them is no news. The last
    /// [`TOLD`] of them.
    pub told: Vec<Timestamp>,
}

/// How many earlier announcements are remembered.
const TOLD: usize = 16;

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The receiver answered 2xx.
    Accepted {
        /// The HTTP status.
        code: u16,
    },
    /// It answered anything else.
    Refused {
        /// The HTTP status.
        code: u16,
        /// How long it wants to be left alone.
        retry_after: Option<SignedDuration>,
    },
    /// It answered that it is gone for good (410).
    Gone,
    /// Nothing came back, or it may not be sent there.
    Failed(Reason),
    /// Nothing can be sent, for a reason of our own that may pass: no attempt.
    Held(Reason),
}

/// One attempt, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of which notification.
    pub action: Action,
    /// About which planned time.
    pub time: Timestamp,
    /// The how-manieth, from 1.
    pub number: u32,
    /// When it was sent.
    pub at: Timestamp,
    /// What came of it.
    pub posted: Posted,
}

/// The notifications of a window, at most one of each action, in the order of their actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox(Vec<Delivery>);

impl Delivery {
    fn new(action: Action, time: Timestamp, since: Timestamp, state: DeliveryState) -> Self {
        Self {
            action,
            time,
            since,
            state,
            reason: None,
            attempts: 0,
            last_code: None,
            attempted_at: None,
            next_at: None,
            told: Vec::new(),
        }
    }

    /// The times that its receiver knows of, this one's included.
    fn times_told(&self) -> Vec<Timestamp> {
        let own = (self.state == DeliveryState::Delivered).then_some(self.time);
        let all: Vec<Timestamp> = self.told.iter().copied().chain(own).collect();
        all[all.len().saturating_sub(TOLD)..].to_vec()
    }

    /// The id that it is sent under: of the window, the action and, for what is ahead, the time that it announces. The
    /// same at each attempt and in each process.
    pub fn id(&self, window: &WindowId) -> String {
        let window = workflow_id(window.as_str());
        let action = self.action.as_str();
        if self.action.ahead() {
            format!("{window}-{action}-{}", self.time.as_second())
        } else {
            format!("{window}-{action}")
        }
    }

    /// When it is to be sent next.
    fn due(&self) -> Timestamp {
        self.next_at.unwrap_or(self.since)
    }

    fn end(&mut self, state: DeliveryState, reason: Option<Reason>) {
        self.state = state;
        self.reason = reason.or(self.reason);
        self.next_at = None;
    }

    /// Writes an attempt on it; one that is written on it already changes nothing.
    fn attempted(&mut self, attempt: &Attempt, window: &WindowId, timings: &Timings) {
        if self.state != DeliveryState::Pending || self.time != attempt.time || attempt.number <= self.attempts {
            return;
        }
        if !matches!(attempt.posted, Posted::Held(_)) {
            self.attempts = attempt.number;
            self.attempted_at = Some(attempt.at);
        }
        let (reason, pause) = match attempt.posted {
            Posted::Accepted { code } => {
                self.last_code = Some(code);
                self.reason = None;
                return self.end(DeliveryState::Delivered, None);
            }
            Posted::Gone => {
                self.last_code = Some(410);
                return self.end(DeliveryState::Failed, Some(Reason::ReceiverGone));
            }
            Posted::Refused { code, retry_after } => {
                self.last_code = Some(code);
                (Reason::ReceiverRefused, retry_after.unwrap_or_default())
            }
            Posted::Failed(reason) => (reason, SignedDuration::ZERO),
            Posted::Held(reason) => {
                self.reason = Some(reason);
                return;
            }
        };
        self.reason = Some(reason);
        let tried = usize::try_from(attempt.number).unwrap_or(usize::MAX);
        match timings.delivery_waits.get(tried - 1) {
            Some(wait) => {
                let wait = spread_out(*wait, attempt.number, &self.id(window)).max(pause);
                self.next_at = attempt.at.checked_add(wait).ok();
            }
            None => self.end(DeliveryState::Failed, Some(reason)),
        }
    }
}

impl Outbox {
    /// Of deliveries that are stored. Of two of one action the first counts.
    pub fn of(deliveries: impl IntoIterator<Item = Delivery>) -> Self {
        let mut outbox = Self::default();
        for delivery in deliveries {
            if outbox.get(delivery.action).is_none() {
                outbox.put(delivery);
            }
        }
        outbox
    }

    /// All of them, in order.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.0
    }

    /// The one of this action.
    pub fn get(&self, action: Action) -> Option<&Delivery> {
        self.0.iter().find(|delivery| delivery.action == action)
    }

    /// Something is still to be delivered.
    pub fn owes(&self) -> bool {
        self.first_owed().is_some()
    }

    /// The one that is to be sent now: the first that is owed, when its time has come. Later ones wait for it.
    pub fn wanted(&self, now: Timestamp) -> Option<&Delivery> {
        self.first_owed().filter(|delivery| delivery.due() <= now)
    }

    /// How many are still to be delivered.
    pub fn owed(&self) -> usize {
        self.pending().count()
    }

    fn first_owed(&self) -> Option<&Delivery> {
        self.pending().next()
    }

    fn pending(&self) -> impl Iterator<Item = &Delivery> {
        self.0.iter().filter(|delivery| delivery.state == DeliveryState::Pending)
    }

    fn get_mut(&mut self, action: Action) -> Option<&mut Delivery> {
        self.0.iter_mut().find(|delivery| delivery.action == action)
    }

    fn put(&mut self, delivery: Delivery) {
        self.remove(delivery.action);
        let at = self.0.partition_point(|other| other.action < delivery.action);
        self.0.insert(at, delivery);
    }

    /// It will not be sent. What was told before it stays known.
    fn withdraw(&mut self, action: Action) {
        let Some(mut told) = self.get(action).map(|delivery| delivery.told.clone()) else { return };
        self.remove(action);
        if let Some(last) = told.pop() {
            // Its attempts are forgotten, and nobody asks for them.
            let known = Delivery::new(action, last, last, DeliveryState::Delivered);
            self.put(Delivery { told, ..known });
        }
    }

    fn remove(&mut self, action: Action) {
        self.0.retain(|delivery| delivery.action != action);
    }

    /// What is ahead of the task is told from `ahead` before its time on. One whose moment has passed when it is first
    /// seen is not told late; an edit moves it, under another id, and what was told of another time stays told.
    /// `held`: not now, and perhaps later.
    fn head_up(&mut self, action: Action, task: &Task, ahead: Option<SignedDuration>, held: bool, now: Timestamp) {
        let moment = ahead.and_then(|ahead| Some((task.time, task.time.checked_sub(ahead).ok()?)));
        let Some((time, since)) = moment else {
            let moot = task.called_at.is_none() && matches!(task.state, TaskState::Pending | TaskState::Cancelled);
            return match self.get_mut(action) {
                Some(known) if known.state == DeliveryState::Pending && !(moot && now < known.time) => {
                    known.end(DeliveryState::Expired, None);
                }
                // Called off before its time: there is nothing to announce.
                Some(known) if matches!(known.state, DeliveryState::Scheduled | DeliveryState::Pending) => {
                    self.withdraw(action);
                }
                _ => {}
            };
        };
        let told = self.get(action).map(Delivery::times_told).unwrap_or_default();
        match self.get_mut(action) {
            Some(known) if known.time == time => match known.state {
                DeliveryState::Scheduled | DeliveryState::Pending if time <= now => {
                    known.end(DeliveryState::Expired, None);
                }
                DeliveryState::Pending if held => known.state = DeliveryState::Scheduled,
                DeliveryState::Scheduled if known.since == since && since <= now && !held => {
                    known.state = DeliveryState::Pending;
                    self.hasten(now);
                }
                DeliveryState::Scheduled if known.since != since && since > now => known.since = since,
                DeliveryState::Scheduled if known.since != since => self.withdraw(action),
                _ => {}
            },
            _ if since > now && !told.contains(&time) => {
                self.put(Delivery { told, ..Delivery::new(action, time, since, DeliveryState::Scheduled) });
            }
            Some(other) if matches!(other.state, DeliveryState::Scheduled | DeliveryState::Pending) => {
                self.withdraw(action);
            }
            _ => {}
        }
    }

    /// The task was settled just now: that is told, and what waits from before is tried once more with it.
    fn happened(&mut self, action: Action, task: &Task, now: Timestamp) {
        if self.get(action).is_some() {
            return;
        }
        self.hasten(now);
        self.put(Delivery::new(action, task.time, now, DeliveryState::Pending));
    }

    /// What waits is tried at once.
    fn hasten(&mut self, now: Timestamp) {
        for waiting in self.0.iter_mut().filter(|delivery| delivery.state == DeliveryState::Pending) {
            waiting.next_at = waiting.next_at.map(|at| at.min(now));
        }
    }

    /// What was owed for longer than all its waits is given up: held back for our own reasons, or by its receiver's host.
    fn give_up(&mut self, now: Timestamp, timings: &Timings) {
        for owed in self.0.iter_mut().filter(|delivery| delivery.state == DeliveryState::Pending) {
            if owed.since.checked_add(timings.delivery_age()).is_ok_and(|at| at <= now) {
                owed.end(DeliveryState::Failed, None);
            }
        }
    }

    /// A receiver may have had what was replaced meanwhile: an edit back to it is no news.
    fn told_late(&mut self, attempt: &Attempt) {
        let arrived = matches!(attempt.posted, Posted::Accepted { .. } | Posted::Failed(Reason::ReceiverUnreachable));
        let Some(known) = self.get_mut(attempt.action).filter(|known| known.time != attempt.time) else { return };
        if arrived && attempt.action.ahead() && !known.told.contains(&attempt.time) {
            known.told.push(attempt.time);
        }
    }

    /// What is owed is owed no more.
    fn drop_owed(&mut self, reason: Reason, which: impl Fn(&Delivery) -> bool) {
        for delivery in self.0.iter_mut().filter(|d| d.state == DeliveryState::Pending && which(d)) {
            delivery.end(DeliveryState::Dropped, Some(reason));
        }
        let ahead: Vec<Action> = self
            .0
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Scheduled && which(delivery))
            .map(|delivery| delivery.action)
            .collect();
        for action in ahead {
            self.withdraw(action);
        }
    }

    fn alarms(&self, window: &Window, alarm: &mut Alarm, timings: &Timings) {
        for delivery in &self.0 {
            match delivery.state {
                DeliveryState::Scheduled => {
                    alarm.at(delivery.since);
                    alarm.at(delivery.time);
                }
                DeliveryState::Pending => {
                    alarm.at(delivery.due());
                    if delivery.action.ahead() {
                        alarm.at(delivery.time);
                    }
                    let age = delivery.since.checked_add(timings.delivery_age()).ok();
                    for at in age.into_iter().chain(last_chance(window, delivery, timings)) {
                        alarm.at(at);
                    }
                }
                _ => {}
            }
        }
    }
}

/// How long a deleted object waits for this delivery: from its deletion, or from what happened since.
fn last_chance(window: &Window, delivery: &Delivery, timings: &Timings) -> Option<Timestamp> {
    window.deleted_at?.max(delivery.since).checked_add(timings.deliver_before_deletion).ok()
}

/// The outbox of a window, from what its record said before to what it says now.
pub(crate) fn step(
    window: &Window,
    before: Option<&Record>,
    attempt: Option<&Attempt>,
    record: &mut Record,
    (now, timings, alarm): (Timestamp, &Timings, &mut Alarm),
) {
    let mut outbox = std::mem::take(&mut record.outbox);
    if let Some(attempt) = attempt {
        outbox.told_late(attempt);
        if let Some(delivery) = outbox.get_mut(attempt.action) {
            delivery.attempted(attempt, &window.id, timings);
        }
    }
    match &window.heads_up {
        Some(heads_up) => {
            let (start, stop) = heads_up_of(window, record, heads_up);
            let (start_told, stop_told) = told_by_vendor(record);
            let (start, stop) = (start.filter(|_| !start_told), stop.filter(|_| !stop_told));
            outbox.head_up(Action::NotifyActivate, &record.activation, start, !window.may_start(), now);
            if was_open(before, |record| &record.activation) && tells(&record.activation) && !start_told {
                outbox.happened(Action::Activate, &record.activation, now);
            }
            let held = record.activation.is_pending() && !window.may_start();
            outbox.head_up(Action::NotifyDeactivate, &record.deactivation, stop, held, now);
            if was_open(before, |record| &record.deactivation) && tells(&record.deactivation) && !stop_told {
                outbox.happened(Action::Deactivate, &record.deactivation, now);
            }
        }
        None => outbox.drop_owed(Reason::NoReceiver, |_| true),
    }
    if let Some(deleted_at) = window.deleted_at {
        for owed in outbox.0.iter_mut().filter(|owed| owed.attempted_at.is_some_and(|at| at < deleted_at)) {
            owed.next_at = owed.next_at.map(|at| at.min(now));
        }
        outbox.drop_owed(Reason::Deleted, |delivery| last_chance(window, delivery, timings).is_none_or(|at| at <= now));
    }
    outbox.give_up(now, timings);
    outbox.alarms(window, alarm, timings);
    record.outbox = outbox;
}

/// Whether the vendor's scheduler tells of start and stop: it tells of what it makes, and this operator of the rest.
fn told_by_vendor(record: &Record) -> (bool, bool) {
    let Some(workflow) = record.registration.as_deref().filter(|workflow| workflow.tells() && !workflow.gone) else {
        return (false, false);
    };
    let told = |half: &Half, task: &Task| !half.came_to_nothing() && task.attempted_at.is_none();
    (told(&workflow.start, &record.activation), told(&workflow.stop, &record.deactivation))
}

/// How long ahead start and stop are told of; `None` where they will not come.
fn heads_up_of(
    window: &Window,
    record: &Record,
    heads_up: &HeadsUp,
) -> (Option<SignedDuration>, Option<SignedDuration>) {
    let to_start = !record.activation.frozen() && !window.cancel && !window.deleting();
    let to_stop = !record.deactivation.frozen()
        && !window.cancel
        && !window.deleting()
        && (to_start || record.activation.state == TaskState::Finished || record.has_it_on());
    let asked = |ahead: SignedDuration| Some(ahead).filter(SignedDuration::is_positive);
    (asked(heads_up.start).filter(|_| to_start), asked(heads_up.stop).filter(|_| to_stop))
}

fn was_open(before: Option<&Record>, task: impl Fn(&Record) -> &Task) -> bool {
    before.is_none_or(|before| task(before).is_pending())
}

/// Its end is told. Not of what was called off, nor of what nobody wanted made: the vendor's scheduler tells of what
/// it attempted.
fn tells(task: &Task) -> bool {
    match task.state {
        TaskState::Pending | TaskState::Cancelled => false,
        TaskState::Finished => true,
        TaskState::Failed => !matches!(task.reason, Some(Reason::WindowPast | Reason::Suspended)),
    }
}

#[cfg(test)]
mod tests;
