//! The simulated vendor as a state machine that is handed the time: it has no clock and starts no task. What became due
//! since the last access happens first on the next one, in its order and at its own time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::calls::{Call, CallLog, Operation};
use crate::chance::Chance;
use crate::fault::{Fault, Faults};
use crate::job::{Job, JobReport, NewJob};
use crate::refusal::Refusal;
use crate::scheduler::{Ask, Scheduler, WorkflowRefusal};
use crate::settings::{ActivateWhenOn, DeactivateWhenOff, Overrides, Settings, WhileTurning};

/// The simulated vendor: accounts and their keys, jobs, faults, and the log of calls.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    pub(crate) calls: CallLog,
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) scheduler: Scheduler,
    /// By the key itself.
    keys: BTreeMap<String, Key>,
    /// When each job has something due.
    agenda: BTreeSet<(Timestamp, String)>,
    /// Calls to be carried out late, by time and number.
    late: BTreeMap<(Timestamp, u64), Late>,
    /// The latest time seen: time never goes back for the jobs, whatever order callers come in.
    latest: Timestamp,
}

/// A call to be carried out late.
#[derive(Debug, Clone)]
pub(crate) enum Late {
    Switch { job: String, operation: Operation },
    Schedule(Ask),
}

/// What happens next by itself. Where several fall on one instant, jobs are first, so that a call finds them as they
/// are then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Job,
    Late,
    Scheduler,
}

/// A valid key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// How the log calls it.
    pub label: String,
    /// The account whose jobs it sees.
    pub account: String,
}

/// Somebody else than the API's callers switches a job: a person in the vendor's web interface, or the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// As an activate, without the limit on simultaneous ones.
    On,
    /// As a deactivate.
    Off,
    /// As a cancel: for good.
    Cancelled,
    /// A system error ends the job.
    Failed,
}

/// What a job's encoder is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// Start to stream.
    Connect,
    /// Go away.
    Drop,
}

/// Something asked of the simulator itself that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// There is no such job.
    #[error("no job {0:?}")]
    NoSuchJob(String),
    /// A job of that id exists, in this or another account.
    #[error("there is a job {0:?} already")]
    JobExists(String),
    /// Ids stand in paths.
    #[error("a job's id consists of letters, digits, '.', '_' and '-', not {0:?}")]
    BadId(String),
    /// No encoder can do that now.
    #[error("the encoder of job {0:?} cannot {1:?} now: the job is {2}")]
    EncoderCannot(String, Encoder, &'static str),
    /// The vendor's rules do not allow the switch.
    #[error("the job cannot be switched: {0}")]
    Refused(#[from] Refusal),
    /// There is no such workflow.
    #[error("no workflow {0:?}")]
    NoSuchWorkflow(String),
    /// The vendor's rules do not allow the workflow.
    #[error("the workflow cannot be so: {0}")]
    WorkflowRefused(#[from] WorkflowRefusal),
}

/// The world and its time.
impl World {
    /// An empty world: no jobs and no keys.
    pub fn new(settings: Settings) -> Self {
        Self {
            chance: Chance::seeded(settings.seed),
            settings,
            faults: Faults::default(),
            calls: CallLog::new(),
            jobs: BTreeMap::new(),
            scheduler: Scheduler::default(),
            keys: BTreeMap::new(),
            agenda: BTreeSet::new(),
            late: BTreeMap::new(),
            latest: Timestamp::MIN,
        }
    }

    /// Lets everything happen that is due by `now`, and gives the time that now is: `now`, or the latest seen.
    pub fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = now.max(self.latest);
        loop {
            let turns = [
                (self.agenda.first().map(|(at, _)| *at), Turn::Job),
                (self.late.first_key_value().map(|((at, _), _)| *at), Turn::Late),
                (self.scheduler.next_due(), Turn::Scheduler),
            ];
            let next = turns.into_iter().filter_map(|(at, turn)| Some((at.filter(|at| *at <= now)?, turn))).min();
            match next {
                None => break,
                Some((_, Turn::Job)) => self.let_job_happen(),
                Some((_, Turn::Late)) => self.carry_out_late(),
                Some((_, Turn::Scheduler)) => self.let_scheduler_happen(),
            }
        }
        self.latest = now;
        now
    }

    fn let_job_happen(&mut self) {
        let Some((_, id)) = self.agenda.first().cloned() else { return };
        self.change_job(&id, |job, settings| {
            if let Some((at, due)) = job.next_due() {
                job.happen(at, due, settings);
            }
        });
    }

    fn carry_out_late(&mut self) {
        let Some(((at, sequence), late)) = self.late.pop_first() else { return };
        let carried_out = match late {
            Late::Switch { job, operation } => self.switch_job(at, &job, operation, Limits::Apply) == Ok(true),
            Late::Schedule(ask) => self.schedule_call(at, &ask).carried_out,
        };
        if carried_out {
            self.calls.carried_out(sequence, at);
        }
    }

    pub(crate) fn postpone(&mut self, until: Timestamp, sequence: u64, late: Late) {
        self.late.insert((until, sequence), late);
    }

    /// The `Date` header for an answer at `now`: seconds only, by the vendor's clock.
    pub fn date(&self, now: Timestamp) -> String {
        let skew = SignedDuration::from_secs(self.settings.date_skew_seconds);
        let shown = now.checked_add(skew).unwrap_or(now);
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&shown).unwrap_or_default()
    }
}

