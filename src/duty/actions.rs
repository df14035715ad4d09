//! What the edits of a window come down to, and when they are refused.

use jiff::Timestamp;
use plan::{DeletionPolicy, Reason, TaskState};
use serde_json::{Value, json};

use crate::api::time::utc;

use super::gitops::Keeper;
use super::session::{After, Session};
use super::times::{Zone, from_now};
use super::window::Window;

/// What is known when a command decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The window that was named.
    pub(super) window: &'a Window,
    /// All windows of its job that could be read, itself among them.
    pub(super) all: &'a [Window],
    pub(super) now: Timestamp,
    pub(super) zone: &'a Zone,
    pub(super) typed: &'a Typed,
}

/// What somebody typed to get here, for what they may type next.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// `jobstartstop`, or `kubectl jss`.
    pub(super) program: &'static str,
    pub(super) namespace: Option<String>,
    /// The other flags that say which cluster is meant, each with a space before it.
    pub(super) cluster: String,
}

/// An edit of one window's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// The version that it was decided on.
    pub(super) resource_version: String,
    /// What of the spec changes.
    pub(super) spec: Value,
}

impl Change {
    fn of(window: &Window, spec: Value) -> Self {
        Self {
            namespace: window.namespace.clone(),
            name: window.name.clone(),
            uid: window.uid.clone(),
            resource_version: window.resource_version.clone(),
            spec,
        }
    }
}

/// What a command does, and tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// In the order in which they are made.
    pub(super) changes: Vec<Change>,
    /// What happens, in sentences.
    pub(super) says: Vec<String>,
    /// What a person must not overlook.
    pub(super) warns: Vec<String>,
}

impl Plan {
    fn says(sentence: impl Into<String>) -> Self {
        Self { says: vec![sentence.into()], ..Self::default() }
    }

    fn edit(window: &Window, spec: Value, field: &str) -> Self {
        let warns = Keeper::of(window).map(|keeper| keeper.warning(window, field));
        Self { changes: vec![Change::of(window, spec)], says: Vec::new(), warns: warns.into_iter().collect() }
    }

    fn and(mut self, sentence: impl Into<String>) -> Self {
        self.says.push(sentence.into());
        self
    }

    fn but(mut self, warning: impl Into<String>) -> Self {
        self.warns.push(warning.into());
        self
    }
}

/// Why nothing is done, in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

fn refuse<T>(sentence: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(sentence.into()))
}

/// `2026-12-02T13:30:12Z`: the second that has begun.
fn this_second(now: Timestamp) -> String {
    utc(now)
}

impl<'a> Known<'a> {
    /// A command for a window, as it may be typed.
    pub(super) fn command(&self, words: &str, window: &Window, flags: &str) -> String {
        let Typed { program, namespace, cluster } = self.typed;
        let elsewhere = (window.namespace != self.window.namespace).then_some(&window.namespace);
        let namespace = elsewhere.or(namespace.as_ref()).map(|name| format!(" --namespace {name}")).unwrap_or_default();
        format!("{program} {words} {}{flags}{namespace}{cluster}", window.name)
    }

    fn names(&self, windows: &[&Window]) -> String {
        self.window.names_of(windows)
    }

