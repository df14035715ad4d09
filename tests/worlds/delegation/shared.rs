//! Others at the same scheduler: another cluster with the same account, and people.

use serde_json::json;
use simulator::Operation;

use super::super::world::{World, at, minutes, registered, simulate, told};
use super::{PATH, START, STOP, begin};

/// Two clusters with the same account, each with its own key: by that the log of calls tells them apart.
fn two_clusters(world: &mut World) -> World {
    world.name_cluster("eu");
    let mut other = world.neighbour("us");
    world.jobs(&["studio"]);
    world.serve_list();
    for (cluster, label) in [(&mut *world, "eu"), (&mut other, "us")] {
        cluster.settle_with("tv", label, &json!({}));
        cluster.start_operator();
    }
    other
}

/// The workflows that the cluster's operator made.
fn of(world: &World, label: &str) -> Vec<simulator::WorkflowReport> {
    world.workflows().into_iter().filter(|workflow| workflow.created_by.as_deref() == Some(label)).collect()
}

fn conflict(world: &World) -> (String, String) {
    let condition = told(&world.read(PATH), "Conflict");
    let text = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

/// docs/cases.md, case 52.
#[test]
fn case_52_one_manifest_in_two_clusters_makes_one_workflow() {
    for seed in 0..6 {
        simulate(seed, async |world| {
            let other = two_clusters(world);
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            world.until(90).await;
            other.delegate(PATH, "studio", (START, STOP));
            world.until(minutes(3)).await;
            let uid = |world: &World| world.read(PATH)["metadata"]["uid"].clone();
            assert_ne!(uid(world), uid(&other));
            assert_eq!((of(world, "eu").len(), of(world, "us").len()), (1, 0));
            assert_eq!(registered(&world.read(PATH)), "Registered");
            assert_eq!(registered(&other.read(PATH)), "ForeignWorkflow");
            let (reason, message) = conflict(&other);
            assert_eq!(reason, "ForeignWorkflow");
            assert!(message.contains(&of(world, "eu")[0].id), "{message}");
            // Both are edited, one is withdrawn.
            for cluster in [world, &other] {
                cluster.move_stop(PATH, STOP + 60);
            }
            world.until(minutes(6)).await;
            other.cancel(PATH);
            world.until(STOP + minutes(15)).await;
            world.assert_sound();
            other.assert_sound();
            world.assert_finished(PATH);
            world.assert_run_by_vendor("studio", &[(START, STOP + 60)]);
        });
    }
}

/// docs/cases.md, case 52: the second cluster keeps its window, and makes no second start of it.
#[test]
fn case_52_a_window_that_another_clusters_workflow_starts_is_not_started_twice() {
    simulate(1, async |world| {
        let other = two_clusters(world);
        world.until(60).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(90).await;
        other.delegate(PATH, "studio", (START, STOP));
        world.until(STOP + minutes(15)).await;
        world.assert_sound();
        other.assert_sound();
        for cluster in [world, &other] {
            cluster.assert_finished(PATH);
        }
        assert_eq!(world.starts("studio"), 1);
    });
}

/// docs/cases.md, case 52: both were registered before either could see the other.
#[test]
fn case_52_two_clusters_registered_for_one_job_are_told_of_each_other_on_both_sides_before_the_start() {
    for crash in [false, true] {
        simulate(1, async |world| {
            let mut other = two_clusters(world);
            let (start, stop) = (minutes(60), minutes(80));
            world.until(60).await;
            world.delegate(PATH, "studio", (start, stop));
            other.delegate(PATH, "studio", (minutes(120), minutes(140)));
            world.until(minutes(3)).await;
            for cluster in [world as &World, &other] {
                assert_eq!(registered(&cluster.read(PATH)), "Registered");
                assert_eq!(conflict(cluster).0, "");
            }
            other.move_start(PATH, start + 600);
            world.until(start - minutes(14)).await;
            assert_eq!(conflict(world).0, "ForeignWorkflow");
            assert!(conflict(world).1.contains(&of(world, "us")[0].id));
            if crash {
                world.kill_operator().await;
                world.start_operator();
                other.kill_operator().await;
                other.start_operator();
            }
            world.until(start - minutes(4)).await;
            assert_eq!(conflict(world).0, "ForeignWorkflow", "{:#}", world.read(PATH));
            assert_eq!(conflict(&other).0, "ForeignWorkflow", "{:#}", other.read(PATH));
            for (cluster, label) in [(world as &World, "eu"), (&other, "us")] {
                assert_eq!(registered(&cluster.read(PATH)), "Registered");
                assert_eq!(of(world, label).len(), 1, "nobody withdrew anything");
            }
            other.delete(PATH);
            world.until(stop + minutes(15)).await;
            world.assert_sound();
            other.assert_sound();
            world.assert_run_by_vendor("studio", &[(start, stop)]);
        });
    }
}

/// docs/cases.md, case 37.
#[test]
fn case_37_a_persons_workflow_on_the_same_job_is_left_alone_through_a_windows_life_and_after_it() {
    simulate(1, async |world| {
        begin(world).await;
        world.serve_list();
        let (from, to) = (STOP + minutes(30), STOP + minutes(40));
        let theirs = world.foreign_workflow("studio", (from, to));
        world.delegate(PATH, "studio", (START, STOP));
        world.delegate("tv/late", "studio", (minutes(300), minutes(310)));
        world.until(START + 60).await;
        world.move_stop(PATH, STOP + 60);
        world.until(STOP + minutes(5)).await;
        world.delete(PATH);
        world.delete("tv/late");
        world.until(to + minutes(10)).await;
        assert_eq!(world.calls_where(|call| call.workflow.as_deref() == Some(&theirs)), [], "not even read");
        world.assert_sound();
        world.assert_run_by_vendor("studio", &[(START, STOP + 60), (from, to)]);
    });
}

/// docs/cases.md, case 37: by its id alone it is taken over.
#[test]
fn case_37_a_workflow_that_a_window_names_is_taken_over_and_kept_in_step() {
    simulate(1, async |world| {
        begin(world).await;
        let theirs = world.foreign_workflow("studio", (START, STOP));
        world.delegate_with(PATH, "studio", (START, STOP + 60), &json!({"adoptWorkflowID": theirs}));
        world.until(minutes(3)).await;
        assert_eq!(registered(&world.read(PATH)), "Registered", "{:#}", world.read(PATH));
        let [change] = &world.asked(Operation::ScheduleUpdate)[..] else { panic!("one change") };
        assert_eq!(change.body, Some(json!({"deactivation": {"time_utc": at(STOP + 60).as_second()}})));
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_run_by_vendor("studio", &[(START, STOP + 60)]);
        assert_eq!(world.asked(Operation::ScheduleCreate), []);
    });
}
