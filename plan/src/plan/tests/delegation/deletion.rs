//! Windows that are deleted.

use super::*;

fn deleted(at: i64, policy: DeletionPolicy) -> Rig {
    let mut rig = Rig::delegating();
    rig.until(at);
    rig.edit("w", |w| {
        w.deletion_policy = policy;
        w.deletion = Deletion::Meant;
    });
    rig
}

#[test]
fn before_the_start_the_workflow_goes_first_and_then_the_object() {
    for policy in [DeletionPolicy::Stop, DeletionPolicy::Cancel] {
        let mut rig = deleted(100, policy);
        assert!(rig.exists("w"));
        rig.until(110);
        assert_eq!((rig.gone.len(), rig.stands()), (1, vec!["cancelled 1000 | cancelled 2000".to_owned()]));
    }
}

#[test]
fn on_air_the_channel_is_off_before_the_workflow_is_touched() {
    let mut rig = deleted(1500, DeletionPolicy::Stop);
    rig.until(1600);
    let cancelled = rig.vendor.log.iter().find(|(_, op)| matches!(op, WorkflowOp::Cancel { .. })).unwrap().0;
    let off = rig.history.iter().find(|(at, reading)| *at > 1_500_000 && *reading == Reading::Off).unwrap().0;
    assert!(off < cancelled, "off at {off}, cancelled at {cancelled}");
    assert_eq!((rig.gone.len(), rig.stands()), (1, vec!["finished 1000 | cancelled 2000".to_owned()]));
}

#[test]
fn under_cancel_only_the_stop_is_dropped() {
    let mut rig = deleted(1500, DeletionPolicy::Cancel);
    rig.until(3000);
    assert_eq!((rig.gone.len(), rig.calls(), rig.channel), (1, vec![], Reading::On));
    assert_eq!(rig.stands(), ["finished 1000 | cancelled 2000"]);
}

#[test]
fn case_51_retained_the_last_word_says_what_stays_at_the_vendor() {
    for at in [100, 1500] {
        let mut rig = deleted(at, DeletionPolicy::Retain);
        rig.until(at + 10);
        assert_eq!((rig.gone.len(), rig.asked()), (1, vec!["schedule 0.045".to_owned()]));
        let (_, event) = rig.events.iter().rfind(|(_, event)| event.reason == Reason::Retained).unwrap();
        for part in ["workflow-0", "its stop at 2027-01-15T08:33:20Z", "marker w.1@here"] {
            assert!(event.note.contains(part), "{}", event.note);
        }
        rig.until(3000);
        assert_eq!(rig.fired().len(), 2, "the vendor goes on");
    }
}

#[test]
fn nothing_is_asked_while_it_is_unclear_what_is_meant() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.delete_unclear("w");
    rig.until(200);
    assert_eq!(rig.asked(), ["schedule 0.045"]);
    rig.edit("w", |w| w.deletion = Deletion::WithDefinition);
    rig.until(210);
    assert_eq!((rig.gone.len(), rig.asked().len()), (1, 1), "as under Retain");
}

#[test]
fn without_any_key_a_workflow_is_left_after_a_minute_and_that_is_told() {
    for at in [100, 1500] {
        let mut rig = Rig::delegating();
        rig.until(at);
        rig.set_access("w", Some(Reason::SecretNotFound));
        rig.delete("w");
        rig.until(at + 50);
        assert!(rig.exists("w"));
        rig.until(at + 70);
        assert!(!rig.exists("w"));
        let (_, event) = rig.events.iter().rfind(|(_, event)| event.reason == Reason::StopGivenUp).unwrap();
        assert!(event.note.contains("Workflow workflow-0 stays at the Live API's scheduler"), "{}", event.note);
    }
}
