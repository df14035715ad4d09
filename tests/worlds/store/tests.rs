//! The store through kube's own client and watcher.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
        Preconditions,
    },
    runtime::{
        events::{Event, EventType, Recorder},
        watcher::{self, Event as Seen},
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{Break, Fault, Store, USER, Verb};

const JOBS: &str = "jobstartstops";

fn store(seed: u64) -> Store {
    let (zero, epoch) = (Instant::now(), Timestamp::from_second(1_796_000_000).unwrap());
    Store::new(seed, Arc::new(move || epoch + SignedDuration::try_from(zero.elapsed()).unwrap()))
}

fn job(name: &str, id: &str) -> Value {
    json!({"apiVersion": "scheduler.bcovlive.io/v1alpha1", "kind": "JobStartStop",
        "metadata": {"name": name, "namespace": "tv"}, "spec": {"jobID": id}})
}

fn jobs(store: &Store, who: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("scheduler.bcovlive.io", "v1alpha1", "JobStartStop");
    Api::namespaced_with(store.client(who), "tv", &ApiResource::from_gvk_with_plural(&kind, JOBS))
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn code(answer: kube::Result<DynamicObject>) -> u16 {
    match answer {
        Ok(object) => panic!("succeeded: {object:?}"),
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("not from the apiserver: {error}"),
    }
}

/// The next event of a watcher as text; errors are named, not shown.
async fn next(watch: &mut (impl Stream<Item = watcher::Result<Seen<DynamicObject>>> + Unpin)) -> String {
    match watch.next().await.unwrap() {
        Ok(Seen::Init) => "init".into(),
        Ok(Seen::InitApply(object)) => format!("init {}", object.name_any()),
        Ok(Seen::InitDone) => "done".into(),
        Ok(Seen::Apply(object)) => format!("apply {}", object.name_any()),
        Ok(Seen::Delete(object)) => format!("delete {}", object.name_any()),
        Err(watcher::Error::WatchError(status)) => format!("error {}", status.code),
        Err(error) => error.to_string().split(':').next().unwrap_or_default().to_owned(),
    }
}

async fn expect(watch: &mut (impl Stream<Item = watcher::Result<Seen<DynamicObject>>> + Unpin), wanted: &[&str]) {
    for wanted in wanted {
        assert_eq!(next(watch).await, *wanted);
    }
}

fn watch(
    api: Api<DynamicObject>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Seen<DynamicObject>>> + Unpin {
    Box::pin(watcher::watcher(api, config.timeout(30)))
}

#[tokio::test(start_paused = true)]
async fn a_watcher_lists_in_pages_and_then_follows() {
    let store = store(1);
    for name in ["a", "b", "c"] {
        store.create(job(name, name)).unwrap();
    }
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default().page_size(2));
    expect(&mut watch, &["init", "init a", "init b", "init c", "done"]).await;
    store.edit(JOBS, "tv", "b", |object| object["spec"]["suspend"] = json!(true)).unwrap();
    store.create(job("d", "d")).unwrap();
    store.delete(JOBS, "tv", "a").unwrap();
    expect(&mut watch, &["apply b", "apply d", "delete a"]).await;
    // Several timeouts of the watch later it still misses and repeats nothing.
    let quiet = timeout(Duration::from_secs(200), next(&mut watch)).await;
    assert!(quiet.is_err(), "{quiet:?}");
    store.create(job("e", "e")).unwrap();
    expect(&mut watch, &["apply e"]).await;
}

#[tokio::test(start_paused = true)]
async fn streaming_lists_end_with_a_marked_bookmark() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default().streaming_lists());
    expect(&mut watch, &["init", "init a", "done"]).await;
    store.create(job("b", "b")).unwrap();
    expect(&mut watch, &["apply b"]).await;
}

#[tokio::test(start_paused = true)]
async fn broken_watches_resume_and_expired_ones_list_again() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default());
    expect(&mut watch, &["init", "init a", "done"]).await;
    let quiet = timeout(Duration::from_secs(1), next(&mut watch)).await;
    assert!(quiet.is_err());

    store.break_watches(Break::Reset);
    store.create(job("b", "b")).unwrap();
    expect(&mut watch, &["watch stream failed", "apply b"]).await;
    store.break_watches(Break::Error(500));
    store.create(job("c", "c")).unwrap();
    expect(&mut watch, &["error 500", "apply c"]).await;
    store.break_watches(Break::Error(410));
    expect(&mut watch, &["error 410", "init", "init a", "init b", "init c", "done"]).await;

    let quiet = timeout(Duration::from_secs(1), next(&mut watch)).await;
    assert!(quiet.is_err());
    store.break_watches(Break::End);
    store.delete(JOBS, "tv", "a").unwrap();
    store.compact();
    expect(&mut watch, &["error 410", "init", "init b", "init c", "done"]).await;
}

