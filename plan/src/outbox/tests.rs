use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::plan::fixtures::{self, at};
use crate::window::Deletion;

/// A window whose receiver is told 600 s ahead, and what its record says of it.
struct Desk {
    window: Window,
    record: Record,
    timings: Timings,
}

fn ahead(start: i64, stop: i64) -> HeadsUp {
    HeadsUp { start: SignedDuration::from_secs(start), stop: SignedDuration::from_secs(stop) }
}

impl Desk {
    fn new() -> Self {
        let window = Window { heads_up: Some(ahead(600, 600)), ..fixtures::window("0f-ab") };
        Self { record: Record::new(&window), window, timings: Timings::default() }
    }

    /// One step at second `now`, after `change`. Returns when the next one is due.
    fn step(&mut self, now: i64, change: impl FnOnce(&mut Record), attempt: Option<Attempt>) -> Option<Timestamp> {
        let before = self.record.clone();
        change(&mut self.record);
        let mut alarm = Alarm::at_instant(at(now));
        let given = (at(now), &self.timings, &mut alarm);
        step(&self.window, Some(&before), attempt.as_ref(), &mut self.record, given);
        let settled = self.record.clone();
        let mut again = Alarm::at_instant(at(now));
        let given = (at(now), &self.timings, &mut again);
        step(&self.window, Some(&settled), attempt.as_ref(), &mut self.record, given);
        assert_eq!(self.record, settled, "a second step at the same instant changes nothing");
        alarm.next()
    }

    fn wait(&mut self, now: i64) -> Option<Timestamp> {
        self.step(now, |_| {}, None)
    }

    fn settle(&mut self, now: i64, task: impl FnOnce(&mut Record) -> &mut Task, state: TaskState, reason: Reason) {
        self.step(now, |record| task(record).settle(state, reason, "so"), None);
    }

    fn started(&mut self, now: i64) {
        self.settle(now, |record| &mut record.activation, TaskState::Finished, Reason::Started);
    }

    fn answer(&mut self, now: i64, posted: Posted) {
        let delivery = self.record.outbox.wanted(at(now)).unwrap_or_else(|| panic!("nothing is to be sent at {now}"));
        let (action, time, number) = (delivery.action, delivery.time, delivery.attempts + 1);
        self.step(now, |_| {}, Some(Attempt { action, time, number, at: at(now), posted }));
    }

    fn all(&self) -> Vec<(&'static str, &'static str)> {
        self.record.outbox.deliveries().iter().map(|d| (d.action.as_str(), d.state.as_str())).collect()
    }

    fn wanted(&self, now: i64) -> Option<String> {
        self.record.outbox.wanted(at(now)).map(|delivery| delivery.id(&self.window.id))
    }
}

const OK: Posted = Posted::Accepted { code: 204 };
const DOWN: Posted = Posted::Failed(Reason::ReceiverUnreachable);

#[test]
fn a_whole_life_tells_four_things_in_order() {
    let mut desk = Desk::new();
    assert_eq!(desk.wait(0), Some(at(400)), "600 s before second 1000");
    assert_eq!(desk.all(), [("notify-activate", "scheduled"), ("notify-deactivate", "scheduled")]);
    assert_eq!(desk.wanted(399), None);
    desk.wait(400);
    assert_eq!(desk.wanted(400).as_deref(), Some("0fab-notify-activate-1800001000"));
    desk.answer(400, OK);
    desk.started(1003);
    assert_eq!(desk.wanted(1003).as_deref(), Some("0fab-activate"));
    desk.answer(1003, OK);
    desk.wait(1400);
    assert_eq!(desk.wanted(1400).as_deref(), Some("0fab-notify-deactivate-1800002000"));
    desk.answer(1400, OK);
    desk.settle(2004, |record| &mut record.deactivation, TaskState::Finished, Reason::Stopped);
    assert_eq!(desk.wanted(2004).as_deref(), Some("0fab-deactivate"));
    desk.answer(2004, OK);
    assert!(desk.all().iter().all(|(_, state)| *state == "delivered") && desk.all().len() == 4);
    assert!(!desk.record.outbox.owes());
}

#[test]
fn without_a_receiver_nothing_is_owed_and_without_seconds_nothing_is_told_ahead() {
    let mut silent = Desk::new();
    silent.window.heads_up = None;
    silent.wait(0);
    silent.started(1000);
    assert_eq!(silent.all(), []);
    let mut desk = Desk::new();
    desk.window.heads_up = Some(ahead(0, 0));
    assert_eq!(desk.wait(0), None);
    desk.started(1000);
    assert_eq!(desk.all(), [("activate", "pending")]);
}

