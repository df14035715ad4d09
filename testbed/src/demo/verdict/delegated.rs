//! The same plots where the Live API's scheduler makes the calls: what it was asked, what it made of that, and that the
//! operator made nothing but what was missing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use simulator::{Call, Firing, FiringOutcome, Operation, TaskKind, WorkflowReport};

use super::super::{
    Sabotage,
    kubernetes::Window,
    stage::STEPS_IN_AFTER_MS,
    table::{abridged, lateness_ms, time_of_day},
    workflows::{at, planned},
};
use super::{Evidence, Judge, Judgement, Made, told, unseen};

/// What begins the marker that stands behind the text of the description.
const MARK: &str = "[jss:";

/// Judges each window by its plot.
pub(super) fn judgements(evidence: &Evidence) -> Vec<Judgement> {
    vec![evening_news(evidence), football(evidence), gala(evidence), matinee(evidence), premiere(evidence)]
}

/// What is to be said of all of it.
pub(super) fn in_all(evidence: &Evidence) -> String {
    let made: Vec<(&WorkflowReport, &Firing)> = evidence
        .workflows
        .iter()
        .flat_map(|workflow| workflow.firings.iter().map(move |firing| (workflow, firing)))
        .filter(|(_, firing)| firing.outcome == FiringOutcome::Finished)
        .collect();
    let lateness =
        |(workflow, firing): &(&WorkflowReport, &Firing)| lateness_ms(at(firing), planned(workflow, firing.task));
    let latest = made.iter().map(lateness).fold(0.0, f64::max);
    let ours = match evidence.switches().count() {
        0 => "the operator made none itself".to_owned(),
        count => format!("{count} was missing and made by the operator"),
    };
    format!(
        "{} calls by the Live API's scheduler for five windows, none early, none more than {latest:.1} ms late; {ours}; every \
         channel is off",
        made.len()
    )
}

fn evening_news(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "evening-news") else { return unseen("evening-news") };
    let (start, stop) = (judge.window.start(), judge.window.stop());
    let workflow = judge.workflow(start, stop);
    let description = workflow.and_then(|workflow| workflow.description.as_deref()).unwrap_or_default();
    judge.demand(description.starts_with(&format!("Evening news {MARK}")), || {
        format!("its workflow is described as {description:?}, without text or marker")
    });
    let forgotten = evidence.sabotage == Some(Sabotage::LoseStop);
    let praise = judge.vendors_session(start, stop, forgotten);
    judge.phase("Finished");
    judge.told_of_all();
    judge.told_by(if forgotten { &["deactivate"] } else { &[] });
    if forgotten {
        judge.condition("Registered", "VendorStopMissing");
        return judge.conclude(format!("{praise}; its receiver was told four times, of that stop by the operator"));
    }
    judge.recorded("finished", "finished");
    let id = abridged(&judge.window.status.workflow);
    judge.conclude(format!(
        "on air {}–{} by workflow {id}: {praise}; its receiver was told four times, by the Live API",
        time_of_day(start, 0),
        time_of_day(stop, 0),
    ))
}

fn football(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "football") else { return unseen("football") };
    let (start, stop) = (judge.window.start(), judge.window.stop());
    judge.workflow(start, stop);
    judge.its_stop_alone_was_moved();
    let length = stop.duration_since(start).as_secs();
    judge.demand(length < 60, || "the edit of its stop did not reach it".to_owned());
    let praise = judge.vendors_session(start, stop, false);
    judge.phase("Finished");
    judge.recorded("finished", "finished");
    judge.conclude(format!("ten minutes planned, {length} s by an edit on air that sent the stop alone: {praise}"))
}

fn gala(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "gala") else { return unseen("gala") };
    let (start, stop) = (judge.window.start(), judge.window.stop());
    judge.workflow(start, stop);
    judge.never_switched();
    judge.demand(evidence.at > start, || "its start is still ahead".to_owned());
    judge.phase("Cancelled");
    judge.recorded("cancelled", "cancelled");
    judge.conclude("cancelled before its start, at the Live API's scheduler, too: the channel never went on".to_owned())
}

fn matinee(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "matinee") else { return unseen("matinee") };
    let start = judge.window.start();
    let until = evidence.board.window("premiere").map_or(start, Window::stop);
    judge.workflow(start, until);
    let started = judge.fired(TaskKind::Activation, start);
    judge.reason("stop", &judge.window.status.deactivation, "KeptOnAir");
    judge.phase("Finished");
    judge.conclude(format!("{}; one workflow stood for premiere, too: no stop was made at its end", told(started)))
}

