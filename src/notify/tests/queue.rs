//! The queue under virtual time, with receivers in this process.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::rig;
use crate::notify::*;
use crate::timetable::Clock;

#[derive(Debug)]
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn boottime(&self) -> Duration {
        self.0.elapsed()
    }
}

/// How many posts are under way to each host, and how many were at most, in all and to one host.
#[derive(Debug, Default)]
struct Load {
    now: BTreeMap<String, usize>,
    most: usize,
    most_to_one: usize,
    sent: Vec<String>,
}

type Answer = BoxFuture<'static, Result<Response<()>, NotAnswered>>;

/// A queue that runs, what came of its posts with the second of it, and what its receivers saw.
struct Stage {
    queue: Arc<Queue>,
    outcomes: Arc<Mutex<Vec<(String, Outcome, u64)>>>,
    load: Arc<Mutex<Load>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    begun: Instant,
}

impl Stage {
    /// Receivers that answer by host.
    fn new(limits: QueueLimits, answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let (begun, load) = (Instant::now(), Arc::new(Mutex::new(Load::default())));
        let seen = load.clone();
        let service = service_fn(move |request: Request<Bytes>| {
            let host = request.uri().host().unwrap().to_owned();
            counted(seen.clone(), request.uri().to_string(), host.clone(), answer(&host))
        });
        let sender = Sender::new(service, SendTimeouts::default());
        let queue = Arc::new(Queue::new(sender, limits, Arc::new(VirtualClock(begun))));
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(queue.clone(), stop.clone()));
        Self { queue, outcomes: Arc::default(), load, stop, running, begun }
    }

    fn push(&self, url: &str) -> Result<(), Later> {
        let (outcomes, begun, name) = (self.outcomes.clone(), self.begun, url.to_owned());
        self.queue.push(rig::post(url), move |outcome| {
            outcomes.lock().unwrap().push((name, outcome, begun.elapsed().as_secs()));
        })
    }

    /// What came of all posts since it was last asked.
    fn outcomes(&self) -> Vec<(String, Outcome, u64)> {
        std::mem::take(&mut *self.outcomes.lock().unwrap())
    }

    /// What comes of one post, on a queue that has nothing else to do.
    async fn one(&self, url: &str) -> Outcome {
        self.push(url).unwrap();
        sleep(Duration::from_millis(1)).await;
        let [(_, outcome, _)] = self.outcomes().try_into().unwrap();
        outcome
    }

    fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.load.lock().unwrap().sent)
    }
}

async fn run(queue: Arc<Queue>, stop: CancellationToken) {
    queue.run(stop).await;
}

async fn counted(
    load: Arc<Mutex<Load>>,
    url: String,
    host: String,
    answer: Answer,
) -> Result<Response<()>, NotAnswered> {
    let guard = UnderWay::new(load, url, host);
    let answer = answer.await;
    drop(guard);
    answer
}

struct UnderWay {
    load: Arc<Mutex<Load>>,
    host: String,
}

impl UnderWay {
    fn new(load: Arc<Mutex<Load>>, url: String, host: String) -> Self {
        let mut now = load.lock().unwrap();
        now.sent.push(url);
        let to_one = now.now.entry(host.clone()).or_default();
        *to_one += 1;
        let (to_one, all) = (*to_one, now.now.values().sum());
        now.most_to_one = now.most_to_one.max(to_one);
        now.most = now.most.max(all);
        drop(now);
        Self { load, host }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.load.lock().unwrap().now.get_mut(&self.host).unwrap() -= 1;
    }
}

fn answers(code: u16, retry_after: Option<&str>) -> Answer {
    let mut answer = Response::builder().status(code);
    if let Some(value) = retry_after {
        answer = answer.header("retry-after", value);
    }
    let answer = answer.body(()).unwrap();
    async move { Ok(answer) }.boxed()
}

fn after(wait: Duration, answer: impl Future<Output = Result<Response<()>, NotAnswered>> + Send + 'static) -> Answer {
    async move {
        sleep(wait).await;
        answer.await
    }
    .boxed()
}

fn hangs() -> Answer {
    std::future::pending().boxed()
}