#[tokio::test(start_paused = true)]
async fn bookmarks_keep_a_quiet_watch_fresh() {
    let store = store(1);
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default());
    expect(&mut watch, &["init", "done"]).await;
    let secret = |name| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    store.create(secret("a")).unwrap();
    store.create(secret("b")).unwrap();
    assert!(timeout(Duration::from_secs(29), next(&mut watch)).await.is_err());
    store.compact();
    store.create(job("a", "a")).unwrap();
    expect(&mut watch, &["apply a"]).await;
    // The watch has ended since, and resumed from the bookmark without an expiry.
    store.create(secret("c")).unwrap();
    assert!(timeout(Duration::from_secs(29), next(&mut watch)).await.is_err());
    store.compact();
    assert!(timeout(Duration::from_mins(1), next(&mut watch)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn selectors_make_objects_come_and_go() {
    let store = store(1);
    store.create(job("a", "one")).unwrap();
    store.create(job("b", "two")).unwrap();
    let api = jobs(&store, "one");
    let found = api.list(&ListParams::default().fields("spec.jobID=two")).await.unwrap();
    assert_eq!(found.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["b"]);
    assert!(api.list(&ListParams::default().fields(".spec.jobID=two")).await.is_err());

    let mut active = watch(api.clone(), watcher::Config::default().fields("status.phase=Active"));
    expect(&mut active, &["init", "done"]).await;
    store.edit_status(JOBS, "tv", "a", |object| object["status"]["phase"] = json!("Active")).unwrap();
    expect(&mut active, &["apply a"]).await;
    store.edit_status(JOBS, "tv", "a", |object| object["status"]["phase"] = json!("Finished")).unwrap();
    expect(&mut active, &["delete a"]).await;

    store.edit(JOBS, "tv", "b", |object| object["metadata"]["labels"] = json!({"show": "news"})).unwrap();
    for (labels, count) in [("show=news", 1), ("show!=news", 1), ("!show", 1), ("show", 1), ("show=film", 0)] {
        assert_eq!(api.list(&ListParams::default().labels(labels)).await.unwrap().items.len(), count, "{labels}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment() {
    let store = store(1);
    for name in ["a", "b", "c"] {
        store.create(job(name, name)).unwrap();
    }
    let api = jobs(&store, "one");
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(1));
    let token = first.metadata.continue_.unwrap();
    store.delete(JOBS, "tv", "c").unwrap();
    store.create(job("d", "d")).unwrap();
    let second = api.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    assert_eq!(second.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["c"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    store.compact();
    let error = api.list(&ListParams::default().continue_token(&token)).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 410));
}

#[tokio::test(start_paused = true)]
async fn versions_guard_every_replacement() {
    let store = store(1);
    let api = jobs(&store, "one");
    let made = api.create(&PostParams::default(), &object(job("a", "a"))).await.unwrap();
    assert_eq!(code(api.create(&PostParams::default(), &object(job("a", "a"))).await), 409);
    assert_eq!(made.data["status"], json!({"observedGeneration": -1}));
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(made.metadata.creation_timestamp.as_ref().unwrap().0.as_second(), 1_796_000_000);

    store.edit(JOBS, "tv", "a", |object| object["metadata"]["labels"] = json!({"x": "y"})).unwrap();
    assert_eq!(code(api.replace("a", &PostParams::default(), &made).await), 409);
    assert_eq!(code(api.replace_status("a", &PostParams::default(), &made).await), 409);
    let blind = json!({"metadata": {"resourceVersion": "1"}, "spec": {"jobID": "b"}});
    assert_eq!(code(api.patch("a", &PatchParams::default(), &Patch::Merge(blind)).await), 409);
    assert_eq!(code(api.replace("a", &PostParams::default(), &object(job("a", "a"))).await), 422);
    assert_eq!(code(api.get("b").await), 404);

    let mut fresh = api.get("a").await.unwrap();
    assert_eq!(fresh.metadata.generation, Some(1));
    let same = api.replace("a", &PostParams::default(), &fresh).await.unwrap();
    assert_eq!(same.resource_version(), fresh.resource_version());
    fresh.data["spec"]["suspend"] = json!(true);
    fresh.data["status"] = json!({"phase": "Active"});
    let replaced = api.replace("a", &PostParams::default(), &fresh).await.unwrap();
    assert_eq!(replaced.metadata.generation, Some(2));
    assert_eq!(replaced.data["status"], json!({"observedGeneration": -1}));
}

#[tokio::test(start_paused = true)]
async fn a_status_is_put_without_a_spec() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let api = jobs(&store, "one");
    let version = api.get("a").await.unwrap().resource_version();
    let status = json!({"apiVersion": "scheduler.bcovlive.io/v1alpha1", "kind": "JobStartStop",
        "metadata": {"name": "a", "resourceVersion": version, "labels": {"not": "taken"}},
        "status": {"phase": "Pending"}});
    let put = api.replace_status("a", &PostParams::default(), &object(status.clone())).await.unwrap();
    assert_eq!(put.data, json!({"spec": {"jobID": "a"}, "status": {"phase": "Pending"}}));
    assert_eq!((put.metadata.generation, put.metadata.labels), (Some(1), None));

    let writes = store.writes();
    let last = writes.last().unwrap();
    assert_eq!((last.by.as_str(), last.verb, last.code), ("one", Verb::UpdateStatus, Some(200)));
    assert_eq!((last.namespace.as_str(), last.name.as_str(), &last.sent), ("tv", "a", &status));
    assert_eq!(last.stored.as_ref().unwrap()["status"]["phase"], "Pending");
    assert_eq!((writes[0].by.as_str(), writes[0].plural, writes[0].code), (USER, JOBS, Some(201)));
    assert_eq!(writes[0].at.as_second(), 1_796_000_000);
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_a_deleted_object() {
    let store = store(1);
    let mut held = job("a", "a");
    held["metadata"]["finalizers"] = json!(["test/hold"]);
    let made = store.create(held).unwrap();
    let api = jobs(&store, "one");
    let mut watch = watch(api.clone(), watcher::Config::default());
    expect(&mut watch, &["init", "init a", "done"]).await;

    let other = Preconditions { uid: Some("other".into()), ..Preconditions::default() };
    let guarded = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    assert!(api.delete("a", &guarded).await.is_err());
    let marked = api.delete("a", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(marked.metadata.generation, Some(2));
    assert!(marked.metadata.deletion_timestamp.is_some());
    expect(&mut watch, &["apply a"]).await;
    let more = json!({"metadata": {"finalizers": ["test/hold", "test/more"]}});
    assert_eq!(code(api.patch("a", &PatchParams::default(), &Patch::Merge(more)).await), 422);

    let none = json!({"metadata": {"finalizers": null, "resourceVersion": marked.resource_version()}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    expect(&mut watch, &["delete a"]).await;
    assert_eq!(store.get(JOBS, "tv", "a"), None);
    let again = store.create(job("a", "a")).unwrap();
    assert_ne!(again["metadata"]["uid"], made["metadata"]["uid"]);
    assert!(api.delete("a", &DeleteParams::default()).await.unwrap().is_right());
}

#[tokio::test(start_paused = true)]
async fn patches_of_each_sort() {
    let store = store(1);
    let api = jobs(&store, "one");
    let apply = PatchParams::apply("test").force();
    let made = api.patch("a", &apply, &Patch::Apply(job("a", "a"))).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let status = |status: Value| json!({"apiVersion": "scheduler.bcovlive.io/v1alpha1", "kind": "JobStartStop", "status": status});
    for wanted in [json!({"phase": "Active", "x": 1}), json!({"phase": "Active"})] {
        let put = api.patch_status("a", &apply, &Patch::Apply(status(wanted.clone()))).await.unwrap();
        assert_eq!(put.data["status"], wanted);
    }
    assert_eq!(code(api.patch("a", &PatchParams::default(), &Patch::Strategic(json!({}))).await), 415);

    let path = "/apis/scheduler.bcovlive.io/v1alpha1/namespaces/tv/jobstartstops/a";
    let json_patch = async |operations: Value| {
        let request = http::Request::patch(path).header("content-type", "application/json-patch+json");
        store.client("one").request::<DynamicObject>(request.body(operations.to_string().into()).unwrap()).await
    };
    let failing = json!([{"op": "test", "path": "/spec/jobID", "value": "other"},
        {"op": "remove", "path": "/spec"}]);
    assert_eq!(code(json_patch(failing).await), 422);
    let passing = json!([{"op": "test", "path": "/metadata/finalizers", "value": null},
        {"op": "add", "path": "/metadata/finalizers", "value": []},
        {"op": "add", "path": "/metadata/finalizers/-", "value": "test/b"},
        {"op": "add", "path": "/metadata/finalizers/0", "value": "test/a"},
        {"op": "remove", "path": "/metadata/finalizers/1"},
        {"op": "replace", "path": "/spec/jobID", "value": "b"}]);
    let patched = json_patch(passing).await.unwrap();
    assert_eq!(patched.finalizers(), ["test/a"]);
    assert_eq!(patched.data["spec"]["jobID"], "b");
}

#[tokio::test(start_paused = true)]
async fn the_recorder_makes_series_of_events() {
    let store = store(1);
    let recorder = Recorder::new(store.client("one"), "operator".into());
    let event = Event {
        type_: EventType::Normal,
        reason: "Started".into(),
        note: None,
        action: "Start".into(),
        secondary: None,
    };
    let mut subject = k8s_openapi::api::core::v1::ObjectReference::default();
    (subject.name, subject.namespace) = (Some("a".into()), Some("tv".into()));
    recorder.publish(&event, &subject).await.unwrap();
    recorder.publish(&event, &subject).await.unwrap();
    let events = store.list("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["series"]["count"], 2);
    assert_eq!(events[0]["reportingController"], "operator");
}

#[tokio::test(start_paused = true)]
async fn builtin_kinds_have_no_generation_and_generated_names() {
    let store = store(1);
    let secrets: Api<Secret> = Api::namespaced(store.client("one"), "tv");
    let mut secret = Secret::default();
    secret.metadata.generate_name = Some("key-".into());
    let made = secrets.create(&PostParams::default(), &secret).await.unwrap();
    assert!(made.name_any().starts_with("key-"));
    assert_eq!(made.metadata.generation, None);
    assert_eq!(store.writes()[0].name, made.name_any());
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"}, "spec": {}, "status": {"conditions": []}});
    store.create(crd).unwrap();
    assert!(store.get("customresourcedefinitions", "", "x").unwrap()["status"].is_object());
    assert_eq!(store.create(json!({"apiVersion": "v1", "kind": "Pod"})).unwrap_err().code, 404);
}

#[tokio::test(start_paused = true)]
async fn admission_stands_for_the_schema() {
    let store = store(1);
    store.admission(|resource, old, new| {
        if old.is_some_and(|old| old["spec"]["jobID"] != new["spec"]["jobID"]) {
            return Err("spec.jobID: is immutable".into());
        }
        new["spec"]["accountRef"] = json!({"name": resource.kind});
        Ok(())
    });
    assert_eq!(store.create(job("a", "a")).unwrap()["spec"]["accountRef"]["name"], "JobStartStop");
    let refused = store.edit(JOBS, "tv", "a", |object| object["spec"]["jobID"] = json!("b")).unwrap_err();
    assert_eq!(refused.code, 422);
    assert!(refused.message.contains("immutable"), "{}", refused.message);
}

#[tokio::test(start_paused = true)]
async fn faults_meet_the_requests_they_are_meant_for() {
    let store = store(1);
    let api = jobs(&store, "one");
    let post = PostParams::default();
    store.fail_next(1, Verb::Create, JOBS, Fault::Refuse(503));
    assert_eq!(code(api.create(&post, &object(job("a", "a"))).await), 503);
    store.fail_next(1, Verb::Create, JOBS, Fault::Mislead(504));
    assert_eq!(code(api.create(&post, &object(job("a", "a"))).await), 504);
    assert!(store.get(JOBS, "tv", "a").is_some());
    store.fail_next(2, Verb::Get, JOBS, Fault::Reset);
    for _ in 0..2 {
        assert!(matches!(api.get("a").await, Err(kube::Error::Service(_))));
    }
    let patience = Duration::from_secs(5);
    store.fail_next(1, Verb::Create, JOBS, Fault::Hang);
    assert!(timeout(patience, api.create(&post, &object(job("b", "b")))).await.is_err());
    store.fail_next(1, Verb::Create, JOBS, Fault::LoseAnswer);
    assert!(timeout(patience, api.create(&post, &object(job("c", "c")))).await.is_err());
    store.fail_next(1, Verb::Create, JOBS, Fault::Late(patience * 2));
    assert!(timeout(patience, api.create(&post, &object(job("d", "d")))).await.is_err());
    assert_eq!(store.list(JOBS).len(), 2);
    sleep(patience).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(store.list(JOBS).len(), 3);
    let codes: Vec<_> = store.writes().iter().map(|write| write.code).collect();
    assert_eq!(codes, [Some(503), Some(504), None, Some(201)]);
}

#[tokio::test(start_paused = true)]
async fn a_lagging_cache_shows_the_past() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let api = jobs(&store, "one");
    let mut watch = watch(api.clone(), watcher::Config::default());
    expect(&mut watch, &["init", "init a", "done"]).await;
    store.cache_lag(Duration::from_secs(3));
    store.create(job("b", "b")).unwrap();
    let cached = ListParams::default().match_any();
    assert_eq!(api.list(&cached).await.unwrap().items.len(), 1);
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 2);
    let start = Instant::now();
    store.cache_lag(Duration::ZERO);
    store.create(job("c", "c")).unwrap();
    expect(&mut watch, &["apply b", "apply c"]).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!(api.list(&cached).await.unwrap().items.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_cut_client_hears_nothing_until_healed() {
    let store = store(1);
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default());
    expect(&mut watch, &["init", "done"]).await;
    assert!(timeout(Duration::from_secs(1), next(&mut watch)).await.is_err());
    store.cut("one");
    store.create(job("a", "a")).unwrap();
    assert!(timeout(Duration::from_secs(10), next(&mut watch)).await.is_err());
    assert!(timeout(Duration::from_secs(10), jobs(&store, "one").get("a")).await.is_err());
    assert!(jobs(&store, "two").get("a").await.is_ok());
    store.heal("one");
    expect(&mut watch, &["apply a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_restored_etcd_leaves_resumed_watches_silent() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let backup = store.snapshot();
    store.create(job("b", "b")).unwrap();
    store.create(job("c", "c")).unwrap();
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default());
    expect(&mut watch, &["init", "init a", "init b", "init c", "done"]).await;
    assert!(timeout(Duration::from_secs(1), next(&mut watch)).await.is_err());
    store.restore(backup);
    expect(&mut watch, &["watch stream failed"]).await;
    store.create(job("d", "d")).unwrap();
    assert!(timeout(Duration::from_secs(100), next(&mut watch)).await.is_err());
    // The version that the watch waits for comes a second time, unseen; the one after it is seen.
    store.create(job("e", "e")).unwrap();
    assert!(timeout(Duration::from_secs(100), next(&mut watch)).await.is_err());
    let list = jobs(&store, "one").list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 3);
    store.create(job("f", "f")).unwrap();
    expect(&mut watch, &["apply f"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_nobody_reads_for_long_expires() {
    let store = store(1);
    store.create(job("a", "a")).unwrap();
    let mut watch = watch(jobs(&store, "one"), watcher::Config::default());
    expect(&mut watch, &["init", "init a", "done"]).await;
    assert!(timeout(Duration::from_secs(1), next(&mut watch)).await.is_err());
    store.delete(JOBS, "tv", "a").unwrap();
    sleep(Duration::from_secs(1000)).await;
    store.create(job("b", "b")).unwrap();
    expect(&mut watch, &["error 410", "init", "init b", "done"]).await;
}

/// A busy hour with every fault at work, told as the record of writes.
async fn hour(seed: u64) -> (Duration, Vec<super::Write>) {
    let store = store(seed);
    let start = Instant::now();
    store.latency(Duration::from_millis(1)..=Duration::from_millis(300));
    store.fail_at_random(300);
    let patience = Duration::from_secs(5);
    let work = async |who: &str| {
        let api = jobs(&store, who);
        for round in 0..50 {
            let body = object(job(&format!("{who}-{round}"), who));
            let _ = timeout(patience, api.create(&PostParams::default(), &body)).await;
            let merge = Patch::Merge(json!({"status": {"by": who, "round": round}}));
            let _ = timeout(patience, api.patch_status("one-0", &PatchParams::default(), &merge)).await;
        }
    };
    tokio::join!(work("one"), work("two"));
    (start.elapsed(), store.writes())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_trace() {
    let (first, second, other) = (hour(7).await, hour(7).await, hour(8).await);
    assert!(first.1.len() > 100);
    assert!(first == second, "two runs of one seed differ");
    assert!(first != other, "two seeds agree");
    let uids = |run: &(Duration, Vec<super::Write>)| run.1[0].stored.as_ref().map(|o| o["metadata"]["uid"].clone());
    assert_eq!(uids(&first), uids(&second));
}
