//! What an account has room for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use plan::admit::{Heard, Request, Urgency};
use plan::{AccountName, JobKey, Verb, Want, WindowId, WorkflowOp};

use crate::controller::load::{Listing, LoadKey, Origin, Queue};
use crate::controller::workflow_calls::Described;
use crate::live::{JobId, LiveClient};

use super::Index;
use super::decide::account_of;

/// A request to the Live API that was let go. It is under way from now on.
#[derive(Debug)]
pub(in crate::controller) struct Order {
    pub(in crate::controller) origin: Origin,
    pub(in crate::controller) client: LiveClient,
    pub(in crate::controller) sent_at: Timestamp,
    pub(in crate::controller) request: LiveRequest,
}

/// What is to be asked or said.
#[derive(Debug)]
pub(in crate::controller) enum LiveRequest {
    Look {
        job: JobKey,
        id: JobId,
        for_call: bool,
    },
    /// One list for all these jobs, each read for that account.
    List {
        jobs: BTreeMap<JobKey, AccountName>,
    },
    /// The list of all jobs of the key, once a day.
    DailyList,
    Call {
        verb: Verb,
        job: JobKey,
        id: JobId,
        planned: Timestamp,
        attempt: u32,
    },
    Workflow(Box<Errand>),
}

/// Something that the vendor's scheduler is asked.
#[derive(Debug)]
pub(in crate::controller) struct Errand {
    pub(in crate::controller) job: JobKey,
    pub(in crate::controller) id: JobId,
    /// The window that the workflow is recorded on.
    pub(in crate::controller) window: WindowId,
    pub(in crate::controller) op: WorkflowOp,
    /// The texts that a workflow which is to be made bears.
    pub(in crate::controller) described: Option<Described>,
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

/// Nobody needs to be told of a wait for the rate, or for a connection, that is over sooner.
const SHORT_WAIT: SignedDuration = SignedDuration::from_secs(1);

impl Index {
    /// Lets go what the load has room for: no call while the lease does not hold for it. With `calls_first` only what a
    /// call needs: the rest follows when the due calls are out.
    pub(in crate::controller) fn admit(
        &mut self,
        load: &LoadKey,
        now: Timestamp,
        lease_holds: bool,
        calls_first: bool,
    ) -> Admitted {
        let mut admitted = Admitted::default();
        let Some(queue) = self.queues.get_mut(load) else { return admitted };
        // A full load is asked after each answer and each decision: the queue is not gone through for nothing. A longer
        // wait is told to those that wait.
        if let Err(next) = queue.load.open(now, &self.timings)
            && next.is_none_or(|next| next.duration_since(now) < SHORT_WAIT)
        {
            admitted.next = next;
            return admitted;
        }
        let listing = queue.listing(now, &self.timings);
        let (jobs, timings) = (&self.jobs, &self.timings);
        if !lease_holds {
            self.awaiting_lease.extend(calls(queue).cloned());
        }
        let still_fit = |key: &JobKey, verb| jobs.get(key).is_none_or(|job| job.memory.still_fit(verb, now, timings));
        let fit = |key: &JobKey, want: &Want| match want {
            Want::Call { verb, .. } => lease_holds && still_fit(key, *verb),
            Want::Workflow { op, .. } => lease_holds || !op.changes(),
            Want::Read { .. } => true,
        };
        let mut requests = requests(queue, &listing, now, calls_first, fit);
        if queue.daily.is_wanted() && !calls_first {
            requests.push(Request { urgency: Urgency::DailyList, due: now, job: load.all_jobs() });
        }
        let admission = plan::admit(&requests, &mut queue.load, now, &self.timings);
        admitted.next = [admission.next, listing.until].into_iter().flatten().min();
        for request in &admission.go {
            let probe = admission.probe.as_ref() == Some(request);
            let daily = request.urgency == Urgency::DailyList;
            let order = if daily {
                self.let_daily_list_go(load, probe, now)
            } else if let Some(least) = listing.least.filter(|_| is_list(request, &listing)) {
                let (order, dropped) = self.let_list_go(load, least, probe, now);
                admitted.changed.extend(dropped);
                order
            } else {
                self.let_go(load, request, probe, now)
            };
            if let Some(order) = order {
                admitted.orders.push(order);
            } else {
                // Decided anew, and its place in the load is free.
                self.ended(load, None, probe, Heard::Nothing, now);
                admitted.changed.extend((!daily).then(|| request.job.clone()));
            }
        }
        for (request, why) in &admission.wait {
            let waits = matches!(request.urgency, Urgency::FirstStop | Urgency::FirstStart | Urgency::StartRead);
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
    fn let_go(&mut self, load: &LoadKey, request: &Request, probe: bool, now: Timestamp) -> Option<Order> {
        let job = request.job.clone();
        let want = self.take_want(load, &job, request.urgency)?;
        let account = account_of(&want).clone();
        let client = self.client(load, &account)?;
        let id = JobId::parse(&job.job).ok()?;
        let described = self.described(&want);
        let memory = &mut self.jobs.get_mut(&job)?.memory;
        let request = match want {
            Want::Read { purpose, .. } => {
                memory.look_sent(now);
                LiveRequest::Look { job, id, for_call: purpose.needed() }
            }
            Want::Call { verb, windows, planned, attempt, .. } if memory.still_fit(verb, now, &self.timings) => {
                memory.call_sent(verb, &account, windows, attempt, now);
                LiveRequest::Call { verb, job, id, planned, attempt }
            }
            // Its answer may be lost, and then it is not known what there is: a read asks whether the outage is over.
            Want::Workflow { op, .. } if probe && op.changes() => {
                memory.look_sent(now);
                LiveRequest::Look { job, id, for_call: false }
            }
            Want::Workflow { window, op, .. } => {
                memory.workflow_sent(op.clone(), &account, &window, now);
                LiveRequest::Workflow(Box::new(Errand { job, id, window, op, described }))
            }
            Want::Call { .. } => return None,
        };
        Some(Order { origin: Origin { load: load.clone(), account, probe }, client, sent_at: now, request })
    }

    /// The texts of a workflow that is to be made. `None`: the apiserver has not stored that this process makes it; or another
    /// process has recorded its own since.
    fn described(&self, want: &Want) -> Option<Described> {
        let Want::Workflow { window, op: WorkflowOp::Create { marker, tells, .. }, .. } = want else { return None };
        let stored = self.windows.get(window)?;
        let recorded = stored.acknowledged.registered()?;
        if recorded.marker != *marker || !self.is_us(&recorded.by) {
            return None;
        }
        let (description, url) = stored.spec.workflow_texts();
        Some(Described::new(marker.mark(description), url.filter(|_| *tells)))
    }

    /// The same for a list, and the jobs that it is not to answer for after all.
    fn let_list_go(
        &mut self,
        load: &LoadKey,
        least: Urgency,
        probe: bool,
        now: Timestamp,
    ) -> (Option<Order>, BTreeSet<JobKey>) {
        let (mut jobs, mut dropped) = (BTreeMap::new(), BTreeSet::new());
        let mut asks = None;
        let reads: Vec<(JobKey, Urgency)> = self
            .queues
            .get(load)
            .into_iter()
            .flat_map(|queue| queue.listable(least))
            .map(|(key, urgency)| (key.clone(), urgency))
            .collect();
        for (key, urgency) in &reads {
            let account = self.take_want(load, key, *urgency).map(|want| account_of(&want).clone());
            let asked = account.and_then(|account| Some((self.client(load, &account)?, account)));
            if let (Some((client, account)), Some(job)) = (asked, self.jobs.get_mut(key)) {
                job.memory.list_sent(now);
                asks.get_or_insert((account.clone(), client));
                jobs.insert(key.clone(), account);
            } else {
                dropped.insert(key.clone());
            }
        }
        let order = asks.map(|(account, client)| Order {
            origin: Origin { load: load.clone(), account, probe },
            client,
            sent_at: now,
            request: LiveRequest::List { jobs },
        });
        if let Some(queue) = self.queues.get_mut(load).filter(|_| order.is_some()) {
            queue.pages.asked(now);
        }
        (order, dropped)
    }

    /// The account's client, if it still bears this load's key.
    pub(super) fn client(&self, load: &LoadKey, account: &AccountName) -> Option<LiveClient> {
        let bears_it = self.loads.get(account) == Some(load);
        self.accounts.get(account).filter(|_| bears_it)?.client.clone().ok()
    }

    fn take_want(&mut self, load: &LoadKey, key: &JobKey, urgency: Urgency) -> Option<Want> {
        self.queues.get_mut(load)?.wanted.take(key, urgency)
    }
}

/// The jobs for which something is wanted that changes something.
fn calls(queue: &Queue) -> impl Iterator<Item = &JobKey> {
    let changes = |want: &Want| match want {
        Want::Call { .. } => true,
        Want::Workflow { op, .. } => op.changes(),
        Want::Read { .. } => false,
    };
    queue.wanted.pressing().filter(move |(_, want)| changes(want)).map(|(key, _)| key)
}

/// A list stands in the queue under the name of its first job.
fn is_list(request: &Request, listing: &Listing) -> bool {
    listing.least == Some(request.urgency) && listing.first.as_ref() == Some(&request.job)
}

/// So many checks are considered in one go: each answer has the next considered.
const CONSIDERED: usize = 32;

/// The queue as requests; a list stands for all jobs it answers for. A start that has waited until its reading went
/// stale is none: the reading that it needs stands beside it.
fn requests(
    queue: &Queue,
    listing: &Listing,
    now: Timestamp,
    calls_first: bool,
    fit: impl Fn(&JobKey, &Want) -> bool,
) -> Vec<Request> {
    let request = |key: &JobKey, want: &Want| {
        let due = match want {
            Want::Call { planned, .. } => *planned,
            Want::Read { .. } | Want::Workflow { .. } => now,
        };
        Request { urgency: Urgency::of(want), due, job: key.clone() }
    };
    let stands = |(key, want): &(&JobKey, &Want)| match want {
        Want::Call { .. } | Want::Workflow { .. } => fit(key, want),
        Want::Read { .. } => !listing.answers(queue, key, Urgency::of(want)),
    };
    let list = listing.least.zip(listing.first.as_ref());
    let others = queue.wanted.others().take_while(stands).take(CONSIDERED);
    let alone = queue.wanted.alone().take(CONSIDERED);
    queue
        .wanted
        .pressing()
        .filter(stands)
        .chain(others)
        .chain(alone)
        .map(|(key, want)| request(key, want))
        .chain(list.map(|(urgency, job)| Request { urgency, due: now, job: job.clone() }))
        .filter(|request| !calls_first || request.urgency.serves_a_call())
        .collect()
}