const DELIVERED: Outcome = Outcome::Delivered { code: 200 };
const SOON: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_host_with_a_thousand_hanging_posts_holds_up_no_other() {
    let stage = Stage::new(QueueLimits::default(), |host| match host {
        "hanging.test" => hangs(),
        _ => after(Duration::from_millis(10), answers(200, None)),
    });
    for at in 0..1000 {
        stage.push(&format!("https://hanging.test/{at}")).unwrap();
    }
    for at in 0..50 {
        stage.push(&format!("https://well-{at}.test/")).unwrap();
    }
    sleep(SOON).await;
    let outcomes = stage.outcomes();
    assert_eq!(outcomes.len(), 50);
    assert!(outcomes.iter().all(|(url, outcome, at)| url.contains("well-") && *outcome == DELIVERED && *at == 0));
    assert_eq!(stage.load.lock().unwrap().most_to_one, 2);
    assert_eq!(stage.queue.depth(), 1000);

    sleep(Duration::from_secs(20)).await;
    let timed_out = stage.outcomes();
    assert!(timed_out.iter().all(|(_, outcome, _)| *outcome == Outcome::Unanswered(Unanswered::TimedOut)));
    assert_eq!(timed_out.len(), 2, "20 s each, two at once");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_64_are_under_way_in_all() {
    let stage = Stage::new(QueueLimits::default(), |_| after(SOON, answers(200, None)));
    for at in 0..100 {
        stage.push(&format!("https://host-{at}.test/")).unwrap();
    }
    sleep(3 * SOON).await;
    assert_eq!(stage.outcomes().len(), 100);
    assert_eq!(stage.load.lock().unwrap().most, 64);
}

#[tokio::test(start_paused = true)]
async fn posts_to_one_host_leave_in_the_order_in_which_they_came() {
    let stage = Stage::new(QueueLimits::default(), |_| after(SOON, answers(200, None)));
    let urls: Vec<_> = (0..9).map(|at| format!("https://host.test/{at}")).collect();
    for url in &urls {
        stage.push(url).unwrap();
    }
    sleep(9 * SOON).await;
    assert_eq!(stage.sent(), urls);
}

#[tokio::test(start_paused = true)]
async fn case_94_a_host_that_asks_for_time_is_left_alone_and_its_posts_come_back() {
    let stage = Stage::new(QueueLimits::default(), |host| match host {
        "busy.test" => after(SOON, answers(429, Some("60"))),
        _ => answers(200, None),
    });
    for at in 0..5 {
        stage.push(&format!("https://busy.test/{at}")).unwrap();
    }
    sleep(2 * SOON).await;
    let outcomes: Vec<_> = stage.outcomes().into_iter().map(|(_, outcome, _)| outcome).collect();
    let asked = Outcome::Refused { code: 429, retry_after: Some(SignedDuration::from_secs(60)) };
    let not_yet = Outcome::NotYet { wait: SignedDuration::from_secs(60) };
    // Two were under way when the first answer came.
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == asked).count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == not_yet).count(), 3, "{outcomes:?}");
    assert_eq!((stage.queue.depth(), stage.sent().len()), (0, 2), "nothing waits in here");

    assert_eq!(stage.one("https://other.test/").await, DELIVERED);
    sleep(Duration::from_secs(30)).await;
    let Outcome::NotYet { wait } = stage.one("https://busy.test/5").await else { panic!() };
    assert!(wait < SignedDuration::from_secs(30), "{wait}");
    stage.sent();
    sleep(Duration::from_secs(30)).await;
    stage.push("https://busy.test/6").unwrap();
    sleep(2 * SOON).await;
    assert_eq!(stage.sent(), ["https://busy.test/6"], "tried again after its time");
}

