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
        let clip = json!({ "action": "notify-clip", "id": "1", "state": "pending" });
        world
            .store
            .edit_status("jobstartstops", "tv", "plain", |object| {
                object["status"]["activation"]["later"] = json!({ "by": "someone" });
                object["status"]["recordings"] = json!([{ "id": 1 }]);
                object["status"]["notifications"] = json!([clip.clone()]);
                object["status"]["conditions"].as_array_mut().unwrap().push(theirs.clone());
            })
            .unwrap();
        world.until(minutes(10)).await;
        let status = &world.read(PLAIN)["status"];
        assert_eq!(status["phase"], "Finished");
        assert_eq!(status["activation"]["later"], json!({ "by": "someone" }));
        assert_eq!(status["recordings"], json!([{ "id": 1 }]));
        assert_eq!(status["notifications"], json!([clip]));
        assert!(status["conditions"].as_array().unwrap().contains(&theirs), "{status}");
    });
}

const ACCOUNTS: &str = "liveaccounts";

fn condition(object: &Value, kind: &str) -> Value {
    let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

fn edit_account(world: &World, change: impl FnOnce(&mut Value)) {
    world.store.edit(ACCOUNTS, "tv", "default", |object| change(&mut object["spec"])).unwrap();
}

async fn restart(world: &mut World) {
    world.kill_operator().await;
    world.start_operator();
}

/// Key and endpoint can be read, all else may be as strange as it likes.
#[test]
fn an_account_that_cannot_be_fully_read_stops_what_is_on_and_starts_nothing() {
    for (field, value) in [
        ("defaults", json!({ "deletionPolicy": "Pause" })),
        ("defaults", json!({ "activationLeadSeconds": "a while" })),
        ("limits", json!({ "requestsPerSecond": { "burst": 5 } })),
        ("accountID", json!(1_752_604_059)),
    ] {
        for with_restart in [false, true] {
            simulate(1, async |world| {
                begin(world).await;
                world.window(STRANGE, "studio", (minutes(3), minutes(10)));
                world.until(minutes(5)).await;
                edit_account(world, |spec| spec[field] = value.clone());
                if with_restart {
                    restart(world).await;
                }
                world.window(PLAIN, "stage", (minutes(6), minutes(8)));
                world.until(minutes(7)).await;
                let account = world.store.get(ACCOUNTS, "tv", "default").unwrap();
                let stalled = condition(&account, "Stalled");
                assert_eq!((&stalled["status"], &stalled["reason"]), (&json!("True"), &json!("Undecodable")));
                let (ours, theirs) = (ready(world, PLAIN), ready(world, STRANGE));
                assert_eq!(ours["reason"], "Undecodable", "{ours}");
                assert!(ours["message"].as_str().unwrap().contains(&format!("spec.{field}")), "{ours}");
                assert_eq!(theirs["status"], "True", "{theirs}");
                world.until(minutes(15)).await;
                world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
                assert_eq!(world.count("stage", Operation::Activate), 0);
                edit_account(world, |spec| drop(spec.as_object_mut().unwrap().remove(field)));
                world.window("tv/later", "stage", (minutes(18), minutes(20)));
                world.until(minutes(25)).await;
                world.assert_blocks("stage", &[(minutes(18), minutes(20))]);
            });
        }
    }
}

/// Where calls go, or with which key, is not guessed: what was last read holds as long as the process lives.
#[test]
fn an_account_whose_key_or_endpoint_cannot_be_read_goes_on_with_what_was_last_read() {
    for (field, value) in [("apiKeySecretRef", json!("bcov-live")), ("endpoint", json!({ "host": "api.bcovlive.io" }))]
    {
        simulate(1, async |world| {
            begin(world).await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.until(minutes(5)).await;
            edit_account(world, |spec| spec[field] = value.clone());
            world.until(minutes(15)).await;
            world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
        });
    }
}

#[test]
fn a_process_that_never_read_key_or_endpoint_says_which_field_and_stops_once_it_can() {
    for (field, value) in [("apiKeySecretRef", json!("bcov-live")), ("endpoint", json!({ "host": "api.bcovlive.io" }))]
    {
        simulate(1, async |world| {
            begin(world).await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.until(minutes(5)).await;
            let before = world.store.get(ACCOUNTS, "tv", "default").unwrap()["spec"].clone();
            edit_account(world, |spec| spec[field] = value.clone());
            restart(world).await;
            world.until(minutes(12)).await;
            let told = ready(world, STRANGE);
            assert_eq!(told["reason"], "Undecodable", "{told}");
            assert!(told["message"].as_str().unwrap().contains(&format!("spec.{field}")), "{told}");
            edit_account(world, |spec| *spec = before);
            world.until(minutes(20)).await;
            assert_eq!((world.count("studio", Operation::Deactivate), world.phase(STRANGE)), (1, "Finished".into()));
        });
    }
}

#[test]
fn what_another_version_wrote_into_the_status_of_an_account_is_carried_through() {
    simulate(1, async |world| {
        begin(world).await;
        let theirs = json!({ "type": "SchedulerAvailable", "status": "True", "reason": "Available", "message": "",
            "lastTransitionTime": "2026-12-02T14:00:00Z" });
        world
            .store
            .edit_status(ACCOUNTS, "tv", "default", |object| {
                object["status"]["registered"] = json!(3);
                object["status"]["conditions"].as_array_mut().unwrap().push(theirs.clone());
            })
            .unwrap();
        world.window(PLAIN, "stage", (minutes(3), minutes(6)));
        world.until(minutes(10)).await;
        let account = world.store.get(ACCOUNTS, "tv", "default").unwrap();
        assert_eq!((&account["status"]["windows"]["total"], &account["status"]["registered"]), (&json!(1), &json!(3)));
        assert_eq!(condition(&account, "SchedulerAvailable"), theirs);
    });
}

#[test]
fn an_object_without_job_or_times_is_told_of_once_and_left_alone() {
    for (field, value, named) in [
        ("jobID", json!(12), "spec.jobID"),
        ("jobID", Value::Null, "jobID"),
        ("activation", json!("at noon"), "spec.activation"),
        ("activation", json!({ "time": 1_796_216_400 }), "spec.activation.time"),
    ] {
        simulate(1, async |world| {
            begin(world).await;
            world.kill_operator().await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.edit(STRANGE, |spec| spec[field] = value.clone());
            let put = |object: &mut Value| object["status"]["registered"] = json!({ "marker": "x" });
            world.store.edit_status("jobstartstops", "tv", "strange", put).unwrap();
            world.window(PLAIN, "stage", (minutes(6), minutes(8)));
            world.start_operator();
            world.until(minutes(60)).await;
            world.assert_blocks("stage", &[(minutes(6), minutes(8))]);
            assert_eq!(world.count("studio", Operation::Activate), 0);

            let object = world.read(STRANGE);
            let stalled = condition(&object, "Stalled");
            assert_eq!((&stalled["status"], &stalled["reason"]), (&json!("True"), &json!("Undecodable")), "{object}");
            assert!(stalled["message"].as_str().unwrap().contains(named), "{stalled}");
            assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
            assert_eq!(object["status"]["registered"], json!({ "marker": "x" }), "theirs stays");
            assert!(object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{object}");
            let about = |object: &&Value| object["regarding"]["name"] == "strange" && object["reason"] == "Undecodable";
            assert_eq!(world.store.list("events").iter().filter(about).count(), 1);
            let writes = world.operators_writes();
            let written = writes.iter().filter(|write| write.name == "strange" && write.plural == "jobstartstops");
            assert_eq!(written.count(), 1, "{writes:?}");

            world.edit(STRANGE, |spec| {
                spec["jobID"] = json!("studio");
                spec["activation"] = json!({ "time": super::world::at(minutes(70)) });
                spec["deactivation"] = json!({ "time": super::world::at(minutes(80)) });
            });
            world.until(minutes(90)).await;
            world.assert_blocks("studio", &[(minutes(70), minutes(80))]);
            assert_eq!(condition(&world.read(STRANGE), "Stalled"), Value::Null, "mended, it is a window like others");
        });
    }
}

#[test]
fn a_window_that_loses_its_job_on_air_is_stopped_and_says_so() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(STRANGE, "studio", (minutes(3), minutes(10)));
        world.until(minutes(5)).await;
        world.edit(STRANGE, |spec| spec["jobID"] = json!({ "id": "studio" }));
        world.until(minutes(6)).await;
        let told = ready(world, STRANGE);
        assert_eq!(told["reason"], "Undecodable", "{told}");
        world.until(minutes(15)).await;
        world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
        assert_eq!(world.phase(STRANGE), "Finished", "{}", world.read(STRANGE));
        world.delete(STRANGE);
        world.until(minutes(16)).await;
        assert_eq!(world.read(STRANGE), Value::Null);
    });
}

