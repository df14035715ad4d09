//! Whether all went as it should: by what the Live API received and what its channels truly did, and by
//! what the operator says of it.

mod delegated;

use jiff::Timestamp;
use simulator::{Call, JobReport, Operation, WorkflowReport};

use super::{
    Executor, Sabotage,
    board::{Board, is_off, state_of},
    kubernetes::{Task, Window},
    screen::{Paint, Screen},
    stage::{TURNS_OFF_MS, TURNS_ON_MS},
    table::{call_line, call_titles, columns, lateness_ms, received, time_of_day, verb},
    told::Told,
};

/// A loaded machine is slow; later than this is wrong even so.
const LATE_AT_MOST_MS: f64 = 1_000.0;
/// The same for a channel that turns.
const BILLED_WITHIN_MS: i64 = 1_500;

/// What a receiver is told of a window without trouble, in order.
const ACTIONS: [&str; 4] = ["notify-activate", "activate", "notify-deactivate", "deactivate"];

/// What there is to judge by.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) executor: Executor,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) board: Board,
    pub(super) calls: Vec<Call>,
    /// Of the Live API's scheduler.
    pub(super) workflows: Vec<WorkflowReport>,
    /// What the receiver was told of the evening news, which alone has one.
    pub(super) told: Vec<Told>,
    /// What should not have happened, whatever became of the windows.
    pub(super) mishaps: Vec<String>,
    pub(super) at: Timestamp,
}

impl Evidence {
    /// Every call that switches a job, beside the time it was planned for.
    pub(super) fn table_of_calls(&self) -> Vec<String> {
        let mut lines = vec![call_titles()];
        lines.extend(self.switches().map(|call| call_line(call, self.planned(call))));
        let reads =
            self.calls.iter().filter(|call| matches!(call.operation, Operation::Read | Operation::List)).count();
        lines.push(format!("and {reads} that only read"));
        lines
    }

    fn switches(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.operation.is_switch())
    }

    fn switches_of(&self, job: &str, operation: Operation) -> Vec<&Call> {
        let wanted = |call: &&Call| call.job.as_deref() == Some(job) && call.operation == operation;
        self.switches().filter(wanted).collect()
    }

    /// Windows of one channel overlap here: on at the first start, off at the last stop.
    fn planned(&self, call: &Call) -> Option<Timestamp> {
        let windows = || self.board.windows.iter().filter(|window| call.job.as_deref() == Some(window.job()));
        match call.operation {
            Operation::Activate => windows().map(Window::start).min(),
            Operation::Deactivate => windows().map(Window::stop).max(),
            _ => None,
        }
    }
}

/// The outcome.
#[derive(Debug)]
pub(super) struct Verdict {
    judgements: Vec<Judgement>,
    summary: Judgement,
}

/// What is to be said of one thing; it is as it should be when no faults were found.
#[derive(Debug, PartialEq, Eq)]
struct Judgement {
    of: &'static str,
    praise: String,
    faults: Vec<String>,
}

/// Judges each window by its plot.
pub(super) fn on(evidence: &Evidence) -> Verdict {
    let (judgements, praise) = match evidence.executor {
        Executor::Operator => (
            vec![evening_news(evidence), football(evidence), gala(evidence), matinee(evidence), premiere(evidence)],
            in_all(evidence),
        ),
        Executor::LiveScheduler => (delegated::judgements(evidence), delegated::in_all(evidence)),
    };
    let summary = summary(evidence, &judgements, praise);
    Verdict { judgements, summary }
}

impl Verdict {
    pub(super) fn all_well(&self) -> bool {
        self.summary.faults.is_empty()
    }

    pub(super) fn lines(&self, screen: &Screen) -> Vec<String> {
        let mut lines: Vec<String> = self.judgements.iter().flat_map(|judgement| judgement.lines(screen)).collect();
        lines.push(String::new());
        lines.extend(self.summary.lines(screen));
        lines
    }
}

impl Judgement {
    fn lines(&self, screen: &Screen) -> Vec<String> {
        let line = |mark: &str, of: &str, text: &str| format!("  {mark} {}", columns(&[of, text], &[12, 0]));
        let Some((first, others)) = self.faults.split_first() else {
            return vec![line(&screen.paint(Paint::Green, "✓"), self.of, &self.praise)];
        };
        let mut lines = vec![line(&screen.paint(Paint::Red, "✗"), self.of, first)];
        lines.extend(others.iter().map(|fault| line(" ", "", fault)));
        lines
    }
}

