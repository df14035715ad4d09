//! The windows of one job that keep its channel on together: one start, one stop.

use jiff::Timestamp;
use plan::timeline::{Interval, Timeline};
use plan::{Reason, Timings};

use super::window::Window;

/// A session, as the operator merges it.
#[derive(Clone, Debug)]
pub(super) struct Session<'a> {
    /// From its start to its stop.
    pub(super) block: Interval,
    /// The windows in it that hold the channel, in the order of their starts.
    pub(super) members: Vec<&'a Window>,
}

/// What becomes of a channel when a window ends now.
#[derive(Clone, Debug)]
pub(super) enum After<'a> {
    /// It is switched off.
    Off,
    /// These keep it on, up to this time.
    StaysOn(Vec<&'a Window>, Timestamp),
    /// It is switched off, and on again at this time by this window.
    OnAgain(&'a Window, Timestamp),
}

impl<'a> Session<'a> {
    /// The session that a window belongs to, or handed its channel on to, among all windows of its job.
    pub(super) fn of(window: &Window, all: &'a [Window], now: Timestamp) -> Option<Self> {
        let handed_on = window.stop().has_reason(Reason::KeptOnAir);
        let own = window.holds(now).or_else(|| window.planned().filter(|_| handed_on))?;
        let held = held(all, now);
        let block = merged(held.iter().map(|(_, held)| *held).chain([own])).find(|block| block.contains(own.start))?;
        let inside = |held: &Interval| block.start <= held.start && held.stop <= block.stop;
        let mut members: Vec<_> = held.into_iter().filter(|(_, held)| inside(held)).collect();
        members.sort_by_key(|(window, held)| (held.start, held.stop, &window.name));
        Some(Self { block, members: members.into_iter().map(|(window, _)| window).collect() })
    }

    /// The window whose stop ends it. One that is being deleted ends now.
    pub(super) fn last(&self) -> Option<&'a Window> {
        let staying = self.members.iter().copied().filter(|window| window.deleted.is_none());
        staying.max_by_key(|window| (window.stop().call_at, &window.name))
    }

    /// Windows that will belong to it, or follow right on it, as soon as an operator counts them: their account's key has
    /// not read the job yet.
    pub(super) fn to_come(&self, all: &'a [Window], now: Timestamp) -> Vec<&'a Window> {
        let turn = Timings::default().channel_turn;
        let touches = |planned: Interval| {
            planned.stop > now
                && planned.stop >= self.block.start
                && planned.start.duration_since(self.block.stop) <= turn
        };
        let mut to_come: Vec<_> =
            all.iter().filter(|window| window.uncounted() && window.planned().is_some_and(touches)).collect();
        to_come.sort_by_key(|window| (window.start().call_at, &window.name));
        to_come
    }

    /// The members that have the channel on when this one begins: nothing is called for its start.
    pub(super) fn on_before(&self, start: Timestamp, now: Timestamp) -> Vec<&'a Window> {
        let turn = Timings::default().channel_turn;
        let on = |held: Interval| held.start < start && start.duration_since(held.stop) <= turn;
        self.members.iter().copied().filter(|window| window.holds(now).is_some_and(on)).collect()
    }

    /// What becomes of the channel when this member ends now.
    pub(super) fn without(&self, window: &Window, now: Timestamp) -> After<'a> {
        let others: Vec<_> = self.members.iter().copied().filter(|other| other.uid != window.uid).collect();
        let held: Vec<_> = others.iter().filter_map(|other| Some((*other, other.holds(now)?))).collect();
        let own = window.holds(now).and_then(|own| Interval::new(own.start, own.stop.min(now)));
        let blocks: Vec<_> = merged(held.iter().map(|(_, held)| *held).chain(own)).collect();
        if let Some(block) = blocks.iter().find(|block| block.contains(now)) {
            let keeping = held.iter().filter(|(_, held)| held.overlaps(block) && held.stop > now);
            return After::StaysOn(keeping.map(|(other, _)| *other).collect(), block.stop);
        }
        let next = held.iter().filter(|(_, held)| held.start > now).min_by_key(|(_, held)| held.start);
        next.map_or(After::Off, |(other, held)| After::OnAgain(other, held.start))
    }
}

fn held(all: &[Window], now: Timestamp) -> Vec<(&Window, Interval)> {
    all.iter().filter_map(|window| Some((window, window.holds(now)?))).collect()
}