/// Not the account named default, which is somebody else's.
#[test]
fn a_window_whose_account_cannot_be_read_any_more_is_stopped_with_the_one_that_could() {
    simulate(1, async |world| {
        begin(world).await;
        let object = |kind: &str, name: &str, spec: Value| {
            let group = "scheduler.bcovlive.io/v1alpha1";
            let metadata = json!({ "name": name, "namespace": "tv" });
            world
                .store
                .create(json!({ "apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec }))
                .unwrap();
        };
        object("LiveAccount", "second", json!({ "apiKeySecretRef": { "name": "bcov-live" } }));
        let [start, stop] = [3, 10].map(|minute| json!({ "time": super::world::at(minutes(minute)) }));
        let window = json!({ "jobID": "studio", "activation": start, "deactivation": stop });
        let mut named = window.clone();
        named["accountRef"] = json!({ "name": "second" });
        object("JobStartStop", "strange", named);
        world.until(minutes(5)).await;
        world.store.delete(ACCOUNTS, "tv", "default").unwrap();
        world.edit(STRANGE, |spec| spec["accountRef"] = json!(["second"]));
        world.until(minutes(15)).await;
        world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
    });
}

#[test]
fn a_state_in_a_word_of_another_version_starts_nothing_and_stays() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(STRANGE, "studio", (minutes(3), minutes(10)));
        world.until(minutes(2)).await;
        world.kill_operator().await;
        let rehearsing = |object: &mut Value| object["status"]["activation"]["state"] = json!("rehearsing");
        world.store.edit_status("jobstartstops", "tv", "strange", rehearsing).unwrap();
        world.start_operator();
        world.until(minutes(5)).await;
        let told = ready(world, STRANGE);
        assert_eq!(told["reason"], "Undecodable", "{told}");
        assert!(told["message"].as_str().unwrap().contains("rehearsing"), "{told}");
        assert_eq!(world.read(STRANGE)["status"]["activation"]["state"], "rehearsing");
        world.until(minutes(15)).await;
        assert_eq!(world.count("studio", Operation::Activate), 0);
    });
}