fn premiere(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "premiere") else { return unseen("premiere") };
    let stop = judge.window.stop();
    let began = evidence.board.window("matinee").map_or(stop, Window::start);
    judge.its_stop_alone_was_moved();
    judge.is_off(stop);
    let stopped = judge.fired(TaskKind::Deactivation, stop);
    judge.not_called();
    let billed = judge.billed(began, stop);
    judge.reason("start", &judge.window.status.activation, "AlreadyOnAir");
    judge.demand(evidence.board.conflicted.contains("premiere"), || "it never showed Conflict=True".to_owned());
    judge.demand(evidence.board.carried.contains("premiere"), || "it never showed CarriedByAnother".to_owned());
    judge.phase("Finished");
    judge.conclude(format!("no workflow of its own, and no start; {}, {billed} for both", told(stopped)))
}

impl<'a> Judge<'a> {
    /// The one workflow that was made for the channel, and stands for that time.
    fn workflow(&mut self, start: Timestamp, stop: Timestamp) -> Option<&'a WorkflowReport> {
        let evidence: &'a Evidence = self.evidence;
        let all: Vec<_> = evidence.workflows.iter().filter(|workflow| workflow.job == self.channel.id).collect();
        let [workflow] = all[..] else {
            self.faults.push(format!("{} workflows were made for the channel {}, not one", all.len(), self.channel.id));
            return None;
        };
        for (what, kind, wanted) in [("on", TaskKind::Activation, start), ("off", TaskKind::Deactivation, stop)] {
            let stands = planned(workflow, kind);
            self.demand(stands == wanted, || {
                format!("its workflow is {what} at {}, not at {}", time_of_day(stands, 0), time_of_day(wanted, 0))
            });
        }
        Some(workflow)
    }

    /// One start and one stop by the Live API's scheduler, or the stop by the operator where that one is forgotten; off,
    /// and billed for what was planned.
    fn vendors_session(&mut self, start: Timestamp, stop: Timestamp, forgotten: bool) -> String {
        if self.channel.sessions == 0 {
            self.faults.push("the channel never went on air".to_owned());
            self.fired(TaskKind::Activation, start);
            return String::new();
        }
        self.is_off(stop);
        let started = self.fired(TaskKind::Activation, start);
        if forgotten {
            let due = stop.checked_add(SignedDuration::from_millis(STEPS_IN_AFTER_MS)).unwrap_or(stop);
            let stopped = self.call(Operation::Deactivate, due);
            let billed = self.billed(start, due);
            let waited = format!("{}.{:02} s", STEPS_IN_AFTER_MS / 1_000, STEPS_IN_AFTER_MS % 1_000 / 10);
            let late = stopped.map_or(String::new(), |Made { late_ms, .. }| format!("{late_ms:.1} ms after that"));
            return format!(
                "{}; its stop was forgotten by the Live API's scheduler, waited for {waited}, and made by the operator \
                 {late}, {billed}",
                told(started)
            );
        }
        let stopped = self.fired(TaskKind::Deactivation, stop);
        self.not_called();
        let billed = self.billed(start, stop);
        format!("{}, {}, {billed}", told(started), told(stopped))
    }

    /// Made by the Live API's scheduler, once, on time, and carried out.
    fn fired(&mut self, kind: TaskKind, planned: Timestamp) -> Option<Made> {
        let of_channel = self.evidence.workflows.iter().filter(|workflow| workflow.job == self.channel.id);
        let firings: Vec<&Firing> =
            of_channel.flat_map(|workflow| &workflow.firings).filter(|firing| firing.task == kind).collect();
        let (verb, done) = match kind {
            TaskKind::Activation => ("activate", "started"),
            TaskKind::Deactivation => ("deactivate", "stopped"),
        };
        let what = format!("{verb} {}", self.channel.id);
        let [firing] = firings[..] else {
            self.faults.push(format!("the Live API's scheduler made {} calls to {what}, not one", firings.len()));
            return None;
        };
        if firing.outcome != FiringOutcome::Finished {
            self.faults.push(format!("the Live API's scheduler did not {what}"));
            return None;
        }
        Some(self.made(&what, done, lateness_ms(at(firing), planned)))
    }

    /// The operator called nothing for the channel.
    fn not_called(&mut self) {
        let calls = self.evidence.switches().filter(|call| call.job.as_deref() == Some(&self.channel.id)).count();
        self.demand(calls == 0, || format!("the operator made {calls} calls itself"));
    }

    /// One change of the channel's workflow, and nothing in it but the stop.
    fn its_stop_alone_was_moved(&mut self) {
        let changes: Vec<&Call> = self
            .evidence
            .calls
            .iter()
            .filter(|call| call.operation == Operation::ScheduleUpdate && call.job.as_deref() == Some(&self.channel.id))
            .collect();
        let stop_alone = |call: &&Call| {
            let body = call.body.as_ref().and_then(Value::as_object);
            body.is_some_and(|body| body.keys().eq(["deactivation"]))
        };
        let alone = changes.iter().filter(|call| stop_alone(call)).count();
        self.demand((changes.len(), alone) == (1, 1), || {
            format!("its workflow was changed {} times, {alone} of them the stop alone; not once", changes.len())
        });
    }

    /// What its status has of the two tasks there.
    fn recorded(&mut self, start: &str, stop: &str) {
        let states = self.window.status.registered.as_ref().map_or(("", ""), |registered| {
            (registered.activation.state.as_str(), registered.deactivation.state.as_str())
        });
        self.demand(states == (start, stop), || {
            format!("its status has its workflow as {states:?}, not {start} and {stop}")
        });
    }

    fn condition(&mut self, kind: &str, wanted: &str) {
        let reason = self.window.condition(kind).map_or("", |condition| condition.reason.as_str());
        self.demand(reason == wanted, || format!("the reason of its condition {kind} is {reason:?}, not {wanted}"));
    }

    /// These by the operator, which signs, and the others by the Live API, which does not.
    fn told_by(&mut self, operator: &[&str]) {
        let right = self.evidence.told.iter().all(|one| {
            let ours = operator.contains(&one.action.as_str());
            ours == one.signed && (!ours || one.verified)
        });
        self.demand(right, || "a notification was not sent by whom it should be".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::{Executor, told::Told};
    use super::super::tests::{self, START, call, done, faults, shifted};
    use super::super::{ACTIONS, on};
    use super::*;

    fn with_workflow(mut window: Value, id: &str, states: (&str, &str)) -> Value {
        window["status"]["vendorWorkflowID"] = json!(id);
        window["status"]["registered"] =
            json!({"activation": {"state": states.0}, "deactivation": {"state": states.1}});
        window
    }

    fn workflow(job: &str, text: &str, off_after: i64, firings: &Value) -> WorkflowReport {
        let task = |time: i64| json!({"state": "finished", "time_utc": time, "notification": null, "due_us": null});
        serde_json::from_value(json!({
            "id": format!("{job}-of-the-vendor"), "account": "default", "job": job, "created_by": "demo", "created_us": 0,
            "gone": false, "activation": task(START), "deactivation": task(START + off_after),
            "description": format!("{text} [jss:0c1d.1@demo]"), "notification_url": null, "firings": firings,
        }))
        .unwrap()
    }

    fn fired(task: &str, after_ms: i64) -> Value {
        json!({"task": task, "at_us": START * 1_000_000 + after_ms * 1_000, "outcome": "finished"})
    }

    fn both(off_after_ms: i64) -> Value {
        json!([fired("activation", 0), fired("deactivation", off_after_ms)])
    }

    fn moved(job: &str, body: Value) -> Call {
        let mut call = call(job, "schedule_update", 5_000);
        call.body = Some(body);
        call
    }

    /// All as it should be.
    fn evidence() -> Evidence {
        let mut evidence = tests::evidence();
        evidence.executor = Executor::LiveScheduler;
        let finished = ("finished", "finished");
        let mut premiere = shifted(done("premiere", "cinema"), "2026-12-02T13:00:05Z", "2026-12-02T13:00:20Z");
        premiere["status"]["activation"] = json!({"state": "finished", "reason": "AlreadyOnAir"});
        premiere["status"]["conditions"] = json!([
            {"type": "Registered", "status": "True", "reason": "CarriedByAnother", "message": ""},
        ]);
        for window in [
            with_workflow(done("evening-news", "news"), "news-of-the-vendor", finished),
            with_workflow(done("football", "sports"), "sports-of-the-vendor", finished),
            with_workflow(
                super::super::super::kubernetes::tests::window("gala", "culture", "Cancelled"),
                "culture-of-the-vendor",
                ("cancelled", "cancelled"),
            ),
            premiere,
        ] {
            evidence.board.put(serde_json::from_value(window).unwrap());
        }
        let only_stop = || json!({"deactivation": {"time_utc": START + 10}});
        evidence.calls = vec![moved("sports", only_stop()), moved("cinema", only_stop())];
        evidence.workflows = vec![
            workflow("news", "Evening news", 10, &both(10_000)),
            workflow("sports", "Football", 10, &both(10_002)),
            workflow("culture", "Gala", 10, &json!([])),
            workflow("cinema", "Matinee", 20, &both(20_000)),
        ];
        for told in &mut evidence.told {
            (told.signed, told.verified) = (false, false);
        }
        evidence
    }

    /// The stop of the evening news was forgotten, and made good.
    fn stepped_in() -> Evidence {
        let mut evidence = evidence();
        evidence.sabotage = Some(Sabotage::LoseStop);
        let mut news = with_workflow(done("evening-news", "news"), "news-of-the-vendor", ("finished", "pending"));
        news["status"]["conditions"] = json!([
            {"type": "Registered", "status": "False", "reason": "VendorStopMissing", "message": ""},
        ]);
        evidence.board.put(serde_json::from_value(news).unwrap());
        let forgotten = json!({"task": "deactivation", "at_us": (START + 10) * 1_000_000, "outcome": "skipped"});
        evidence.workflows[0] = workflow("news", "Evening news", 10, &json!([fired("activation", 0), forgotten]));
        evidence.calls.push(call("news", "deactivate", 10_000 + STEPS_IN_AFTER_MS + 20));
        let at = Timestamp::from_second(START).unwrap();
        evidence.told[3] = Told::of(ACTIONS[3], "news", at);
        evidence
    }

    #[test]
    fn all_well_by_the_scheduler_alone() {
        let verdict = on(&evidence());
        assert!(verdict.all_well(), "{verdict:?}");
        let praise = &verdict.summary.praise;
        assert!(
            praise.contains("6 calls by the Live API's scheduler") && praise.contains("made none itself"),
            "{praise}"
        );
        assert!(praise.contains("2.0 ms late"), "{praise}");
    }

    #[test]
    fn a_stop_that_was_forgotten_and_made_good_is_well() {
        let verdict = on(&stepped_in());
        assert!(verdict.all_well(), "{verdict:?}");
        let praise = &verdict.judgements[0].praise;
        assert!(praise.contains("forgotten") && praise.contains("20.0 ms after that"), "{praise}");
    }

    #[test]
    fn a_stop_that_was_forgotten_and_not_made_good_or_too_early_is_not() {
        let mut evidence = stepped_in();
        evidence.calls.pop();
        assert!(faults(&evidence, "evening-news").contains("0 calls to deactivate news, not one"));
        evidence.calls.push(call("news", "deactivate", 10_100));
        assert!(faults(&evidence, "evening-news").contains("ms early"));
    }

    #[test]
    fn a_start_of_the_operators_own_is_one_too_many() {
        let mut evidence = evidence();
        evidence.calls.push(call("sports", "activate", 1));
        assert_eq!(faults(&evidence, "football"), "the operator made 1 calls itself");
    }

    #[test]
    fn an_edit_on_air_that_sent_more_than_the_stop() {
        let mut evidence = evidence();
        let both = json!({"activation": {"time_utc": START}, "deactivation": {"time_utc": START + 10}});
        evidence.calls[0] = moved("sports", both);
        assert_eq!(
            faults(&evidence, "football"),
            "its workflow was changed 1 times, 0 of them the stop alone; not once"
        );
    }

    #[test]
    fn a_second_workflow_for_windows_that_are_merged() {
        let mut evidence = evidence();
        evidence.workflows.push(workflow("cinema", "Premiere", 20, &json!([])));
        assert_eq!(faults(&evidence, "matinee"), "2 workflows were made for the channel cinema, not one");
    }

    #[test]
    fn a_workflow_without_its_marker_or_at_another_time() {
        let mut evidence = evidence();
        evidence.workflows[0].description = Some("Evening news".to_owned());
        evidence.workflows[1] = workflow("sports", "Football", 600, &both(10_000));
        assert!(faults(&evidence, "evening-news").contains("without text or marker"));
        assert_eq!(faults(&evidence, "football"), "its workflow is off at 13:10:00, not at 13:00:10");
    }

    #[test]
    fn a_notification_by_the_wrong_one_of_the_two() {
        let mut evidence = evidence();
        (evidence.told[1].signed, evidence.told[1].verified) = (true, true);
        assert_eq!(faults(&evidence, "evening-news"), "a notification was not sent by whom it should be");
    }

    #[test]
    fn a_status_that_does_not_show_what_became_of_the_workflow() {
        let mut evidence = evidence();
        let gala = super::super::super::kubernetes::tests::window("gala", "culture", "Cancelled");
        let gala = with_workflow(gala, "culture-of-the-vendor", ("pending", "pending"));
        evidence.board.put(serde_json::from_value(gala).unwrap());
        assert_eq!(
            faults(&evidence, "gala"),
            "its status has its workflow as (\"pending\", \"pending\"), not cancelled and cancelled"
        );
    }
}
