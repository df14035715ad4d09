//! Workflows of others, and those that are taken over.

use super::*;

#[test]
fn case_52_a_workflow_of_somebody_else_is_left_alone_and_none_is_made_beside_it() {
    let mut rig = Rig::new();
    rig.foreign(1000, 2000);
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(900);
    assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::ForeignWorkflow)));
    assert!(rig.last.as_ref().unwrap().windows[0].conditions().iter().any(|c| c.kind == "Conflict"));
    rig.until(3000);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"], "as its owner has it");
    let stops = rig.calls().iter().all(|call| call.starts_with("deactivate"));
    assert!(stops, "no second start beside it: {:?}", rig.calls());
    assert_eq!(rig.tasks("w").split(' ').next(), Some("finished"));
}

#[test]
fn case_52_one_that_comes_to_stand_beside_ours_is_told_ahead_of_the_start() {
    let mut rig = Rig::new().with_window("w", 2000, 3000, delegated);
    rig.until(500);
    rig.foreign(2500, 3500);
    rig.until(1090);
    assert_eq!(rig.record("w").foreign, None);
    rig.until(1110);
    assert_eq!(rig.record("w").foreign, Some(WorkflowId::new("workflow-1")));
    assert_eq!(rig.registered("w"), Some(Reason::Registered), "ours stands all the same");
    assert_eq!(rig.asked(), ["schedule 0.045"]);
}

#[test]
fn case_37_what_does_not_bear_our_mark_is_neither_changed_nor_cancelled() {
    let mut rig = Rig::new();
    rig.foreign(5000, 6000);
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(100);
    rig.delete("w");
    rig.until(7000);
    assert_eq!(rig.fired(), ["activate 5000.000", "deactivate 6000.000"]);
    assert_eq!(rig.calls(), NONE);
    let theirs = WorkflowId::new("workflow-0");
    assert!(rig.vendor.log.iter().all(|(_, op)| op.id() != Some(&theirs)), "{:?}", rig.vendor.log);
}

fn adopting(rig: Rig, id: &WorkflowId) -> Rig {
    rig.with_window("w", 1000, 2000, |w: &mut Window| {
        delegated(w);
        w.delegation.as_mut().unwrap().adopt = Some(id.clone());
    })
}

#[test]
fn one_that_is_named_is_taken_over_and_kept_in_step() {
    let mut rig = Rig::new();
    let id = rig.foreign(1500, 2500);
    let mut rig = adopting(rig, &id);
    rig.until(100);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
    assert_eq!(rig.registered("w"), Some(Reason::Registered));
    assert!(rig.record("w").differs.as_ref().unwrap().contains("description"), "it keeps its own");
    rig.until(3000);
    assert_eq!((rig.fired().len(), rig.calls()), (2, vec![]));
}

#[test]
fn one_that_is_not_there_or_over_or_another_windows_is_not_taken_over_and_none_is_made() {
    let not_there = adopting(Rig::new(), &WorkflowId::new("nowhere"));
    let mut over = Rig::new();
    let id = over.foreign(10, 20);
    over.workflow(0).start.state = Some(crate::record::TaskState::Cancelled);
    over.workflow(0).stop.state = Some(crate::record::TaskState::Cancelled);
    let over = adopting(over, &id);
    let mut theirs = Rig::new();
    let id = theirs.foreign(5000, 6000);
    theirs.workflow(0).marker = Some(crate::registration::Marker::new(&crate::WindowId::new("v"), "there"));
    let theirs = adopting(theirs, &id);
    for mut rig in [not_there, over, theirs] {
        rig.until(100);
        assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::AdoptionFailed)));
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    }
}

#[test]
fn case_52_what_a_copy_of_the_cluster_finds_recorded_is_the_other_clusters_and_is_left_alone() {
    let mut rig = Rig::delegating();
    rig.until(100);
    // The store was copied: the same objects, with another name for the cluster.
    rig.edit("w", |w| {
        let marker = crate::registration::Marker::new(&w.id, "copy");
        w.delegation.as_mut().unwrap().marker = marker;
    });
    rig.until(500);
    assert_eq!(rig.registered("w"), Some(Reason::ForeignWorkflow));
    rig.edit("w", |w| w.deactivation = fixtures::at(2300));
    rig.until(1500);
    assert_eq!(
        rig.tasks("w"),
        "finished AlreadyOnAir | pending -",
        "the other one's start counts, and none is made beside it"
    );
    rig.delete("w");
    rig.until(3000);
    assert_eq!(rig.asked(), ["schedule 0.045"], "nothing of it is touched");
    assert!(!rig.exists("w"));
}
