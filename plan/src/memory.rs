//! What this process knows of a job and has not stored: looks at it, and the last call to it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AccountName, WindowId};
use crate::lease::Term;
use crate::plan::Entry;
use crate::reading::{Reading, Word};
use crate::reason::Reason;
use crate::registration::Marker;
use crate::scheduler::{Scheduler, WorkflowAnswer, WorkflowOp};
use crate::timings::Timings;

/// The two calls there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Switch on.
    Activate,
    /// Switch off.
    Deactivate,
}

impl Verb {
    /// The Live API's word for the call.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
        }
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The Live API took it (2xx with the job's id). Not the same as on air, or off.
    Accepted,
    /// Nobody knows: no answer, a lost one, or one that is not the API's. It may have been carried out.
    Unanswered(String),
    /// Certainly not carried out; may be tried again.
    Refused {
        /// `CallRefused`, `KeyRefused`, `WaitingForCapacity`, `JobNotFound`, `LiveAPIUnreachable`, …
        reason: Reason,
        /// The vendor's text, or the transport's.
        message: String,
        /// Repeating it cannot help.
        for_good: bool,
    },
}

/// The last call to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which of the two.
    pub verb: Verb,
    /// With whose key; `None`: an earlier process made it.
    pub account: Option<AccountName>,
    /// The windows it was made for.
    pub windows: Vec<WindowId>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The how-manieth it is for its task, from 1.
    pub attempt: u32,
    /// When the answer came, or was given up on; `None` while it is under way.
    pub answered: Option<(Timestamp, Outcome)>,
    /// When the last call before it was sent that was not certainly refused, for the same task: a refusal of this
    /// one does not undo that one.
    pub(crate) earlier: Option<Timestamp>,
    /// Its account has another key since.
    pub(crate) rekeyed: bool,
    /// It is the vendor's scheduler's: so long a reading that shows its opposite is not yet believed.
    pub(crate) vendors: Option<SignedDuration>,
}

impl Call {
    /// How long after it was sent a reading that shows its opposite is not yet believed (design, rule 6).
    /// `None`: it was certainly refused, so any reading is believed.
    pub(crate) fn patience(&self, timings: &Timings) -> Option<SignedDuration> {
        if self.vendors.is_some() {
            return self.vendors;
        }
        match &self.answered {
            Some((_, Outcome::Refused { .. })) => None,
            Some((_, Outcome::Unanswered(_))) => Some(timings.believe_unanswered),
            Some((_, Outcome::Accepted)) | None => Some(timings.believe_answered),
        }
    }

    /// One that the vendor's scheduler made, or may have made, at its time.
    pub(crate) fn of_vendor(verb: Verb, at: Timestamp, patience: SignedDuration) -> Self {
        Self {
            verb,
            account: None,
            windows: Vec::new(),
            sent_at: at,
            attempt: 1,
            answered: Some((at, Outcome::Accepted)),
            earlier: None,
            rekeyed: false,
            vendors: Some(patience),
        }
    }

    pub(crate) fn under_way(&self) -> bool {
        self.answered.is_none()
    }

    /// Refused over its key, or its key's knowledge of the job, and the account has another since.
    pub(crate) fn refused_by_old_key(&self) -> bool {
        let of_key = |reason| matches!(reason, Reason::KeyRefused | Reason::JobNotFound);
        self.rekeyed && matches!(self.answered, Some((_, Outcome::Refused { reason, .. })) if of_key(reason))
    }

    fn refused(&self) -> bool {
        matches!(self.answered, Some((_, Outcome::Refused { .. })))
    }
}

/// One answer to "what is the job doing?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the two words mean.
    pub reading: Reading,
    /// The vendor's `state`.
    pub state: Option<Word>,
    /// The vendor's `sep_state`.
    pub sep_state: Option<Word>,
    /// The vendor's `static`.
    pub is_static: Option<bool>,
    /// The newest instant since which `state_history` shows the job on (by the vendor's clock).
    pub on_since: Option<Timestamp>,
    /// It went off after it had been without an encoder for as long as the vendor waits for one, by `state_history`.
    pub vendors_timer_ran_out: bool,
    /// When the question was sent: only what happened before it is surely seen.
    pub asked_at: Timestamp,
    /// When the answer came.
    pub at: Timestamp,
}