    pub(super) fn session(&self) -> Option<Session<'a>> {
        Session::of(self.window, self.all, self.now)
    }

    /// Other windows that keep the channel on now.
    fn holding(&self) -> Vec<&'a Window> {
        let now = |window: &&Window| window.holds(self.now).is_some_and(|held| held.contains(self.now));
        self.all.iter().filter(|window| window.uid != self.window.uid).filter(now).collect()
    }

    /// A start that is not made, or is not there any more, does not keep the next one from being made.
    fn and_what_starts_all_the_same(&self, plan: Plan, verb: &str) -> Plan {
        match self.session().map(|session| session.without(self.window, self.now)) {
            Some(After::OnAgain(other, at)) => plan.but(format!(
                "{} switches the channel ON at {} all the same. To {verb} that as well: {}",
                other.name_beside(self.window),
                self.clock(at),
                self.command(verb, other, "")
            )),
            Some(After::StaysOn(others, until)) => {
                plan.and(format!("The channel is on for {} until {}.", self.names(&others), self.clock(until)))
            }
            Some(After::Off) | None => plan,
        }
    }

    /// Windows that the operator does not count yet are in no session; they start all the same once it does.
    fn but_what_is_to_come(&self, plan: Plan, session: Option<&Session<'_>>, flags: &str) -> Plan {
        let to_come = session.map(|session| session.to_come(self.all, self.now)).unwrap_or_default();
        if to_come.is_empty() {
            return plan;
        }
        plan.but(format!(
            "The operator does not count {} yet, since the account's key has not read the job. Once it does, the channel goes ON \
             AGAIN. To call that off as well: {}",
            self.names(&to_come),
            self.command("stop", self.window, flags)
        ))
    }

    fn clock(&self, at: Timestamp) -> String {
        self.zone.told(at, self.now)
    }

    /// In what state a window is that has no stop to be made any more.
    fn how_it_ended(&self, window: &Window) -> String {
        let when = crate::api::time::read_status(&window.status.finished_at);
        let since = when.map(|at| format!(" since {}", self.clock(at))).unwrap_or_default();
        let why = if window.stop().is_pending() { window.start().why() } else { window.stop().why() };
        let phase = if window.status.phase.is_empty() { "over" } else { &window.status.phase };
        format!("{} is {phase}{since}. {why}", window.name)
    }
}

/// Moves the stop to the present. `whole`: for every window of the session.
pub(super) fn stop(known: &Known<'_>, whole: bool) -> Result<Plan, Refusal> {
    let session = known.session();
    if whole {
        return stop_session(known, session.as_ref());
    }
    let window = known.window;
    let name = &window.name;
    let (start, stop) = (window.start(), window.stop());
    if let Some(called) = stop.called().filter(|_| stop.is_pending()) {
        let when = known.clock(called);
        return Ok(Plan::says(format!(
            "{name}: its stop was called at {when}, and is repeated until the channel is off."
        )));
    }
    if !stop.is_pending() {
        let left_on = stop.has_reason(Reason::StopCancelled) && window.on_air() == "True";
        let how = known.how_it_ended(window);
        return match session.filter(|session| !session.members.is_empty()) {
            _ if left_on => refuse(format!("{how} Its stop was cancelled: switch the channel off by hand.")),
            Some(session) => refuse(format!(
                "{how} The channel is on for {} until {}: stop that, or add --all.",
                known.names(&session.members),
                known.clock(session.block.stop)
            )),
            None => refuse(and_who_holds(known, how)),
        };
    }
    if !window.has_it_on() {
        return refuse(if start.is_pending() {
            let cancel = known.command("cancel", window, "");
            format!("{name} has not started: there is nothing to switch off. To call it off: {cancel}")
        } else {
            format!("{} There is nothing of it to switch off.", known.how_it_ended(window))
        });
    }
    if window.cancelled() {
        return refuse(format!("{name} is cancelled: its channel stays on, whatever its stop says."));
    }
    if window.deleted.is_some() && window.status.deletion_policy != DeletionPolicy::Stop.as_str() {
        return refuse(format!(
            "{name} is being deleted with the policy {}: nothing is called for it any more. Switch the channel off by hand.",
            window.status.deletion_policy
        ));
    }
    let now = this_second(known.now);
    let plan = match stop.time.filter(|at| *at <= known.now) {
        // A later time would put it off.
        Some(at) => Plan::says(format!("{name}: its stop is due since {}. {}", known.clock(at), stop.why()).trim_end()),
        None => Plan::edit(window, json!({ "deactivation": { "time": now } }), "its stop")
            .and(format!("{name}: its stop is moved from {} to now, {now}.", told(known, stop.time))),
    };
    let all = known.command("stop", window, " --all");
    let plan = match session.as_ref().map(|session| session.without(window, known.now)) {
        Some(After::StaysOn(others, until)) => plan.but(format!(
            "The channel STAYS ON for {} until {}. To switch it off now: {all}",
            known.names(&others),
            known.clock(until)
        )),
        Some(After::OnAgain(other, at)) => plan.and("The channel is switched off.").but(format!(
            "{} switches it ON AGAIN at {}. To call that off as well: {all}",
            other.name_beside(window),
            known.clock(at)
        )),
        Some(After::Off) if start.is(TaskState::Finished) => plan.and("The channel is switched off."),
        Some(After::Off) => {
            plan.and("Its start is under way: the channel is switched off when it is on, within a minute and a half.")
        }
        None if start.is(TaskState::Failed) => {
            plan.and("Its start failed: the channel is looked at, and switched off if it is on all the same.")
        }
        None => plan.but("The operator does not count this window yet: its account's key has not read the job."),
    };
    Ok(known.but_what_is_to_come(plan, session.as_ref(), " --all"))
}

