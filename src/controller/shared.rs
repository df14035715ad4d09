//! What both lanes work on: the index behind a lock that is never held across a wait, the timetable, and the queues
//! between them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plan::{AccountName, JobKey, ObjectName, Recheck, Term, WindowId, WorkflowOp};
use tokio::sync::{Notify, mpsc, watch};

use crate::leader::Tenure;
use crate::live::Endpoint;
use crate::observe::{Metrics, QueueDepths, Readiness};
use crate::timetable::{Clock, Timetable};

use super::apiserver::{version_number, within};
use super::backlog::Backlog;
use super::index::{Admitted, Index, LiveRequest, Order};
use super::installations::Others;
use super::journal::Journal;
use super::load::LoadKey;
use super::notice::Notice;
use super::step::Steps;
use super::under_way::UnderWay;

/// What falls due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Decide this job.
    Job(JobKey),
    /// Let more of this load's requests go.
    Load(LoadKey),
}

pub(super) struct Shared {
    index: Mutex<Index>,
    pub(super) timetable: Timetable<Due>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) steps: Arc<dyn Steps>,
    pub(super) other_installations: Others,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
    /// What is to be said of calls.
    pub(super) journal: Journal,
    /// Jobs whose stored objects are to be read anew.
    pub(super) rechecks: Backlog<(JobKey, Recheck)>,
    /// Somebody wants everything listed anew.
    relist: Notify,
    relists: AtomicU64,
    /// One list is owed, unless more than so many were asked for meanwhile.
    list_owed: watch::Sender<Option<u64>>,
    /// What the apiserver has stored went back: a watch that is resumed stays silent.
    pub(super) went_back: Notify,
    /// The greatest resource version of a window that was seen.
    newest_version: AtomicU64,
    /// Jobs to be decided when the due ones are through.
    pub(super) jobs: Backlog<JobKey>,
    /// Windows with a notification to be sent.
    pub(super) posts: Backlog<WindowId>,
    /// Windows whose object is to be written.
    pub(super) windows: Backlog<WindowId>,
    /// Accounts whose status may be to be written.
    pub(super) accounts: Backlog<AccountName>,
    /// Windows of which it is to be found out whether their definition is being deleted with them.
    pub(super) unclear: Backlog<WindowId>,
    /// Objects that were seen and are no windows.
    pub(super) unread: Backlog<ObjectName>,
    pub(super) secrets_changed: Notify,
    /// The installed definition may be another one, or an older one than ours.
    pub(super) definition_doubted: Notify,
    /// Secrets to be read again.
    pub(super) doubted: Backlog<ObjectName>,
    orders: mpsc::UnboundedSender<Order>,
    lists: mpsc::UnboundedSender<Order>,
    notices: mpsc::Sender<Notice>,
    closed: AtomicBool,
    /// Calls let go and not answered yet.
    calls: UnderWay,
    /// Reads of due jobs' stored objects.
    rereads: UnderWay,
}

/// The receiving ends.
pub(super) struct Outlets {
    /// Reads, calls and what the vendor's scheduler is asked, for the timetable lane. At most one of each kind a job, so
    /// bounded by their number.
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// Lists, for the convergence lane: decoding a page of a thousand jobs must not hold up a deadline.
    pub(super) lists: mpsc::UnboundedReceiver<Order>,
    pub(super) notices: mpsc::Receiver<Notice>,
}

/// What is shared with the rest of the process.
pub(super) struct Ground {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) steps: Arc<dyn Steps>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
}

/// How long work that can wait gives way to deadlines at a time.
const GIVE_WAY: Duration = Duration::from_millis(5);

/// After a step of the clock, and when a term begins, a call this near is decided anew before anything else: longer than
/// the others take.
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// Events waiting to be sent; more are dropped and counted.
const NOTICES: usize = 1024;

