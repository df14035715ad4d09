//! The vendor's own scheduler: windows that it runs, what stands there, what goes wrong with it, and what must be true of
//! it at the end of every world.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulator::{
    Call, FiringFault, FiringOutcome, ListCall, NewWorkflow, Operation, SchedulerSettings, TaskKind, TaskReport,
    TaskState, WorkflowReport,
};

use super::{BEGINNING, GROUP, WINDOWS, World, at};

/// A task that the vendor's scheduler made, and when, in milliseconds since the world's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fired(pub(crate) TaskKind, pub(crate) i64);

/// What people do.
impl World {
    /// Applies a window `<namespace>/<name>` that the vendor's scheduler is to run.
    pub(crate) fn delegate(&self, path: &str, job: &str, times: (i64, i64)) {
        self.delegate_with(path, job, times, &Value::Null);
    }

    /// The same with more fields of `spec`.
    pub(crate) fn delegate_with(&self, path: &str, job: &str, (start, stop): (i64, i64), more: &Value) {
        let (namespace, name) = path.split_once('/').unwrap();
        let mut spec = json!({"jobID": job, "executor": "LiveScheduler",
            "activation": {"time": at(start)}, "deactivation": {"time": at(stop)}});
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        self.create(json!({"apiVersion": GROUP, "kind": "JobStartStop",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}));
    }

    /// A person makes a workflow in the vendor's interface; gives its id.
    pub(crate) fn foreign_workflow(&self, job: &str, (start, stop): (i64, i64)) -> String {
        let new = NewWorkflow::window(job, BEGINNING + start, BEGINNING + stop);
        self.vendor(|vendor| vendor.schedule(self.now(), new)).unwrap()
    }
}

/// The vendor's scheduler.
impl World {
    /// Changes how it behaves.
    pub(crate) fn scheduler(&self, change: impl FnOnce(&mut SchedulerSettings)) {
        self.vendor_settings(|settings| change(&mut settings.scheduler));
    }

    /// It has a list of workflows.
    pub(crate) fn serve_list(&self) {
        self.scheduler(|scheduler| scheduler.list = ListCall::Served);
    }

    /// From now on something goes wrong with what it makes.
    pub(crate) fn firing_fault(&self, fault: FiringFault) {
        self.vendor(|vendor| vendor.add_firing_fault(fault));
    }

    /// All workflows, in the order in which they were made.
    pub(crate) fn workflows(&self) -> Vec<WorkflowReport> {
        self.vendor(|vendor| vendor.workflows(self.now()))
    }

    /// Those of the job, as `<state of the start> <its second> | <state of the stop> <its second>`.
    pub(crate) fn stands(&self, job: &str) -> Vec<String> {
        let task = |task: &TaskReport| format!("{} {}", task.state.as_str(), task.time_utc - BEGINNING);
        let of_job = self.workflows().into_iter().filter(|workflow| workflow.job == job);
        of_job.map(|workflow| format!("{} | {}", task(&workflow.activation), task(&workflow.deactivation))).collect()
    }

    /// How many workflows there are whose start is pending.
    pub(crate) fn pending_starts(&self) -> usize {
        self.workflows().iter().filter(|workflow| workflow.activation.state == TaskState::Pending).count()
    }

    /// What its scheduler made for the job, oldest first.
    pub(crate) fn fired(&self, job: &str) -> Vec<Fired> {
        let of_job = self.workflows().into_iter().filter(|workflow| workflow.job == job);
        let made = of_job.flat_map(|workflow| workflow.firings);
        let made = made.filter(|firing| firing.outcome == FiringOutcome::Finished);
        let mut all: Vec<Fired> =
            made.map(|firing| Fired(firing.task, (firing.at_us - at(0).as_microsecond()) / 1_000)).collect();
        all.sort_by_key(|Fired(_, at)| *at);
        all
    }

    /// Calls of that kind, oldest first.
    pub(crate) fn asked(&self, operation: Operation) -> Vec<Call> {
        self.calls_where(|call| call.operation == operation)
    }

