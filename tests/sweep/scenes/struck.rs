//! A process that ends or stops itself at a step, and the one that goes on.

use std::path::PathBuf;

use jobstartstop::controller::Step;
use testbed::{Operator, Signal};

use super::{FAILPOINTS, ends, leads};
use crate::harness::{Stage, blocking, eventually};

/// How a process is struck, and which one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Killed; the same command is started again, at once.
    Restart,
    /// Killed; another process stands by.
    Takeover,
    /// Stopped; another process stands by, and the first one goes on once that leads.
    WakeUp,
}

/// A process that ends or stops itself at a step.
pub(crate) struct Struck {
    pub(crate) operator: Operator,
    step: Step,
    mode: Mode,
    hit: PathBuf,
}

impl Struck {
    /// Starts one that is.
    pub(crate) async fn launch(stage: &Stage, step: Step, mode: Mode, times: &[&str]) -> Self {
        let hit = stage.plane().run().unique_path(&format!("hit-{step}"), "");
        let variable = if mode == Mode::WakeUp { "SWEEP_STOP_AT" } else { "SWEEP_KILL_AT" };
        let failpoint = [(variable, step.to_string()), ("SWEEP_HIT_FILE", hit.display().to_string())];
        let operator = stage.launch(FAILPOINTS, times, &failpoint).await;
        Self { operator, step, mode, hit }
    }

    /// It was struck.
    pub(crate) fn was_hit(&self) -> bool {
        std::fs::read_to_string(&self.hit).is_ok_and(|told| told == self.step.as_str())
    }

    /// Waits until it was struck.
    pub(crate) async fn is_hit(&self) {
        let what = format!("{} {:?}: the failpoint is hit", self.step, self.mode);
        eventually(&what, async || self.was_hit().then_some(())).await;
        if self.mode != Mode::WakeUp {
            ends(&self.operator).await;
        }
    }

    /// Waits until the other one leads; this one goes on then, if it can.
    pub(crate) async fn makes_way_for(self, standby: Operator) -> Vec<Operator> {
        if self.mode != Mode::WakeUp {
            return vec![standby];
        }
        leads(&standby).await;
        let woken = blocking(move || {
            self.operator.process().signal(Signal::Continue).unwrap();
            self.operator
        });
        vec![woken.await, standby]
    }
}