#[tokio::test(start_paused = true)]
async fn case_94_429_502_503_504_slow_a_host_down_and_other_answers_do_not() {
    let stage = Stage::new(QueueLimits::default(), |host| {
        let code = host.strip_prefix("host-").and_then(|rest| rest.strip_suffix(".test")).unwrap();
        answers(code.parse().unwrap(), None)
    });
    for (code, slows) in
        [(429, true), (502, true), (503, true), (504, true), (400, false), (404, false), (500, false), (302, false)]
    {
        let url = format!("https://host-{code}.test/");
        let refused = Outcome::Refused { code, retry_after: None };
        assert_eq!(stage.one(&url).await, refused);
        let second = stage.one(&url).await;
        assert_eq!(matches!(second, Outcome::NotYet { .. }), slows, "{code}: {second}");
        sleep(Duration::from_secs(30)).await;
        assert_eq!(stage.one(&url).await, refused, "{code}: after 30 s");
    }
}

#[tokio::test(start_paused = true)]
async fn case_94_one_receiver_cannot_keep_its_host_alone_for_longer_than_a_quarter_of_an_hour() {
    let stage = Stage::new(QueueLimits::default(), |_| answers(503, Some("86400")));
    let day = Outcome::Refused { code: 503, retry_after: Some(SignedDuration::from_hours(24)) };
    assert_eq!(stage.one("https://shared.test/one").await, day);
    let Outcome::NotYet { wait } = stage.one("https://shared.test/other").await else { panic!() };
    assert!(wait <= SignedDuration::from_mins(15), "{wait}");
    sleep(Duration::from_mins(15)).await;
    assert_eq!(stage.one("https://shared.test/other").await, day);
}

#[tokio::test(start_paused = true)]
async fn case_94_a_url_that_is_gone_is_not_tried_again_for_a_day() {
    let stage = Stage::new(QueueLimits::default(), |_| answers(410, None));
    let (url, other) = ("https://gone.test/a", "https://gone.test/b");
    assert_eq!(stage.one(url).await, Outcome::Gone);
    sleep(Duration::from_hours(23)).await;
    assert_eq!(stage.one(url).await, Outcome::Gone);
    assert_eq!(stage.sent(), [url], "known, and not asked again");
    assert_eq!(stage.one(other).await, Outcome::Gone);
    assert_eq!(stage.sent(), [other], "the URL is gone, not its host");
    sleep(Duration::from_hours(1)).await;
    assert_eq!(stage.one(url).await, Outcome::Gone);
    assert_eq!(stage.sent(), [url], "asked again");
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_told_later_and_never_answered() {
    let limits = QueueLimits { waiting: 3, waiting_per_host: 2, ..QueueLimits::default() };
    let stage = Stage::new(limits, |_| hangs());
    // None is under way yet: the queue has not had its turn.
    let pushed = ["a", "a", "a", "b", "b"].map(|host| stage.push(&format!("https://{host}.test/")));
    assert_eq!(pushed, [Ok(()), Ok(()), Err(Later), Ok(()), Err(Later)]);
    assert_eq!(stage.queue.depth(), 3);
    sleep(30 * SOON).await;
    assert_eq!(stage.outcomes().len(), 3);
    assert_eq!(stage.queue.depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_under_way_end_and_drops_the_rest() {
    let mut stage = Stage::new(QueueLimits::default(), |host| match host {
        "hanging.test" => hangs(),
        _ => after(SOON, answers(200, None)),
    });
    for at in 0..4 {
        stage.push(&format!("https://well.test/{at}")).unwrap();
    }
    stage.push("https://hanging.test/").unwrap();
    sleep(SOON / 2).await;
    stage.stop.cancel();
    tokio::task::yield_now().await;
    assert_eq!(stage.push("https://well.test/"), Err(Later));
    (&mut stage.running).await.unwrap();
    assert!(stage.begun.elapsed() < 6 * SOON, "{:?}", stage.begun.elapsed());
    let outcomes: Vec<_> = stage.outcomes().into_iter().map(|(url, outcome, _)| (url, outcome)).collect();
    assert_eq!(outcomes, [0, 1].map(|at| (format!("https://well.test/{at}"), DELIVERED)));
    assert_eq!(stage.queue.depth(), 0);

    let again = CancellationToken::new();
    tokio::spawn(run(stage.queue.clone(), again.clone()));
    tokio::task::yield_now().await;
    stage.push("https://well.test/").unwrap();
    sleep(2 * SOON).await;
    assert_eq!(stage.outcomes().len(), 1, "run again");
}
