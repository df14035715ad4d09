//! The charts as people install, upgrade and remove them: by the real helm, on a real kube-apiserver.
//!
//! The operator runs outside, since no Pod runs there, but as its Deployment says, which is read back from the API
//! server: the same arguments and environment, the files that would be mounted, the token of its service account and
//! no other right. Addresses are replaced by free ones, and its own times run at a twentieth, as in `tests/e2e`, whose
//! harness this uses.
//!
//! Below is the programme; what the charts render without any cluster is in `rendered.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "all of this is test code; a panic is how a test fails"
)]

mod cluster;
mod deployed;
#[macro_use]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with tests/e2e, which uses all of it")]
#[path = "../e2e/harness/mod.rs"]
mod harness;
mod pages;
mod release;
mod rendered;
mod rights;
mod scenes;

programme! {
    upgrade:
        case_65_an_upgrade_brings_the_next_definitions_and_neither_it_nor_a_rollback_cuts_a_stream,
        case_65_definitions_that_kubectl_installed_are_adopted_with_their_objects;
    removal:
        case_48_uninstalled_on_air_nothing_is_called_and_the_rest_is_let_go_or_goes_on_later;
    restore:
        plans_that_were_exported_are_restored_and_nothing_is_started_twice_or_left_on;
    modes:
        case_89_with_the_default_values_it_serves_the_whole_cluster_and_two_replicas_take_turns,
        case_88_in_named_namespaces_it_serves_those_and_has_no_right_elsewhere,
        case_88_where_secrets_are_named_it_reads_those_and_no_other,
        case_89_a_single_replica_without_an_election_has_no_right_to_leases,
        case_89_with_the_http_interface_a_window_is_made_over_https;
    admission:
        case_85_its_pods_are_admitted_where_restricted_is_enforced;
    protection:
        case_50_on_air_a_deletion_is_refused_with_what_to_do_instead,
        case_50_before_its_start_and_after_its_end_a_window_can_be_deleted,
        case_50_a_replacement_by_force_is_refused_and_changes_nothing,
        case_50_a_deleted_namespace_and_a_deleted_owner_take_what_is_on_air_along;
    priority:
        the_lease_and_fresh_reads_are_served_ahead_of_others;
    overlap:
        two_installations_over_one_namespace_say_so;
    roles:
        the_built_in_roles_reach_windows_and_accounts;
}