#[test]
fn a_heads_up_whose_moment_has_passed_when_first_seen_is_not_sent_late() {
    let mut desk = Desk::new();
    desk.wait(400);
    assert_eq!(desk.all(), [("notify-deactivate", "scheduled")]);
}

#[test]
fn one_that_was_scheduled_is_sent_late_as_long_as_it_still_announces_something() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(900);
    assert!(desk.wanted(900).is_some(), "the operator was down at its moment");
    let mut later = Desk::new();
    later.wait(0);
    later.wait(1000);
    assert_eq!(later.all()[0], ("notify-activate", "expired"), "its time has come");
}

#[test]
fn an_edit_moves_a_heads_up_and_never_sends_one_twice() {
    let mut desk = Desk::new();
    desk.wait(0);
    let moved = |to: i64| move |record: &mut Record| record.activation.time = at(to);
    desk.step(100, moved(5000), None);
    assert_eq!(desk.record.outbox.get(Action::NotifyActivate).unwrap().since, at(4400));
    desk.step(200, moved(1000), None);
    desk.wait(400);
    desk.answer(400, OK);
    desk.step(500, moved(1001), None);
    assert_eq!(desk.all()[0], ("notify-activate", "delivered"), "its moment, second 401, has passed");
    desk.step(600, moved(1000), None);
    desk.wait(700);
    assert_eq!(desk.wanted(700), None, "back where it was: told already");
    desk.step(800, moved(3000), None);
    desk.wait(2400);
    assert_eq!(desk.wanted(2400).as_deref(), Some("0fab-notify-activate-1800003000"), "another time is another news");
}

#[test]
fn an_edit_back_to_a_time_that_was_told_is_no_news_however_far_ahead_it_is_told_of_now() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    desk.answer(400, OK);
    desk.step(500, |record| record.activation.time = at(3000), None);
    desk.window.heads_up = Some(ahead(300, 600));
    desk.step(600, |record| record.activation.time = at(1000), None);
    desk.wait(700);
    assert_eq!(desk.wanted(700), None);
    assert_eq!(desk.all()[0], ("notify-activate", "delivered"));
}

#[test]
fn an_edit_while_it_is_being_delivered_replaces_it() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    desk.answer(400, DOWN);
    desk.step(402, |record| record.activation.time = at(9000), None);
    assert_eq!(desk.wanted(402), None);
    assert_eq!(desk.record.outbox.get(Action::NotifyActivate).unwrap().since, at(8400));
}

#[test]
fn an_answer_to_what_was_replaced_changes_nothing() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    let late = Attempt { action: Action::NotifyActivate, time: at(1000), number: 1, at: at(401), posted: OK };
    desk.step(402, |record| record.activation.time = at(9000), None);
    desk.step(403, |_| {}, Some(late));
    assert_eq!(desk.all()[0], ("notify-activate", "scheduled"));
}

#[test]
fn fewer_or_more_seconds_ahead_move_it_too() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.window.heads_up = Some(ahead(300, 600));
    desk.wait(100);
    assert_eq!(desk.record.outbox.get(Action::NotifyActivate).unwrap().since, at(700));
    desk.window.heads_up = Some(ahead(950, 600));
    desk.wait(101);
    assert_eq!(desk.record.outbox.get(Action::NotifyActivate), None, "second 51 has passed");
}

#[test]
fn what_is_called_off_is_not_announced() {
    for call_off in
        [|window: &mut Window| window.cancel = true, |window: &mut Window| window.deletion = Deletion::Meant]
    {
        let mut desk = Desk::new();
        desk.wait(0);
        call_off(&mut desk.window);
        desk.wait(401);
        assert_eq!(desk.wanted(401), None);
    }
}

#[test]
fn what_is_called_off_while_it_is_being_delivered_is_withdrawn_and_not_lost() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    desk.answer(400, DOWN);
    desk.window.cancel = true;
    desk.wait(402);
    assert_eq!(desk.record.outbox.get(Action::NotifyActivate), None);
}

#[test]
fn suspended_a_heads_up_is_held_and_sent_on_resuming_as_long_as_it_announces_something() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.window.suspend = true;
    desk.wait(400);
    assert_eq!((desk.wanted(400), desk.all()[0]), (None, ("notify-activate", "scheduled")));
    desk.window.suspend = false;
    desk.wait(700);
    assert!(desk.wanted(700).is_some());
    desk.answer(700, DOWN);
    desk.window.suspend = true;
    desk.wait(706);
    assert_eq!(desk.wanted(706), None);
    desk.wait(1000);
    assert_eq!(desk.all()[0], ("notify-activate", "expired"));
}