impl Shared {
    pub(super) fn new(index: Index, stands_on: Ground) -> (Arc<Self>, Outlets) {
        let Ground { clock, tenure, steps, metrics, readiness } = stands_on;
        let (orders, orders_out) = mpsc::unbounded_channel();
        let (lists, lists_out) = mpsc::unbounded_channel();
        let (notices, notices_out) = mpsc::channel(NOTICES);
        let shared = Self {
            calls: UnderWay::given_way_for(index.timings().calls_first),
            rereads: UnderWay::given_way_for(index.timings().answer_awaited()),
            index: Mutex::new(index),
            timetable: Timetable::default(),
            clock,
            tenure,
            steps,
            other_installations: Others::default(),
            metrics,
            readiness,
            journal: Journal::default(),
            rechecks: Backlog::default(),
            relist: Notify::new(),
            relists: AtomicU64::new(0),
            list_owed: watch::Sender::default(),
            went_back: Notify::new(),
            newest_version: AtomicU64::new(0),
            jobs: Backlog::default(),
            posts: Backlog::default(),
            windows: Backlog::default(),
            accounts: Backlog::default(),
            unclear: Backlog::default(),
            unread: Backlog::default(),
            secrets_changed: Notify::new(),
            definition_doubted: Notify::new(),
            doubted: Backlog::default(),
            orders,
            lists,
            notices,
            closed: AtomicBool::new(false),
        };
        (Arc::new(shared), Outlets { orders: orders_out, lists: lists_out, notices: notices_out })
    }

    /// The index. A panic elsewhere while it was locked leaves it as whole as a crash would.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No request is let go from now on; those under way go on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Decides these jobs now. Returns the loads whose queues have changed.
    pub(super) fn decide(&self, keys: impl IntoIterator<Item = JobKey>) -> BTreeSet<LoadKey> {
        let mut loads = BTreeSet::new();
        let lease_holds = self.lease_holds();
        for key in keys {
            let mut index = self.index();
            let decided = index.decide(&key, self.clock.now(), lease_holds);
            self.rechecks.extend(decided.recheck.map(|recheck| (key.clone(), recheck)));
            // Under the lock: the other lane may decide the same job, and an older deadline must not replace its newer.
            self.timetable.set(Due::Job(key), decided.next);
            drop(index);
            loads.extend(decided.loads);
            self.windows.extend(decided.writes);
            for id in decided.urgent_writes {
                self.windows.urge(id);
            }
            self.jobs.extend(decided.touched);
            self.accounts.extend(decided.counted);
            self.unclear.extend(decided.unclear);
            self.posts.extend(decided.posts);
            for (action, state) in decided.lost_posts {
                self.metrics.notification_lost(action, state);
            }
            for reason in decided.failed_starts {
                self.metrics.start_failed(reason);
            }
            for verb in decided.step_ins {
                self.metrics.stepped_in(verb);
            }
            for window in decided.given_up {
                self.metrics.stop_given_up();
                tracing::error!(%window, "the stop of a deleted window was given up for lack of a key");
            }
        }
        loads
    }

