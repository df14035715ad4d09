//! What holds whatever happens: random windows, edits, faults and crashes against the scripted channel.
//!
//! Beside what is asserted here, the rig checks each plan that it runs: one call at most and none beside one under
//! way, no start without a fresh reading Off, none early, the same plan again on its own records, and an alarm that
//! lies ahead.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::rig::{Blind, Fault, Ms, Rig, ms};
use crate::memory::Verb;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::timeline::{Interval, Timeline};
use crate::window::{Deletion, DeletionPolicy};

pub(super) const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Long after the last window, and every fault.
const END: i64 = 9_000;

#[derive(Clone, Debug)]
struct Planned {
    start: i64,
    length: i64,
    created: i64,
    deadline: Option<i64>,
}

fn planned(shortest: i64, latest_created: i64) -> impl Strategy<Value = Planned> {
    (100i64..2000, shortest..900, 0..=latest_created, prop::option::of(10i64..300))
        .prop_map(|(start, length, created, deadline)| Planned { start, length, created, deadline })
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Cancel,
    Delete(DeletionPolicy),
    MoveStart(i64),
    MoveStop(i64),
    StopNow,
    Suspend(bool),
    Crash,
    NoKey(bool),
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Cancel),
        2 => prop_oneof![Just(DeletionPolicy::Stop), Just(DeletionPolicy::Cancel), Just(DeletionPolicy::Retain)]
            .prop_map(Act::Delete),
        2 => (-500i64..500).prop_map(Act::MoveStart),
        2 => (-500i64..500).prop_map(Act::MoveStop),
        1 => Just(Act::StopNow),
        2 => any::<bool>().prop_map(Act::Suspend),
        3 => Just(Act::Crash),
        1 => any::<bool>().prop_map(Act::NoKey),
    ]
}

/// The schema's rules for times: what is called is locked, and a stop comes after its start.
pub(super) fn act_on(rig: &mut Rig, id: &'static str, act: &Act) {
    if !rig.exists(id) {
        return;
    }
    let now = fixtures::at(rig.now / 1000);
    let locked = rig.windows().any(|(w, record)| w.id.as_str() == id && record.activation.frozen());
    let seconds = |by: &i64| SignedDuration::from_secs(*by);
    match act {
        Act::Crash => rig.crash(),
        Act::Cancel => rig.cancel(id),
        Act::Delete(policy) => rig.edit(id, |w| {
            w.deletion_policy = *policy;
            w.deletion = Deletion::Meant;
        }),
        Act::MoveStart(by) if !locked => rig.edit(id, |w| {
            let to = w.activation.checked_add(seconds(by)).unwrap();
            w.activation = if to < w.deactivation { to } else { w.activation };
        }),
        Act::MoveStop(by) => rig.edit(id, |w| {
            let to = w.deactivation.checked_add(seconds(by)).unwrap();
            w.deactivation = if to > w.activation { to } else { w.deactivation };
        }),
        Act::StopNow => rig.edit(id, |w| w.deactivation = if now > w.activation { now } else { w.deactivation }),
        Act::Suspend(yes) => rig.edit(id, |w| w.suspend = *yes),
        Act::NoKey(yes) => rig.set_access(id, yes.then_some(Reason::SecretNotFound)),
        Act::MoveStart(_) => {}
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Refused(Reason::CallRefused)),
        Just(Fault::Refused(Reason::WaitingForCapacity)),
        Just(Fault::LostDone),
        Just(Fault::LostNotDone),
        Just(Fault::NotDone),
        (1i64..80).prop_map(Fault::DoneLate),
    ]
}

fn blind() -> impl Strategy<Value = (Ms, Ms, Blind)> {
    let how = prop_oneof![
        Just(Blind::Error(Reason::LiveAPIError)),
        Just(Blind::Error(Reason::KeyRefused)),
        Just(Blind::Silent),
        Just(Blind::UnknownWord)
    ];
    (0i64..3000, 1i64..300, how).prop_map(|(from, length, how)| (from * 1000, (from + length) * 1000, how))
}

