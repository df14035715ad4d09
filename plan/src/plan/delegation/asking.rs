//! What the vendor's scheduler is asked: one request for a job at a time.

use jiff::Timestamp;

use crate::ids::{AccountName, WindowId};
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, later, sooner};
use crate::plan::{Alarm, Want};
use crate::scheduler::{Scheduler, WorkflowOp};
use crate::timings::backoff;

struct Wish {
    due: Timestamp,
    pressing: bool,
    op: WorkflowOp,
    account: AccountName,
    window: WindowId,
}

/// The requests wished for.
#[derive(Default)]
pub(in crate::plan) struct Asking(Vec<Wish>);

impl Asking {
    /// The one to be made now: what presses first, and what covers a window before what uncovers one.
    pub(in crate::plan) fn choose(self, facts: &Facts, alarm: &mut Alarm) -> Option<Want> {
        for wish in &self.0 {
            alarm.at(wish.due);
        }
        if facts.memory.scheduler().is_some_and(Scheduler::under_way) {
            return None;
        }
        let due = self.0.into_iter().filter(|wish| wish.due <= facts.now);
        let Wish { pressing, op, account, window, .. } = due.min_by_key(|wish| (!wish.pressing, rank(&wish.op)))?;
        Some(Want::Workflow { account, window, op, pressing })
    }

    pub(super) fn wish(&mut self, draft: &Draft, due: Timestamp, op: WorkflowOp, facts: &Facts) {
        let Some(account) = facts.account_for(draft.entry) else { return };
        let pressing = presses(draft, &op, facts);
        let free = facts.memory.scheduler().and_then(|scheduler| free_from(scheduler, draft, pressing, facts));
        let due = due.max(free.unwrap_or(Timestamp::MIN)).max(facts.now);
        self.0.push(Wish { due, pressing, op, account, window: draft.entry.window.id.clone() });
    }
}

fn rank(op: &WorkflowOp) -> u8 {
    match op {
        WorkflowOp::Update { .. } => 0,
        WorkflowOp::Create { .. } => 1,
        WorkflowOp::Cancel { .. } => 2,
        WorkflowOp::Read { .. } => 3,
        WorkflowOp::Find => 4,
    }
}

/// Something that is due, or about to be, hangs on it, or somebody waits for it.
fn presses(draft: &Draft, op: &WorkflowOp, facts: &Facts) -> bool {
    let near = |at: Timestamp| facts.now >= sooner(at, facts.timings.register_by);
    let window = &draft.entry.window;
    let due = near(draft.record.activation.call_at) || draft.record.has_it_on();
    match op {
        WorkflowOp::Create { .. } => false,
        _ => due || window.deleting() || window.cancel,
    }
}

/// When the next request may be sent after those in vain.
fn free_from(scheduler: &Scheduler, draft: &Draft, pressing: bool, facts: &Facts) -> Option<Timestamp> {
    let (at, _) = scheduler.call.as_ref()?.answered.as_ref()?;
    if scheduler.failures == 0 {
        return None;
    }
    let t = facts.timings;
    let (first, most) =
        if pressing { (t.retry_first, t.retry_most) } else { (t.check_retry_first, t.check_retry_most) };
    Some(later(*at, backoff(first, most, scheduler.failures, draft.entry.window.id.as_str())))
}
