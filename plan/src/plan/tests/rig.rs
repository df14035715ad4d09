//! Virtual time, a scripted channel, and the windows of one job: runs the plan the way the controller does.

mod asks;
mod checks;
mod vendor;

use vendor::{Answering, Vendor};
pub(super) use vendor::{Firing, VendorFault, delegated, delegated_with_receiver};

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::announce::{self, Announcement};
use crate::ids::{AccountName, ProcessId, TermId};
use crate::lease::{Before, LeaseTimings, Term};
use crate::memory::{LookError, Memory, Outcome, Seen, Verb};
use crate::phase::Phase;
use crate::plan::fixtures;
use crate::plan::{Entry, FinalizerWish, Plan, Want, plan};
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::{Claim, Record, TaskState, Trouble};
use crate::registration::{Grant, Offer};
use crate::timings::Timings;
use crate::window::{Deletion, Window};

/// Milliseconds of the tests' day: short enough to add and compare freely.
pub(super) type Ms = i64;

pub(super) fn ms(at: Ms) -> Timestamp {
    fixtures::at(0).checked_add(SignedDuration::from_millis(at)).unwrap()
}

fn term(process: usize, since: Ms, before: Before) -> Term {
    let (by, id) = (ProcessId::new(format!("process-{process}")), TermId::new(format!("term-{process}")));
    Term::new(by, id, ms(since), before, &LeaseTimings::default())
}

fn listed(at: Ms) -> Memory {
    let mut memory = Memory::default();
    memory.listed(Some(ms(at)));
    memory
}

/// Until a look is answered, and until a call is carried out and answered.
const LOOK: Ms = 5;
const CARRIED_OUT: Ms = 20;
const CALL: Ms = 40;

/// What becomes of one call; without one it is accepted and carried out.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Refused(Reason),
    RefusedForGood,
    /// No answer after 5 s, but carried out.
    LostDone,
    /// No answer after 5 s, and not carried out.
    LostNotDone,
    /// Accepted and never carried out.
    NotDone,
    /// Accepted and carried out only after so many seconds.
    DoneLate(i64),
}

/// What becomes of looks in a span of time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blind {
    /// Answered with an error at once.
    Error(Reason),
    /// Not answered for 5 s.
    Silent,
    /// A state that nobody knows.
    UnknownWord,
}

struct Object {
    window: Window,
    /// As this process plans it.
    record: Option<Record>,
    /// As the apiserver has it.
    stored: Option<Record>,
    /// On its way to the apiserver.
    storing: Vec<(Ms, Record)>,
    access: Option<Trouble>,
    pub(super) short_of_capacity: bool,
    grant: Grant,
    conflicted: bool,
    phase: Option<Phase>,
}

enum Flight {
    Look { asked: Ms, answer: Ms, account: AccountName },
    Call { answer: Ms, outcome: Outcome },
    Objects { asked: Ms, answer: Ms },
}

