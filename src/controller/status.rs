//! Between a record and the status that stores it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use plan::record::have_it_on;
use plan::{
    Claim, Executor, Memory, OnAir, Phase, ProcessId, Reading, Reason, Record, Registration, Task, TermId, Trouble,
    WindowPlan,
};

use crate::api::time::{epoch_seconds, read_status};
use crate::api::{self, ClaimStatus, JobReading, JobStartStopStatus, TaskStatus};

use super::conditions::{self, bounded, whole_seconds};
use super::foreign::{state, strange, strange_executor};
use super::outbox;
use super::registered;
use super::window::Stored;

/// A window's record: what this process planned, else what is stored. Who makes its calls is settled by what is stored:
/// until then an account that appears, or changes, still has its say.
pub(super) fn record(stored: &Stored) -> Option<Record> {
    let planned =
        stored.planned.as_ref().map(|planned| Record { executor: executor(stored), ..planned.record.clone() });
    planned.or_else(|| stored_record(stored))
}

fn executor(stored: &Stored) -> Executor {
    stored.executor().unwrap_or_default()
}

/// The same question as to its record, without a copy of that.
pub(super) fn has_it_on(stored: &Stored) -> bool {
    match &stored.planned {
        Some(planned) => planned.record.has_it_on(),
        None => stored.acknowledged.has_it_on(),
    }
}

/// Whether something is left to be done for it that only its account can do.
pub(super) fn needs_its_account(stored: &Stored) -> bool {
    match &stored.planned {
        Some(planned) => planned.record.needs_its_account(),
        None => stored.acknowledged.has_it_on() || stored.acknowledged.registered().is_some_and(Registration::stands),
    }
}

/// The same question to a status that is stored.
pub(super) fn tells_it_is_on(status: &JobStartStopStatus) -> bool {
    let deactivation = task(&status.deactivation, status);
    task(&status.activation, status).is_some_and(|activation| have_it_on(&activation, deactivation.as_ref()))
}

/// What the stored status tells of a window; `None` when no operator has written one yet.
pub(super) fn stored_record(stored: &Stored) -> Option<Record> {
    let status = &stored.acknowledged.status();
    let (activation, deactivation) = match (task(&status.activation, status), task(&status.deactivation, status)) {
        (None, None) => return None,
        (Some(activation), Some(deactivation)) => (activation, deactivation),
        (activation, deactivation) => {
            let new = Record::new(&stored.window());
            (activation.unwrap_or(new.activation), deactivation.unwrap_or(new.deactivation))
        }
    };
    let drifted = shown(status, "Drifted");
    let ready = shown(status, "Ready");
    let trouble = ready.filter(|ready| ready.status == "False").and_then(said);
    Some(Record {
        activation,
        deactivation,
        claim: claim(status),
        verified_at: read_status(&status.job.verified_at),
        on_air: shown(status, "OnAir").map_or(OnAir::NotOurs, |on_air| match on_air.status.as_str() {
            "True" => OnAir::True,
            "Unknown" => OnAir::Unknown,
            _ => OnAir::False,
        }),
        trouble,
        drift: drifted.and_then(|drifted| Reason::parse(&drifted.reason)).filter(|why| *why != DIFFERS),
        too_many_starts: shown(status, "CapacityShort")
            .is_some_and(|short| short.reason == Reason::TooManyStarts.as_str()),
        executor: executor(stored),
        workflows: status.workflows,
        registration: registered::read(status).map(Box::new),
        registered: shown(status, "Registered").and_then(said),
        differs: drifted.filter(|drifted| drifted.reason == DIFFERS.as_str()).map(|drifted| drifted.message.clone()),
        foreign: registered::id(&status.foreign_workflow_id),
        cuts: status.activation.cuts,
        finished_at: read_status(&status.finished_at),
        outbox: outbox::read(&status.notifications),
    })
}

/// What of a workflow at the vendor's scheduler is not as its owner has it shows on the same condition as a channel that
/// went off by itself.
const DIFFERS: Reason = Reason::VendorCopyDiffers;

