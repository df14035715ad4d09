//! Faults: what goes wrong with which calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calls::Operation;

/// Something that goes wrong with the calls it matches. All matching latencies add up; of the other matching faults the
/// one that was added first strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The operations it strikes; empty: any.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// The job it strikes; none: any.
    #[serde(default)]
    pub job: Option<String>,
    /// The workflow it strikes; none: any.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The label of the key it strikes; none: any, and calls without a valid key.
    #[serde(default)]
    pub key: Option<String>,
    /// So many matching calls pass first.
    #[serde(default)]
    pub pass: u32,
    /// So many matching calls are struck, then it is gone; none: for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    #[serde(flatten)]
    pub effect: Effect,
}

impl Fault {
    /// Strikes every call, for ever.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self { operations: Vec::new(), job: None, workflow: None, key: None, pass: 0, times: None, effect }
    }

    /// Strikes this operation; several calls add up.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Strikes calls for this workflow only.
    #[must_use]
    pub fn workflow(mut self, id: impl Into<String>) -> Self {
        self.workflow = Some(id.into());
        self
    }

    /// Strikes calls for this job only.
    #[must_use]
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// Strikes calls with the key of this label only.
    #[must_use]
    pub fn key(mut self, label: impl Into<String>) -> Self {
        self.key = Some(label.into());
        self
    }

    /// Lets so many matching calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.pass = calls;
        self
    }

    /// Strikes so many calls.
    #[must_use]
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }

    fn matches(&self, call: &Struck<'_>) -> bool {
        (self.operations.is_empty() || self.operations.contains(&call.operation))
            && (self.job.is_none() || self.job.as_deref() == call.job)
            && (self.workflow.is_none() || self.workflow.as_deref() == call.workflow)
            && (self.key.is_none() || self.key.as_deref() == call.key)
    }

    /// Counts a matching call; whether it is struck.
    fn strikes(&mut self) -> bool {
        if self.pass > 0 {
            self.pass -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            if *times == 0 {
                return false;
            }
            *times -= 1;
        }
        true
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Answers this and does nothing. Also for answers that are not refusals: any status is allowed.
    Refuse {
        /// The status.
        status: u16,
        /// The body: a JSON string is sent as its text, anything else as JSON, null as `{"message": <reason>}`.
        #[serde(default)]
        body: Value,
        /// Further headers, such as `retry-after`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Never answers.
    Hang {
        /// But does what was asked.
        #[serde(default)]
        carry_out: bool,
    },
    /// Closes the connection and does nothing.
    DropBefore,
    /// Does what was asked, then closes the connection without an answer.
    DropAfter,
    /// Does what was asked only so much later, by the rules of then. The four switches of a job, and calls that change
    /// a workflow.
    CarryOutLate {
        /// How much later, in milliseconds.
        delay_ms: u64,
        /// Meanwhile: 200, or the connection is closed.
        #[serde(default)]
        answer: LateAnswer,
    },
    /// Answers 200 and never does it. The same calls.
    Ignore,
    /// Answers later.
    Latency {
        /// How much later, in milliseconds.
        ms: u64,
        /// Up to so many milliseconds more, from the seeded source.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// Sends the caller elsewhere: 307.
    Redirect {
        /// Where to.
        location: String,
    },
    /// A web page instead of the API: with 200 a portal, with 502 a proxy before it.
    Html {
        /// The status.
        status: u16,
    },
}

impl Effect {
    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse { .. } => "refuse",
            Self::Hang { .. } => "hang",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::CarryOutLate { .. } => "carry_out_late",
            Self::Ignore => "ignore",
            Self::Latency { .. } => "latency",
            Self::Redirect { .. } => "redirect",
            Self::Html { .. } => "html",
        }
    }
}

/// What the caller sees of a call that is carried out late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateAnswer {
    /// 200, at once.
    #[default]
    Ok,
    /// The connection is closed.
    Drop,
}

/// What a call is about, to find what strikes it.
#[derive(Debug)]
pub(crate) struct Struck<'a> {
    pub(crate) operation: Operation,
    pub(crate) job: Option<&'a str>,
    pub(crate) workflow: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

/// What strikes one call.
#[derive(Debug, Default)]
pub(crate) struct Strike {
    /// (fixed, jitter) in milliseconds.
    pub(crate) latencies: Vec<(u64, u64)>,
    pub(crate) effect: Option<Effect>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    faults: BTreeMap<u64, Fault>,
    added: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.added += 1;
        self.faults.insert(self.added, fault);
        self.added
    }

    pub(crate) fn remove(&mut self, number: u64) -> bool {
        self.faults.remove(&number).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.faults.iter().map(|(number, fault)| (*number, fault))
    }

    pub(crate) fn strike(&mut self, call: &Struck<'_>) -> Strike {
        let mut strike = Strike::default();
        for fault in self.faults.values_mut().filter(|fault| fault.matches(call)) {
            let latency = match fault.effect {
                Effect::Latency { ms, jitter_ms } => Some((ms, jitter_ms)),
                _ => None,
            };
            // One that another keeps from striking does not count the call.
            if (latency.is_none() && strike.effect.is_some()) || !fault.strikes() {
                continue;
            }
            match latency {
                Some(latency) => strike.latencies.push(latency),
                None => strike.effect = Some(fault.effect.clone()),
            }
        }
        self.faults.retain(|_, fault| fault.times != Some(0));
        strike
    }
}