#[test]
fn what_we_cannot_send_ourselves_is_held_without_an_attempt_and_given_up_only_by_its_age() {
    let mut desk = Desk::new();
    desk.started(1000);
    for now in [1000, 1030, 300_000] {
        desk.answer(now, Posted::Held(Reason::SigningSecretUnusable));
        let held = desk.record.outbox.get(Action::Activate).unwrap();
        assert_eq!((held.state, held.attempts), (DeliveryState::Pending, 0));
        assert_eq!(held.reason, Some(Reason::SigningSecretUnusable));
    }
    let age = desk.timings.delivery_age().as_secs();
    desk.wait(1001 + age);
    let last = desk.record.outbox.get(Action::Activate).unwrap();
    assert_eq!((last.state, last.reason), (DeliveryState::Failed, Some(Reason::SigningSecretUnusable)));
}

#[test]
fn a_heads_up_that_falls_due_has_what_waits_before_it_tried_at_once() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.started(900);
    desk.answer(900, DOWN);
    desk.wait(907);
    desk.answer(907, DOWN);
    desk.answer(1207 + 75, DOWN);
    assert_eq!(desk.wanted(1399), None, "half an hour to go");
    desk.wait(1400);
    assert_eq!(desk.wanted(1400).as_deref(), Some("0fab-activate"));
}

#[test]
fn what_arrived_while_an_edit_replaced_it_is_known_as_told() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    desk.step(410, |record| record.activation.time = at(3000), None);
    let late = Attempt { action: Action::NotifyActivate, time: at(1000), number: 1, at: at(411), posted: OK };
    desk.step(411, |_| {}, Some(late));
    desk.window.heads_up = Some(ahead(300, 600));
    desk.step(412, |record| record.activation.time = at(1000), None);
    desk.wait(700);
    assert_eq!(desk.wanted(700), None);
}

#[test]
fn what_is_told_of_an_end() {
    use TaskState::{Cancelled, Failed, Finished};
    let rows = [
        (Finished, Reason::Started, true),
        (Finished, Reason::AlreadyOnAir, true),
        (Failed, Reason::StartDeadlineExceeded, true),
        (Failed, Reason::NotStatic, true),
        (Failed, Reason::Suspended, false),
        (Failed, Reason::WindowPast, false),
        (Cancelled, Reason::Cancelled, false),
    ];
    for (state, reason, told) in rows {
        let mut desk = Desk::new();
        desk.settle(1000, |record| &mut record.activation, state, reason);
        assert_eq!(desk.record.outbox.get(Action::Activate).is_some(), told, "{state:?} {reason}");
    }
    for (state, reason, told) in [
        (Finished, Reason::KeptOnAir, true),
        (Failed, Reason::StopGivenUp, true),
        (Cancelled, Reason::StartFailed, false),
    ] {
        let mut desk = Desk::new();
        desk.settle(2000, |record| &mut record.deactivation, state, reason);
        assert_eq!(desk.record.outbox.get(Action::Deactivate).is_some(), told, "{state:?} {reason}");
    }
}

#[test]
fn a_receiver_named_after_the_end_is_told_nothing_of_it() {
    let mut desk = Desk::new();
    desk.window.heads_up = None;
    desk.started(1000);
    desk.window.heads_up = Some(ahead(600, 600));
    desk.wait(1001);
    assert_eq!(desk.all(), [("notify-deactivate", "scheduled")]);
}

#[test]
fn case_94_ten_attempts_over_three_days_and_then_a_dead_letter() {
    let mut desk = Desk::new();
    desk.started(1000);
    let mut now = 1000;
    let mut waits = Vec::new();
    while desk.record.outbox.owes() {
        desk.answer(now, DOWN);
        if let Some(next) = desk.record.outbox.get(Action::Activate).unwrap().next_at {
            waits.push(next.as_second() - at(now).as_second());
            assert_eq!(desk.record.outbox.wanted(at(now)), None, "not before its time");
            // The second that it falls into is over.
            now = next.as_second() - at(0).as_second() + 1;
        }
    }
    let last = desk.record.outbox.get(Action::Activate).unwrap();
    assert_eq!((last.state, last.attempts), (DeliveryState::Failed, 10));
    assert_eq!((last.reason, last.next_at), (Some(Reason::ReceiverUnreachable), None));
    assert!(waits.is_sorted() && waits.len() == 9, "{waits:?}");
    let days: i64 = waits.iter().sum::<i64>() / 3600;
    assert!((57..=95).contains(&days), "about three days, spread by a quarter: {days} h");
}

