//! How the stop is made, or given up, when others take things away: keys, accounts, namespaces, definitions.

use jobstartstop::api::LiveAccount;
use kube::{Api, ResourceExt};
use serde_json::json;
use simulator::Operation;
use testbed::{ControlPlane, Options};

use crate::harness::{
    Channel, Plane, Stage, Watched, Window, blocking, condition, eventually, in_seconds, install, killed, on_air,
    ready, received, restarted,
};

/// A control plane of the scene's own, where namespaces go when they are deleted.
async fn with_controllers(name: &str) -> Stage {
    let options = Options { controller_manager: true, ..Options::default() };
    let control = blocking(move || ControlPlane::start(&options).unwrap()).await;
    install(control.kubectl()).await;
    Stage::unattended_on(Plane::own(control).await, name).await
}

async fn live(stage: &Stage) -> (Channel, Window) {
    let news = stage.channel("news").await;
    let window = stage.window("election-night", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    (news, window)
}

pub(crate) async fn case_38_a_channel_switched_off_inside_its_window_is_shown_as_drifted_and_left_off() {
    let stage = Stage::open("drifted").await;
    let news = stage.channel("news").await;
    let window = stage.window("evening-news", &news).between(in_seconds(2), in_seconds(10)).create().await;
    window.reaches("Active").await;
    news.somebody_switches_it("off").await;
    let off = window.until("it shows that it is off", on_air("False", "StoppedExternally")).await;
    let drifted = condition(&off, "Drifted").expect("a condition of its own");
    assert_eq!((&*drifted.status, &*drifted.reason), ("True", "StoppedExternally"));
    eventually("an event tells", async || {
        let events = window.events().await;
        events.into_iter().find(|event| event.reason.as_deref() == Some("StoppedExternally"))
    })
    .await;
    window.reaches("Finished").await;
    news.was_called(1, 0).await;
}

pub(crate) async fn a_channel_that_waits_in_vain_for_its_encoder_is_switched_off_by_the_vendor_and_left_off() {
    let stage = Stage::open("no-encoder").await;
    let news = stage.channel_that_is("news", json!({ "event_length": 2 })).await;
    let window = stage.window("evening-news", &news).between(in_seconds(2), in_seconds(10)).create().await;
    window.reaches("Active").await;
    let off = window.until("it shows that it is off", on_air("False", "AutoDeactivated")).await;
    assert!(ready("True", "AutoDeactivated")(&off), "{:?}", off.conditions);
    window.reaches("Finished").await;
    news.was_called(1, 0).await;
}

pub(crate) async fn case_43_a_namespace_deleted_on_air_with_its_secret_is_off_and_gone_within_two_minutes() {
    let stage = with_controllers("namespace").await;
    // A binding in the namespace would go with it, before the last word on the window is written.
    let everywhere =
        "create clusterrolebinding jobstartstop --clusterrole=jobstartstop --serviceaccount=live:jobstartstop";
    stage.plane().kubectl(everywhere.split(' ')).await;
    let _operator = stage.start_operator().await;
    let (news, window) = live(&stage).await;
    stage.plane().kubectl(["delete", "namespace", &stage.namespace, "--wait=false"]).await;
    let last = window.is_gone().await;
    assert_eq!(&*last.status().deactivation.reason, "Stopped", "{:?}", last.status());
    news.was_called(1, 1).await;
    let plane = stage.plane().clone();
    let gone = ["wait", "--for=delete", "namespace", &stage.namespace, "--timeout=120s"].map(str::to_owned);
    blocking(move || plane.control().kubectl().ok(gone).unwrap()).await;
}

pub(crate) async fn case_43_with_no_key_to_be_had_the_deletion_is_given_up_in_bounded_time_and_told() {
    let stage = Stage::unattended("no-key").await;
    let operator = stage.start_operator().await;
    let (news, window) = live(&stage).await;
    // The next process has never had the key.
    let operator = killed(operator).await;
    stage.plane().kubectl(["delete", "secret", "bcov-live", "--namespace", &stage.namespace]).await;
    let operator = restarted(operator).await;
    window.until("its key is missed", ready("False", "SecretNotFound")).await;
    window.delete().await;
    let last = window.is_gone().await;
    let status = last.status();
    assert_eq!((&*status.phase, &*status.deactivation.reason), ("Failed", "StopGivenUp"));
    assert_eq!(condition(status, "OnAir").unwrap().status, "Unknown");
    eventually("an event tells", async || {
        let events = window.events().await;
        let told = events.into_iter().find(|event| event.reason.as_deref() == Some("StopGivenUp"))?;
        (told.type_.as_deref() == Some("Warning")).then_some(())
    })
    .await;
    let given_up = operator.scrape().await.value("jobstartstop_stops_given_up_total");
    assert!((given_up - 1.0).abs() < f64::EPSILON, "{given_up}");
    news.was_called(1, 0).await;
}

pub(crate) async fn with_the_definitions_deleted_on_air_nothing_is_called() {
    let stage = with_controllers("definitions").await;
    let _operator = stage.start_operator().await;
    let (news, window) = live(&stage).await;
    let plane = stage.plane().clone();
    blocking(move || {
        let crds = ["jobstartstops", "liveaccounts"].map(|plural| format!("crd/{plural}.scheduler.bcovlive.io"));
        plane.control().kubectl().ok(["delete", &crds[0], &crds[1], "--timeout=60s"]).unwrap();
    })
    .await;
    let last = window.records().last().unwrap().clone();
    let status = last.status();
    assert_eq!((&*status.deactivation.state, &*status.deactivation.reason), ("cancelled", "Retained"));
    news.was_called(1, 0).await;
    assert!(news.is_on().await);
}

pub(crate) async fn a_window_deleted_while_the_definitions_stay_is_switched_off() {
    let stage = with_controllers("meant").await;
    let _operator = stage.start_operator().await;
    let (news, window) = live(&stage).await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 1).await;
}