fn merged(intervals: impl IntoIterator<Item = Interval>) -> impl Iterator<Item = Interval> {
    let timeline = Timeline::merge(intervals, Timings::default().channel_turn);
    timeline.blocks().to_vec().into_iter()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::duty::fixtures::{active, at, named, parsed, pending, with};

    const NOW: &str = "2026-12-02T13:30:00Z";

    fn first() -> Value {
        named(active(), "first", "2026-12-02T13:00:00Z", "2026-12-02T15:00:00Z")
    }

    fn extension() -> Value {
        named(pending(), "longer", "2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z")
    }

    fn names<'a>(session: &Session<'a>) -> Vec<&'a str> {
        session.members.iter().map(|window| &*window.name).collect()
    }

    #[test]
    fn windows_that_overlap_or_touch_are_one_session() {
        let apart = named(pending(), "evening", "2026-12-02T20:00:00Z", "2026-12-02T21:00:00Z");
        let suspended = with(
            named(pending(), "held", "2026-12-02T14:00:00Z", "2026-12-02T18:00:00Z"),
            "/spec/suspend",
            json!(true),
        );
        let all: Vec<_> = [extension(), apart, suspended, first()].map(parsed).into();
        let session = Session::of(&all[3], &all, at(NOW)).unwrap();
        assert_eq!(names(&session), ["first", "longer"]);
        assert_eq!((session.block.start, session.block.stop), (at("2026-12-02T13:00:00Z"), at("2026-12-02T16:00:00Z")));
        assert_eq!(session.last().unwrap().name, "longer");
        assert_eq!(names(&Session::of(&all[1], &all, at(NOW)).unwrap()), ["evening"]);
    }

    #[test]
    fn a_window_that_handed_its_channel_on_belongs_to_the_session_still() {
        let mut over = first();
        over["status"]["deactivation"]["state"] = json!("finished");
        over["status"]["deactivation"]["reason"] = json!("KeptOnAir");
        let all: Vec<_> = [over, extension()].map(parsed).into();
        let session = Session::of(&all[0], &all, at("2026-12-02T15:30:00Z")).unwrap();
        assert_eq!(names(&session), ["longer"]);
        let mut stopped = first();
        stopped["status"]["deactivation"]["state"] = json!("finished");
        stopped["status"]["deactivation"]["reason"] = json!("Stopped");
        let all: Vec<_> = [stopped].map(parsed).into();
        assert!(Session::of(&all[0], &all, at("2026-12-02T15:30:00Z")).is_none());
    }

    #[test]
    fn what_becomes_of_the_channel_when_one_window_ends_now() {
        let overlapping = named(active(), "premiere", "2026-12-02T13:15:00Z", "2026-12-02T17:00:00Z");
        let alone: Vec<_> = [first()].map(parsed).into();
        let touched: Vec<_> = [first(), extension()].map(parsed).into();
        let covered: Vec<_> = [first(), extension(), overlapping].map(parsed).into();
        for (all, after) in [
            (&alone, "off"),
            (&touched, "on again by longer at 2026-12-02T15:00:00Z"),
            (&covered, "on for premiere, longer until 2026-12-02T17:00:00Z"),
        ] {
            let session = Session::of(&all[0], all, at(NOW)).unwrap();
            let told = match session.without(&all[0], at(NOW)) {
                After::Off => "off".to_owned(),
                After::OnAgain(other, at) => format!("on again by {} at {at}", other.name),
                After::StaysOn(others, until) => {
                    let names: Vec<_> = others.iter().map(|other| &*other.name).collect();
                    format!("on for {} until {until}", names.join(", "))
                }
            };
            assert_eq!(told, after);
        }
    }

    #[test]
    fn the_one_that_ends_it_is_none_that_is_being_deleted() {
        let longer = named(active(), "longer", "2026-12-02T13:00:00Z", "2026-12-02T16:00:00Z");
        let going = with(longer, "/metadata/deletionTimestamp", json!("2026-12-02T13:29:00Z"));
        let all: Vec<_> = [first(), going].map(parsed).into();
        assert_eq!(Session::of(&all[0], &all, at(NOW)).unwrap().last().unwrap().name, "first");
    }

    #[test]
    fn what_the_operator_does_not_count_yet_is_to_come_where_it_touches() {
        let uncounted = |name: &str, start: &str, stop: &str| {
            with(named(pending(), name, start, stop), "/status/job/verifiedAt", json!(""))
        };
        let touching = uncounted("touching", "2026-12-02T15:00:30Z", "2026-12-02T16:00:00Z");
        let all: Vec<_> = [
            first(),
            uncounted("apart", "2026-12-02T15:30:00Z", "2026-12-02T16:00:00Z"),
            with(uncounted("called-off", "2026-12-02T15:00:00Z", "2026-12-02T16:00:00Z"), "/spec/cancel", json!(true)),
            uncounted("within", "2026-12-02T14:00:00Z", "2026-12-02T14:30:00Z"),
            touching,
            extension(),
        ]
        .map(parsed)
        .into();
        let session = Session::of(&all[0], &all, at(NOW)).unwrap();
        let names: Vec<_> = session.to_come(&all, at(NOW)).iter().map(|window| &*window.name).collect();
        // The session ends with the extension, half an hour before which "apart" begins.
        assert_eq!(names, ["within", "touching", "apart"]);
        let alone = Session::of(&all[0], &all[..5], at(NOW)).unwrap();
        let names: Vec<_> = alone.to_come(&all[..5], at(NOW)).iter().map(|window| &*window.name).collect();
        assert_eq!(names, ["within", "touching"]);
    }
}