fn add(rig: &mut Rig, id: &str, p: &Planned) {
    add_for(rig, id, p, "default");
}

fn add_for(rig: &mut Rig, id: &str, p: &Planned, account: &str) {
    rig.add(id, p.start, p.start + p.length, |w| {
        w.starting_deadline = p.deadline.map(SignedDuration::from_secs);
        w.account.name = account.into();
    });
}

/// The most of `instants` within any ten seconds.
fn busiest(instants: &[Ms]) -> usize {
    (0..instants.len())
        .map(|i| instants[i..].iter().take_while(|at| **at < instants[i] + 10_000).count())
        .max()
        .unwrap_or(0)
}

pub(super) fn at_rest(rig: &Rig, budget: usize) -> Result<(), TestCaseError> {
    prop_assert!(
        rig.settled(),
        "unsettled: {:?}",
        NAMES.iter().filter(|n| rig.exists(n)).map(|n| rig.tasks(n)).collect::<Vec<_>>()
    );
    prop_assert!(busiest(&rig.looks) <= 16, "{} looks in ten seconds", busiest(&rig.looks));
    prop_assert!(busiest(&rig.run_at) <= 150, "{} plans in ten seconds", busiest(&rig.run_at));
    for name in NAMES {
        prop_assert!(rig.told(name).len() <= budget, "events of {name}: {:?}", rig.told(name));
    }
    Ok(())
}

/// Few cases, so that the tests stay quick; `PROPTEST_CASES` for a soak.
pub(super) fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = std::env::var_os("PROPTEST_CASES").map_or(100, |_| default.cases);
    ProptestConfig { cases, ..default }
}