/// A person may have named the wrong window.
fn and_who_holds(known: &Known<'_>, how: String) -> String {
    match known.holding().as_slice() {
        [] => how,
        others => format!("{how} But its channel is on for {}: stop that.", known.names(others)),
    }
}

fn told(known: &Known<'_>, time: Option<Timestamp>) -> String {
    time.map_or_else(|| "a time that cannot be read".to_owned(), |time| known.clock(time))
}

fn stop_session(known: &Known<'_>, session: Option<&Session<'_>>) -> Result<Plan, Refusal> {
    let members = session.map(|session| session.members.as_slice()).unwrap_or_default();
    let (on, mut ahead): (Vec<&Window>, Vec<&Window>) = members.iter().copied().partition(|window| window.has_it_on());
    if on.is_empty() {
        let how = known.how_it_ended(known.window);
        return refuse(match (ahead.as_slice(), known.holding().as_slice()) {
            ([], []) => format!("{how} No window keeps its channel on."),
            ([], _) => and_who_holds(known, how),
            (ahead, _) => {
                format!("{} has not started: there is nothing to switch off. Use cancel.", known.names(ahead))
            }
        });
    }
    ahead.extend(session.map(|session| session.to_come(known.all, known.now)).unwrap_or_default());
    let now = this_second(known.now);
    let mut plan = Plan::default();
    // What is ahead goes first: it must not start when the others have ended.
    let called_off = ahead.iter().map(|window| (*window, json!({ "cancel": true }), "spec.cancel"));
    let made_already =
        |window: &&Window| window.stop().called().is_some() || window.stop().time.is_some_and(|at| at <= known.now);
    let (under_way, moved): (Vec<&Window>, Vec<&Window>) = on.into_iter().partition(made_already);
    let stopped = moved.iter().map(|window| (*window, json!({ "deactivation": { "time": now } }), "its stop"));
    for (window, spec, field) in called_off.chain(stopped) {
        let edit = Plan::edit(window, spec, field);
        plan.changes.extend(edit.changes);
        plan.warns.extend(edit.warns);
    }
    if !ahead.is_empty() {
        plan = plan.and(format!("Called off, since it would start again: {}.", known.names(&ahead)));
    }
    if !moved.is_empty() {
        plan = plan.and(format!("Its stop is moved to now, {now}: {}.", known.names(&moved)));
    }
    if !under_way.is_empty() {
        plan = plan.and(format!("Its stop is due, and repeated until it is made: {}.", known.names(&under_way)));
    }
    Ok(plan.and("The channel is switched off."))
}

/// Holds the start back.
pub(super) fn suspend(known: &Known<'_>) -> Result<Plan, Refusal> {
    let window = known.window;
    let name = &window.name;
    if !window.start().is_pending() {
        return refuse(format!("{} There is no start to hold back.", known.how_it_ended(window)));
    }
    if window.start().called().is_some() {
        let stop = known.command("stop", window, "");
        return refuse(format!("{name}: its start was called already. To switch the channel off: {stop}"));
    }
    if window.suspended() {
        return Ok(Plan::says(format!("{name} is suspended already.")));
    }
    let plan = Plan::edit(window, json!({ "suspend": true }), "spec.suspend")
        .and(format!("{name}: it is not started while it is suspended."))
        .and(format!(
            "Resumed before its end at {} it starts, within startingDeadlineSeconds where that is set; else it is missed.",
            told(known, window.stop().time)
        ));
    Ok(known.and_what_starts_all_the_same(plan, "suspend"))
}