    /// Lets go what these loads have room for.
    pub(super) fn admit(&self, loads: impl IntoIterator<Item = LoadKey>, calls_first: bool) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let lease_holds = self.lease_holds();
        for load in loads {
            let mut index = self.index();
            let admitted = index.admit(&load, self.clock.now(), lease_holds, calls_first);
            self.timetable.set(Due::Load(load), admitted.next);
            drop(index);
            self.let_go(admitted);
        }
    }

    fn let_go(&self, admitted: Admitted) {
        for order in admitted.orders {
            if matches!(order.request, LiveRequest::Call { .. }) {
                self.call_begun();
            }
            let (jobs, lane) = match &order.request {
                LiveRequest::List { jobs } => (jobs.keys().cloned().collect(), &self.lists),
                LiveRequest::DailyList => (Vec::new(), &self.lists),
                LiveRequest::Workflow(errand) if errand.op == WorkflowOp::Find => {
                    (vec![errand.job.clone()], &self.lists)
                }
                LiveRequest::Workflow(errand) => (vec![errand.job.clone()], &self.orders),
                LiveRequest::Look { job, .. } | LiveRequest::Call { job, .. } => (vec![job.clone()], &self.orders),
            };
            // Fails only when the lane has ended, and then nothing is let go any more.
            let _ = lane.send(order);
            self.jobs.extend(jobs);
        }
        self.jobs.extend(admitted.changed);
    }

    /// Answers came for these jobs: decided at once, since a call may be waiting for them. The load that was asked has
    /// room for more.
    pub(super) fn answered(&self, keys: impl IntoIterator<Item = JobKey>, load: &LoadKey) {
        let mut loads = self.decide(keys);
        loads.insert(load.clone());
        self.admit(loads, false);
        self.note_stale();
    }

    /// An answer came for this job that can wait until due calls are out.
    pub(super) fn answered_later(&self, key: JobKey, load: &LoadKey) {
        self.jobs.push(key);
        if self.index().anything_waits(load) {
            // For a slot, or for the rate.
            self.admit([load.clone()], false);
        }
        self.note_stale();
    }

    fn note_stale(&self) {
        let mut index = self.index();
        let (stale, doubted) = (index.take_stale_accounts(), index.take_doubted_secrets());
        drop(index);
        self.accounts.extend(stale);
        self.doubted.extend(doubted);
    }

    /// The wall clock stepped: everything is decided anew, and what has a call soon here and now. Returns the loads that
    /// may have more than calls to let go.
    pub(super) fn clock_stepped(&self, by: SignedDuration) -> BTreeSet<LoadKey> {
        tracing::warn!(seconds = by.as_secs_f64(), "the clock stepped, or the machine was suspended");
        self.metrics.clock_stepped(by);
        let jobs = self.index().clock_stepped(by);
        self.decide_all(jobs)
    }

    /// This process leads from now on: everything is decided, and what has a call soon here and now.
    pub(super) fn lead(&self, term: Term) {
        let jobs = self.index().lead(term);
        let loads = self.decide_all(jobs);
        self.admit(loads, false);
    }

    /// Decides those that have a call soon, and lets their calls go; the others when the due ones are through.
    fn decide_all(&self, jobs: Vec<(Timestamp, JobKey)>) -> BTreeSet<LoadKey> {
        let soon = self.clock.now().checked_add(SOON).unwrap_or(Timestamp::MAX);
        let (now, later): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|(at, _)| *at <= soon);
        let loads = self.decide(now.into_iter().map(|(_, job)| job));
        self.admit(loads.iter().cloned(), true);
        self.changed(later.into_iter().map(|(_, job)| job));
        loads
    }

    /// An answer of the Live API told its clock.
    pub(super) fn clock_told(&self, endpoint: &Endpoint, asked_at: Timestamp, at: Timestamp, date: Timestamp) {
        let jobs = self.index().clock_told(endpoint, asked_at, at, date);
        self.jobs.extend(jobs);
    }

    /// Something was stored, edited or deleted: decided after what is due.
    pub(super) fn changed(&self, keys: impl IntoIterator<Item = JobKey>) {
        self.jobs.extend(keys);
        let stale = self.index().take_stale_accounts();
        self.accounts.extend(stale);
    }

    /// The same, found out by a write that it came before: decided at once, as that write waits for it.
    pub(super) fn changed_meanwhile(&self, keys: BTreeSet<JobKey>) {
        let loads = self.decide(keys);
        self.admit(loads, false);
        self.note_stale();
    }

    /// Whether a call may be sent now.
    pub(super) fn lease_holds(&self) -> bool {
        self.tenure.may_call(&self.clock.moment())
    }

    /// Whether the Lease, asked anew, still names this process.
    pub(super) async fn lease_proven(&self) -> bool {
        let now = self.clock.moment();
        matches!(within(async { Ok(self.tenure.prove(&now).await) }).await, Ok(true))
    }

    /// The lease was renewed: the calls that waited for that are decided anew.
    pub(super) fn lease_renewed(&self) {
        let jobs = self.index().take_awaiting_lease();
        if !jobs.is_empty() && self.lease_holds() {
            let loads = self.decide(jobs);
            self.admit(loads, false);
        } else {
            self.index().keep_awaiting_lease(jobs);
        }
    }

    /// Has everything listed anew, and every watch begun anew from that.
    pub(super) fn relist(&self) {
        self.relists.fetch_add(1, Ordering::SeqCst);
        self.relist.notify_waiters();
    }

    /// How often that was asked for so far.
    pub(super) fn relists(&self) -> u64 {
        self.relists.load(Ordering::SeqCst)
    }

    /// Waits until it is asked for once more.
    pub(super) async fn relist_after(&self, relists: u64) {
        loop {
            let asked = self.relist.notified();
            if self.relists() > relists {
                return;
            }
            asked.await;
        }
    }

    /// Has everything listed anew when the reads of due jobs' objects are through, and after three times as long as they
    /// are made ahead in any case. The apiserver takes seconds to list a hundred thousand objects, and those reads would
    /// wait for it.
    pub(super) async fn relist_when_reread(&self) {
        let at_most = in_std(self.index().timings().read_ahead * 3);
        let relists = self.relists();
        self.list_owed.send_replace(Some(relists));
        let _ = tokio::time::timeout(at_most, self.relist_after(relists)).await;
        self.relist_owed();
    }

    /// Waits until a list is owed, and then for as long as a call waits for its job to be read: only then are its objects
    /// read.
    pub(super) async fn list_owed(&self) {
        let quiet = in_std(self.index().timings().answer_awaited());
        // Fails only when the sender is gone, which is ours.
        let _ = self.list_owed.subscribe().wait_for(Option::is_some).await;
        tokio::time::sleep(quiet).await;
    }

    /// Asks for the list that is owed, unless another was asked for meanwhile.
    pub(super) fn relist_owed(&self) {
        if self.list_owed.send_replace(None).is_some_and(|relists| self.relists() <= relists) {
            self.relist();
        }
    }

    /// The greatest version of a window that was seen so far.
    pub(super) fn newest_version(&self) -> u64 {
        self.newest_version.load(Ordering::SeqCst)
    }

    /// A window of this version came by a watch.
    pub(super) fn version_seen(&self, version: Option<&str>) {
        if let Some(version) = version.and_then(version_number) {
            self.newest_version.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// An answer told this version; `seen`: the greatest one seen before it was asked for. The apiserver never goes
    /// back, unless what it had stored was replaced by a backup: then every version known is void, and a watch that was
    /// resumed would stay silent until the versions have caught up.
    pub(super) fn version_told(&self, version: Option<&str>, seen: u64) {
        let Some(version) = version.and_then(version_number) else { return };
        if version >= seen {
            self.newest_version.fetch_max(version, Ordering::SeqCst);
            return;
        }
        if self.newest_version.swap(version, Ordering::SeqCst) > version {
            self.store_went_back();
        }
    }

    /// Everything known of versions is void, and everything is read anew.
    pub(super) fn store_went_back(&self) {
        tracing::error!("the API server has gone back to an older state: everything is read anew");
        self.newest_version.store(0, Ordering::SeqCst);
        self.metrics.store_went_back();
        self.index().versions_void();
        self.went_back.notify_one();
        self.relist();
    }

    /// Does this after a wait.
    pub(super) fn after(self: &Arc<Self>, wait: SignedDuration, then: impl FnOnce(&Self) + Send + 'static) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(in_std(wait)).await;
            then(&shared);
        });
    }

    /// Lets what is due go first, and its calls out. At the end nothing is taken up any more.
    pub(super) async fn give_way(&self) {
        while !self.closed.load(Ordering::SeqCst)
            && (self.deadline_due() || self.calls.go_first(self.clock.monotonic()))
        {
            tokio::time::sleep(GIVE_WAY).await;
        }
    }

    /// The same, and the reads of due jobs' stored objects: a call waits for each. Not for what such a call waits for
    /// besides, such as its claim.
    pub(super) async fn give_way_to_rereads(&self) {
        self.give_way().await;
        while self.rereads.go_first(self.clock.monotonic()) && !self.closed.load(Ordering::SeqCst) {
            tokio::time::sleep(GIVE_WAY).await;
            self.give_way().await;
        }
    }

    /// The stored objects of a due job are read while this is held.
    pub(super) fn reread(&self) -> impl Drop + use<'_> {
        self.rereads.begun(self.clock.monotonic());
        Rereading(&self.rereads)
    }

    /// What waits, with the index as it is.
    pub(super) fn queue_depths(&self, index: &Index) -> QueueDepths {
        QueueDepths {
            decisions: self.jobs.len(),
            status: self.windows.len() + self.accounts.len(),
            events: self.notices.max_capacity() - self.notices.capacity(),
            reads: index.reads_waiting(),
        }
    }

    /// Hands an event over for sending; dropped and counted when too many wait.
    pub(super) fn notice(&self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            self.metrics.event_dropped();
        }
    }

    /// A call was let go.
    pub(super) fn call_begun(&self) {
        self.calls.begun(self.clock.monotonic());
    }

    /// It was answered, or given up.
    pub(super) fn call_ended(&self) {
        self.calls.ended();
    }

    /// A deadline is due and has not been taken up yet: whatever can wait gives way.
    fn deadline_due(&self) -> bool {
        self.timetable.head().is_some_and(|head: Timestamp| head <= self.clock.now())
    }
}

struct Rereading<'a>(&'a UnderWay);

impl Drop for Rereading<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

fn in_std(wait: SignedDuration) -> Duration {
    Duration::try_from(wait).unwrap_or_default()
}
