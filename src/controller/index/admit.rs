//! What an account has room for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::admit::{Request, Urgency};
use plan::{AccountName, JobKey, ReadPurpose, Verb, Want};

use crate::controller::accounts::Queue;
use crate::live::{JobId, LiveClient};

use super::Index;

/// A request to the Live API that was let go. It is under way from now on.
#[derive(Debug)]
pub(in crate::controller) struct Order {
    pub(in crate::controller) account: AccountName,
    pub(in crate::controller) client: LiveClient,
    pub(in crate::controller) sent_at: Timestamp,
    pub(in crate::controller) request: LiveRequest,
}

/// What is to be asked or said.
#[derive(Debug)]
pub(in crate::controller) enum LiveRequest {
    Look { job: JobKey, id: JobId, for_call: bool },
    List { jobs: Vec<JobKey> },
    Call { verb: Verb, job: JobKey, id: JobId, planned: Timestamp, attempt: u32 },
}

/// What admission let go.
#[derive(Debug, Default)]
pub(in crate::controller) struct Admitted {
    pub(in crate::controller) orders: Vec<Order>,
    /// When time alone may let more go.
    pub(in crate::controller) next: Option<Timestamp>,
    /// Jobs whose call has to wait, or no longer has to: their status says so.
    pub(in crate::controller) changed: BTreeSet<JobKey>,
}

impl Index {
    /// Lets go what the account has room for. With `calls_first` only what a call needs: the rest follows when the
    /// due calls are out.
    pub(in crate::controller) fn admit(&mut self, name: &AccountName, now: Timestamp, calls_first: bool) -> Admitted {
        let mut admitted = Admitted::default();
        let Some(client) = self.accounts.get(name).and_then(|account| account.client.clone().ok()) else {
            return admitted;
        };
        let Some(queue) = self.queues.get_mut(name) else { return admitted };
        let listed = supervised(queue);
        let requests = requests(queue, &listed, now, calls_first);
        let admission = plan::admit(&requests, &mut queue.load, now, self.timings.believe_answered);
        admitted.next = admission.next;
        for request in &admission.go {
            let jobs = if listed.first() == Some(&request.job) && request.urgency == Urgency::OtherRead {
                listed.clone()
            } else {
                vec![request.job.clone()]
            };
            if let Some(request) = self.let_go(name, &jobs, request.urgency, now) {
                admitted.orders.push(Order { account: name.clone(), client: client.clone(), sent_at: now, request });
            } else {
                // Decided anew, and its place in the account is free.
                self.answered(name);
                admitted.changed.extend(jobs);
            }
        }
        for (request, why) in &admission.wait {
            let waits = matches!(request.urgency, Urgency::FirstStop | Urgency::FirstStart);
            if let Some(job) = self.jobs.get_mut(&request.job).filter(|_| waits)
                && job.memory.hold_back(Some(*why))
            {
                admitted.changed.insert(request.job.clone());
            }
        }
        admitted
    }

    /// Marks the request as under way, and says what is to be sent. `None`: it is wanted no longer, or had to wait for
    /// too long.
    fn let_go(
        &mut self,
        account: &AccountName,
        jobs: &[JobKey],
        urgency: Urgency,
        now: Timestamp,
    ) -> Option<LiveRequest> {
        if jobs.len() > 1 {
            let jobs: Vec<JobKey> =
                jobs.iter().filter(|key| self.send_look(account, key, urgency, now)).cloned().collect();
            return (!jobs.is_empty()).then_some(LiveRequest::List { jobs });
        }
        let job = jobs.first()?.clone();
        let want = self.take_want(account, &job, urgency)?;
        let id = JobId::parse(&job.job).ok()?;
        let memory = &mut self.jobs.get_mut(&job)?.memory;
        match want {
            Want::Read { purpose, .. } => {
                memory.look_sent(now);
                Some(LiveRequest::Look { job, id, for_call: purpose == ReadPurpose::ForCall })
            }
            Want::Call { verb, windows, planned, attempt, .. } if memory.still_fit(verb, now, &self.timings) => {
                memory.call_sent(verb, account, windows, attempt, now);
                Some(LiveRequest::Call { verb, job, id, planned, attempt })
            }
            Want::Call { .. } => None,
        }
    }

    fn send_look(&mut self, account: &AccountName, key: &JobKey, urgency: Urgency, now: Timestamp) -> bool {
        let wanted = self.take_want(account, key, urgency).is_some();
        if let Some(job) = self.jobs.get_mut(key).filter(|_| wanted) {
            job.memory.look_sent(now);
        }
        wanted
    }

    fn take_want(&mut self, account: &AccountName, key: &JobKey, urgency: Urgency) -> Option<Want> {
        let queue = self.queues.get_mut(account)?;
        let of_job = queue.wanted.get_mut(key)?;
        let at = of_job.iter().position(|want| Urgency::of(want) == urgency)?;
        let want = of_job.remove(at);
        if of_job.is_empty() {
            queue.wanted.remove(key);
        }
        Some(want)
    }
}

/// The jobs on air that are due for a look now and that one list can answer for: two or more, or none.
fn supervised(queue: &Queue) -> Vec<JobKey> {
    let jobs: Vec<JobKey> = queue
        .wanted
        .iter()
        .filter(|(key, _)| !queue.unlisted.contains(key))
        .filter(|(_, wants)| {
            wants.iter().any(|want| matches!(want, Want::Read { purpose: ReadPurpose::Supervise, .. }))
        })
        .map(|(key, _)| key.clone())
        .collect();
    if jobs.len() > 1 { jobs } else { Vec::new() }
}

/// The queue as requests; a list stands for all jobs it answers for, under the first one's name.
fn requests(queue: &Queue, listed: &[JobKey], now: Timestamp, calls_first: bool) -> Vec<Request> {
    let of_want = |key: &JobKey, want: &Want| {
        let urgency = Urgency::of(want);
        let due = match want {
            Want::Call { planned, .. } => *planned,
            Want::Read { .. } => now,
        };
        Request { urgency, due, job: key.clone() }
    };
    let in_list =
        |key: &JobKey, urgency| urgency == Urgency::OtherRead && listed.first() != Some(key) && listed.contains(key);
    queue
        .wanted
        .iter()
        .flat_map(|(key, wants)| wants.iter().map(move |want| of_want(key, want)))
        .filter(|request| !in_list(&request.job, request.urgency))
        .filter(|request| !calls_first || request.urgency != Urgency::OtherRead)
        .collect()
}
