//! The vendor's scheduler, in virtual time: workflows that fire, and answers that get lost.

use jiff::SignedDuration;

use super::{CALL, Ms, Rig, ms};
use crate::ids::WorkflowId;
use crate::memory::Verb;
use crate::plan::Want;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::TaskState;
use crate::registration::{Delegation, Executor, Grant, Half, Marker, Slot, Texts};
use crate::scheduler::{ShownWorkflow, WorkflowAnswer, WorkflowOp};
use crate::window::{HeadsUp, Window};

/// What becomes of one request; without one it is carried out and answered.
#[derive(Clone, Debug)]
pub(in crate::plan::tests) enum VendorFault {
    Refused(Reason),
    /// No answer after 5 s, but carried out.
    LostDone,
    /// No answer after 5 s, and not carried out.
    LostNotDone,
}

/// What becomes of one firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan::tests) enum Firing {
    /// It fails: the stop is cancelled with a start that does.
    Fails,
    /// It never happens, and the task stays pending.
    Never,
    /// It is told as made, and nothing comes of it.
    Idle,
}

/// The scheduler.
#[derive(Default)]
pub(in crate::plan::tests) struct Vendor {
    pub(in crate::plan::tests) workflows: Vec<ShownWorkflow>,
    /// There is no list.
    pub(in crate::plan::tests) no_list: bool,
    /// What becomes of the next requests that change something.
    pub(in crate::plan::tests) faults: Vec<VendorFault>,
    pub(in crate::plan::tests) start_firing: Option<Firing>,
    pub(in crate::plan::tests) stop_firing: Option<Firing>,
    /// Nothing is answered, and nothing carried out, from then to then.
    pub(in crate::plan::tests) silent: Option<(Ms, Ms)>,
    /// Requests: `schedule 0.000`.
    pub(in crate::plan::tests) log: Vec<(Ms, WorkflowOp)>,
    /// Its own calls.
    pub(in crate::plan::tests) fired: Vec<(Ms, Verb)>,
    /// Some of its workflows cannot be cancelled from here: nobody knows of them, or they were left on purpose.
    pub(in crate::plan::tests) unbound: bool,
    skipped: Vec<(WorkflowId, Verb)>,
    made: usize,
}

/// An answer on its way.
pub(super) struct Answering {
    pub(super) at: Ms,
    pub(super) answer: WorkflowAnswer,
}

/// Has the vendor's scheduler as its executor.
pub(in crate::plan::tests) fn delegated(window: &mut Window) {
    window.executor = Executor::LiveScheduler;
    window.delegation =
        Some(Delegation { marker: Marker::new(&window.id, "here"), texts: Texts::of(Some("Show"), None), adopt: None });
}

/// The same, and is told of by the vendor.
pub(in crate::plan::tests) fn delegated_with_receiver(window: &mut Window) {
    delegated(window);
    window.heads_up = Some(HeadsUp { start: SignedDuration::from_secs(100), stop: SignedDuration::from_secs(100) });
    if let Some(delegation) = &mut window.delegation {
        delegation.texts = Texts::of(Some("Show"), Some("https://example.com/a"));
    }
}

impl Rig {
    /// A window from 1000 to 2000 that the vendor runs, seen first at 0.
    pub(in crate::plan::tests) fn delegating() -> Self {
        Self::new().with_window("w", 1000, 2000, delegated)
    }

    /// A workflow that somebody else made.
    pub(in crate::plan::tests) fn foreign(&mut self, start: i64, stop: i64) -> WorkflowId {
        let pending = |second: i64| Half::pending(Slot { time: ms(second * 1000), ahead: SignedDuration::ZERO });
        self.vendor.add(None, pending(start), pending(stop), Texts::default())
    }

    /// The workflow, by the end of its name.
    pub(in crate::plan::tests) fn workflow(&mut self, index: usize) -> &mut ShownWorkflow {
        &mut self.vendor.workflows[index]
    }

    /// `pending 1000 | pending 2000`.
    pub(in crate::plan::tests) fn stands(&self) -> Vec<String> {
        let half = |half: &Half| {
            format!("{} {}", half.state.map_or("?", TaskState::as_str), half.slot.time.as_second() - ms(0).as_second())
        };
        self.vendor.workflows.iter().map(|w| format!("{} | {}", half(&w.start), half(&w.stop))).collect()
    }

    /// `schedule 0.000`.
    pub(in crate::plan::tests) fn asked(&self) -> Vec<String> {
        let changing = self.vendor.log.iter().filter(|(_, op)| op.changes());
        changing.map(|(at, op)| format!("{} {}.{:03}", op.as_str(), at / 1000, at % 1000)).collect()
    }

    /// `activate 1000.000`: the vendor's own.
    pub(in crate::plan::tests) fn fired(&self) -> Vec<String> {
        self.vendor.fired.iter().map(|(at, verb)| format!("{} {}.{:03}", verb.as_str(), at / 1000, at % 1000)).collect()
    }

    pub(in crate::plan::tests) fn registered(&self, id: &str) -> Option<Reason> {
        self.record(id).registered.as_ref().map(|told| told.reason)
    }

    pub(in crate::plan::tests) fn grant(&mut self, id: &str, grant: Grant) {
        self.object(id).grant = grant;
        self.step();
    }

    /// When the vendor fires next.
    pub(super) fn next_firing(&self) -> Option<Ms> {
        self.vendor.due().map(|(at, ..)| at).min()
    }