    pub(crate) fn calls_where(&self, which: impl Fn(&Call) -> bool) -> Vec<Call> {
        self.vendor(|vendor| vendor.calls().filter(|call| which(call)).cloned().collect())
    }

    /// How often the channel was switched on, by whomever.
    pub(crate) fn starts(&self, job: &str) -> usize {
        let by_vendor = self.fired(job).iter().filter(|Fired(task, _)| *task == TaskKind::Activation).count();
        let by_operator = self.calls_where(|call| {
            call.operation == Operation::Activate && call.job.as_deref() == Some(job) && call.carried_out
        });
        by_vendor + by_operator.len()
    }

    /// Seconds billed for the job so far.
    pub(crate) fn billed(&self, job: &str) -> i64 {
        let report = self.vendor(|vendor| vendor.report(self.now(), job)).unwrap();
        i64::try_from(report.billed_seconds).unwrap()
    }
}

/// What must be true.
impl World {
    /// The vendor's scheduler made the calls of these blocks, at exactly their times, and the operator none.
    pub(crate) fn assert_run_by_vendor(&self, job: &str, blocks: &[(i64, i64)]) {
        let calls = blocks.iter().flat_map(|(start, stop)| {
            [Fired(TaskKind::Activation, start * 1_000), Fired(TaskKind::Deactivation, stop * 1_000)]
        });
        assert_eq!(self.fired(job), calls.collect::<Vec<_>>(), "{job}: {:?}", self.stands(job));
        assert_eq!(self.count(job, Operation::Activate), 0, "{job} is started by the operator");
        assert_eq!(self.count(job, Operation::Deactivate), 0, "{job} is stopped by the operator");
    }

    /// Whatever happened: a workflow was changed only by those who had made or adopted it, none that an operator made is
    /// left pending, and no two of them ran for the same session.
    pub(super) fn assert_workflows_sound(&self) {
        let all = self.workflows();
        let adopted = self.adopted();
        let changes = |call: &Call| matches!(call.operation, Operation::ScheduleUpdate | Operation::ScheduleCancel);
        for call in self.calls_where(changes) {
            let Some(workflow) = all.iter().find(|workflow| call.workflow.as_ref() == Some(&workflow.id)) else {
                continue;
            };
            let marked = workflow.description.as_deref().is_some_and(|text| text.contains("[jss:"));
            let own = marked && workflow.created_by == call.key;
            assert!(own || adopted.contains(&workflow.id), "somebody else's: {call:#?} of {workflow:#?}");
        }
        let ours: Vec<&WorkflowReport> = all.iter().filter(|workflow| workflow.created_by.is_some()).collect();
        for workflow in &ours {
            let left = [&workflow.activation, &workflow.deactivation].map(|task| task.state == TaskState::Pending);
            assert_eq!(left, [false, false], "left at the vendor: {workflow:#?}");
        }
        let ran = |of: &WorkflowReport| {
            of.activation.state == TaskState::Finished && of.deactivation.state == TaskState::Finished
        };
        let ran: Vec<&WorkflowReport> = ours.into_iter().filter(|workflow| ran(workflow)).collect();
        for (place, one) in ran.iter().enumerate() {
            let twin = ran[..place].iter().find(|other| {
                other.job == one.job
                    && one.activation.time_utc < other.deactivation.time_utc
                    && other.activation.time_utc < one.deactivation.time_utc
            });
            assert_eq!(twin, None, "two for one session: {one:#?}");
        }
    }

    /// The workflows that a window of this world has named.
    fn adopted(&self) -> BTreeSet<String> {
        let written = self.store.writes().into_iter().filter_map(|write| write.stored);
        let named = |object: Value| object["spec"]["adoptWorkflowID"].as_str().map(str::to_owned);
        written.chain(self.store.list(WINDOWS)).filter_map(named).collect()
    }
}

/// The condition of that type; null: there is none.
pub(crate) fn told(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

/// Why the window is registered, or why it is not.
pub(crate) fn registered(window: &Value) -> String {
    told(window, "Registered")["reason"].as_str().unwrap_or_default().to_owned()
}