/// A look that brought no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookError {
    /// `KeyRefused`, `JobNotFound`, `LiveAPIUnreachable`, `LiveAPIError`, …
    pub reason: Reason,
    /// The vendor's text, or the transport's.
    pub message: String,
}

/// One look at a job with one account's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When the question was sent.
    pub asked_at: Timestamp,
    /// When the answer came, or was given up on.
    pub at: Timestamp,
    /// What was wrong, if something was.
    pub error: Option<LookError>,
    /// Failed looks in a row with this account, this one included.
    pub failures: u32,
}

/// A look that was sent and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looking {
    /// Since when.
    pub(crate) since: Timestamp,
    /// A list of all the key's jobs is to answer it. It takes a request for every thousand of them, one after the other:
    /// a quarter of a minute for 100,000.
    pub(crate) by_list: bool,
}

/// A run of answers "job not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotFound {
    first: Timestamp,
    last: Timestamp,
    count: u32,
}

/// A run of answers that reject an account: its key, or its knowledge of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// `KeyRefused` or `JobNotFound`.
    pub(crate) reason: Reason,
    /// When the first of the run came.
    pub(crate) since: Timestamp,
    /// When the last came.
    pub(crate) last: Timestamp,
}

/// Reads of a job's stored objects, right before its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectReads {
    /// One is under way, since then.
    pub(crate) under_way: Option<Timestamp>,
    /// When the last answered one was asked for.
    pub(crate) read: Option<Timestamp>,
    /// When the last one that brought nothing was asked for, and when it was given up.
    pub(crate) failed: Option<(Timestamp, Timestamp)>,
}

/// What this process knows of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The last answer, whoever's key brought it.
    pub(crate) seen: Option<Seen>,
    /// Since when the same reading was seen without another between.
    pub(crate) reading_since: Option<Timestamp>,
    /// The last look by account. One account, most often: a map of the library takes room for eleven.
    looks: Vec<(AccountName, Look)>,
    /// A look under way.
    pub(crate) looking: Option<Looking>,
    /// The last call; most jobs have had none.
    pub(crate) call: Option<Box<Call>>,
    /// Answers "job not found" without a reading since, by account: another key's say nothing.
    pub(crate) not_found: BTreeMap<AccountName, NotFound>,
    /// Accounts that the Live API rejected when they were last tried.
    pub(crate) rejections: BTreeMap<AccountName, Rejection>,
    /// Since when no window of the job has an account that can be used.
    pub(crate) keyless_since: Option<Timestamp>,
    /// How far our clock is ahead of the Live API's, where calls go by that one ([`crate::skew::Skew::acted_on`]).
    pub(crate) clock_ahead: SignedDuration,
    /// An answer has come since this process began, and since our clock stepped, to compare it with.
    pub(crate) clock_proven: bool,
    /// Reads of the job's stored objects; most jobs have had none.
    object_reads: Option<Box<ObjectReads>>,
    /// When the last list of all objects was asked for that is complete.
    pub(crate) listed_at: Option<Timestamp>,
    /// The lease does not hold for as long as a call takes.
    pub(crate) lease_unproven: bool,
    /// What is known of the vendor's scheduler; most jobs have nothing there.
    scheduler: Option<Box<Scheduler>>,
    /// Why the account lets the wanted call wait, if it does.
    pub(crate) held_back: Option<Reason>,
}

impl Memory {
    /// How far our clock is ahead of the Live API's, where that matters.
    pub fn clock_ahead(&mut self, by: SignedDuration) {
        self.clock_ahead = by;
    }

    /// What is known of the vendor's scheduler, if anything is.
    pub(crate) fn scheduler(&self) -> Option<&Scheduler> {
        self.scheduler.as_deref()
    }

