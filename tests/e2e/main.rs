//! End to end: the real operator process on a real kube-apiserver, against the simulated vendor over HTTP.
//!
//! Below is the programme; each scene is a test of that name. Scenes are played beside each other (see
//! `harness/programme.rs`), and whatever a scene is about, every status recorded in it keeps the invariants of
//! `harness/invariants.rs`. The operator's own times run at a twentieth; times in a spec are as they stand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "all of this is test code; a panic is how a test fails"
)]

mod harness;
mod scenes;

/// Makes a test of each scene, and the list of all of them.
macro_rules! programme {
    ($($part:ident: $($scene:ident),+;)+) => {
        $(
            #[cfg(test)]
            mod $part {
                $(
                    #[test]
                    fn $scene() {
                        let name = concat!(stringify!($part), "::", stringify!($scene));
                        crate::harness::play_to_end(crate::PROGRAMME, name);
                    }
                )+
            }
        )+

        const PROGRAMME: &[harness::Scene] = &[$($(
            harness::Scene {
                name: concat!(stringify!($part), "::", stringify!($scene)),
                play: || Box::pin(scenes::$part::$scene()),
            },
        )+)+];
    };
}

// Those that take long come first.
programme! {
    timing:
        twenty_windows_over_ten_seconds_are_never_early;
    restarts:
        killed_on_air_the_next_process_makes_the_stop_and_no_start,
        killed_between_call_and_confirmation_the_next_process_reads_first,
        down_across_the_stop_it_is_made_on_return,
        down_through_a_whole_window_it_is_missed,
        a_term_signal_ends_it_in_order_and_leaves_the_channel_to_the_next,
        with_the_apiserver_down_across_the_stop_it_is_made_on_time,
        without_an_election_a_stop_is_made_on_time_however_long_the_apiserver_has_been_down,
        case_101_past_its_renew_deadline_a_leader_calls_nothing_and_stands_by_again;
    faults:
        a_stop_is_repeated_until_the_job_is_read_off,
        a_start_whose_answer_is_lost_is_not_made_twice,
        a_start_carried_out_late_is_not_made_twice,
        a_start_that_never_arrived_is_made_again_once_that_is_certain,
        a_start_waits_for_capacity,
        a_refused_start_is_tried_until_the_window_ends,
        an_outage_across_the_stop_delays_it_and_no_more,
        case_69_a_job_that_is_not_static_is_told_before_and_never_called,
        an_unknown_job_is_told_before_and_heals_when_it_is_there,
        an_unknown_job_fails_at_its_start,
        an_old_window_that_left_its_channel_on_says_so,
        case_29_a_start_refused_for_good_is_called_once_and_stalled_with_the_vendors_message;
    overlaps:
        overlapping_windows_are_one_session,
        overlapping_windows_of_two_namespaces_are_one_session,
        a_nested_window_ends_without_a_stop,
        touching_windows_are_one_session_without_a_conflict,
        a_gap_too_short_to_turn_in_is_closed;
    life:
        pending_then_active_then_finished,
        a_start_in_the_past_is_made_at_once,
        a_start_past_its_deadline_is_missed,
        a_lead_calls_the_start_ahead_of_its_time,
        a_channel_that_is_on_already_is_not_started_but_stopped,
        a_channel_switched_off_by_somebody_is_not_started_again,
        a_stop_due_while_the_channel_is_going_on_is_made_once_it_is_on,
        a_job_that_ends_on_air_finishes_the_window,
        a_suspended_window_starts_when_it_is_resumed,
        suspended_through_its_end_it_is_missed,
        suspended_on_air_it_is_still_stopped,
        two_windows_apart_are_two_sessions;
    outside:
        health_and_readiness_answer,
        every_generation_is_observed,
        metrics_count_what_was_done,
        without_the_definitions_it_waits_and_says_so,
        help_explains_every_flag,
        a_flag_that_makes_no_sense_is_refused_with_a_sentence,
        kubectl_explains_the_spec,
        kubectl_shows_the_columns,
        kubectl_wait_waits_for_the_channel,
        the_key_shows_nowhere_even_if_the_vendor_repeats_it;
    cases:
        case_31_on_air_is_shown_only_once_the_job_was_read_on,
        case_31_a_start_that_does_nothing_times_out_into_a_condition,
        case_42_one_event_a_change_and_at_most_15_in_a_life_with_retries,
        case_42_a_life_without_faults_is_told_once_a_change,
        case_57_a_status_and_its_conditions_are_of_one_generation,
        case_59_before_the_first_reconcile_nothing_reads_as_done,
        case_60_ready_reconciling_and_stalled_are_never_true_together,
        case_64_times_are_shown_as_given_in_utc_and_as_the_epoch_and_are_one_instant,
        case_78_the_later_of_two_windows_says_before_its_start_which_other_it_overlaps,
        case_82_planned_sent_and_confirmed_times_are_kept_apart_for_start_and_stop;
    edits:
        a_start_moved_earlier,
        a_start_moved_later,
        both_times_moved_and_the_start_moved_again_at_the_last_moment,
        a_stop_moved_earlier_on_air,
        a_stop_moved_later_on_air,
        a_stop_moved_to_now_on_air,
        a_stop_moved_before_the_start_on_air_is_a_stop_now,
        a_start_cannot_be_moved_on_air_nor_a_stop_once_it_is_made,
        another_description_calls_nothing;
    deleting:
        pending_it_goes_and_nothing_is_called,
        on_air_the_channel_is_off_before_the_object_goes,
        finished_it_just_goes,
        on_air_under_cancel_the_stream_stays_on,
        on_air_under_retain_nothing_is_called,
        the_accounts_policy_holds_where_the_object_names_none,
        the_policy_may_be_edited_while_the_stop_is_refused,
        on_air_while_another_window_covers_the_channel_stays_on;
    cancelling:
        before_the_start_both_ends_are_cancelled,
        on_air_the_stream_stays_on_and_that_is_shown,
        set_back_it_has_no_effect,
        during_the_start_the_channel_is_switched_off_again;
    access:
        a_refused_key_heals_when_its_secret_is_changed,
        a_secret_created_later_is_found,
        an_account_created_after_its_window_is_found,
        an_account_that_comes_too_late_leaves_a_miss,
        an_endpoint_that_is_not_allowed_gets_no_key,
        an_entry_that_the_secret_lacks_is_named,
        a_key_removed_on_air_still_makes_the_stop,
        case_34_a_rotated_key_is_used_by_the_next_call_without_a_restart,
        case_34_a_stop_refused_for_its_old_key_is_made_as_soon_as_the_secret_has_another;
    cases_life:
        case_4_resumed_inside_its_window_it_starts_late_as_the_deadline_allows_and_never_after_its_end,
        case_5_past_its_deadline_a_start_is_missed_once_told_once_and_counted_once,
        case_36_a_missing_key_and_an_unknown_job_are_told_before_the_start,
        case_39_a_thousand_edits_are_no_error_and_repeat_no_call,
        case_40_suspended_is_a_condition_of_its_own_and_holds_the_start_but_not_the_stop,
        case_46_a_window_wholly_past_when_first_seen_calls_nothing,
        case_49_the_objects_policy_holds_over_the_accounts_and_that_over_the_flag,
        case_54_on_air_neither_job_nor_account_can_be_changed,
        case_67_on_air_an_edit_reaches_only_the_stop_and_one_of_the_start_is_refused,
        case_71_a_stop_is_repeated_without_limit_until_a_state_is_read_that_is_not_billed,
        case_72_a_start_refused_for_capacity_is_repeated_within_its_lead_and_is_not_late,
        case_72_refused_for_capacity_throughout_it_is_called_at_its_time_too_and_up_to_its_deadline,
        case_76_extended_just_before_its_stop_a_show_stays_on_without_a_gap_and_keeps_its_settings,
        case_84_an_encoder_that_drops_out_ends_and_starts_nothing;
    corners:
        a_channel_switched_on_after_a_failed_start_is_switched_off_at_the_windows_end,
        a_channel_that_is_going_off_when_its_start_is_due_is_waited_for,
        a_job_that_vanishes_on_air_ends_the_stop_only_after_three_reads_over_a_minute,
        deleted_between_call_and_confirmation_the_channel_is_switched_off_before_it_goes,
        suspended_between_call_and_confirmation_the_window_goes_on,
        the_stop_edited_between_the_starts_call_and_its_confirmation_counts,
        cancelled_after_the_stop_was_called_it_runs_to_its_end,
        cancelled_on_air_while_another_window_covers_nothing_is_left_on,
        more_starts_at_once_than_the_account_allows_are_told_ahead_of_their_time,
        without_the_right_to_hold_an_object_nothing_is_called_for_it;
    endings:
        case_38_a_channel_switched_off_inside_its_window_is_shown_as_drifted_and_left_off,
        a_channel_that_waits_in_vain_for_its_encoder_is_switched_off_by_the_vendor_and_left_off,
        case_43_a_namespace_deleted_on_air_with_its_secret_is_off_and_gone_within_two_minutes,
        case_43_with_no_key_to_be_had_the_deletion_is_given_up_in_bounded_time_and_told,
        with_the_definitions_deleted_on_air_nothing_is_called,
        a_window_deleted_while_the_definitions_stay_is_switched_off,
        an_account_deleted_on_air_stays_until_its_window_is_off_and_starts_nothing,
        a_stop_is_made_with_another_accounts_key_when_its_own_is_refused,
        a_strangers_window_with_a_key_of_its_own_neither_holds_nor_cuts_a_channel,
        a_window_on_the_same_job_at_another_endpoint_neither_holds_nor_cuts_a_channel;
    strange:
        an_object_that_cannot_be_fully_read_is_stopped_and_not_started_and_stops_no_other,
        an_account_that_cannot_be_fully_read_stops_what_is_on_also_after_a_restart,
        under_an_older_definition_no_start_is_made_and_every_stop_is;
    cases_objects:
        case_45_what_breaks_todays_rules_is_switched_off_and_let_go_when_it_is_deleted,
        case_63_quoted_or_not_a_time_is_the_same_object_with_kubectl_and_with_kustomize,
        case_63_a_bare_date_and_a_time_without_zone_are_refused_quoted_or_not,
        a_finished_window_goes_when_its_time_to_live_has_passed_and_its_neighbour_stays;
    stored:
        case_66_what_was_stored_under_other_rules_can_be_labelled_updated_and_let_go,
        what_is_stored_today_is_kept_for_later_versions;
    guide:
        its_story_shifted_by_one_constant,
        its_update_on_air,
        its_epochs_as_they_stand;
    examples:
        every_manifest_applies;
    rules:
        every_case_of_the_fixture;
}