/// Lets it start.
pub(super) fn resume(known: &Known<'_>) -> Result<Plan, Refusal> {
    let window = known.window;
    let name = &window.name;
    if !window.suspended() {
        return Ok(Plan::says(format!("{name} is not suspended.")));
    }
    let plan = Plan::edit(window, json!({ "suspend": false }), "spec.suspend");
    let start = window.start();
    if !start.is_pending() {
        return Ok(plan.and(format!("{} Nothing is started.", known.how_it_ended(window))));
    }
    let stop = window.stop().time.filter(|stop| *stop <= known.now);
    if let Some(stop) = stop {
        return refuse(format!("{name} ended at {}: it is not started any more.", known.clock(stop)));
    }
    Ok(match start.call_at.filter(|at| *at > known.now) {
        Some(at) => plan.and(format!("{name}: it starts at {}, {}.", known.clock(at), from_now(at, known.now))),
        None => plan.and(format!("{name}: its start is due; it is made at once.")).and(deadline(known)),
    })
}

/// What a late start has to keep.
fn deadline(known: &Known<'_>) -> String {
    let late = known.window.spec.as_ref().and_then(|spec| spec.starting_deadline_seconds);
    let deadline = known
        .window
        .start()
        .time
        .zip(late)
        .and_then(|(start, late)| start.checked_add(jiff::SignedDuration::from_secs(late.into())).ok());
    match deadline {
        Some(until) if until < known.now => {
            format!("But its startingDeadlineSeconds ended at {}: it will be missed.", known.clock(until))
        }
        _ => format!("It ends at {}.", told(known, known.window.stop().time)),
    }
}

/// Calls off what was not called. `leave_on`: also the stop of a channel that is on.
pub(super) fn cancel(known: &Known<'_>, leave_on: bool) -> Result<Plan, Refusal> {
    let window = known.window;
    let name = &window.name;
    if window.cancelled() {
        return Ok(Plan::says(format!("{name} is cancelled already.")));
    }
    if window.settled() {
        return refuse(format!("{} There is nothing left to cancel.", known.how_it_ended(window)));
    }
    if window.stop().called().is_some() {
        return refuse(format!("{name}: its stop was called already, and runs to its end."));
    }
    let plan = Plan::edit(window, json!({ "cancel": true }), "spec.cancel");
    if !window.has_it_on() {
        let plan = plan.and(format!("{name}: its start and its stop are called off, for good."));
        return Ok(known.and_what_starts_all_the_same(plan, "cancel"));
    }
    let after = known.session().map(|session| session.without(window, known.now));
    if let Some(After::StaysOn(others, until)) = after {
        let words = format!(
            "{name}: its stop is called off. The channel stays on for {} until {}.",
            known.names(&others),
            known.clock(until)
        );
        return Ok(plan.and(words));
    }
    if window.start().is_pending() {
        return Ok(
            plan.and(format!("{name}: its start is under way; if the channel comes on, it is switched off again."))
        );
    }
    let (end, leave_it) = (told(known, window.stop().time), known.command("cancel", window, " --leave-on"));
    if !window.start().is(TaskState::Finished) {
        if !leave_on {
            return refuse(format!(
                "{name}: its start failed after it was called. At its end, {end}, the channel is looked at, and switched off if \
                 it is on all the same. Cancelled, nobody looks. To do that: {leave_it}"
            ));
        }
        return Ok(plan
            .and(format!("{name}: the look at its channel at {end} is called off, for good."))
            .but("If the channel is on, it STAYS ON, and is billed, until somebody switches it off by hand."));
    }
    if !leave_on {
        return refuse(format!(
            "{name} is on air: cancelling drops its stop, and its channel STAYS ON, and is billed, until somebody switches it \
             off. To go off air: {stop}. To leave it on: {leave_it}",
            stop = known.command("stop", window, "")
        ));
    }
    Ok(plan
        .and(format!("{name}: its stop at {end} is called off, for good."))
        .but("The channel STAYS ON, and is billed, until somebody switches it off by hand."))
}

