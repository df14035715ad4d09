//! The kill sweep: real operators on a real kube-apiserver, ended at every step of a start, of a stop, and of a workflow at
//! the vendor's own scheduler, frozen, doubled, and left without what they stand on. Whatever happens, each window is
//! started once and its stop is made.
//!
//! The operator's own times run at a twentieth, the election's at a fifth: a lease of 3 s, a renew deadline of 2 s, calls
//! of at most 1 s. A few scenes have the real times.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "all of this is test code; a panic is how a test fails"
)]

#[macro_use]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with tests/e2e, which uses all of it")]
#[path = "../e2e/harness/mod.rs"]
mod harness;
mod scenes;

programme! {
    steps:
        case_25_killed_at_every_step_each_window_is_started_once_and_stopped,
        frozen_at_every_step_and_woken_after_the_takeover_it_does_nothing_twice,
        case_25_killed_twice_a_window_is_started_once_and_stopped,
        killed_around_the_call_the_standby_starts_once_with_the_real_times;
    workflows:
        case_26_killed_at_every_step_of_a_workflow_one_stands_for_the_window_and_one_starts_it,
        killed_at_every_step_of_the_workflow_of_two_merged_windows_one_stands_for_both,
        case_26_killed_twice_around_a_workflow_one_stands_for_the_window_and_one_starts_it,
        frozen_at_every_step_of_a_workflow_and_woken_after_the_takeover_it_does_nothing_twice;
    amid:
        case_25_killed_amid_many_calls_each_window_is_started_once_and_stopped;
    crowd:
        case_15_two_hundred_starts_at_one_instant_are_made_within_two_seconds,
        case_19_two_hundred_stops_at_one_instant_are_as_prompt_as_starts_and_counted_alike;
    frozen:
        a_leader_frozen_across_the_start_wakes_and_calls_nothing,
        frozen_across_the_start_it_wakes_and_calls_nothing_with_the_real_times,
        frozen_between_its_last_check_and_the_call_it_sends_nothing;
    doubled:
        case_100_of_two_that_believe_to_lead_one_starts;
    upgrade:
        case_105_asked_to_end_a_second_before_the_start_the_standby_makes_it_in_time,
        case_105_killed_a_second_before_the_start_the_standby_makes_it_once,
        case_104_standbys_are_ready_and_a_process_that_ends_is_alive_until_then;
    ground:
        with_the_apiserver_or_etcd_killed_across_start_and_stop_both_are_made_on_time,
        with_the_apiserver_or_etcd_stopped_across_start_and_stop_both_are_made_on_time,
        with_the_live_api_frozen_across_start_and_stop_both_are_made_once,
        an_etcd_restored_on_air_is_noticed_and_the_stop_is_made;
    watches:
        case_27_watches_5_s_behind_make_no_second_call,
        case_27_a_stop_moved_later_behind_frozen_watches_is_not_made_at_its_old_time,
        a_stop_moved_earlier_behind_frozen_watches_is_made_once_they_speak,
        a_standby_with_frozen_watches_takes_over_what_it_never_saw,
        case_101_a_leader_cut_off_across_the_start_leaves_it_to_the_standby,
        a_leader_cut_off_right_before_the_start_and_its_standby_start_once;
    vendor:
        with_the_live_api_stopped_across_start_and_stop_both_are_made_once,
        with_the_live_api_gone_across_start_and_stop_both_are_made_once;
}
