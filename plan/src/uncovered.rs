//! Channels that are on air and that no window covers: found in a list of all jobs of a key, once a day. They are told of,
//! and nothing is ever called for them.

use jiff::{SignedDuration, Timestamp};

use crate::reading::Reading;
use crate::record::Record;
use crate::timings::{Timings, spread};
use crate::window::Window;

/// When the jobs of a key are to be listed, after a list that was complete at `listed_at`. A day later, and up to an hour
/// more: a pure function of `seed`, so that many accounts do not list together and a restart changes nothing.
pub fn next_list(listed_at: Option<Timestamp>, seed: &str, now: Timestamp, timings: &Timings) -> Timestamp {
    // One from the future is from before our clock was set back.
    let Some(listed_at) = listed_at.filter(|listed_at| *listed_at <= now) else { return now };
    let parts = i32::try_from(spread(seed, 0) % 64).unwrap_or(0);
    let later = timings.list_again / 24 / 64 * parts;
    listed_at.checked_add(timings.list_again + later).unwrap_or(Timestamp::MAX)
}

/// Whether a job that a list shows is a channel on air that none of its windows covers. `windows`: all that are known of
/// the job, each with its record where it has one.
pub fn is_uncovered(
    is_static: Option<bool>,
    reading: Reading,
    windows: impl IntoIterator<Item = (Window, Option<Record>)>,
    now: Timestamp,
    timings: &Timings,
) -> bool {
    let on = is_static != Some(false) && matches!(reading, Reading::On | Reading::GoingOn);
    on && !windows.into_iter().any(|(window, record)| covers(&window, record, now, timings))
}

/// From shortly before its start until its stop is settled, however late that is: a stop that is due and not confirmed is
/// counted as such. After that for as long as a channel may take to turn.
fn covers(window: &Window, record: Option<Record>, now: Timestamp, timings: &Timings) -> bool {
    let record = record.unwrap_or_else(|| Record::new(window));
    if record.deactivation.is_pending() {
        return record.has_it_on() || window.start().duration_since(now) <= timings.channel_turn;
    }
    let settled = record.deactivation.confirmed_at.into_iter().chain(record.finished_at).max();
    let ago = settled.map_or(SignedDuration::MAX, |settled| now.duration_since(settled));
    ago <= timings.believe_answered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{at, window};
    use crate::record::TaskState::{self, Cancelled, Failed, Finished, Pending};

    const START: i64 = 1_000;
    const STOP: i64 = 2_000;
    const DAY: i64 = 24 * 60 * 60;

    /// The record of a window from [`START`] to [`STOP`]; a settled one has been since its last second.
    fn record(activation: TaskState, deactivation: TaskState, settled: Option<i64>) -> Record {
        let mut record = Record::new(&window("w"));
        record.activation.state = activation;
        record.deactivation.state = deactivation;
        record.finished_at = settled.map(at);
        record
    }

    fn uncovered(record: Option<Record>, now: i64) -> bool {
        is_uncovered(Some(true), Reading::On, [(window("w"), record)], at(now), &Timings::default())
    }

    #[test]
    fn a_channel_that_no_window_names_is_uncovered_when_it_is_on_or_going_on() {
        for (is_static, reading, expected) in [
            (Some(true), Reading::On, true),
            (None, Reading::On, true),
            (Some(true), Reading::GoingOn, true),
            (Some(false), Reading::On, false),
            (Some(true), Reading::Off, false),
            (Some(true), Reading::GoingOff, false),
            (Some(true), Reading::Ended, false),
            (Some(true), Reading::Unknown, false),
        ] {
            let found = is_uncovered(is_static, reading, [], at(0), &Timings::default());
            assert_eq!(found, expected, "static {is_static:?}, {reading}");
        }
    }

    #[test]
    fn a_window_covers_from_a_minute_before_its_start_until_its_stop_is_settled_and_the_channel_has_turned() {
        // (activation, deactivation, settled at, now) -> uncovered
        let table = [
            (Pending, Pending, None, START - 61, true),
            (Pending, Pending, None, START - 60, false),
            (Pending, Pending, None, START + 10, false),
            (Failed, Pending, None, START + 10, false),
            (Finished, Pending, None, STOP - 1, false),
            // The stop is due and not confirmed: counted as overdue, however late.
            (Finished, Pending, None, STOP + 9_000, false),
            (Finished, Finished, Some(STOP), STOP + 90, false),
            (Finished, Finished, Some(STOP), STOP + 91, true),
            // Its stop was cancelled on air: the channel stays on, and nobody switches it off.
            (Finished, Cancelled, Some(START + 10), START + 100, false),
            (Finished, Cancelled, Some(START + 10), START + 101, true),
            (Cancelled, Cancelled, Some(START - 500), START + 10, true),
        ];
        for (activation, deactivation, settled, now, expected) in table {
            let found = uncovered(Some(record(activation, deactivation, settled)), now);
            assert_eq!(found, expected, "{activation:?}/{deactivation:?}, settled at {settled:?}, at {now}");
        }
    }

    #[test]
    fn a_window_that_nobody_has_decided_yet_covers_its_time_all_the_same() {
        assert!(!uncovered(None, START + 10));
        assert!(uncovered(None, START - 500));
    }

    #[test]
    fn one_window_among_many_that_covers_is_enough() {
        let over = record(Finished, Finished, Some(STOP));
        let on = record(Finished, Pending, None);
        let windows = [(window("a"), Some(over.clone())), (window("b"), Some(on)), (window("c"), Some(over))];
        assert!(!is_uncovered(Some(true), Reading::On, windows, at(STOP + 500), &Timings::default()));
    }

    #[test]
    fn a_key_lists_at_once_and_then_once_a_day_at_an_hour_of_its_own() {
        let timings = Timings::default();
        let next = |seed: &str| next_list(Some(at(0)), seed, at(100), &timings).as_second() - at(0).as_second();
        assert_eq!(next_list(None, "tv/default", at(100), &timings), at(100));
        let hours: Vec<i64> = (0..50).map(|number| next(&format!("tv/{number}"))).collect();
        assert!(hours.iter().all(|after| (DAY..DAY + 3_600).contains(after)), "{hours:?}");
        assert!(hours.iter().any(|after| *after != hours[0]), "spread");
        assert_eq!(next("tv/default"), next("tv/default"), "the same after a restart");
    }

    #[test]
    fn a_list_from_the_future_holds_no_list_up() {
        let now = next_list(Some(at(90 * DAY)), "tv/default", at(0), &Timings::default());
        assert_eq!(now, at(0));
    }
}
