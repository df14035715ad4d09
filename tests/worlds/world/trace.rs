//! Everything that could be seen of an operator from outside, as lines in the order of their times.

use jiff::Timestamp;
use simulator::Call;

use super::super::store::Write;
use super::{OPERATOR, World};

/// What the operator did in one world.
pub(crate) struct Trace {
    /// Attempts to write: when, by whom, what, the whole body, and the answer.
    writes: Vec<(Timestamp, String)>,
    /// Calls as the vendor received them: when, what, and how they ended.
    calls: Vec<(Timestamp, String)>,
}

impl World {
    /// What was seen so far.
    pub(crate) fn trace(&self) -> Trace {
        let writes = self.operators_writes().iter().map(|write| (write.at, written(write))).collect();
        let calls = self.vendor(|vendor| vendor.calls().map(|call| (received(call), called(call))).collect());
        Trace { writes, calls }
    }

    /// The operator's attempts to write, in order.
    pub(crate) fn operators_writes(&self) -> Vec<Write> {
        self.store.writes().into_iter().filter(|write| write.by.starts_with(OPERATOR)).collect()
    }
}

impl Trace {
    /// Fails at the first line in which the two differ, showing what led there.
    pub(crate) fn assert_repeats(&self, again: &Self) {
        let (first, second) = (self.lines(), again.lines());
        assert!(!self.writes.is_empty() && !self.calls.is_empty(), "a trace of nothing proves nothing");
        let Some(differs) = (0..first.len().max(second.len())).find(|i| first.get(*i) != second.get(*i)) else {
            return;
        };
        let shared = first.get(differs.saturating_sub(5)..differs).unwrap_or_default().join("\n");
        let show = |lines: &[String]| lines.iter().skip(differs).take(5).cloned().collect::<Vec<_>>().join("\n");
        panic!(
            "two runs of one seed part at line {differs}, after\n{shared}\n--- first\n{}\n--- second\n{}",
            show(&first),
            show(&second)
        );
    }

    /// Fails if the vendor cannot tell the two apart: then equal traces would prove nothing. Writes are no measure,
    /// they bear the uids.
    pub(crate) fn assert_other_than(&self, other: &Self) {
        assert!(self.calls != other.calls, "two seeds give the same calls");
    }

    fn lines(&self) -> Vec<String> {
        let mut all: Vec<&(Timestamp, String)> = self.writes.iter().chain(&self.calls).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(at, what)| format!("{at} {what}")).collect()
    }
}

fn received(call: &Call) -> Timestamp {
    Timestamp::from_microsecond(call.received_us).unwrap()
}

fn written(write: &Write) -> String {
    let Write { by, verb, plural, namespace, name, code, sent, .. } = write;
    format!("{by} {verb:?} {plural} {namespace}/{name} {code:?} {sent}")
}

fn called(call: &Call) -> String {
    let Call { operation, path, key, outcome, status, answered_us, carried_out_us, fault, .. } = call;
    format!(
        "vendor {operation:?} {path} with {key:?}: {outcome:?} {status:?} at {answered_us:?}, done at \
         {carried_out_us:?}, fault {fault:?}"
    )
}
