//! Objects that another version stored: the operator reads of them what it can.

use serde_json::{Value, json};
use simulator::Operation;

use super::world::{World, minutes, simulate};

const STRANGE: &str = "tv/strange";
const PLAIN: &str = "tv/plain";

async fn begin(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio", "stage"]);
    world.start_operator();
    world.until(minutes(1)).await;
}

fn ready(world: &World, path: &str) -> Value {
    let conditions = world.read(path)["status"]["conditions"].clone();
    let all = conditions.as_array().cloned().unwrap_or_default();
    all.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default()
}

/// In every way in which a spec can be strange beside its job and its times.
#[test]
fn a_window_that_turns_strange_on_air_is_still_stopped_and_others_run_as_ever() {
    for (field, value) in [
        ("deletionPolicy", json!("Pause")),
        ("suspend", json!("maybe")),
        ("cancel", json!({ "reason": "rain" })),
        ("startingDeadlineSeconds", json!("a while")),
        ("accountRef", json!({ "name": "default", "kind": 7, "description": [] })),
        ("description", json!(12)),
    ] {
        simulate(1, async |world| {
            begin(world).await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.until(minutes(5)).await;
            world.edit(STRANGE, |spec| spec[field] = value.clone());
            world.window(PLAIN, "stage", (minutes(6), minutes(8)));
            world.until(minutes(15)).await;
            world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
            world.assert_blocks("stage", &[(minutes(6), minutes(8))]);
            assert_eq!(world.phase(STRANGE), "Finished", "{field}");
        });
    }
}

#[test]
fn a_strange_window_is_never_started_and_says_which_field_it_is() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(STRANGE, "studio", (minutes(3), minutes(10)));
        world.edit(STRANGE, |spec| spec["deletionPolicy"] = json!("Pause"));
        world.until(minutes(5)).await;
        let told = ready(world, STRANGE);
        assert_eq!((&told["status"], &told["reason"]), (&json!("False"), &json!("Undecodable")), "{told}");
        assert!(told["message"].as_str().unwrap().contains("spec.deletionPolicy"), "{told}");
        world.until(minutes(15)).await;
        assert_eq!(world.count("studio", Operation::Activate), 0);
        assert_eq!(world.phase(STRANGE), "Missed");
    });
}

/// The stop that was last understood holds.
#[test]
fn a_stop_whose_time_cannot_be_read_any_more_is_made_at_the_time_that_could() {
    for time in [json!(1_796_216_400), json!("half past eight"), json!({ "at": "20:30" })] {
        simulate(1, async |world| {
            begin(world).await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.until(minutes(5)).await;
            world.edit(STRANGE, |spec| spec["deactivation"]["time"] = time.clone());
            world.until(minutes(15)).await;
            world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
        });
    }
}

#[test]
fn after_a_restart_too() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(STRANGE, "studio", (minutes(3), minutes(10)));
        world.until(minutes(5)).await;
        world.edit(STRANGE, |spec| {
            spec["deactivation"]["time"] = json!(1_796_216_400);
            spec["deletionPolicy"] = json!("Pause");
        });
        world.kill_operator().await;
        world.start_operator();
        world.until(minutes(15)).await;
        world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
    });
}

#[test]
fn what_another_version_wrote_into_a_status_is_carried_through() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PLAIN, "stage", (minutes(3), minutes(6)));
        world.until(minutes(2)).await;
        let theirs = json!({ "type": "Rehearsed", "status": "True", "reason": "Rehearsed", "message": "",
            "lastTransitionTime": "2026-12-02T14:00:00Z" });
        world
            .store
            .edit_status("jobstartstops", "tv", "plain", |object| {
                object["status"]["activation"]["claim"] = json!({ "by": "someone" });
                object["status"]["notifications"] = json!([{ "id": 1 }]);
                object["status"]["conditions"].as_array_mut().unwrap().push(theirs.clone());
            })
            .unwrap();
        world.until(minutes(10)).await;
        let status = &world.read(PLAIN)["status"];
        assert_eq!(status["phase"], "Finished");
        assert_eq!(status["activation"]["claim"], json!({ "by": "someone" }));
        assert_eq!(status["notifications"], json!([{ "id": 1 }]));
        assert!(status["conditions"].as_array().unwrap().contains(&theirs), "{status}");
    });
}