fn said(condition: &Condition) -> Option<Trouble> {
    Some(Trouble { reason: Reason::parse(&condition.reason)?, message: condition.message.clone() })
}

/// The claim on the start that the apiserver has acknowledged. One whose time cannot be read counts from the start's: it
/// may not be taken for none.
pub(super) fn claim(status: &JobStartStopStatus) -> Option<Claim> {
    let ClaimStatus { by, lease, at, .. } = status.activation.claim.as_ref()?;
    let at = read_status(at).or_else(|| read_status(&status.activation.call_at))?;
    Some(Claim { by: ProcessId::new(by.as_str()), term: TermId::new(lease.as_str()), at })
}

fn claim_status(claim: &Claim, stored: Option<&ClaimStatus>) -> ClaimStatus {
    ClaimStatus {
        by: claim.by.to_string(),
        lease: claim.term.to_string(),
        at: api::time::micros(claim.at),
        unknown: stored.map(|stored| stored.unknown.clone()).unwrap_or_default(),
    }
}

fn shown<'a>(status: &'a JobStartStopStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

fn task(status: &TaskStatus, whole: &JobStartStopStatus) -> Option<Task> {
    let time = read_status(&status.time)?;
    Some(Task {
        state: state(status, whole),
        reason: Reason::parse(&status.reason),
        message: status.message.clone(),
        time,
        call_at: read_status(&status.call_at).unwrap_or(time),
        called_at: read_status(&status.called_at),
        attempted_at: read_status(&status.attempted_at),
        confirmed_at: read_status(&status.confirmed_at),
        lateness: status.lateness_millis.map(SignedDuration::from_millis),
        attempts: status.attempts,
    })
}

/// The status that a window should bear now, whole, in place of the one `before`. Times of conditions move only with
/// their status, so that an unchanged plan renders to an unchanged status.
pub(super) fn render(
    stored: &Stored,
    before: &JobStartStopStatus,
    planned: &WindowPlan,
    memory: &Memory,
    now: Timestamp,
) -> JobStartStopStatus {
    let record = &planned.record;
    let generation = stored.generation;
    JobStartStopStatus {
        observed_generation: Some(generation),
        phase: planned.phase.as_str().to_owned(),
        workflow_id: api::workflow::workflow_id(stored.id.as_str()),
        deletion_policy: stored.spec.deletion_policy.as_str().to_owned(),
        executor: executor_word(stored, before, record),
        workflows: record.workflows,
        vendor_workflow_id: registered::vendor_id(record, before),
        registered: record
            .registration
            .as_ref()
            .map(|registration| registered::render(registration, before.registered.as_ref())),
        foreign_workflow_id: record.foreign.as_ref().map(ToString::to_string).unwrap_or_default(),
        activation: TaskStatus {
            claim: record.claim.as_ref().map(|claim| claim_status(claim, before.activation.claim.as_ref())),
            cuts: record.cuts,
            ..task_status(&record.activation, &stored.spec.activation_given, (&before.activation, before))
        },
        deactivation: task_status(
            &record.deactivation,
            &stored.spec.deactivation_given,
            (&before.deactivation, before),
        ),
        job: job(before, record, planned.phase, memory),
        notifications: outbox::render(&stored.id, &record.outbox, &before.notifications),
        finished_at: record.finished_at.map(api::time::utc).unwrap_or_default(),
        conditions: planned
            .conditions()
            .iter()
            .map(|next| conditions::stored(&before.conditions, next, generation, &whole_seconds(now)))
            .chain(before.conditions.iter().filter(|condition| !ours(condition)).cloned())
            .collect(),
        unknown: before.unknown.clone(),
    }
}

/// Who makes the calls. What nobody can tell yet is not stored, and another version's word stays.
fn executor_word(stored: &Stored, before: &JobStartStopStatus, record: &Record) -> String {
    if stored.executor().is_none() || strange_executor(&before.executor) {
        return before.executor.clone();
    }
    record.executor.as_str().to_owned()
}