#[test]
fn case_94_who_asks_to_be_left_alone_is_and_who_is_gone_is_not_asked_again() {
    let mut desk = Desk::new();
    desk.started(1000);
    desk.answer(1000, Posted::Refused { code: 429, retry_after: Some(SignedDuration::from_secs(120)) });
    let told = desk.record.outbox.get(Action::Activate).unwrap();
    assert_eq!((told.next_at, told.last_code, told.reason), (Some(at(1120)), Some(429), Some(Reason::ReceiverRefused)));
    desk.wait(1120);
    desk.answer(1120, Posted::Gone);
    let told = desk.record.outbox.get(Action::Activate).unwrap();
    assert_eq!(
        (told.state, told.reason, told.last_code),
        (DeliveryState::Failed, Some(Reason::ReceiverGone), Some(410))
    );
}

#[test]
fn later_news_wait_for_earlier_ones_and_have_them_tried_at_once() {
    let mut desk = Desk::new();
    desk.started(1000);
    desk.answer(1000, DOWN);
    desk.wait(1006);
    desk.answer(1006, DOWN);
    assert_eq!(desk.wanted(1100), None, "minutes to go");
    desk.settle(1100, |record| &mut record.deactivation, TaskState::Finished, Reason::Stopped);
    assert_eq!(desk.wanted(1100).as_deref(), Some("0fab-activate"));
    desk.answer(1100, OK);
    assert_eq!(desk.wanted(1100).as_deref(), Some("0fab-deactivate"));
}

#[test]
fn a_heads_up_does_not_stand_in_the_way_of_what_it_announced() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.wait(400);
    desk.answer(400, DOWN);
    desk.started(1000);
    assert_eq!(desk.all()[..2], [("notify-activate", "expired"), ("activate", "pending")]);
    assert_eq!(desk.wanted(1000).as_deref(), Some("0fab-activate"));
}

#[test]
fn a_deleted_object_waits_half_a_minute_for_what_it_owes() {
    let mut desk = Desk::new();
    desk.settle(2000, |record| &mut record.deactivation, TaskState::Finished, Reason::Stopped);
    desk.window.deletion = Deletion::Meant;
    desk.window.deleted_at = Some(at(2000));
    assert_eq!(desk.wait(2001), Some(at(2030)));
    assert!(desk.record.outbox.owes());
    desk.wait(2030);
    assert_eq!(desk.all(), [("deactivate", "dropped")]);
    assert_eq!(desk.record.outbox.get(Action::Deactivate).unwrap().reason, Some(Reason::Deleted));
}

#[test]
fn deleting_has_what_waits_tried_once_more() {
    let mut desk = Desk::new();
    desk.started(1000);
    desk.answer(1000, DOWN);
    desk.wait(1007);
    desk.answer(1007, DOWN);
    desk.window.deletion = Deletion::Meant;
    desk.window.deleted_at = Some(at(1100));
    desk.wait(1100);
    assert!(desk.wanted(1100).is_some(), "not due for minutes");
    desk.answer(1100, OK);
    assert!(!desk.record.outbox.owes());
}

#[test]
fn a_receiver_that_was_taken_away_is_sent_nothing() {
    let mut desk = Desk::new();
    desk.wait(0);
    desk.started(1000);
    desk.window.heads_up = None;
    desk.wait(1001);
    assert_eq!(desk.all(), [("activate", "dropped")]);
}

#[test]
fn words_are_read_back() {
    for action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
    for state in DeliveryState::ALL {
        assert_eq!(DeliveryState::parse(state.as_str()), Some(state));
    }
}

proptest! {
    /// Whatever answers come and however times are moved: no id is delivered twice, and deliveries end in order.
    #[test]
    fn no_id_is_delivered_twice(script in prop::collection::vec((0u8..7, 0i64..900), 1..60)) {
        let mut desk = Desk::new();
        let (mut now, mut delivered) = (0, Vec::new());
        for (what, by) in script {
            match what {
                0 => now += by,
                1 => { desk.step(now, |record| if record.activation.is_pending() { record.activation.time = at(now + by) }, None); }
                2 => { desk.step(now, |record| if record.deactivation.is_pending() { record.deactivation.time = at(now + by) }, None); }
                3 if desk.record.activation.is_pending() => desk.started(now),
                4 if desk.record.deactivation.is_pending() => {
                    desk.settle(now, |record| &mut record.deactivation, TaskState::Finished, Reason::Stopped);
                }
                5 => desk.window.heads_up = Some(ahead(by, 900 - by)),
                _ => {
                    desk.wait(now);
                    if let Some(id) = desk.wanted(now) {
                        let posted = if by % 2 == 0 { OK } else { DOWN };
                        desk.answer(now, posted);
                        if posted == OK {
                            prop_assert!(!delivered.contains(&id), "{id} twice");
                            delivered.push(id);
                        }
                    }
                }
            }
        }
    }
}
