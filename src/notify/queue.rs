//! Posts under way, many at once and few to each host.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::timetable::Clock;

use super::outcome::Outcome;
use super::post::Post;
use super::remembered::Remembered;
use super::sender::Sender;
use super::turns::{QueueLimits, Turns};

/// How long a host is left alone that answers 429, 502, 503 or 504 and does not say for how long.
const PAUSE: Duration = Duration::from_secs(30);

/// The longest that a whole host is left alone: one receiver's answer is not to stop the others at its host for a day.
/// The post itself comes back with all of the time that was asked for.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// How long a URL that is gone is not tried.
const GONE_FOR: Duration = Duration::from_hours(24);

/// How long a stop waits for the attempts under way.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Makes attempts, hosts in turn, so that a slow receiver delays no other.
///
/// Nothing waits in here for a time: a post whose host has asked for time comes back at once as [`Outcome::NotYet`], so
/// what waits is bounded by how fast receivers answer, and at the end by [`QueueLimits`]. Posts to one host leave in
/// the order in which they came, up to [`QueueLimits::per_host`] at once.
pub struct Queue {
    sender: Sender,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    pushed: Notify,
}

/// There is no room for the post, or the queue has stopped: it is to be pushed again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for the notification at the moment")]
pub struct Later;

struct State {
    turns: Turns<Queued>,
    /// Hosts that have asked for time. Times are of [`Clock::boottime`], here and below.
    paused: Remembered<Arc<str>>,
    /// Digests of URLs that are gone: the URLs themselves hold secrets.
    gone: Remembered<[u8; 32]>,
    stopped: bool,
}

struct Queued {
    post: Post,
    wanted: Box<dyn Fn() -> bool + Send>,
    then: Box<dyn FnOnce(Outcome) + Send>,
}

impl Queue {
    /// A queue over this sender. What is pushed waits until [`run`](Self::run).
    pub fn new(sender: Sender, limits: QueueLimits, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            turns: Turns::new(limits),
            paused: Remembered::new(limits.remembered),
            gone: Remembered::new(limits.remembered),
            stopped: false,
        };
        Self { sender, clock, state: Mutex::new(state), pushed: Notify::new() }
    }

    /// Puts a post in for one attempt. `then` is called once with what came of it, from within [`run`](Self::run) and
    /// under no lock; never if this fails or the queue stops before.
    pub fn push(&self, post: Post, then: impl FnOnce(Outcome) + Send + 'static) -> Result<(), Later> {
        self.push_if(post, || true, then)
    }

    /// The same; when its turn has come, it is sent only if it is still `wanted`. Its host may keep it waiting for hours,
    /// in which its window is edited, or what it announces comes.
    pub fn push_if(
        &self,
        post: Post,
        wanted: impl Fn() -> bool + Send + 'static,
        then: impl FnOnce(Outcome) + Send + 'static,
    ) -> Result<(), Later> {
        let mut state = self.lock();
        if state.stopped {
            return Err(Later);
        }
        let host = Arc::clone(post.url.host());
        state.turns.push(&host, Queued { post, wanted: Box::new(wanted), then: Box::new(then) }).map_err(|_| Later)?;
        drop(state);
        self.pushed.notify_one();
        Ok(())
    }

    /// How many posts wait or are under way.
    pub fn depth(&self) -> usize {
        self.lock().turns.len()
    }

    /// Makes the attempts until `stop`. Then what waits is dropped, and what is under way has 5 s to end. May be run
    /// again; what it has learnt of the receivers stays.
    pub async fn run(&self, stop: CancellationToken) {
        self.lock().stopped = false;
        let mut under_way = FuturesUnordered::new();
        while !stop.is_cancelled() {
            while let Some((host, queued)) = self.next_to_send() {
                under_way.push(self.attempt(host, queued));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(()) = under_way.next() => {}
                () = self.pushed.notified() => {}
            }
        }
        self.stop();
        let ended = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, ended).await.is_err() {
            tracing::warn!("notifications were still under way at the end");
        }
        // Those that did not end have left their places behind.
        self.lock().turns.reset();
    }

    /// What has to be sent next. What needs no sending is settled on the way.
    fn next_to_send(&self) -> Option<(Arc<str>, Queued)> {
        loop {
            let mut state = self.lock();
            let (host, queued) = state.turns.next()?;
            let known = state.known(&host, &queued.post, self.clock.boottime());
            drop(state);
            // Asked under no lock of ours: it takes one of its own.
            let settled = known.or_else(|| (!(queued.wanted)()).then_some(Outcome::NotWanted));
            let Some(settled) = settled else { return Some((host, queued)) };
            self.lock().turns.done(&host);
            (queued.then)(settled);
        }
    }

    async fn attempt(&self, host: Arc<str>, queued: Queued) {
        let Queued { post, then, .. } = queued;
        let outcome = self.sender.send(&post, self.clock.now()).await;
        let mut state = self.lock();
        state.learn(&host, &post, outcome, self.clock.boottime());
        state.turns.done(&host);
        drop(state);
        then(outcome);
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.turns.clear_waiting();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What comes of a post without an attempt, if that is known.
    fn known(&self, host: &Arc<str>, post: &Post, now: Duration) -> Option<Outcome> {
        if self.gone.left(&digest(post), now).is_some() {
            return Some(Outcome::Gone);
        }
        let wait = SignedDuration::try_from(self.paused.left(host, now)?).unwrap_or(SignedDuration::MAX);
        Some(Outcome::NotYet { wait })
    }

    fn learn(&mut self, host: &Arc<str>, post: &Post, outcome: Outcome, now: Duration) {
        match outcome {
            Outcome::Gone => self.gone.remember(digest(post), now + GONE_FOR, now),
            Outcome::Refused { code, retry_after } => {
                if let Some(pause) = pause(code, retry_after) {
                    self.paused.remember(Arc::clone(host), now + pause, now);
                }
            }
            _ => {}
        }
    }
}

/// How long the host is left alone after this answer.
fn pause(code: u16, retry_after: Option<SignedDuration>) -> Option<Duration> {
    match retry_after {
        Some(asked) => Some(Duration::try_from(asked).unwrap_or_default().min(LONGEST_PAUSE)),
        None => matches!(code, 429 | 502 | 503 | 504).then_some(PAUSE),
    }
}

fn digest(post: &Post) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, post.url.uri().to_string().as_bytes());
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("depth", &self.depth()).finish_non_exhaustive()
    }
}