/// A condition that this version writes, as opposed to one that another version or tool keeps there.
fn ours(condition: &Condition) -> bool {
    plan::conditions::KINDS.contains(&condition.type_.as_str())
}

/// The text that was given for the time that counts: the spec's, unless an edit came after the time was frozen.
fn given_for(task: &Task, given: &str, stored: &str) -> String {
    let means = |text: &str| api::time::parse_instant(text).is_ok_and(|at| at == task.time);
    if !means(given) && means(stored) { stored.to_owned() } else { given.to_owned() }
}

fn task_status(task: &Task, given: &str, (stored, whole): (&TaskStatus, &JobStartStopStatus)) -> TaskStatus {
    // Another version's word stays as long as we have nothing to say against it.
    let theirs = strange(&stored.state) && task.state == state(stored, whole);
    TaskStatus {
        state: if theirs { stored.state.clone() } else { task.state.as_str().to_owned() },
        reason: task.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        message: bounded(&task.message),
        given: given_for(task, given, &stored.given),
        time: api::time::utc(task.time),
        time_utc: Some(epoch_seconds(task.time)),
        call_at: api::time::utc(task.call_at),
        claim: None,
        called_at: task.called_at.map(api::time::micros).unwrap_or_default(),
        attempted_at: task.attempted_at.map(api::time::micros).unwrap_or_default(),
        confirmed_at: task.confirmed_at.map(api::time::micros).unwrap_or_default(),
        lateness_millis: task.lateness.map(|late| i64::try_from(late.as_millis()).unwrap_or(i64::MAX)),
        attempts: task.attempts,
        cuts: 0,
        unknown: stored.unknown.clone(),
    }
}

/// The job as last read, for a window that it matters to. A reading that only passes (going on, going off) is not
/// worth a write of its own and is left out here; it shows as OnAir=Unknown.
fn job(stored: &JobStartStopStatus, record: &Record, phase: Phase, memory: &Memory) -> JobReading {
    let before = &stored.job;
    let verified_at = record.verified_at.map(api::time::utc).unwrap_or_default();
    let matters = record.has_it_on()
        || before.verified_at.is_empty()
        || record.settled() && stored.phase != phase.as_str()
        || record.settled() && record.on_air == OnAir::True;
    let seen = memory.seen().filter(|seen| matters && !matches!(seen.reading, Reading::GoingOn | Reading::GoingOff));
    let Some(seen) = seen else { return JobReading { verified_at, ..before.clone() } };
    let text = |word: &Option<plan::Word>| word.as_deref().map(bounded).unwrap_or_default();
    let (state, sep_state, reading) = (text(&seen.state), text(&seen.sep_state), seen.reading.as_str().to_owned());
    let same = state == before.state && sep_state == before.sep_state && reading == before.reading;
    let since = if same { before.since.clone() } else { api::time::utc(seen.at) };
    JobReading { state, sep_state, reading, since, verified_at, unknown: before.unknown.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::fixtures::{status_of, window};

    #[test]
    fn who_makes_the_calls_is_not_stored_before_anybody_can_tell() {
        let stored = window(&json!({}), &Value::Null);
        let record = Record::new(&stored.window());
        assert_eq!(status_of(&stored, &record).executor, "");
        let named = window(&json!({ "executor": "Operator" }), &Value::Null);
        assert_eq!(status_of(&named, &record).executor, "Operator");
    }

    #[test]
    fn an_executor_of_another_version_stays_and_no_start_is_made() {
        let mut status = serde_json::to_value(status_of(
            &window(&json!({}), &Value::Null),
            &Record::new(&window(&json!({}), &Value::Null).window()),
        ));
        status.as_mut().unwrap()["executor"] = json!("Studio");
        let stored = window(&json!({ "executor": "Operator" }), &status.unwrap());
        let record = stored_record(&stored).unwrap();
        assert_eq!(status_of(&stored, &record).executor, "Studio");
        let window = stored.window();
        assert!(!window.may_start());
        assert!(window.undecodable.unwrap().contains("the executor \"Studio\""));
    }
}