impl Flight {
    fn answer(&self) -> Ms {
        match self {
            Self::Look { answer, .. } | Self::Call { answer, .. } | Self::Objects { answer, .. } => *answer,
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is one independent knob of a test")]
pub(super) struct Rig {
    pub(super) now: Ms,
    /// The term in which the process of now leads.
    pub(super) term: Term,
    /// How many processes there were.
    processes: usize,
    /// When the objects were read, outside of lists.
    pub(super) rechecks: Vec<Ms>,
    /// The next process begins without a list.
    unlist_next: bool,
    /// The apiserver answers no reads.
    pub(super) apiserver_silent: bool,
    pub(super) timings: Timings,
    /// What the channel does, and the turns ahead of it.
    pub(super) channel: Reading,
    turns: BTreeMap<Ms, Reading>,
    /// Accounts whose key the Live API refuses.
    pub(super) refusing: Vec<AccountName>,
    pub(super) is_static: bool,
    /// The channel went off by the vendor's own timer.
    pub(super) vendors_timer_ran_out: bool,
    /// Seconds it takes to go on and off.
    pub(super) turning: (i64, i64),
    /// What the channel did, from the beginning.
    pub(super) history: Vec<(Ms, Reading)>,
    pub(super) memory: Memory,
    objects: Vec<Object>,
    flights: Vec<Flight>,
    pub(super) activate_faults: Vec<Fault>,
    pub(super) deactivate_faults: Vec<Fault>,
    pub(super) blind: Vec<(Ms, Ms, Blind)>,
    /// How long the apiserver takes to store a status.
    pub(super) store_lag: Ms,
    /// The account lets no call go out.
    pub(super) hold: bool,
    pub(super) log: Vec<(Ms, Verb)>,
    /// With whose keys the calls of `log` were made.
    pub(super) callers: Vec<AccountName>,
    pub(super) looks: Vec<Ms>,
    pub(super) events: Vec<(String, Announcement)>,
    pub(super) writes: usize,
    pub(super) runs: usize,
    /// The last plan.
    pub(super) last: Option<Plan>,
    /// When the plan was run.
    pub(super) run_at: Vec<Ms>,
    /// Somebody else switches the channel in this test: a call may meet it in any state.
    pub(super) outsiders: bool,
    /// Windows that are gone: their finalizer was taken off.
    pub(super) gone: Vec<String>,
    /// The vendor's scheduler.
    pub(super) vendor: Vendor,
    /// It was found out that it has no list.
    no_list: bool,
    /// How far ahead windows are registered.
    pub(super) horizon: SignedDuration,
    answering: Option<Answering>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            term: term(0, 0, Before::Unknown),
            processes: 0,
            rechecks: Vec::new(),
            unlist_next: false,
            apiserver_silent: false,
            timings: Timings::default(),
            channel: Reading::Off,
            turns: BTreeMap::new(),
            refusing: Vec::new(),
            is_static: true,
            vendors_timer_ran_out: false,
            turning: (10, 5),
            history: vec![(Ms::MIN, Reading::Off)],
            memory: listed(0),
            objects: Vec::new(),
            flights: Vec::new(),
            activate_faults: Vec::new(),
            deactivate_faults: Vec::new(),
            blind: Vec::new(),
            store_lag: 0,
            hold: false,
            log: Vec::new(),
            callers: Vec::new(),
            looks: Vec::new(),
            events: Vec::new(),
            writes: 0,
            runs: 0,
            last: None,
            run_at: Vec::new(),
            outsiders: false,
            gone: Vec::new(),
            vendor: Vendor::default(),
            no_list: false,
            horizon: SignedDuration::ZERO,
            answering: None,
        }
    }

    /// A window from 1000 to 2000, seen first at 0.
    pub(super) fn one() -> Self {
        Self::new().with("w", 1000, 2000)
    }

    pub(super) fn with(self, id: &str, start: i64, stop: i64) -> Self {
        self.with_window(id, start, stop, |_| ())
    }

    pub(super) fn with_window(mut self, id: &str, start: i64, stop: i64, change: impl FnOnce(&mut Window)) -> Self {
        self.add(id, start, stop, change);
        self
    }

    pub(super) fn add(&mut self, id: &str, start: i64, stop: i64, change: impl FnOnce(&mut Window)) {
        let mut window = fixtures::window(id);
        window.activation = fixtures::at(start);
        window.deactivation = fixtures::at(stop);
        window.created = ms(self.now);
        change(&mut window);
        self.objects.push(Object {
            window,
            record: None,
            stored: None,
            storing: Vec::new(),
            access: None,
            short_of_capacity: false,
            grant: Grant::Granted,
            conflicted: false,
            phase: None,
        });
        self.step_if_started();
    }

    fn step_if_started(&mut self) {
        if self.now > 0 {
            self.step();
        }
    }

    fn object(&mut self, id: &str) -> &mut Object {
        self.objects.iter_mut().find(|o| o.window.id.as_str() == id).unwrap()
    }

    pub(super) fn edit(&mut self, id: &str, change: impl FnOnce(&mut Window)) {
        change(&mut self.object(id).window);
        self.step();
    }

    pub(super) fn set_short_of_capacity(&mut self, id: &str, short: bool) {
        self.object(id).short_of_capacity = short;
        self.step();
    }

    pub(super) fn cancel(&mut self, id: &str) {
        self.edit(id, |w| w.cancel = true);
    }

    /// Deleted, and whether its definition goes too is not known yet.
    pub(super) fn delete_unclear(&mut self, id: &str) {
        self.edit(id, |w| w.deletion = Deletion::Unclear);
    }

    pub(super) fn delete(&mut self, id: &str) {
        self.edit(id, |w| w.deletion = Deletion::Meant);
    }

    pub(super) fn set_access(&mut self, id: &str, trouble: Option<Reason>) {
        self.object(id).access = trouble.map(|reason| Trouble { reason, message: reason.meaning().into() });
        self.step();
    }

    /// Somebody else turns the channel.
    pub(super) fn turn(&mut self, to: Reading) {
        self.turns.clear();
        self.set_channel(self.now, to);
    }

    fn set_channel(&mut self, at: Ms, to: Reading) {
        if self.channel != Reading::Ended {
            self.channel = to;
            self.history.push((at, to));
        }
    }

    pub(super) fn was(&self, at: Ms) -> Reading {
        let after = self.history.partition_point(|(when, _)| *when <= at);
        self.history[after - 1].1
    }

    /// The process dies and the next one knows only what was stored.
    pub(super) fn crash(&mut self) {
        self.succeeded(Before::Unknown);
    }

    /// The same, and this is known of the process that died.
    pub(super) fn succeeded(&mut self, before: Before) {
        self.processes += 1;
        self.term = term(self.processes, self.now, before);
        self.memory = listed(self.now);
        if std::mem::take(&mut self.unlist_next) {
            self.memory.listed(None);
        }
        self.flights.clear();
        self.answering = None;
        for object in &mut self.objects {
            object.storing.clear();
            object.record.clone_from(&object.stored);
        }
        self.step();
    }

    /// The same after a while in which nobody led.
    pub(super) fn down_for_succession(&mut self, at: Ms, before: Before) {
        self.flights.clear();
        self.turn_up_to(at);
        self.now = at;
        self.succeeded(before);
    }

    /// The same, and the next process has not listed the objects since it leads.
    pub(super) fn succeeded_unlisted(&mut self, before: Before) {
        self.unlist_next = true;
        self.succeeded(before);
    }

    pub(super) fn unlist(&mut self) {
        self.memory.listed(None);
    }

    pub(super) fn list(&mut self) {
        self.memory.listed(Some(ms(self.now)));
    }

    /// Our process sleeps: what it asked for is answered when it wakes, and its deadlines pass.
    pub(super) fn sleep_until(&mut self, second: i64) {
        self.turn_up_to(second * 1_000);
        self.now = second * 1_000;
        self.step();
    }

    pub(super) fn lease_holds(&mut self, holds: bool) {
        self.memory.lease_holds(holds);
        self.step();
    }

    /// Another process has put its claim on the object.
    pub(super) fn claim_by_another(&mut self, id: &str, claim: &Claim) {
        let object = self.object(id);
        for record in [&mut object.record, &mut object.stored] {
            record.as_mut().unwrap().claim = Some(claim.clone());
        }
    }

    pub(super) fn check_nothing_more(&mut self) {
        let rechecks = self.rechecks.len();
        self.until(self.now / 1_000 + 10_000);
        assert_eq!(self.rechecks.len(), rechecks, "nothing is read once all is settled");
    }

    /// Nobody is there until then.
    pub(super) fn down_until(&mut self, second: i64) {
        self.flights.clear();
        self.turn_up_to(second * 1000);
        self.now = second * 1000;
        self.crash();
    }

    fn turn_up_to(&mut self, at: Ms) {
        while let Some(next) = self.next_firing().filter(|next| *next <= at) {
            let now = self.now;
            self.now = next.max(now);
            self.turned_up_to(self.now);
            self.fire();
            self.now = now;
        }
        self.turned_up_to(at);
    }

    fn turned_up_to(&mut self, at: Ms) {
        while let Some((&when, &to)) = self.turns.first_key_value().filter(|(when, _)| **when <= at) {
            self.turns.remove(&when);
            // What was going on no longer arrives once it is told to go off, and the other way round.
            let (overtaken, next) = match to {
                Reading::GoingOff => (Reading::On, Reading::GoingOn),
                _ => (Reading::Off, Reading::GoingOff),
            };
            if matches!(to, Reading::GoingOff | Reading::GoingOn) {
                let until = self.turns.iter().find(|(_, t)| **t == next).map_or(Ms::MAX, |(at, _)| *at);
                self.turns.retain(|at, t| *at > until || *t != overtaken);
            }
            self.set_channel(when, to);
        }
    }

    pub(super) fn until(&mut self, second: i64) -> &mut Self {
        self.until_ms(second * 1000)
    }

    pub(super) fn until_ms(&mut self, end: Ms) -> &mut Self {
        loop {
            self.fire();
            self.turn_up_to(self.now);
            self.answer();
            self.store();
            self.step();
            let plan_next = self.last.as_ref().and_then(|p| p.next).map(|at| {
                let since = at.duration_since(ms(0));
                let floor = Ms::try_from(since.as_millis()).unwrap();
                if ms(floor) < at { floor + 1 } else { floor }
            });
            let next = [
                plan_next,
                self.flights.iter().map(Flight::answer).min(),
                self.answering.as_ref().map(|answering| answering.at),
                self.next_firing(),
                self.objects.iter().filter_map(|o| o.storing.first()).map(|(at, _)| *at).min(),
            ];
            match next.into_iter().flatten().min() {
                Some(next) if next <= end => {
                    assert!(next > self.now, "no progress at {}", self.now);
                    self.turn_up_to(next);
                    self.now = next;
                }
                _ => {
                    self.turn_up_to(end);
                    self.now = end;
                    return self;
                }
            }
        }
    }

    fn answer(&mut self) {
        let now = self.now;
        if let Some(Answering { answer, .. }) = self.answering.take_if(|answering| answering.at <= now) {
            self.memory.workflow_answered(ms(now), answer);
        }
        let (due, rest): (Vec<_>, Vec<_>) = self.flights.drain(..).partition(|f| f.answer() <= now);
        self.flights = rest;
        for flight in due {
            match flight {
                Flight::Call { outcome, .. } => self.memory.call_answered(ms(now), outcome),
                Flight::Objects { asked, .. } if self.apiserver_silent => {
                    self.memory.objects_not_read(ms(asked), ms(now));
                }
                Flight::Objects { asked, .. } => self.memory.objects_read(ms(asked)),
                Flight::Look { asked, account, .. } if self.refusing.contains(&account) => {
                    let error = LookError { reason: Reason::KeyRefused, message: "401".into() };
                    self.memory.look_failed(&account, ms(asked), ms(now), error);
                }
                Flight::Look { asked, account, .. } => {
                    let blind = self.blind.iter().find(|(from, to, _)| (*from..*to).contains(&asked)).map(|b| b.2);
                    let reading = match blind {
                        Some(Blind::Error(reason)) => {
                            let error = LookError { reason, message: reason.meaning().into() };
                            self.memory.look_failed(&account, ms(asked), ms(now), error);
                            continue;
                        }
                        Some(Blind::Silent) => {
                            let error = LookError { reason: Reason::LiveAPIUnreachable, message: "no answer".into() };
                            self.memory.look_failed(&account, ms(asked), ms(now), error);
                            continue;
                        }
                        Some(Blind::UnknownWord) => Reading::Unknown,
                        None => self.was(now - 2),
                    };
                    let seen = Seen {
                        reading,
                        state: None,
                        sep_state: None,
                        is_static: Some(self.is_static),
                        on_since: None,
                        vendors_timer_ran_out: self.vendors_timer_ran_out,
                        asked_at: ms(asked),
                        at: ms(now),
                    };
                    self.memory.look_answered(&account, seen);
                }
            }
        }
    }

    fn store(&mut self) {
        for object in &mut self.objects {
            while object.storing.first().is_some_and(|(at, _)| *at <= self.now) {
                object.stored = Some(object.storing.remove(0).1);
            }
        }
    }

    fn entries(&self) -> Vec<Entry> {
        self.objects
            .iter()
            .map(|o| Entry {
                window: o.window.clone(),
                record: o.record.clone(),
                acknowledged: o.stored.as_ref().is_some_and(|r| r.activation.state == TaskState::Finished),
                claimed: o.stored.as_ref().and_then(|r| r.claim.clone()),
                registered: o.stored.as_ref().and_then(|r| r.registration.as_deref().cloned()),
                offer: Offer { grant: o.grant, no_list: self.no_list, horizon: self.horizon },
                access: o.access.clone(),
                short_of_capacity: o.short_of_capacity,
                attempt: None,
            })
            .collect()
    }

    /// Plans, stores and calls, until there is nothing more to do at this instant.
    pub(super) fn step(&mut self) {
        for _ in 0..8 {
            let now = ms(self.now);
            self.memory.key_at_hand(crate::plan::key_at_hand(&self.entries()), now);
            let entries = self.entries();
            self.memory.workflows_recorded(&entries, &self.term, now);
            let plan = plan(&entries, &self.memory, &self.term, now, &self.timings);
            self.runs += 1;
            self.run_at.push(self.now);
            self.check(&plan);
            let mut again = self.take_records(&plan);
            again |= self.recheck(&plan);
            for want in plan.wants.clone() {
                again |= !(self.hold && matches!(want, Want::Call { .. }) && self.memory.held_back.is_some());
                self.carry_out(want);
            }
            self.last = Some(plan);
            if !again {
                return;
            }
        }
        panic!("never settles at {}: {:#?}", self.now, self.last);
    }

    fn recheck(&mut self, plan: &Plan) -> bool {
        if plan.recheck.is_some() {
            let (asked, wait) = (self.now, if self.apiserver_silent { 5000 } else { LOOK });
            self.rechecks.push(asked);
            self.memory.objects_asked(ms(asked));
            self.flights.push(Flight::Objects { asked, answer: asked + wait });
        }
        plan.recheck.is_some()
    }

    fn take_records(&mut self, plan: &Plan) -> bool {
        let mut changed = false;
        let mut gone = Vec::new();
        for next in plan.windows.iter().filter(|next| !next.undecided) {
            let (now, lag) = (self.now, self.store_lag);
            let object = self.object(next.id.as_str());
            object.phase = Some(next.phase);
            let before = object.record.replace(next.record.clone());
            let was_conflicted = std::mem::replace(&mut object.conflicted, next.conflict.is_some());
            if before.as_ref() != Some(&next.record) || was_conflicted != object.conflicted {
                changed = true;
                let old = before.as_ref().map(|record| (record, was_conflicted));
                let told = announce::changes(object.window.suspend, old, &next.record, next.conflict.as_deref());
                if lag == 0 {
                    object.stored = Some(next.record.clone());
                } else {
                    object.storing.push((now + lag, next.record.clone()));
                }
                self.writes += 1;
                self.events.extend(told.into_iter().map(|event| (next.id.to_string(), event)));
            }
            let object = self.object(next.id.as_str());
            if object.window.deleting() && !object.window.finalizer {
                gone.push(next.id.to_string());
            }
            match next.finalizer {
                FinalizerWish::Add => {
                    object.window.finalizer = true;
                    changed = true;
                }
                FinalizerWish::Remove if object.stored.as_ref() == Some(&next.record) => {
                    if object.window.deleting() {
                        gone.push(next.id.to_string());
                    } else {
                        object.window.finalizer = false;
                        changed = true;
                    }
                }
                _ => {}
            }
        }
        if !gone.is_empty() {
            self.objects.retain(|o| !gone.contains(&o.window.id.to_string()));
            self.gone.extend(gone);
            changed = true;
        }
        changed
    }

    fn carry_out(&mut self, want: Want) {
        let now = self.now;
        match want {
            Want::Read { account, .. } => {
                self.looks.push(now);
                self.memory.look_sent(ms(now));
                let silent = self
                    .blind
                    .iter()
                    .any(|(from, to, blind)| (*from..*to).contains(&now) && matches!(blind, Blind::Silent));
                let answer = now + if silent { 5000 } else { LOOK };
                self.flights.push(Flight::Look { asked: now, answer, account });
            }
            Want::Workflow { .. } => self.ask(want),
            Want::Call { .. } if self.hold => {
                self.memory.hold_back(Some(Reason::WaitingForCapacity));
            }
            Want::Call { verb, account, windows, attempt, .. } => {
                self.log.push((now, verb));
                self.check_call(verb);
                self.memory.call_sent(verb, &account, windows, attempt, ms(now));
                let faults = match verb {
                    Verb::Activate => &mut self.activate_faults,
                    Verb::Deactivate => &mut self.deactivate_faults,
                };
                let fault = match faults.first() {
                    _ if self.refusing.contains(&account) => Some(Fault::Refused(Reason::KeyRefused)),
                    None => None,
                    Some(_) => Some(faults.remove(0)),
                };
                self.callers.push(account.clone());
                let refused = |reason, for_good| Outcome::Refused { reason, message: "no".into(), for_good };
                let lost = || Outcome::Unanswered("timed out".into());
                let (done, answer, outcome) = match fault {
                    None => (Some(CARRIED_OUT), CALL, Outcome::Accepted),
                    Some(Fault::Refused(reason)) => (None, CALL, refused(reason, false)),
                    Some(Fault::RefusedForGood) => (None, CALL, refused(Reason::CallRefused, true)),
                    Some(Fault::LostDone) => (Some(CARRIED_OUT), 5000, lost()),
                    Some(Fault::LostNotDone) => (None, 5000, lost()),
                    Some(Fault::NotDone) => (None, CALL, Outcome::Accepted),
                    Some(Fault::DoneLate(by)) => (Some(by * 1000), CALL, Outcome::Accepted),
                };
                // Switching off a channel that is off does nothing.
                let idle = verb == Verb::Deactivate && self.channel == Reading::Off && self.turns.is_empty();
                if let Some(after) = done.filter(|_| !idle) {
                    self.turn_after_call(verb, now + after);
                }
                self.flights.push(Flight::Call { answer: now + answer, outcome });
            }
        }
    }

    fn turn_after_call(&mut self, verb: Verb, at: Ms) {
        let (going, then, takes) = match verb {
            Verb::Activate => (Reading::GoingOn, Reading::On, self.turning.0),
            Verb::Deactivate => (Reading::GoingOff, Reading::Off, self.turning.1),
        };
        self.turns.insert(at, going);
        self.turns.insert(at + takes * 1000, then);
    }
}
