//! What holds of windows that the vendor's scheduler runs, beside windows that are run here, whatever happens: random
//! windows, edits, lost answers, silences, firings that fail, and crashes.

use proptest::prelude::*;

use super::properties::{Act, NAMES, act, act_on, at_rest, config};
use super::rig::{Firing, Ms, Rig, VendorFault, delegated};
use crate::memory::Verb;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::window::DeletionPolicy;

const END: i64 = 12_000;

#[derive(Clone, Debug)]
struct Planned {
    start: i64,
    length: i64,
    created: i64,
    by_vendor: bool,
}

fn planned() -> impl Strategy<Value = Planned> {
    (100i64..3000, 1i64..900, 0i64..1500, prop::bool::weighted(0.75))
        .prop_map(|(start, length, created, by_vendor)| Planned { start, length, created, by_vendor })
}

fn vendor_fault() -> impl Strategy<Value = VendorFault> {
    prop_oneof![
        Just(VendorFault::Refused(Reason::SchedulerUnavailable)),
        Just(VendorFault::LostDone),
        Just(VendorFault::LostNotDone),
    ]
}

fn firing() -> impl Strategy<Value = Option<Firing>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Firing::Fails)),
        1 => Just(Some(Firing::Never)),
        1 => Just(Some(Firing::Idle)),
    ]
}

/// What stands at the vendor that may still start something, for windows that want it and for those that do not.
fn open(rig: &Rig) -> usize {
    rig.vendor.workflows.iter().filter(|workflow| workflow.start.is_open()).count()
}

fn add(rig: &mut Rig, id: &str, p: &Planned) {
    rig.add(id, p.start, p.start + p.length, |w| {
        if p.by_vendor {
            delegated(w);
        }
    });
}

fn play(rig: &mut Rig, windows: &[Planned], acts: &[(i64, usize, Act)]) -> bool {
    let mut acts = acts.to_vec();
    acts.sort_by_key(|(at, _, _)| *at);
    let mut arrivals: Vec<_> = windows.iter().zip(NAMES).collect();
    arrivals.sort_by_key(|(p, _)| p.created);
    let mut released = false;
    let (mut arrivals, mut acts) = (arrivals.into_iter().peekable(), acts.iter().peekable());
    loop {
        let (arrival, act) = (arrivals.peek().map(|(p, _)| p.created), acts.peek().map(|(at, _, _)| *at));
        match (arrival, act) {
            (None, None) => return released,
            (Some(at), other) if other.is_none_or(|act| at <= act) => {
                rig.until(at);
                if let Some((p, id)) = arrivals.next() {
                    add(rig, id, p);
                }
            }
            (_, Some(at)) => {
                rig.until(at);
                if let Some((_, which, act)) = acts.next() {
                    released |=
                        matches!(act, Act::Cancel | Act::Delete(DeletionPolicy::Cancel | DeletionPolicy::Retain));
                    act_on(rig, NAMES[which % windows.len()], act);
                }
            }
            _ => unreachable!(),
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// Without faults: one workflow for each merged window, and none is left; nothing is called here that the vendor was
    /// given in time.
    #[test]
    fn without_faults_the_vendor_makes_every_call_and_each_merged_window_has_one_workflow(
        windows in prop::collection::vec((300i64..3000, 120i64..900), 1..=4),
    ) {
        let mut rig = Rig::new();
        let windows: Vec<_> = windows
            .into_iter()
            .map(|(start, length)| Planned { start, length, created: 0, by_vendor: true })
            .collect();
        for (p, id) in windows.iter().zip(NAMES) {
            add(&mut rig, id, p);
        }
        rig.until(200);
        let spans = windows.iter().map(|p| {
            crate::timeline::Interval::new(fixtures::at(p.start), fixtures::at(p.start + p.length)).unwrap()
        });
        let blocks = crate::timeline::Timeline::merge(spans, rig.timings.channel_turn).blocks().len();
        prop_assert_eq!(rig.vendor.workflows.len(), blocks, "{:?}", rig.stands());
        rig.until(END);
        prop_assert_eq!(rig.calls(), Vec::<String>::new());
        prop_assert_eq!(rig.fired().len(), blocks * 2);
        at_rest(&rig, 8)?;
    }

    /// Whatever happens: the channel is off in the end unless somebody asked for it to stay on, no workflow is left that
    /// may start anything unless it was retained, a foreign one is never touched, and everything comes to rest.
    #[test]
    fn whatever_happens_the_channel_is_off_and_no_workflow_is_left_in_the_end(
        windows in prop::collection::vec(planned(), 1..=4),
        acts in prop::collection::vec((0i64..4000, 0usize..4, act()), 0..6),
        faults in prop::collection::vec(vendor_fault(), 0..5),
        (start_firing, stop_firing) in (firing(), firing()),
        silent in prop::option::of((0i64..4000, 1i64..400)),
        (no_list, turning, lag) in (any::<bool>(), (1i64..50, 1i64..50), prop_oneof![3 => Just(0i64), 1 => 1i64..5_000]),
    ) {
        let mut rig = Rig::new();
        rig.turning = turning;
        rig.store_lag = lag;
        rig.vendor.no_list = no_list;
        let retained = acts.iter().any(|(_, _, act)| matches!(act, Act::Delete(_) | Act::NoKey(_) | Act::Cancel));
        rig.vendor.unbound = no_list || retained;
        rig.vendor.faults = faults;
        rig.vendor.start_firing = start_firing;
        rig.vendor.stop_firing = stop_firing;
        rig.vendor.silent = silent.map(|(from, length)| (from * 1000, (from + length) * 1000));
        let theirs = rig.foreign(8_000, 8_500);
        let released = play(&mut rig, &windows, &acts);
        rig.until(6_500);
        for name in NAMES {
            if rig.exists(name) {
                rig.set_access(name, None);
            }
        }
        rig.until(7_900);
        let given_up = rig.events.iter().any(|(_, event)| event.reason == Reason::StopGivenUp);
        prop_assert!(
            released || given_up || rig.channel == Reading::Off,
            "{} at the end: {:?} {:?}", rig.channel, rig.calls(), rig.fired()
        );
        // One that nobody knows of cannot be cancelled: its time has passed by now.
        prop_assert!(retained || open(&rig) <= 1 || start_firing == Some(Firing::Never), "left: {:?}", rig.stands());
        let touched = rig.vendor.log.iter().any(|(_, op)| op.changes() && op.id() == Some(&theirs));
        prop_assert!(!touched, "a foreign workflow was touched");
        rig.until(END);
        at_rest(&rig, 40)?;
        if !rig.vendor.unbound {
            both_never_start(&rig)?;
        }
    }
}

/// The two executors never start the channel one after the other without it having been off between.
fn both_never_start(rig: &Rig) -> Result<(), TestCaseError> {
    let mut starts: Vec<(Ms, &str)> =
        rig.log.iter().filter(|(_, v)| *v == Verb::Activate).map(|(at, _)| (*at, "here")).collect();
    starts.extend(rig.vendor.fired.iter().filter(|(_, v)| *v == Verb::Activate).map(|(at, _)| (*at, "vendor")));
    starts.sort_unstable();
    for pair in starts.windows(2) {
        let off =
            rig.history.iter().any(|(at, reading)| *reading == Reading::Off && pair[0].0 < *at && *at <= pair[1].0);
        prop_assert!(off || rig.was(pair[1].0 - 1) == Reading::Off, "{pair:?}: {:?}", rig.history);
    }
    Ok(())
}