    /// Lets the vendor do what is due by now.
    pub(super) fn fire(&mut self) {
        while let Some((at, index, verb)) = self.vendor.due().filter(|(at, ..)| *at <= self.now).min_by_key(|f| f.0) {
            let firing = match verb {
                Verb::Activate => self.vendor.start_firing,
                Verb::Deactivate => self.vendor.stop_firing,
            };
            let workflow = &mut self.vendor.workflows[index];
            let half = if verb == Verb::Activate { &mut workflow.start } else { &mut workflow.stop };
            match firing {
                Some(Firing::Never) => {
                    let id = workflow.id.clone();
                    self.vendor.skipped.push((id, verb));
                }
                Some(Firing::Fails) => {
                    half.state = Some(TaskState::Failed);
                    if verb == Verb::Activate {
                        workflow.stop.state = Some(TaskState::Cancelled);
                    }
                }
                Some(Firing::Idle) => half.state = Some(TaskState::Finished),
                None => {
                    half.state = Some(TaskState::Finished);
                    self.vendor.fired.push((at, verb));
                    let idle = verb == Verb::Deactivate && self.channel == Reading::Off && self.turns.is_empty();
                    if verb == Verb::Activate && !self.outsiders && !self.vendor.unbound {
                        let state = (self.channel, self.turns.len());
                        assert_eq!(state, (Reading::Off, 0), "the vendor switched on at {at}: {:?}", self.calls());
                    }
                    if !idle {
                        self.turn_after_call(verb, at);
                    }
                }
            }
        }
    }

    /// Sends a request to the scheduler.
    pub(super) fn ask(&mut self, want: Want) {
        let Want::Workflow { account, window, op, .. } = want else { return };
        let now = self.now;
        self.memory.workflow_sent(op.clone(), &account, &window, ms(now));
        self.vendor.log.push((now, op.clone()));
        let silent = self.vendor.silent.is_some_and(|(from, to)| (from..to).contains(&now));
        let fault = match self.vendor.faults.first() {
            _ if silent => Some(VendorFault::LostNotDone),
            Some(_) if op.changes() => Some(self.vendor.faults.remove(0)),
            _ => None,
        };
        let lost = || WorkflowAnswer::Lost("timed out".into());
        let (at, answer) = match fault {
            None => (now + CALL, self.vendor.carry_out(&op)),
            Some(VendorFault::Refused(reason)) => {
                (now + CALL, WorkflowAnswer::Refused { reason, message: "no".into() })
            }
            Some(VendorFault::LostDone) => {
                self.vendor.carry_out(&op);
                (now + 5000, lost())
            }
            Some(VendorFault::LostNotDone) => (now + 5000, lost()),
        };
        if answer == WorkflowAnswer::NoList {
            self.no_list = true;
        }
        self.answering = Some(Answering { at, answer });
    }
}

impl Vendor {
    fn add(&mut self, marker: Option<Marker>, start: Half, stop: Half, texts: Texts) -> WorkflowId {
        let id = WorkflowId::new(format!("workflow-{}", self.made));
        self.made += 1;
        self.workflows.push(ShownWorkflow { id: id.clone(), marker, start, stop, texts });
        id
    }

    fn due(&self) -> impl Iterator<Item = (Ms, usize, Verb)> {
        let since = |half: &Half| Ms::try_from(half.slot.time.duration_since(ms(0)).as_millis()).unwrap();
        self.workflows.iter().enumerate().filter_map(move |(index, workflow)| {
            let open = |half: &Half, verb| {
                let skipped = self.skipped.iter().any(|(id, of)| *id == workflow.id && *of == verb);
                (half.state == Some(TaskState::Pending) && !skipped).then(|| (since(half), index, verb))
            };
            let start = open(&workflow.start, Verb::Activate);
            start.or_else(|| open(&workflow.stop, Verb::Deactivate))
        })
    }

    fn carry_out(&mut self, op: &WorkflowOp) -> WorkflowAnswer {
        let find = |all: &mut Vec<ShownWorkflow>, id: &WorkflowId| all.iter().position(|workflow| workflow.id == *id);
        match op {
            WorkflowOp::Create { marker, start, stop, .. } => {
                let id = self.add(
                    Some(marker.clone()),
                    Half::pending(*start),
                    Half::pending(*stop),
                    Texts::of(Some("Show"), None),
                );
                let index = find(&mut self.workflows, &id).unwrap();
                WorkflowAnswer::Shows(Box::new(self.workflows[index].clone()))
            }
            WorkflowOp::Find if self.no_list => WorkflowAnswer::NoList,
            WorkflowOp::Find => WorkflowAnswer::Lists(self.workflows.clone()),
            WorkflowOp::Update { id, .. } | WorkflowOp::Cancel { id } | WorkflowOp::Read { id } => {
                let Some(index) = find(&mut self.workflows, id) else {
                    return WorkflowAnswer::NotFound("no such workflow".into());
                };
                let workflow = &mut self.workflows[index];
                match op {
                    WorkflowOp::Update { start, stop, .. } => {
                        let mut refused = false;
                        for (half, slot) in [(&mut workflow.start, start), (&mut workflow.stop, stop)] {
                            match slot {
                                Some(slot) if half.state == Some(TaskState::Pending) => half.slot = *slot,
                                Some(_) => refused = true,
                                None => {}
                            }
                        }
                        if refused {
                            let (reason, message) = (Reason::SchedulerUnavailable, "not pending".into());
                            return WorkflowAnswer::Refused { reason, message };
                        }
                    }
                    WorkflowOp::Cancel { .. } => {
                        for half in [&mut workflow.start, &mut workflow.stop] {
                            if half.state == Some(TaskState::Pending) {
                                half.state = Some(TaskState::Cancelled);
                            }
                        }
                    }
                    _ => {}
                }
                WorkflowAnswer::Shows(Box::new(workflow.clone()))
            }
        }
    }
}
