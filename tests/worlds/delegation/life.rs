//! One window, from its object to the vendor and back.

use serde_json::{Value, json};
use simulator::Operation;

use super::super::world::{WINDOWS, World, at, minutes, registered, simulate, told};
use super::{PATH, START, STOP, begin, begin_season, no_limits, received};

const HOUR: i64 = minutes(60);

#[test]
fn a_whole_life_is_run_by_the_vendor_with_one_post_and_no_call_of_the_operators() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        let [workflow] = &world.workflows()[..] else { panic!("one workflow: {:?}", world.workflows()) };
        let window = world.read(PATH);
        let status = &window["status"];
        assert_eq!(registered(&window), "Registered", "{window:#}");
        assert_eq!((&status["executor"], &status["phase"]), (&json!("LiveScheduler"), &json!("Pending")));
        assert_eq!(status["vendorWorkflowID"], workflow.id.as_str());
        assert_eq!(status["registered"]["activation"]["timeUTC"], workflow.activation.time_utc);
        assert_eq!(status["registered"]["deactivation"]["state"], "pending");

        world.until(START + 60).await;
        let window = world.read(PATH);
        assert_eq!(window["status"]["registered"]["activation"]["state"], "finished", "{window:#}");
        assert_eq!((world.phase(PATH).as_str(), &told(&window, "OnAir")["status"]), ("Active", &json!("True")));

        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_run_by_vendor("studio", &[(START, STOP)]);
        assert_eq!(world.read(PATH)["status"]["registered"]["deactivation"]["state"], "finished");
        let made = |operation| world.asked(operation).len();
        assert_eq!(made(Operation::ScheduleCreate), 1);
        assert_eq!((made(Operation::ScheduleUpdate), made(Operation::ScheduleCancel)), (0, 0));
        let looks = made(Operation::ScheduleRead) + made(Operation::ScheduleList);
        assert!(looks <= 7, "{looks} looks at the workflow in its life");
        // One in 30 s of its 20 minutes on air, and a few about its times.
        let reads = made(Operation::Read);
        assert!(reads <= 70, "{reads} looks at the job");
        let writes = world.operators_writes();
        let of_window = writes.iter().filter(|write| write.plural == WINDOWS).count();
        assert!(of_window <= 16, "{of_window} writes of the window");
    });
}

/// docs/cases.md, case 67.
#[test]
fn case_67_what_goes_over_the_wire_after_an_edit_is_the_task_that_changed() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.move_start(PATH, START + 60);
        world.until(minutes(4)).await;
        world.move_stop(PATH, STOP + 60);
        world.until(START + minutes(3)).await;
        world.move_stop(PATH, STOP - 60);
        world.until(STOP + minutes(10)).await;
        let bodies: Vec<Value> =
            world.asked(Operation::ScheduleUpdate).into_iter().filter_map(|call| call.body).collect();
        let task = |name: &str, second| json!({ name: { "time_utc": at(second).as_second() } });
        let sent = [task("activation", START + 60), task("deactivation", STOP + 60), task("deactivation", STOP - 60)];
        assert_eq!(bodies, sent);
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_run_by_vendor("studio", &[(START + 60, STOP - 60)]);
    });
}

#[test]
fn two_hundred_registered_windows_far_ahead_cost_no_calls() {
    simulate(1, async |world| {
        world.scheduler(|scheduler| scheduler.pending_activations = 0);
        let jobs = begin_season(world, no_limits(), 200).await;
        for (place, job) in (0..).zip(&jobs) {
            world.delegate(&format!("tv/{job}"), job, (48 * HOUR + 60 * place, 49 * HOUR + 60 * place));
        }
        world.until(minutes(10)).await;
        assert_eq!(world.pending_starts(), jobs.len());
        for window in world.store.list(WINDOWS) {
            assert_eq!(registered(&window), "Registered", "{window:#}");
        }
        world.until(minutes(10) + 4 * HOUR).await;
        let since = world.calls_where(|call| received(call) > minutes(10) * 1_000);
        assert_eq!(since, [], "in four hours");
        let bodies = world.asked(Operation::ScheduleCreate).len();
        assert_eq!(bodies, jobs.len(), "one POST each");
    });
}