pub(crate) async fn an_account_deleted_on_air_stays_until_its_window_is_off_and_starts_nothing() {
    let stage = Stage::open("account-deleted").await;
    let (news, window) = live(&stage).await;
    let other = stage.channel("other").await;
    let next = stage.window("next", &other).between(in_seconds(4), in_seconds(600)).create().await;
    next.until("it waits for its start", ready("True", "Scheduled")).await;
    let accounts: Api<LiveAccount> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    eventually("the account is held", async || {
        let account = accounts.get("default").await.unwrap();
        account.finalizers().contains(&"scheduler.bcovlive.io/in-use".to_owned()).then_some(())
    })
    .await;
    accounts.delete("default", &kube::api::DeleteParams::default()).await.unwrap();
    next.until("its account goes", ready("False", "AccountNotFound")).await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    eventually("the account is gone", async || accounts.get_opt("default").await.unwrap().is_none().then_some(()))
        .await;
    news.was_called(1, 1).await;
    other.was_left_alone().await;
}

pub(crate) async fn a_stop_is_made_with_another_accounts_key_when_its_own_is_refused() {
    let stage = Stage::open("another-key").await;
    let news = stage.channel("news").await;
    stage.create_second_account("backup").await;
    let stop = in_seconds(8);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    let later = stage.window("late-news", &news).between(in_seconds(300), in_seconds(600));
    let later = later.with(json!({ "accountRef": { "name": "backup" } })).create().await;
    later.until("its key has read the job", ready("True", "Scheduled")).await;
    window.reaches("Active").await;
    stage.put_secret("a-key-that-nobody-knows").await;
    window.until("its own key is refused", ready("False", "KeyRefused")).await;
    news.receives(Operation::Deactivate, 1).await;
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}

pub(crate) async fn a_strangers_window_with_a_key_of_its_own_neither_holds_nor_cuts_a_channel() {
    let stage = Stage::open("stranger").await;
    let news = stage.channel("news").await;
    let stranger = Stage::open("stranger-self").await;
    let theirs = stranger.window("hijack", &news).between(in_seconds(2), in_seconds(4)).create().await;
    let stop = in_seconds(7);
    let window = stage.window("news", &news).between(in_seconds(3), stop).create().await;
    theirs.until("their key does not know the job", ready("False", "JobNotFound")).await;
    let finished = window.reaches("Finished").await;
    assert_eq!((&*finished.activation.reason, &*finished.deactivation.reason), ("Started", "Stopped"));
    assert!(condition(&finished, "Conflict").is_none(), "{:?}", finished.conditions);
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop, "cut short");
}

pub(crate) async fn a_window_on_the_same_job_at_another_endpoint_neither_holds_nor_cuts_a_channel() {
    let stage = Stage::unattended("elsewhere").await;
    let news = stage.channel("news").await;
    let elsewhere = stage.another_vendor("elsewhere", &news).await;
    let _operator = stage.start_operator_with(&["--live-endpoint", &elsewhere.base_url]).await;
    let stop = in_seconds(24);
    let window = stage.window("news", &news).between(in_seconds(3), stop).create().await;
    let theirs = stage.window("theirs", &news).with(json!({ "accountRef": { "name": "elsewhere" } }));
    let theirs = theirs.between(in_seconds(5), in_seconds(18)).create().await;
    for window in [&theirs, &window] {
        let finished = window.reaches("Finished").await;
        assert_eq!((&*finished.activation.reason, &*finished.deactivation.reason), ("Started", "Stopped"));
        assert!(condition(&finished, "Conflict").is_none(), "{:?}", finished.conditions);
    }
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop, "cut by a window of another endpoint");
}