fn evening_news(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "evening-news") else { return unseen("evening-news") };
    let (start, stop) = (judge.window.start(), judge.window.stop());
    let praise = judge.session(start, stop);
    judge.phase("Finished");
    judge.told();
    judge.conclude(format!(
        "on air {}–{} as planned: {praise}; its receiver was told four times",
        time_of_day(start, 0),
        time_of_day(stop, 0)
    ))
}

fn football(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "football") else { return unseen("football") };
    let (start, stop) = (judge.window.start(), judge.window.stop());
    let seconds = stop.duration_since(start).as_secs();
    judge.demand(seconds < 60, || "the edit of its stop did not reach it".to_owned());
    let praise = judge.session(start, stop);
    judge.phase("Finished");
    judge.conclude(format!("ten minutes planned, {seconds} s by an edit: {praise}"))
}

fn gala(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "gala") else { return unseen("gala") };
    judge.never_switched();
    judge.demand(evidence.at > judge.window.start(), || "its start is still ahead".to_owned());
    judge.phase("Cancelled");
    judge.conclude("cancelled before its start: no call was made, the channel never went on".to_owned())
}

fn matinee(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "matinee") else { return unseen("matinee") };
    let start = judge.call(Operation::Activate, judge.window.start());
    judge.reason("stop", &judge.window.status.deactivation, "KeptOnAir");
    judge.phase("Finished");
    judge.conclude(format!("{}; at its end premiere kept the channel on: no stop was called", told(start)))
}

fn premiere(evidence: &Evidence) -> Judgement {
    let Some(mut judge) = Judge::of(evidence, "premiere") else { return unseen("premiere") };
    let stop = judge.window.stop();
    // The channel has been on since the matinee's start.
    let began = evidence.board.window("matinee").map_or(stop, Window::start);
    judge.is_off(stop);
    let call = judge.call(Operation::Deactivate, stop);
    let billed = judge.billed(began, stop);
    judge.reason("start", &judge.window.status.activation, "AlreadyOnAir");
    judge.demand(evidence.board.conflicted.contains("premiere"), || "it never showed Conflict=True".to_owned());
    judge.phase("Finished");
    judge.conclude(format!("found the channel on: no start was called; {}, {billed} for both", told(call)))
}

fn in_all(evidence: &Evidence) -> String {
    let lateness = |call: &Call| evidence.planned(call).map(|planned| lateness_ms(received(call), planned));
    let latest = evidence.switches().filter_map(lateness).fold(0.0, f64::max);
    format!(
        "{} calls for five windows, none early, none more than {latest:.1} ms late; every channel is off",
        evidence.switches().count()
    )
}

fn summary(evidence: &Evidence, judgements: &[Judgement], praise: String) -> Judgement {
    let mut faults: Vec<String> = evidence.mishaps.clone();
    let wrong: Vec<&str> =
        judgements.iter().filter(|judged| !judged.faults.is_empty()).map(|judged| judged.of).collect();
    if !wrong.is_empty() {
        faults.push(format!("not as it should be: {}", wrong.join(", ")));
    }
    let on: Vec<&str> =
        evidence.board.channels.values().filter(|job| !is_off(job)).map(|job| job.id.as_str()).collect();
    if !on.is_empty() {
        faults.push(format!("still on air, and billed: {}", on.join(", ")));
    }
    Judgement { of: if faults.is_empty() { "ALL WELL" } else { "NOT WELL" }, praise, faults }
}

fn unseen(of: &'static str) -> Judgement {
    Judgement { of, praise: String::new(), faults: vec!["it is not in the cluster".to_owned()] }
}

/// Collects what is wrong with one window and its channel.
struct Judge<'a> {
    evidence: &'a Evidence,
    name: &'static str,
    window: &'a Window,
    channel: &'a JobReport,
    faults: Vec<String>,
}

/// A call that was made as it should be.
struct Made {
    done: &'static str,
    late_ms: f64,
}

impl<'a> Judge<'a> {
    fn of(evidence: &'a Evidence, name: &'static str) -> Option<Self> {
        let window = evidence.board.window(name)?;
        let channel = evidence.board.channel(window.job())?;
        Some(Self { evidence, name, window, channel, faults: Vec::new() })
    }

    fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn phase(&mut self, wanted: &str) {
        let phase = &self.window.status.phase;
        self.demand(phase == wanted, || format!("its phase is {}, not {wanted}", word(phase)));
    }

    fn reason(&mut self, what: &str, task: &Task, wanted: &str) {
        let reason = &task.reason;
        self.demand(reason == wanted, || format!("the reason of its {what} is {}, not {wanted}", word(reason)));
    }

    /// One start, one stop, off, and billed for what was planned.
    fn session(&mut self, start: Timestamp, stop: Timestamp) -> String {
        if self.channel.sessions == 0 {
            self.faults.push("the channel never went on air".to_owned());
            self.call(Operation::Activate, start);
            return String::new();
        }
        self.is_off(stop);
        let started = self.call(Operation::Activate, start);
        let stopped = self.call(Operation::Deactivate, stop);
        let billed = self.billed(start, stop);
        format!("{}, {}, {billed}", told(started), told(stopped))
    }

    /// Made once, on time, and carried out.
    fn call(&mut self, operation: Operation, planned: Timestamp) -> Option<Made> {
        let calls = self.evidence.switches_of(&self.channel.id, operation);
        let what = format!("{} {}", verb(operation), self.channel.id);
        let [call] = calls[..] else {
            self.faults.push(format!(
                "the Live API received {} calls to {what}, not one{}",
                calls.len(),
                unanswered(&calls)
            ));
            return None;
        };
        if !call.carried_out {
            let answer = call.status.map_or("not answered".to_owned(), |status| format!("answered {status}"));
            self.faults.push(format!("the call to {what} was {answer}, and not carried out"));
            return None;
        }
        let late_ms = lateness_ms(received(call), planned);
        let done = if operation == Operation::Activate { "started" } else { "stopped" };
        Some(self.made(&what, done, late_ms))
    }

    /// Neither early nor too late.
    fn made(&mut self, what: &str, done: &'static str, late_ms: f64) -> Made {
        self.demand(late_ms >= 0.0, || format!("the call to {what} was {:.1} ms early", -late_ms));
        self.demand(late_ms <= LATE_AT_MOST_MS, || format!("the call to {what} was {late_ms:.0} ms late"));
        Made { done, late_ms }
    }

    /// Ahead of each call, and after it; each time signed.
    fn told(&mut self) {
        let told = &self.evidence.told;
        self.told_of_all();
        self.demand(told.iter().all(|one| one.verified), || "a notification was not signed as it should be".to_owned());
    }

    /// Ahead of each call, and after it.
    fn told_of_all(&mut self) {
        let told = &self.evidence.told;
        let actions: Vec<&str> = told.iter().map(|one| one.action.as_str()).collect();
        self.demand(actions == ACTIONS, || {
            let told = if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") };
            format!("its receiver was told {told}, not {}", ACTIONS.join(", "))
        });
        self.demand(told.iter().all(|one| one.job == self.channel.id), || "of another job, too".to_owned());
    }

    fn never_switched(&mut self) {
        let calls = self.evidence.switches().filter(|call| call.job.as_deref() == Some(&self.channel.id)).count();
        self.demand(calls == 0, || format!("{calls} calls were made for it"));
        let sessions = self.channel.sessions;
        self.demand(sessions == 0, || "the channel went on air".to_owned());
    }

    fn is_off(&mut self, stop: Timestamp) {
        let (channel, at) = (self.channel, self.evidence.at);
        self.demand(is_off(channel), || {
            let over = at.duration_since(stop).as_secs();
            format!("the channel is still on ({}), {over} s after its stop was due, and is billed", state_of(channel))
        });
    }

    /// A channel is billed from being on until being off, each a little after its call.
    fn billed(&mut self, start: Timestamp, stop: Timestamp) -> String {
        let turning = i64::from(TURNS_OFF_MS) - i64::from(TURNS_ON_MS);
        let wanted = stop.as_millisecond() - start.as_millisecond() + turning;
        let billed = i64::try_from(self.channel.billed_ms).unwrap_or(i64::MAX);
        self.demand(billed.abs_diff(wanted) <= BILLED_WITHIN_MS.unsigned_abs(), || {
            format!("{} were billed, not about {}", seconds(billed), seconds(wanted))
        });
        format!("{} billed", seconds(billed))
    }