/// docs/cases.md, case 73.
#[test]
fn case_73_the_marker_stands_at_the_vendor_behind_the_users_text_which_is_unchanged_in_the_object() {
    simulate(1, async |world| {
        begin(world).await;
        let text = "My Wednesday broadcast";
        let more = json!({"description": text, "notificationURL": "https://studio.example.com/callbacks"});
        world.delegate_with(PATH, "studio", (START, STOP), &more);
        world.delegate("tv/plain", "studio", (STOP + minutes(10), STOP + minutes(20)));
        world.until(minutes(3)).await;
        for (path, before) in [(PATH, "My Wednesday broadcast "), ("tv/plain", "")] {
            let window = world.read(path);
            let marker = window["status"]["registered"]["marker"].as_str().unwrap().to_owned();
            let uid = window["metadata"]["uid"].as_str().unwrap().replace('-', "");
            assert!(marker.starts_with(&uid), "{marker} of {uid}");
            let id = window["status"]["vendorWorkflowID"].as_str().unwrap().to_owned();
            let workflow = world.vendor(|vendor| vendor.workflow(world.now(), &id)).unwrap();
            assert_eq!(workflow.description, Some(format!("{before}[jss:{marker}]")));
        }
        assert_eq!(world.read(PATH)["spec"]["description"], text);
        world.until(STOP + minutes(40)).await;
        assert_eq!(world.read(PATH)["spec"]["description"], text);
        world.assert_sound();
    });
}

/// docs/cases.md, case 74.
#[test]
fn case_74_a_cancelled_window_records_both_tasks_as_they_were_read_back() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.cancel(PATH);
        world.until(minutes(4)).await;
        let window = world.read(PATH);
        let states = |of: &Value| (of["activation"]["state"].clone(), of["deactivation"]["state"].clone());
        let cancelled = || (json!("cancelled"), json!("cancelled"));
        assert_eq!(states(&window["status"]["registered"]), cancelled(), "{window:#}");
        assert_eq!(states(&window["status"]), cancelled());
        let about: Vec<Operation> = world
            .calls_where(|call| call.operation.is_schedule() && received(call) >= minutes(3) * 1_000)
            .into_iter()
            .map(|call| call.operation)
            .collect();
        assert_eq!(about, [Operation::ScheduleCancel, Operation::ScheduleRead], "cancelled, and read back");
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        assert_eq!(world.starts("studio"), 0);
    });
}

/// docs/cases.md, case 74: what is on air stays so, and only the stop goes.
#[test]
fn case_74_cancelled_on_air_it_records_a_start_that_was_made_and_a_stop_that_was_not() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(START + 60).await;
        world.cancel(PATH);
        world.until(START + 120).await;
        let registered = &world.read(PATH)["status"]["registered"];
        assert_eq!(registered["activation"]["state"], "finished", "{registered:#}");
        assert_eq!(registered["deactivation"]["state"], "cancelled", "{registered:#}");
        world.until(STOP + minutes(10)).await;
        assert_eq!(world.stands("studio"), [format!("finished {START} | cancelled {STOP}")]);
        assert_eq!(world.count("studio", Operation::Deactivate), 0, "a cancel leaves the channel on");
    });
}

#[test]
fn suspended_it_is_taken_from_the_vendor_and_resumed_it_is_registered_anew() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.edit(PATH, |spec| spec["suspend"] = json!(true));
        world.until(minutes(5)).await;
        assert_eq!(world.stands("studio"), [format!("cancelled {START} | cancelled {STOP}")]);
        world.edit(PATH, |spec| spec["suspend"] = json!(false));
        world.until(minutes(10)).await;
        assert_eq!(world.pending_starts(), 1);
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_run_by_vendor("studio", &[(START, STOP)]);
    });
}

#[test]
fn deleted_ahead_of_its_start_the_workflow_goes_before_the_object() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.delete(PATH);
        world.until(minutes(4)).await;
        assert!(world.read(PATH).is_null());
        assert_eq!(world.stands("studio"), [format!("cancelled {START} | cancelled {STOP}")]);
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        assert_eq!(world.starts("studio"), 0);
    });
}