/// Settings, keys, faults and the log.
impl World {
    /// How the vendor behaves.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes how the vendor behaves, from the next transition on. A new seed starts the random source anew.
    pub fn set_settings(&mut self, settings: Settings) {
        if settings.seed != self.settings.seed {
            self.chance = Chance::seeded(settings.seed);
        }
        self.settings = settings;
    }

    /// Makes a key valid for an account. Several keys may be valid for one account at once. A label has one key: an
    /// older one of the same label ends.
    pub fn add_key(&mut self, label: &str, key: &str, account: &str) {
        self.remove_key(label);
        self.keys.insert(key.to_owned(), Key { label: label.to_owned(), account: account.to_owned() });
    }

    /// Ends a key; whether there was one.
    pub fn remove_key(&mut self, label: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|_, key| key.label != label);
        self.keys.len() < before
    }

    /// The valid keys, without their secrets.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    pub(crate) fn key(&self, secret: &str) -> Option<&Key> {
        self.keys.get(secret)
    }

    /// Adds a fault and gives its number.
    pub fn add_fault(&mut self, fault: Fault) -> u64 {
        self.faults.add(fault)
    }

    /// Takes a fault away; whether there was one.
    pub fn remove_fault(&mut self, number: u64) -> bool {
        self.faults.remove(number)
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// The faults that can still strike, with their numbers.
    pub fn faults(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.faults.iter()
    }

    /// The calls received, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls_since(0)
    }

    /// The calls received after the one with this number.
    pub fn calls_since(&self, sequence: u64) -> impl Iterator<Item = &Call> {
        self.calls.since(sequence)
    }

    /// Forgets the calls received so far.
    pub fn clear_calls(&mut self) {
        self.calls.clear();
    }

    /// Notes when a call's answer was handed over, or its connection closed.
    pub fn answered(&mut self, sequence: u64, at: Timestamp) {
        self.calls.answered(sequence, at);
    }
}

/// Jobs.
impl World {
    /// Creates a job and gives its id.
    pub fn create_job(&mut self, now: Timestamp, new: NewJob) -> Result<String, ControlError> {
        self.create(now, new, Map::new())
    }

    pub(crate) fn create(
        &mut self,
        now: Timestamp,
        mut new: NewJob,
        echoed: Map<String, Value>,
    ) -> Result<String, ControlError> {
        let now = self.advance(now);
        let id = new.id.take().unwrap_or_else(|| self.chance.id());
        let fits = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if id.is_empty() || !id.chars().all(fits) {
            return Err(ControlError::BadId(id));
        }
        if self.jobs.contains_key(&id) {
            return Err(ControlError::JobExists(id));
        }
        self.jobs.insert(id.clone(), Job::create(id.clone(), new, echoed, now));
        Ok(id)
    }

    /// Removes a job without a trace; whether there was one.
    pub fn remove_job(&mut self, id: &str) -> bool {
        let Some(job) = self.jobs.remove(id) else { return false };
        if let Some((at, _)) = job.next_due() {
            self.agenda.remove(&(at, id.to_owned()));
        }
        true
    }

    /// Everything about one job.
    pub fn report(&mut self, now: Timestamp, id: &str) -> Option<JobReport> {
        let now = self.advance(now);
        self.jobs.get(id).map(|job| job.report(now))
    }

    /// Everything about all jobs, in the order of their ids.
    pub fn reports(&mut self, now: Timestamp) -> Vec<JobReport> {
        let now = self.advance(now);
        self.jobs.values().map(|job| job.report(now)).collect()
    }

    /// Changes what a job does differently.
    pub fn set_overrides(&mut self, now: Timestamp, id: &str, overrides: Overrides) -> Result<(), ControlError> {
        self.advance(now);
        let job = self.jobs.get_mut(id).ok_or_else(|| ControlError::NoSuchJob(id.to_owned()))?;
        job.overrides = overrides;
        Ok(())
    }

    /// Somebody else switches the job; whether that changed it. It is in no log.
    pub fn switch(&mut self, now: Timestamp, id: &str, to: Switch) -> Result<bool, ControlError> {
        let now = self.advance(now);
        if !self.jobs.contains_key(id) {
            return Err(ControlError::NoSuchJob(id.to_owned()));
        }
        let operation = match to {
            Switch::On => Operation::Activate,
            Switch::Off => Operation::Deactivate,
            Switch::Cancelled => Operation::Cancel,
            Switch::Failed => {
                self.change_job(id, |job, _| job.fail(now));
                return Ok(true);
            }
        };
        Ok(self.switch_job(now, id, operation, Limits::DoNotApply)?)
    }