    /// Adds the operator's own words to what is wrong.
    fn conclude(mut self, praise: String) -> Judgement {
        if !self.faults.is_empty()
            && let Some(ready) = self.window.condition("Ready")
        {
            self.faults.push(format!("the operator says: {}: {}", ready.reason, ready.message));
        }
        Judgement { of: self.name, praise, faults: self.faults }
    }
}

fn told(made: Option<Made>) -> String {
    made.map_or(String::new(), |Made { done, late_ms }| format!("{done} {late_ms:.1} ms late"))
}

fn unanswered(calls: &[&Call]) -> String {
    let unanswered = calls.iter().filter(|call| call.status.is_none()).count();
    if unanswered == 0 { String::new() } else { format!(", and left {unanswered} of them unanswered") }
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

fn word(word: &str) -> &str {
    if word.is_empty() { "not set" } else { word }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::{super::kubernetes::tests::window, *};

    pub(super) const START: i64 = 1_796_216_400;

    pub(super) fn done(name: &str, job: &str) -> Value {
        window(name, job, "Finished")
    }

    pub(super) fn shifted(mut window: Value, start: &str, stop: &str) -> Value {
        window["spec"]["activation"]["time"] = json!(start);
        window["spec"]["deactivation"]["time"] = json!(stop);
        window
    }

    fn channel(id: &str, billed_ms: u64) -> JobReport {
        serde_json::from_value(json!({
            "id": id, "account": "default", "static": true, "state": "standby", "sep_state": "waiting", "wedged": false,
            "billed_ms": billed_ms, "billed_seconds": billed_ms / 1_000, "sessions": u64::from(billed_ms > 0),
            "restarts": 0, "recording": null, "recordings_discarded": 0, "created_us": 0, "state_history": [],
            "sep_history": [], "overrides": {},
        }))
        .unwrap()
    }

    pub(super) fn call(job: &str, operation: &str, after_ms: i64) -> Call {
        serde_json::from_value(json!({
            "sequence": 1, "received_us": START * 1_000_000 + after_ms * 1_000, "answered_us": null,
            "operation": operation, "method": "PUT", "path": "", "job": job, "key": "demo", "outcome": "answered",
            "status": 200, "carried_out": true, "carried_out_us": null, "fault": null,
        }))
        .unwrap()
    }

    /// All as it should be.
    pub(super) fn evidence() -> Evidence {
        let mut matinee = done("matinee", "cinema");
        matinee["status"]["deactivation"] = json!({"state": "finished", "reason": "KeptOnAir"});
        let mut premiere = shifted(done("premiere", "cinema"), "2026-12-02T13:00:05Z", "2026-12-02T13:00:20Z");
        premiere["status"]["activation"] = json!({"state": "finished", "reason": "AlreadyOnAir"});
        premiere["status"]["conditions"] =
            json!([{"type": "Conflict", "status": "True", "reason": "Overlap", "message": ""}]);
        let windows = vec![
            done("evening-news", "news"),
            done("football", "sports"),
            window("gala", "culture", "Cancelled"),
            matinee,
            premiere,
        ];
        let channels =
            vec![channel("news", 9_500), channel("sports", 9_500), channel("culture", 0), channel("cinema", 19_500)];
        Evidence {
            executor: Executor::Operator,
            sabotage: None,
            board: Board::of(windows, channels),
            calls: vec![
                call("news", "read", -2_000),
                call("news", "activate", 3),
                call("sports", "activate", 4),
                call("cinema", "activate", 2),
                call("news", "deactivate", 10_003),
                call("sports", "deactivate", 10_007),
                call("cinema", "deactivate", 20_001),
            ],
            workflows: Vec::new(),
            told: ACTIONS.map(|action| Told::of(action, "news", Timestamp::from_second(START).unwrap())).to_vec(),
            mishaps: Vec::new(),
            at: Timestamp::from_second(START + 30).unwrap(),
        }
    }

    pub(super) fn faults(evidence: &Evidence, of: &str) -> String {
        let verdict = on(evidence);
        assert!(!verdict.all_well());
        let judged = verdict.judgements.iter().find(|judged| judged.of == of).unwrap();
        judged.faults.join("; ")
    }

    #[test]
    fn all_well() {
        let verdict = on(&evidence());
        assert!(verdict.judgements.iter().all(|judged| judged.faults.is_empty()), "{verdict:?}");
        assert!(verdict.all_well());
        assert!(verdict.summary.praise.contains("6 calls for five windows"), "{verdict:?}");
        assert!(verdict.summary.praise.contains("7.0 ms late"), "{verdict:?}");
    }

    #[test]
    fn a_start_that_was_refused() {
        let mut evidence = evidence();
        let mut news = window("evening-news", "news", "Failed");
        news["status"]["conditions"] =
            json!([{"type": "Ready", "status": "False", "reason": "CallRefused", "message": "It said no."}]);
        evidence.board.put(serde_json::from_value(news).unwrap());
        evidence.board.channels.insert("news".to_owned(), channel("news", 0));
        evidence.calls.remove(4);
        evidence.calls[1].status = Some(400);
        evidence.calls[1].carried_out = false;
        assert_eq!(
            faults(&evidence, "evening-news"),
            "the channel never went on air; the call to activate news was answered 400, and not carried out; its phase \
             is Failed, not Finished; the operator says: CallRefused: It said no."
        );
    }

    #[test]
    fn a_stop_that_was_lost() {
        let mut evidence = evidence();
        evidence.board.put(serde_json::from_value(window("evening-news", "news", "Active")).unwrap());
        let mut on_air = channel("news", 29_500);
        on_air.state = simulator::State::Processing;
        on_air.sep_state = simulator::SepState::Ready;
        evidence.board.channels.insert("news".to_owned(), on_air);
        evidence.calls[4].carried_out = false;
        evidence.calls[4].status = None;
        assert_eq!(
            faults(&evidence, "evening-news"),
            "the channel is still on (processing/ready), 20 s after its stop was due, and is billed; the call to \
             deactivate news was not answered, and not carried out; 29.5 s were billed, not about 9.5 s; its phase is \
             Active, not Finished"
        );
        let verdict = on(&evidence);
        assert!(verdict.summary.faults.contains(&"still on air, and billed: news".to_owned()), "{verdict:?}");
    }

    #[test]
    fn calls_too_early_too_late_or_too_many() {
        let mut early = evidence();
        early.calls[1] = call("news", "activate", -40);
        assert_eq!(faults(&early, "evening-news"), "the call to activate news was 40.0 ms early");
        let mut late = evidence();
        late.calls[4] = call("news", "deactivate", 11_200);
        assert_eq!(faults(&late, "evening-news"), "the call to deactivate news was 1200 ms late");
        let mut twice = evidence();
        twice.calls.push(call("cinema", "activate", 5_002));
        assert_eq!(faults(&twice, "matinee"), "the Live API received 2 calls to activate cinema, not one");
    }

    #[test]
    fn a_cancelled_window_that_was_started_all_the_same() {
        let mut evidence = evidence();
        evidence.calls.push(call("culture", "activate", 1));
        evidence.board.channels.insert("culture".to_owned(), channel("culture", 500));
        assert_eq!(faults(&evidence, "gala"), "1 calls were made for it; the channel went on air");
    }

    #[test]
    fn an_overlap_that_was_not_seen_as_one() {
        let mut evidence = evidence();
        let premiere = shifted(done("premiere", "cinema"), "2026-12-02T13:00:05Z", "2026-12-02T13:00:20Z");
        evidence.board.conflicted.clear();
        evidence.board.put(serde_json::from_value(premiere).unwrap());
        assert_eq!(
            faults(&evidence, "premiere"),
            "the reason of its start is not set, not AlreadyOnAir; it never showed Conflict=True"
        );
    }

    #[test]
    fn a_notification_that_did_not_come_or_was_not_signed() {
        let mut silent = evidence();
        silent.told.remove(1);
        assert_eq!(
            faults(&silent, "evening-news"),
            "its receiver was told notify-activate, notify-deactivate, deactivate, not notify-activate, activate, \
             notify-deactivate, deactivate"
        );
        let mut forged = evidence();
        forged.told[3].verified = false;
        assert_eq!(faults(&forged, "evening-news"), "a notification was not signed as it should be");
    }

    #[test]
    fn a_command_that_was_refused_is_not_forgiven() {
        let mut evidence = evidence();
        evidence.mishaps.push("kubectl patch jss football: no".to_owned());
        assert!(!on(&evidence).all_well());
    }

    #[test]
    fn a_window_that_is_missing() {
        let mut evidence = evidence();
        evidence.board.windows.remove(0);
        assert_eq!(faults(&evidence, "evening-news"), "it is not in the cluster");
    }
}
