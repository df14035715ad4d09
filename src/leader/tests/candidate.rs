//! A process in the election, with a clock and a link of its own, that can be suspended, stopped and killed.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plan::{LeaseTimings, ObjectName, ProcessId, Term};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::apiserver::{Apiserver, Link};
use crate::leader::{Elector, End, Tenure};
use crate::timetable::Clock;

/// A machine's clocks, over the virtual one.
#[derive(Debug)]
pub(super) struct TestClock {
    zero: Instant,
    shifts: Mutex<Shifts>,
}

#[derive(Debug, Default)]
struct Shifts {
    /// What somebody set the wall clock by.
    wall: SignedDuration,
    /// How long the machine was suspended while the virtual clock ran.
    slept: Duration,
    /// How long it was suspended while the virtual clock, and so every timer, stood.
    skipped: Duration,
}

impl TestClock {
    fn new() -> Self {
        // Far from zero: ages are differences.
        Self { zero: Instant::now(), shifts: Mutex::default() }
    }

    pub(super) fn set_by(&self, step: SignedDuration) {
        self.shifts.lock().unwrap().wall += step;
    }

    /// The machine was suspended for so long, an instant ago by its timers.
    pub(super) fn skip(&self, suspended: Duration) {
        self.shifts.lock().unwrap().skipped += suspended;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let shifts = self.shifts.lock().unwrap();
        let run = SignedDuration::try_from(self.zero.elapsed() + shifts.skipped).unwrap();
        Timestamp::from_second(1_800_000_000).unwrap() + run + shifts.wall
    }

    fn monotonic(&self) -> Duration {
        (Duration::from_secs(1_000) + self.zero.elapsed()).saturating_sub(self.shifts.lock().unwrap().slept)
    }

    fn boottime(&self) -> Duration {
        Duration::from_secs(5_000) + self.zero.elapsed() + self.shifts.lock().unwrap().skipped
    }
}

pub(super) struct Candidate {
    pub(super) process: ProcessId,
    pub(super) clock: Arc<TestClock>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) link: Link,
    /// SIGTERM.
    pub(super) stop: CancellationToken,
    /// The calls under way are recorded.
    pub(super) recorded: CancellationToken,
    pub(super) losses: Arc<Mutex<Vec<Instant>>>,
    gate: Arc<Gate>,
    task: JoinHandle<()>,
}

impl Candidate {
    pub(super) fn start(name: &str, server: &Apiserver) -> Self {
        Self::over(name, Link::to(server))
    }

    pub(super) fn over(name: &str, link: Link) -> Self {
        Self::with(name, link, LeaseTimings::default())
    }

    pub(super) fn with(name: &str, link: Link, timings: LeaseTimings) -> Self {
        let process = ProcessId::new(name);
        let clock = Arc::new(TestClock::new());
        let tenure = Arc::new(Tenure::vacant(timings));
        let (stop, recorded) = (CancellationToken::new(), CancellationToken::new());
        let losses: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let gate = Arc::new(Gate::default());
        let lease = ObjectName::new("ops", "jobstartstop");
        let (told, watch) = (Arc::clone(&tenure), Arc::clone(&clock));
        let mut elector = Elector::new(link.client(), lease, "pod", process.clone(), timings, watch, told);
        let (stopped, done, lost) = (stop.clone(), recorded.clone(), Arc::clone(&losses));
        let life = async move {
            while elector.run(stopped.cancelled()).await == End::Lost {
                lost.lock().unwrap().push(Instant::now());
            }
            if elector.keep_until(done.cancelled()).await == End::Lost {
                done.cancelled().await;
            }
            elector.release().await;
        };
        let task = tokio::spawn(Gated { life: Box::pin(life), gate: Arc::clone(&gate) });
        Self { process, clock, tenure, link, stop, recorded, losses, gate, task }
    }

    pub(super) fn identity(&self) -> String {
        format!("pod_{}", self.process)
    }

    pub(super) fn may_call(&self) -> bool {
        self.tenure.may_call(&self.clock.moment())
    }

    pub(super) fn term(&self) -> Option<Term> {
        self.tenure.term()
    }

    pub(super) fn leads(&self) -> bool {
        self.term().is_some()
    }

    pub(super) fn lost(&self) -> usize {
        self.losses.lock().unwrap().len()
    }

    pub(super) fn ended(&self) -> bool {
        self.task.is_finished()
    }

    /// The machine is suspended: nothing of the process runs until [`Self::resume`]; its timers stand meanwhile.
    pub(super) fn suspend(&self) {
        self.gate.0.lock().unwrap().since = Some(Instant::now());
    }

    pub(super) fn resume(&self) {
        let mut gate = self.gate.0.lock().unwrap();
        if let Some(since) = gate.since.take() {
            self.clock.shifts.lock().unwrap().slept += since.elapsed();
        }
        if let Some(waker) = gate.waiting.take() {
            waker.wake();
        }
    }

    /// SIGKILL. What it has sent arrives all the same.
    pub(super) fn kill(&self) {
        self.task.abort();
        self.tenure.end();
    }

    pub(super) async fn leading(&self) -> Term {
        let limit = Instant::now() + Duration::from_mins(2);
        while Instant::now() < limit {
            if let Some(term) = self.term() {
                return term;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("{} never leads", self.process);
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Default)]
struct Gate(Mutex<Closed>);

#[derive(Default)]
struct Closed {
    since: Option<Instant>,
    waiting: Option<Waker>,
}

struct Gated<F> {
    life: Pin<Box<F>>,
    gate: Arc<Gate>,
}

impl<F: Future<Output = ()>> Future for Gated<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut gate = self.gate.0.lock().unwrap();
            if gate.since.is_some() {
                gate.waiting = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.life.as_mut().poll(context)
    }
}