    /// Tells a job's encoder what to do. Its script is left aside until the next activation.
    pub fn encoder(&mut self, now: Timestamp, id: &str, encoder: Encoder) -> Result<(), ControlError> {
        let now = self.advance(now);
        let done = self.change_job(id, |job, _| {
            job.leave_encoder_script();
            let done = match encoder {
                Encoder::Connect => job.connect(now),
                Encoder::Drop => job.drop_encoder(now),
            };
            (done, job.report(now).state.as_str())
        });
        match done {
            Some((true, _)) => Ok(()),
            Some((false, state)) => Err(ControlError::EncoderCannot(id.to_owned(), encoder, state)),
            None => Err(ControlError::NoSuchJob(id.to_owned())),
        }
    }

    /// The one place where a job changes, so that the agenda is always right.
    fn change_job<T>(&mut self, id: &str, change: impl FnOnce(&mut Job, &Settings) -> T) -> Option<T> {
        let job = self.jobs.get_mut(id)?;
        let before = job.next_due().map(|(at, _)| at);
        let result = change(job, &self.settings);
        let after = job.next_due().map(|(at, _)| at);
        if before != after {
            if let Some(at) = before {
                self.agenda.remove(&(at, id.to_owned()));
            }
            if let Some(at) = after {
                self.agenda.insert((at, id.to_owned()));
            }
        }
        Some(result)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    Apply,
    DoNotApply,
}

/// What a job's standing makes of a switch.
enum Rule {
    Do,
    Leave,
    Refuse(Refusal),
}

/// The vendor's rules for switching.
impl World {
    /// Whether the job changed.
    pub(crate) fn switch_job(
        &mut self,
        now: Timestamp,
        id: &str,
        operation: Operation,
        limits: Limits,
    ) -> Result<bool, Refusal> {
        let job = self.jobs.get(id).ok_or(Refusal::NoSuchJob)?;
        match self.rule(job, operation) {
            Rule::Refuse(refusal) => return Err(refusal),
            Rule::Leave => return Ok(false),
            Rule::Do => {}
        }
        if operation == Operation::Activate && limits == Limits::Apply && self.is_at_capacity(job) {
            return Err(Refusal::NoCapacity);
        }
        self.change_job(id, |job, settings| match operation {
            Operation::Activate => job.activate(now, settings),
            Operation::Deactivate => job.deactivate(now, settings),
            Operation::Stop => job.stop(now, settings),
            Operation::Cancel => job.cancel(now, settings),
            _ => {}
        });
        Ok(true)
    }

    fn rule(&self, job: &Job, operation: Operation) -> Rule {
        match operation {
            // The vendor does not say what an ended or a wedged job answers to a switch: NOT DOCUMENTED.
            _ if job.is_ended() => Rule::Refuse(Refusal::NothingToProcess),
            Operation::Activate | Operation::Deactivate if !job.is_static => Rule::Refuse(Refusal::InvalidInput),
            Operation::Activate | Operation::Deactivate | Operation::Stop if job.is_wedged() => {
                Rule::Refuse(Refusal::NothingToProcess)
            }
            Operation::Activate if job.is_going_off() => self.while_turning(),
            Operation::Activate if job.is_on() || job.is_going_on() => match self.settings.activate_when_on {
                ActivateWhenOn::Restart => Rule::Do,
                ActivateWhenOn::NoOp => Rule::Leave,
                ActivateWhenOn::Refuse => Rule::Refuse(Refusal::NothingToProcess),
            },
            Operation::Deactivate if job.is_going_on() => self.while_turning(),
            Operation::Deactivate if job.is_off() || job.is_going_off() => match self.settings.deactivate_when_off {
                DeactivateWhenOff::Refuse => Rule::Refuse(Refusal::NothingToProcess),
                DeactivateWhenOff::NoOp => Rule::Leave,
            },
            Operation::Stop if job.is_off() => Rule::Refuse(Refusal::NothingToProcess),
            _ => Rule::Do,
        }
    }

    fn while_turning(&self) -> Rule {
        match self.settings.while_turning {
            WhileTurning::Refuse => Rule::Refuse(Refusal::InvalidInput),
            WhileTurning::TurnRound => Rule::Do,
            WhileTurning::NoOp => Rule::Leave,
        }
    }

    fn is_at_capacity(&self, job: &Job) -> bool {
        let limit = self.settings.simultaneous_activations;
        limit > 0
            && self
                .jobs
                .values()
                .filter(|other| other.is_going_on() && other.account == job.account && other.id != job.id)
                .nth(limit - 1)
                .is_some()
    }
}