/// As a namespace is deleted: Secret and account before the window.
#[test]
fn deleted_after_its_secret_and_its_account_the_workflow_goes_all_the_same() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.store.delete("secrets", "tv", "bcov-live").unwrap();
        world.store.delete("liveaccounts", "tv", "default").unwrap();
        world.until(minutes(3) + 20).await;
        assert!(world.store.get("liveaccounts", "tv", "default").is_some(), "a workflow stands for its window");
        world.delete(PATH);
        world.until(minutes(5)).await;
        assert!(world.read(PATH).is_null());
        assert_eq!(world.stands("studio"), [format!("cancelled {START} | cancelled {STOP}")]);
        assert!(world.store.get("liveaccounts", "tv", "default").is_none());
        world.until(STOP + minutes(10)).await;
        assert_eq!(world.starts("studio"), 0);
    });
}

#[test]
fn deleted_on_air_the_channel_is_off_before_the_workflow_is_touched() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(START + 60).await;
        world.delete(PATH);
        world.until(START + minutes(4)).await;
        assert!(world.read(PATH).is_null());
        let off = world.calls_where(|call| call.operation == Operation::Deactivate && call.carried_out);
        let gone = world.asked(Operation::ScheduleCancel);
        assert_eq!((off.len(), gone.len()), (1, 1));
        let between = world.calls_where(|call| {
            call.operation == Operation::Read && (off[0].sequence..gone[0].sequence).contains(&call.sequence)
        });
        assert!(!between.is_empty(), "it was read off in between");
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        assert_eq!(world.stands("studio"), [format!("finished {START} | cancelled {STOP}")]);
    });
}

/// docs/cases.md, case 75.
#[test]
fn case_75_a_window_far_ahead_says_from_when_it_is_registered_and_is_registered_then() {
    simulate(1, async |world| {
        begin_season(world, json!({"registerAheadDays": 1}), 1).await;
        let start = 26 * HOUR;
        let opens = start - 24 * HOUR;
        world.delegate("tv/gala", "job-00", (start, start + 600));
        world.until(70).await;
        let condition = told(&world.read("tv/gala"), "Registered");
        assert_eq!(condition["reason"], "RegistersLater", "told as it is applied");
        let message = condition["message"].as_str().unwrap();
        assert!(message.contains(&at(opens).to_string()), "{message}");
        world.until(opens - 1).await;
        assert_eq!(world.asked(Operation::ScheduleCreate), []);
        world.until(opens + 10).await;
        assert_eq!(registered(&world.read("tv/gala")), "Registered");
        world.until(start + HOUR).await;
        world.assert_sound();
        world.assert_run_by_vendor("job-00", &[(start, start + 600)]);
    });
}

/// docs/cases.md, case 75.
#[test]
fn case_75_a_window_too_late_to_be_registered_says_so_and_is_run_here_on_time() {
    for ahead in [5, 60, 119] {
        simulate(1, async |world: &mut World| {
            begin(world).await;
            let times = (60 + ahead, minutes(10));
            world.delegate(PATH, "studio", times);
            world.until(64).await;
            assert_eq!(registered(&world.read(PATH)), "TooLateToRegister", "{ahead} s ahead");
            world.until(minutes(30)).await;
            world.assert_sound();
            world.assert_finished(PATH);
            world.assert_blocks("studio", &[times]);
            world.assert_prompt("studio", &[times], 10);
            assert_eq!(world.asked(Operation::ScheduleCreate), []);
        });
    }
}

/// docs/cases.md, case 75: the vendor's own horizon is shorter than ours.
#[test]
fn case_75_a_window_beyond_the_vendors_horizon_is_told_at_once_and_registered_when_it_opens() {
    simulate(1, async |world| {
        world.scheduler(|scheduler| scheduler.horizon_seconds = 3_600);
        begin(world).await;
        let (start, stop) = (2 * HOUR, 2 * HOUR + minutes(10));
        world.delegate(PATH, "studio", (start, stop));
        world.until(65).await;
        assert_eq!(registered(&world.read(PATH)), "SchedulerUnavailable");
        // The stop, too, is within it, and the longest wait between two tries has passed.
        world.until(stop - HOUR + minutes(9)).await;
        assert_eq!(registered(&world.read(PATH)), "Registered");
        world.until(stop + minutes(10)).await;
        world.assert_sound();
        world.assert_run_by_vendor("studio", &[(start, stop)]);
    });
}