#[test]
fn on_air_with_a_state_in_a_word_of_another_version_it_is_stopped_all_the_same() {
    for half in ["activation", "deactivation"] {
        simulate(1, async |world| {
            begin(world).await;
            world.window(STRANGE, "studio", (minutes(3), minutes(10)));
            world.until(minutes(5)).await;
            world.kill_operator().await;
            let change = |object: &mut Value| object["status"][half]["state"] = json!("elsewhere");
            world.store.edit_status("jobstartstops", "tv", "strange", change).unwrap();
            world.start_operator();
            world.until(minutes(15)).await;
            world.assert_blocks("studio", &[(minutes(3), minutes(10))]);
        });
    }
}

#[test]
fn a_time_to_live_of_an_account_that_cannot_be_fully_read_deletes_nothing() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PLAIN, "stage", (minutes(3), minutes(6)));
        world.until(minutes(8)).await;
        edit_account(world, |spec| {
            spec["defaults"] = json!({ "ttlSecondsAfterFinished": 600, "deletionPolicy": "Pause" });
        });
        restart(world).await;
        world.until(minutes(30)).await;
        assert_eq!(world.phase(PLAIN), "Finished");
        edit_account(world, |spec| spec["defaults"] = json!({ "ttlSecondsAfterFinished": 600 }));
        world.until(minutes(31)).await;
        assert_eq!(world.read(PLAIN), Value::Null);
    });
}

/// As after an upgrade without the definitions: what the older one does not know is dropped, with no error.
#[test]
fn an_accounts_status_that_is_stored_in_part_is_not_written_again_and_again() {
    simulate(1, async |world| {
        world.store.admission(|resource, _, object| {
            if resource.plural == "liveaccounts"
                && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
            {
                status.remove("servedBy");
            }
            Ok(())
        });
        world.settle("tv");
        let _leader = world.start_candidate("operator-a");
        world.jobs(&["studio"]);
        world.window(PLAIN, "studio", (minutes(5), minutes(6)));
        world.until(minutes(10)).await;
        world.assert_finished(PLAIN);
        let writes = world.operators_writes();
        let of_the_account = writes.iter().filter(|write| write.plural == "liveaccounts").count();
        assert!((3..=12).contains(&of_the_account), "{of_the_account} writes of the account");
    });
}