/// Windows that cannot be extended: nothing of them is on air, or will be.
pub(super) fn over(known: &Known<'_>) -> Option<Refusal> {
    let window = known.window;
    let name = &window.name;
    if window.cancelled() {
        return Some(Refusal(format!("{name} is cancelled. Make another window.")));
    }
    if window.deleted.is_some() {
        return Some(Refusal(format!("{name} is being deleted. Make another window.")));
    }
    if let [first, ..] = window.unread.as_slice() {
        return Some(Refusal(format!("{name} cannot be fully read here, so what extends it would lack that: {first}")));
    }
    let start = window.start();
    if start.is_pending() && window.suspended() {
        return Some(Refusal(format!("{name} is suspended: what extends it would start by itself. Resume it first.")));
    }
    if !start.is_pending() && !start.is(TaskState::Finished) {
        let how = known.how_it_ended(window);
        return Some(Refusal(format!("{how} Nothing of it is on air: make another window.")));
    }
    if window.stop().is_pending() && window.stop().called().is_some() {
        return Some(Refusal(format!("{name}: its stop was called already. Make another window, starting now.")));
    }
    if window.stop().is_pending() && !window.counts() && window.seen() {
        let why = window.condition("Ready").map_or("", |ready| &ready.message);
        return Some(Refusal(format!("{name}: its account's key has not read its job. {why}")));
    }
    let ended = !window.stop().is_pending() && !window.stop().has_reason(Reason::KeptOnAir);
    ended.then(|| Refusal(format!("{} Make another window.", known.how_it_ended(window))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::fixtures::{active, at, berlin, finished, named, parsed, pending, stored, with};

    const NOW: &str = "2026-12-02T13:30:12.75Z";

    fn decide(all: &[Window], what: impl Fn(&Known<'_>) -> Result<Plan, Refusal>) -> Result<Plan, String> {
        let zone = berlin();
        let typed = Typed { program: "kubectl jss", namespace: None, cluster: " --context=prod".to_owned() };
        what(&Known { window: &all[0], all, now: at(NOW), zone: &zone, typed: &typed }).map_err(|refusal| refusal.0)
    }

    fn warned(plan: Result<Plan, String>) -> String {
        plan.unwrap().warns.join(" ")
    }

    fn uncounted(object: Value) -> Value {
        with(object, "/status/job/verifiedAt", json!(""))
    }

    fn elsewhere(object: Value) -> Value {
        with(object, "/metadata/namespace", json!("sports"))
    }

    /// Called, and given up: it may have been carried out all the same.
    fn failed_after_a_call() -> Value {
        let mut object = pending();
        object["status"]["activation"]["state"] = json!("failed");
        object["status"]["activation"]["calledAt"] = json!("2026-12-02T13:00:00.004123Z");
        object
    }

    fn one(object: Value) -> Vec<Window> {
        vec![parsed(object)]
    }

    fn first() -> Value {
        named(active(), "first", "2026-12-02T13:00:00Z", "2026-12-02T15:00:00Z")
    }

    fn touching() -> Value {
        named(pending(), "longer", "2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z")
    }

    fn covering() -> Value {
        named(active(), "premiere", "2026-12-02T13:15:00Z", "2026-12-02T17:00:00Z")
    }

    #[test]
    fn a_stop_moves_the_stop_to_the_second_that_has_begun_on_the_version_that_was_read() {
        let plan = decide(&one(active()), |known| stop(known, false)).unwrap();
        let change = &plan.changes[0];
        assert_eq!(change.spec, json!({ "deactivation": { "time": "2026-12-02T13:30:12Z" } }));
        assert_eq!((&*change.resource_version, &*change.name), ("41", "wednesday-broadcast"));
        assert!(plan.says.join(" ").contains("16:00:00 Europe/Berlin"), "{plan:?}");
        assert!(plan.says.join(" ").contains("The channel is switched off."), "{plan:?}");
        assert_eq!(plan.warns, Vec::<String>::new());
    }

    #[test]
    fn a_stop_of_a_window_that_others_cover_names_them() {
        let all: Vec<_> = [first(), covering()].map(parsed).into();
        let plan = decide(&all, |known| stop(known, false)).unwrap();
        assert_eq!(plan.changes.len(), 1);
        assert!(plan.warns[0].contains("STAYS ON for premiere until 18:00:00"), "{plan:?}");
        assert!(plan.warns[0].contains("kubectl jss stop first --all --context=prod"), "{plan:?}");

        let all: Vec<_> = [first(), touching()].map(parsed).into();
        let plan = decide(&all, |known| stop(known, false)).unwrap();
        assert!(plan.warns[0].contains("longer switches it ON AGAIN at 16:00:00"), "{plan:?}");
    }

    #[test]
    fn a_stop_of_all_calls_off_what_is_ahead_before_it_ends_what_is_on() {
        let all: Vec<_> = [first(), covering(), touching()].map(parsed).into();
        let plan = decide(&all, |known| stop(known, true)).unwrap();
        let made: Vec<_> = plan.changes.iter().map(|change| (&*change.name, change.spec.clone())).collect();
        let now = json!({ "deactivation": { "time": "2026-12-02T13:30:12Z" } });
        assert_eq!(made, [("longer", json!({ "cancel": true })), ("first", now.clone()), ("premiere", now)]);
    }

    #[test]
    fn a_stop_is_refused_where_nothing_is_on_and_says_what_to_do() {
        for (all, words) in [
            (one(pending()), "To call it off: kubectl jss cancel wednesday-broadcast"),
            (one(finished()), "is Finished since"),
            (vec![stored("failed")], "failed is Failed since"),
            (vec![stored("left-on")], "switch the channel off by hand"),
            (vec![stored("handed-over"), stored("heir")], "stop that, or add --all"),
        ] {
            let told = decide(&all, |known| stop(known, false)).unwrap_err();
            assert!(told.contains(words), "{words}: {told}");
        }
        let nothing = decide(&one(finished()), |known| stop(known, true)).unwrap_err();
        assert!(nothing.contains("No window keeps its channel on"), "{nothing}");
    }

    #[test]
    fn a_stop_that_is_due_is_not_put_off() {
        let due = with(active(), "/spec/deactivation/time", json!("2026-12-02T13:30:00Z"));
        let plan = decide(&one(due.clone()), |known| stop(known, false)).unwrap();
        assert!(plan.changes.is_empty() && plan.says[0].contains("due since 14:30:00"), "{plan:?}");
        let plan = decide(&one(due), |known| stop(known, true)).unwrap();
        assert!(plan.changes.is_empty() && plan.says[0].contains("repeated until it is made"), "{plan:?}");
    }

    #[test]
    fn a_stop_sees_what_the_operator_does_not_count_yet() {
        let all: Vec<_> = [first(), uncounted(touching())].map(parsed).into();
        let told = warned(decide(&all, |known| stop(known, false)));
        assert!(told.contains("does not count longer yet") && told.contains("ON AGAIN"), "{told}");
        let plan = decide(&all, |known| stop(known, true)).unwrap();
        let made: Vec<_> = plan.changes.iter().map(|change| &*change.name).collect();
        assert_eq!(made, ["longer", "first"]);
    }

    #[test]
    fn windows_of_other_namespaces_are_named_with_them() {
        let all: Vec<_> = [first(), elsewhere(covering()), elsewhere(touching())].map(parsed).into();
        assert!(
            warned(decide(&all, |known| stop(known, false))).contains("STAYS ON for sports/premiere, sports/longer")
        );
        let ahead: Vec<_> = [touching(), elsewhere(covering())].map(parsed).into();
        let plan = decide(&ahead, |known| cancel(known, false)).unwrap();
        assert!(plan.says[1].contains("is on for sports/premiere until"), "{plan:?}");
    }

    #[test]
    fn what_starts_all_the_same_is_told_with_what_to_type() {
        let later = named(pending(), "later", "2026-12-02T16:00:00Z", "2026-12-02T17:00:00Z");
        let all: Vec<_> = [touching(), elsewhere(later)].map(parsed).into();
        for (verb, plan) in [("cancel", decide(&all, |known| cancel(known, false))), ("suspend", decide(&all, suspend))]
        {
            let told = warned(plan);
            assert!(told.contains("sports/later switches the channel ON at 17:00:00"), "{told}");
            assert!(told.ends_with(&format!("kubectl jss {verb} later --namespace sports --context=prod")), "{told}");
        }
    }

    #[test]
    fn a_start_that_failed_after_its_call_is_looked_at_unless_that_is_given_up_on_purpose() {
        let plan = decide(&one(failed_after_a_call()), |known| stop(known, false)).unwrap();
        assert!(plan.says[1].contains("switched off if it is on all the same"), "{plan:?}");
        let told = decide(&one(failed_after_a_call()), |known| cancel(known, false)).unwrap_err();
        assert!(told.contains("Cancelled, nobody looks") && told.contains("--leave-on"), "{told}");
        assert!(warned(decide(&one(failed_after_a_call()), |known| cancel(known, true))).contains("STAYS ON"));
    }

    #[test]
    fn a_window_that_is_being_deleted_and_leaves_its_channel_on_cannot_be_stopped() {
        let deleted = with(active(), "/metadata/deletionTimestamp", json!("2026-12-02T13:29:00Z"));
        let retained = with(deleted, "/status/deletionPolicy", json!("Retain"));
        let told = decide(&one(retained), |known| stop(known, false)).unwrap_err();
        assert!(told.contains("Switch the channel off by hand"), "{told}");
    }

    #[test]
    fn somebody_who_named_a_window_that_is_over_is_told_of_the_one_that_is_on() {
        let over = named(finished(), "over", "2026-12-02T11:00:00Z", "2026-12-02T12:00:00Z");
        let all: Vec<_> = [over, covering()].map(parsed).into();
        for whole in [false, true] {
            let told = decide(&all, |known| stop(known, whole)).unwrap_err();
            assert!(told.contains("is on for premiere: stop that"), "{told}");
        }
    }

    #[test]
    fn a_stop_that_was_called_is_not_edited_again() {
        let called = with(active(), "/status/deactivation/calledAt", json!("2026-12-02T13:30:00.5Z"));
        let plan = decide(&one(called), |known| stop(known, false)).unwrap();
        assert!(plan.changes.is_empty() && plan.says[0].contains("repeated until the channel is off"), "{plan:?}");
    }

    #[test]
    fn what_a_tool_keeps_must_follow_at_its_source() {
        let kept = with(active(), "/metadata/labels", json!({ "kustomize.toolkit.fluxcd.io/name": "shows" }));
        for plan in [
            decide(&one(kept.clone()), |known| stop(known, false)),
            decide(&one(kept.clone()), |known| cancel(known, true)),
        ] {
            assert!(plan.unwrap().warns[0].starts_with("Flux (Kustomization shows) keeps live/wednesday-broadcast"));
        }
    }

    #[test]
    fn suspending_holds_a_start_back_and_nothing_else() {
        let plan = decide(&one(touching()), suspend).unwrap();
        assert_eq!(plan.changes[0].spec, json!({ "suspend": true }));
        let told = decide(&one(active()), suspend).unwrap_err();
        assert!(told.contains("There is no start to hold back"), "{told}");
        let again = decide(&one(with(touching(), "/spec/suspend", json!(true))), suspend).unwrap();
        assert!(again.changes.is_empty(), "{again:?}");
    }

    #[test]
    fn resuming_tells_when_it_starts() {
        let suspended = |object| with(object, "/spec/suspend", json!(true));
        let ahead = decide(&one(suspended(touching())), resume).unwrap();
        assert_eq!(ahead.changes[0].spec, json!({ "suspend": false }));
        assert!(ahead.says[0].contains("it starts at 16:00:00") && ahead.says[0].contains("in 1h 29m"), "{ahead:?}");
        let due = decide(&one(suspended(pending())), resume).unwrap();
        assert!(due.says[0].contains("at once"), "{due:?}");
        let late = with(suspended(pending()), "/spec/startingDeadlineSeconds", json!(60));
        let late = decide(&one(late), resume).unwrap();
        assert!(late.says[1].contains("will be missed"), "{late:?}");
        let past = named(suspended(pending()), "past", "2026-12-02T12:00:00Z", "2026-12-02T13:00:00Z");
        assert!(decide(&one(past), resume).unwrap_err().contains("not started any more"));
        assert!(decide(&one(touching()), resume).unwrap().changes.is_empty());
    }

    #[test]
    fn cancelling_leaves_a_channel_on_only_where_that_is_said() {
        let ahead = decide(&one(touching()), |known| cancel(known, false)).unwrap();
        assert_eq!((&ahead.changes[0].spec, ahead.warns.len()), (&json!({ "cancel": true }), 0));
        let told = decide(&one(active()), |known| cancel(known, false)).unwrap_err();
        assert!(told.contains("STAYS ON") && told.contains("--leave-on"), "{told}");
        let left = decide(&one(active()), |known| cancel(known, true)).unwrap();
        assert!(left.warns[0].contains("STAYS ON"), "{left:?}");
        let covered: Vec<_> = [first(), covering()].map(parsed).into();
        let covered = decide(&covered, |known| cancel(known, false)).unwrap();
        assert!(covered.says[0].contains("stays on for premiere"), "{covered:?}");
        assert!(decide(&one(finished()), |known| cancel(known, false)).unwrap_err().contains("nothing left to cancel"));
    }
}