    /// Takes up which workflows other processes recorded that may not be made yet. One that is still alive, believing to lead
    /// as this one does, makes its own after that.
    pub fn workflows_recorded(&mut self, entries: &[Entry], term: &Term, now: Timestamp) {
        let recorded = entries.iter().filter_map(|entry| entry.record.as_ref()?.registration.as_deref());
        let theirs = recorded.filter(|workflow| workflow.id.is_none() && !workflow.gone && workflow.by != term.by);
        let markers: Vec<Marker> = theirs.map(|workflow| workflow.marker.clone()).collect();
        if markers.is_empty() && self.scheduler.is_none() {
            return;
        }
        let known = &mut self.scheduler.get_or_insert_default().theirs;
        known.retain(|(marker, _)| markers.contains(marker));
        for marker in markers {
            if !known.iter().any(|(other, _)| *other == marker) {
                known.push((marker, now));
            }
        }
    }

    /// A request to the vendor's scheduler is being sent.
    pub fn workflow_sent(&mut self, op: WorkflowOp, account: &AccountName, window: &WindowId, sent_at: Timestamp) {
        self.scheduler.get_or_insert_default().sent(op, account, window, sent_at);
    }

    /// It was called off before it was sent.
    pub fn workflow_dropped(&mut self) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.dropped();
        }
    }

    /// It was answered, or given up on.
    pub fn workflow_answered(&mut self, at: Timestamp, answer: WorkflowAnswer) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.answered(at, answer);
        }
    }

    /// When the last list of all objects was asked for that is complete.
    pub fn listed(&mut self, asked_at: Option<Timestamp>) {
        self.listed_at = asked_at;
    }

    /// Whether the lease holds for as long as a call takes.
    pub fn lease_holds(&mut self, holds: bool) {
        self.lease_unproven = !holds;
    }

    /// The job's stored objects are being read.
    pub fn objects_asked(&mut self, at: Timestamp) {
        self.object_reads_mut().under_way = Some(at);
    }

    /// They were read; what was asked for at `asked_at` is known.
    pub fn objects_read(&mut self, asked_at: Timestamp) {
        *self.object_reads_mut() = ObjectReads { under_way: None, read: Some(asked_at), failed: None };
    }

    /// All objects were listed, as of then. Whether this job waited for that.
    pub fn objects_listed(&mut self, asked_at: Timestamp) -> bool {
        let waited = self.object_reads().under_way.is_some_and(|since| since <= asked_at);
        if waited {
            self.objects_read(asked_at);
        }
        waited
    }

    /// They were not read.
    pub fn objects_not_read(&mut self, asked_at: Timestamp, at: Timestamp) {
        let reads = self.object_reads_mut();
        reads.under_way = None;
        reads.failed = Some((asked_at, at));
    }

    /// What is known of reads of the job's stored objects.
    pub(crate) fn object_reads(&self) -> ObjectReads {
        self.object_reads.as_deref().copied().unwrap_or_default()
    }

    fn object_reads_mut(&mut self) -> &mut ObjectReads {
        self.object_reads.get_or_insert_default()
    }

    /// The stored objects are known as of then.
    pub(crate) fn objects_as_of(&self) -> Option<Timestamp> {
        self.object_reads().read.max(self.listed_at)
    }

    /// Our clock stepped. What was remembered moves with it, so that waits go on for what was left of them; but the
    /// last reading is not fresh any more: the machine may have been suspended, and the channel may be anywhere.
    pub fn clock_stepped(&mut self, by: SignedDuration) {
        self.clock_proven = false;
        let moved = |at: &mut Timestamp| *at = at.checked_add(by).unwrap_or(*at);
        if by.is_negative()
            && let Some(seen) = &mut self.seen
        {
            moved(&mut seen.at);
            moved(&mut seen.asked_at);
        }
        let stale = SignedDuration::from_mins(1);
        if let Some(seen) = &mut self.seen {
            seen.at = seen.at.checked_sub(stale).unwrap_or(seen.at);
            seen.asked_at = seen.asked_at.checked_sub(stale).unwrap_or(seen.asked_at);
        }
        for (_, look) in &mut self.looks {
            moved(&mut look.at);
            moved(&mut look.asked_at);
        }
        for run in self.not_found.values_mut() {
            moved(&mut run.first);
            moved(&mut run.last);
        }
        for run in self.rejections.values_mut() {
            moved(&mut run.since);
            moved(&mut run.last);
        }
        if let Some(call) = &mut self.call {
            moved(&mut call.sent_at);
            for at in call.earlier.iter_mut().chain(call.answered.iter_mut().map(|(at, _)| at)) {
                moved(at);
            }
        }
        if let Some(ObjectReads { under_way, read, failed }) = self.object_reads.as_deref_mut() {
            let asked_and_given_up = failed.iter_mut().flat_map(|(asked_at, at)| [asked_at, at]);
            asked_and_given_up.chain(under_way).chain(read).for_each(moved);
        }
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.clock_stepped(&moved);
        }
        let looking = self.looking.as_mut().map(|looking| &mut looking.since);
        let times = [&mut self.reading_since, &mut self.keyless_since].into_iter().flatten();
        for at in times.chain(looking) {
            moved(at);
        }
    }

    /// The last look with this account's key.
    pub(crate) fn look(&self, account: &AccountName) -> Option<&Look> {
        self.looks.iter().find(|(name, _)| name == account).map(|(_, look)| look)
    }

    fn note_look(&mut self, account: &AccountName, look: Look) {
        if let Some((_, last)) = self.looks.iter_mut().find(|(name, _)| name == account) {
            *last = look;
        } else {
            self.looks.reserve_exact(1);
            self.looks.push((account.clone(), look));
        }
    }

    /// A look was sent, of this job alone.
    pub fn look_sent(&mut self, at: Timestamp) {
        self.looks_since(at, false);
    }

    /// A list was asked for that is to answer for this job too.
    pub fn list_sent(&mut self, at: Timestamp) {
        self.looks_since(at, true);
    }

    fn looks_since(&mut self, since: Timestamp, by_list: bool) {
        self.held_back = None;
        self.looking = Some(Looking { since, by_list });
    }

    /// A look was answered with a reading, of its own or on a page of the job list. An answer that is older than what is known is dropped.
    pub fn look_answered(&mut self, account: &AccountName, seen: Seen) {
        self.looking = None;
        self.clock_proven = true;
        self.not_found.clear();
        self.rejections.remove(account);
        self.note_look(account, Look { asked_at: seen.asked_at, at: seen.at, error: None, failures: 0 });
        self.see(seen);
    }

    fn see(&mut self, seen: Seen) {
        if self.seen.as_ref().is_some_and(|known| known.asked_at > seen.asked_at) {
            return;
        }
        if self.seen.as_ref().is_none_or(|known| known.reading != seen.reading) {
            self.reading_since = Some(seen.asked_at);
        }
        self.seen = Some(seen);
    }

    /// A look brought no reading.
    pub fn look_failed(&mut self, account: &AccountName, asked_at: Timestamp, at: Timestamp, error: LookError) {
        self.looking = None;
        if error.reason == Reason::JobNotFound {
            let run = self.not_found.entry(account.clone()).or_insert(NotFound { first: at, last: at, count: 0 });
            run.last = at;
            run.count += 1;
        }
        self.note_rejection(account, error.reason, at);
        let failures = self.look(account).map_or(0, |look| look.failures) + 1;
        self.note_look(account, Look { asked_at, at, error: Some(error), failures });
    }

    fn note_rejection(&mut self, account: &AccountName, reason: Reason, at: Timestamp) {
        if matches!(reason, Reason::KeyRefused | Reason::JobNotFound) {
            let since = self.rejections.get(account).filter(|run| run.reason == reason).map_or(at, |run| run.since);
            self.rejections.insert(account.clone(), Rejection { reason, since, last: at });
        }
    }

    /// Whether any window of the job has an account that can be used.
    pub fn key_at_hand(&mut self, any: bool, now: Timestamp) {
        self.keyless_since = if any { None } else { Some(self.keyless_since.unwrap_or(now)) };
    }

    /// A look was called off before it was sent.
    pub fn look_dropped(&mut self) {
        self.looking = None;
    }

    /// A call is being sent.
    pub fn call_sent(
        &mut self,
        verb: Verb,
        account: &AccountName,
        windows: Vec<WindowId>,
        attempt: u32,
        sent_at: Timestamp,
    ) {
        self.held_back = None;
        let earlier = self
            .call
            .as_ref()
            .filter(|last| last.verb == verb && last.windows.iter().any(|window| windows.contains(window)))
            .and_then(|last| if last.refused() { last.earlier } else { Some(last.sent_at) });
        let account = Some(account.clone());
        self.call = Some(Box::new(Call {
            verb,
            account,
            windows,
            sent_at,
            attempt,
            answered: None,
            earlier,
            rekeyed: false,
            vendors: None,
        }));
    }

    /// The call under way was answered, or given up on.
    pub fn call_answered(&mut self, at: Timestamp, outcome: Outcome) {
        let Some(call) = &mut self.call else { return };
        let account = call.account.clone();
        call.answered = Some((at, outcome.clone()));
        match (account, outcome) {
            (Some(account), Outcome::Accepted) => {
                self.rejections.remove(&account);
            }
            // What the old key was told says nothing of the new one.
            (Some(account), Outcome::Refused { reason, .. }) if !call.rekeyed => {
                self.note_rejection(&account, reason, at);
            }
            _ => {}
        }
    }

    /// The account lets the wanted call wait (`Some`), or no longer does. Whether that is news.
    pub fn hold_back(&mut self, why: Option<Reason>) -> bool {
        std::mem::replace(&mut self.held_back, why) != why
    }

    /// Whether a call that was wanted a while ago, and had to wait, may still be made: never an `activate` on a reading
    /// that is no longer fresh, since it would discard a recording.
    pub fn still_fit(&self, verb: Verb, now: Timestamp, timings: &Timings) -> bool {
        let fresh_off = |seen: &Seen| seen.reading == Reading::Off && timings.is_fresh(seen.at, now);
        verb == Verb::Deactivate || self.seen.as_ref().is_some_and(fresh_off)
    }

    /// Nothing is under way.
    pub fn idle(&self) -> bool {
        let asking = self.scheduler().is_some_and(Scheduler::under_way);
        self.looking.is_none() && !asking && !self.call.as_deref().is_some_and(Call::under_way)
    }

    /// An activation of ours is under way, or may be: it takes one of the account's slots (vendor: more than five
    /// at once give a capacity error).
    pub fn going_on(&self, now: Timestamp, timings: &Timings) -> bool {
        let Some(call) = self.call.as_ref().filter(|call| call.verb == Verb::Activate) else { return false };
        let Some(patience) = call.patience(timings) else { return false };
        let waited = now.duration_since(call.sent_at) >= patience;
        match self.seen.as_ref().filter(|seen| seen.asked_at > call.sent_at).map(|seen| seen.reading) {
            _ if call.under_way() => true,
            None | Some(Reading::Off) => !waited,
            Some(Reading::GoingOn) => true,
            Some(_) => false,
        }
    }

    /// The key or the account changed: what went wrong with the old one says nothing any more, and what waits for
    /// its next try is tried at once.
    pub fn forget_failures(&mut self, account: &AccountName) {
        self.looks.retain(|(name, look)| name != account || look.error.is_none());
        self.not_found.remove(account);
        self.rejections.remove(account);
        if let Some(call) = self.call.as_mut().filter(|call| call.account.as_ref() == Some(account)) {
            call.rekeyed = true;
        }
    }

    /// The last call.
    pub fn last_call(&self) -> Option<&Call> {
        self.call.as_deref()
    }

    /// The last reading.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// Three answers "job not found" to this account over the span, the last one since `since`, and no reading
    /// between (design, rule 5).
    pub(crate) fn surely_not_found(&self, account: &AccountName, since: Timestamp, timings: &Timings) -> bool {
        self.not_found.get(account).is_some_and(|run| {
            run.count >= 3 && run.last >= since && run.last.duration_since(run.first) >= timings.not_found_span
        })
    }
}