proptest! {
    #![proptest_config(config())]

    /// Without faults: on through the merged windows but for the turning time, off outside, each call on its second.
    #[test]
    fn the_channel_follows_the_timeline(
        windows in prop::collection::vec(planned(120, 0), 1..=4),
        turning in (1i64..50, 1i64..50),
    ) {
        let mut rig = Rig::new();
        rig.turning = turning;
        for (p, id) in windows.iter().zip(NAMES) {
            add(&mut rig, id, p);
        }
        rig.until(END);
        let spans = windows.iter().map(|p| Interval::new(fixtures::at(p.start), fixtures::at(p.start + p.length)).unwrap());
        let timeline = Timeline::merge(spans, rig.timings.channel_turn);
        let expected: Vec<_> = timeline.blocks().iter()
            .flat_map(|block| [(block.start, Verb::Activate), (block.stop, Verb::Deactivate)])
            .collect();
        let called: Vec<_> = rig.log.iter().map(|(at, verb)| (ms(*at), *verb)).collect();
        prop_assert_eq!(called, expected);
        for block in timeline.blocks() {
            let ms_of = |at: jiff::Timestamp| i64::try_from(at.duration_since(ms(0)).as_millis()).unwrap();
            let (start, stop) = (ms_of(block.start), ms_of(block.stop));
            prop_assert_eq!(rig.was(start), Reading::Off);
            for at in (start + turning.0 * 1000 + 100..stop).step_by(1000) {
                prop_assert_eq!(rig.was(at), Reading::On);
            }
            prop_assert_eq!(rig.was(stop + turning.1 * 1000 + 100), Reading::Off);
        }
        at_rest(&rig, 6)?;
    }

    /// With edits, ends, crashes, refusals, lost answers and blindness: the channel is off in the end unless somebody
    /// asked for it to stay on, nothing is called twice that was carried out, and everything comes to rest.
    #[test]
    fn whatever_happens_the_channel_is_off_in_the_end(
        windows in prop::collection::vec(planned(1, 1500), 1..=4),
        acts in prop::collection::vec((0i64..3000, 0usize..4, act()), 0..6),
        starts in prop::collection::vec(fault(), 0..4),
        stops in prop::collection::vec(fault(), 0..4),
        blind in prop::collection::vec(blind(), 0..3),
        turning in (1i64..50, 1i64..50),
        (two_accounts, lag) in (any::<bool>(), prop_oneof![3 => Just(0i64), 1 => 1i64..30_000]),
    ) {
        let mut rig = Rig::new();
        rig.turning = turning;
        rig.store_lag = lag;
        let unrecorded = lag > 0 && acts.iter().any(|(_, _, act)| matches!(act, Act::Crash));
        // A call that no process remembers, and that is carried out later than rule 6 waits for, is made again.
        let within = |fault| if let (true, Fault::DoneLate(s)) = (unrecorded, &fault) { Fault::DoneLate(*s.min(&9)) } else { fault };
        rig.activate_faults = starts.into_iter().map(within).collect();
        rig.deactivate_faults = stops;
        rig.blind = blind;
        let mut acts = acts;
        acts.sort_by_key(|(at, _, _)| *at);
        let mut arrivals: Vec<_> = windows.iter().zip(NAMES).collect();
        arrivals.sort_by_key(|(p, _)| p.created);
        let mut released = false;
        let (mut arrivals, mut acts) = (arrivals.into_iter().peekable(), acts.iter().peekable());
        loop {
            let (arrival, act) = (arrivals.peek().map(|(p, _)| p.created), acts.peek().map(|(at, _, _)| *at));
            match (arrival, act) {
                (None, None) => break,
                (Some(at), other) if other.is_none_or(|act| at <= act) => {
                    rig.until(at);
                    if let Some((p, id)) = arrivals.next() {
                        add_for(&mut rig, id, p, if two_accounts && id > "b" { "other" } else { "default" });
                    }
                }
                (_, Some(at)) => {
                    rig.until(at);
                    if let Some((_, which, act)) = acts.next() {
                        released |= matches!(act, Act::Cancel | Act::Delete(DeletionPolicy::Cancel | DeletionPolicy::Retain));
                        act_on(&mut rig, NAMES[which % windows.len()], act);
                    }
                }
                _ => unreachable!(),
            }
        }
        rig.until(5_000);
        for name in NAMES {
            if rig.exists(name) {
                rig.set_access(name, None);
            }
        }
        rig.until(END);
        at_rest(&rig, 25)?;
        let given_up = rig.events.iter().any(|(_, event)| event.reason == Reason::StopGivenUp);
        prop_assert!(released || given_up || rig.channel == Reading::Off, "{} at the end: {:?}", rig.channel, rig.calls());
    }

    /// Others switch the channel too: it still comes to rest, and no window that had it on leaves it on at its end.
    #[test]
    fn with_outsiders_at_the_switch(
        windows in prop::collection::vec(planned(100, 0), 1..=3),
        hands in prop::collection::vec((100i64..2800, prop_oneof![
            Just(Reading::On), Just(Reading::Off), Just(Reading::GoingOff), Just(Reading::Ended)
        ]), 0..4),
    ) {
        let mut rig = Rig::new();
        rig.outsiders = true;
        for (p, id) in windows.iter().zip(NAMES) {
            add(&mut rig, id, p);
        }
        let mut hands = hands;
        hands.sort_by_key(|(at, _)| *at);
        let last_stop = windows.iter().map(|p| p.start + p.length).max().unwrap_or(0);
        let last_on = hands.iter().filter(|(_, to)| *to == Reading::On).map(|(at, _)| *at).max();
        for (at, to) in hands {
            rig.until(at).turn(to);
        }
        rig.until(5000);
        if rig.channel == Reading::GoingOff {
            rig.turn(Reading::Off);
        }
        rig.until(END);
        at_rest(&rig, 20)?;
        // What somebody switches on between two windows is nobody's; within the last one it is ended with it.
        let own = last_on.is_none_or(|at| at < last_stop && windows.iter().any(|p| p.start <= at && at < p.start + p.length));
        prop_assert!(!own || rig.channel != Reading::On, "{:?}, {:?}", rig.calls(), rig.history);
    }
}
