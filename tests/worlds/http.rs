//! The HTTP interface on the apiserver in memory: what is asked, what is stored, what is answered. Every answer is held
//! against `docs/openapi.json`.

mod description;
mod doors;
mod fuzz;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jobstartstop::gateway::serve::AccessName;
use jobstartstop::gateway::{API_KEY, Account, COLLECTION, Denied, Directory, Gateway, WorkflowId, holder, router};
use jobstartstop::live::{ApiKey, KeyDigest};
use jobstartstop::timetable::Clock;
use plan::AccountName;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::store::{Fault, Store, Verb};
use super::world::WINDOWS;

use description::Description;

const KEY: &str = "the-key";
const OTHER_KEY: &str = "the-other-accounts-key";
const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";

/// Five minutes before the guide's start.
const NOW: i64 = 1_617_385_800;

/// A clock that stands.
#[derive(Debug)]
struct Standing(i64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn boottime(&self) -> Duration {
        Duration::ZERO
    }
}

/// Two accounts of one namespace. It knows the name of one object, which may be wrong.
#[derive(Debug)]
struct TwoAccounts {
    accounts: [(KeyDigest, Account); 2],
    name: Option<String>,
}

impl TwoAccounts {
    fn new(name: Option<&str>) -> Self {
        let account = |name: &str| Account { name: AccountName::new("tv", name), account_id: "1752604059001".into() };
        let key = |text: &str| ApiKey::parse(text).unwrap().digest();
        let accounts = [(key(KEY), account("default")), (key(OTHER_KEY), account("other"))];
        Self { accounts, name: name.map(str::to_owned) }
    }
}

impl Directory for TwoAccounts {
    fn account(&self, presented: &ApiKey) -> Result<Account, Denied> {
        holder(presented.digest(), self.accounts.clone())
    }

    fn name_of(&self, _: &AccountName, _: &WorkflowId) -> Option<String> {
        self.name.clone()
    }
}

/// An answer, as it came.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// The account that the access log names.
    account: Option<AccessName>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The workflow that it shows.
    #[track_caller]
    fn workflow(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// Status and message.
    fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["message"].as_str().unwrap_or_default().to_owned())
    }
}

/// The interface and the apiserver behind it.
struct Interface {
    store: Store,
    router: Router,
    description: &'static Description,
}

impl Interface {
    fn open() -> Self {
        Self::open_at(NOW)
    }

    fn open_at(now: i64) -> Self {
        let store = Store::new(1, Arc::new(move || Timestamp::from_second(now).unwrap()));
        Self::on(store, now, TwoAccounts::new(None))
    }

    fn on(store: Store, now: i64, directory: TwoAccounts) -> Self {
        let gateway = Gateway::new(store.client("gateway"), Arc::new(directory), Arc::new(Standing(now)));
        Self { store, router: router(gateway), description: Description::of_this_interface() }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let account = head.extensions.get().cloned();
        let answer = Answer { status: head.status, headers: head.headers, account, text };
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        self.description.check(&method, &path, &answer);
        answer
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request(method, path, body)).await
    }

    async fn post(&self, body: &Value) -> Answer {
        self.ask("POST", COLLECTION, body.to_string()).await
    }

    async fn post_as(&self, key: &str, body: &Value) -> Answer {
        let mut request = request("POST", COLLECTION, body.to_string());
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    async fn get(&self, id: &str) -> Answer {
        self.ask("GET", &path(id), "").await
    }

    async fn put(&self, id: &str, body: &Value) -> Answer {
        self.ask("PUT", &path(id), body.to_string()).await
    }

    /// As curl sends it: without a Content-Type.
    async fn delete(&self, id: &str) -> Answer {
        let request = Request::delete(path(id)).header(API_KEY, KEY).body(Body::empty()).unwrap();
        self.send(request).await
    }

    async fn list(&self, query: &str) -> Answer {
        self.ask("GET", &format!("{COLLECTION}?{query}"), "").await
    }

    /// The one object with this id, as stored.
    fn stored(&self, id: &str) -> Value {
        let has = |object: &Value| object["metadata"]["uid"].as_str().unwrap().replace('-', "") == id;
        self.store.list(WINDOWS).into_iter().find(has).unwrap()
    }

    /// What `change` makes of its status, as the controller would write it.
    fn status(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let object = self.stored(id);
        let name = object["metadata"]["name"].as_str().unwrap();
        self.store.edit_status(WINDOWS, "tv", name, |object| change(&mut object["status"])).unwrap();
    }

    /// A window made with kubectl, whose status the controller has written.
    fn apply(&self, name: &str, account: &str, job: &str) -> String {
        let object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": { "name": name, "namespace": "tv" },
            "spec": {
                "accountRef": { "name": account },
                "jobID": job,
                "activation": { "time": "2021-04-02T19:55:00+02:00" },
                "deactivation": { "time": "2021-04-02T20:00:00Z" },
            },
        });
        let id = self.store.create(object).unwrap()["metadata"]["uid"].as_str().unwrap().replace('-', "");
        self.status(&id, |status| status["workflowID"] = json!(id));
        id
    }
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(API_KEY, KEY);
    request.header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

fn path(id: &str) -> String {
    format!("{COLLECTION}/{id}")
}

/// The guide's body.
fn guide() -> Value {
    json!({
        "job_id": JOB,
        "activation": { "time_utc": 1_617_386_100 },
        "deactivation": { "time_utc": 1_617_393_600 },
        "description": "My Wednesday broadcast",
    })
}

fn id(workflow: &Value) -> String {
    workflow["workflow_id"].as_str().unwrap().to_owned()
}

fn states(workflow: &Value) -> (&str, &str) {
    (workflow["activation"]["state"].as_str().unwrap(), workflow["deactivation"]["state"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_guides_exchanges_are_answered_to_the_byte() {
    let interface = Interface::open();
    let sent = r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
 "activation": {"time_utc": 1617386100},
 "deactivation": {"time_utc": 1617393600},
 "description": "My Wednesday broadcast"}"#;
    let created = interface.ask("POST", COLLECTION, sent).await;
    let id = id(&created.workflow());
    let answer = |activation: &str, deactivation: &str, stop: i64| {
        format!(
            r#"{{"account_id":"1752604059001","activation":{{"state":"{activation}","time_utc":1617386100}},"deactivation":{{"state":"{deactivation}","time_utc":{stop}}},"description":"My Wednesday broadcast","job_id":"15981d93877e490185e6ebc9af2c79a3","type":"jobstartstop","workflow_id":"{id}"}}"#
        )
    };
    assert_eq!(created.text, answer("pending", "pending", 1_617_393_600));
    assert_eq!(interface.get(&id).await.text, created.text);

    let updated = interface.ask("PUT", &path(&id), r#"{"deactivation": {"time_utc": 1617391800}}"#).await;
    assert_eq!(updated.text, answer("pending", "pending", 1_617_391_800));
    assert_eq!(interface.get(&id).await.text, updated.text);

    let cancelled = interface.delete(&id).await;
    assert_eq!(cancelled.text, answer("cancelled", "cancelled", 1_617_391_800));
    assert_eq!(interface.get(&id).await.text, cancelled.text);
}

#[tokio::test(start_paused = true)]
async fn the_guides_exchange_with_notifications_is_answered_to_the_byte() {
    let interface = Interface::open_at(1_612_270_000);
    let sent = r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
 "activation": {"time_utc": 1612274100, "notification": 600},
 "deactivation": {"time_utc": 1612281600, "notification": 600},
 "description": "My Tuesday broadcast",
 "notification_url": "https://example.com/live/jobstartstop/callbacks"}"#;
    let created = interface.ask("POST", COLLECTION, sent).await;
    let id = id(&created.workflow());
    let expected = r#"{"account_id":"1752604059001","activation":{"notification":600,"state":"pending","time_utc":1612274100},"deactivation":{"notification":600,"state":"pending","time_utc":1612281600},"description":"My Tuesday broadcast","job_id":"15981d93877e490185e6ebc9af2c79a3","notification_url":"https://example.com/live/jobstartstop/callbacks","type":"jobstartstop","workflow_id":"ID"}"#;
    assert_eq!(created.text, expected.replace("ID", &id));
    let moved = json!({ "activation": { "time_utc": 1_612_274_400 } });
    let updated = interface.put(&id, &moved).await.workflow();
    assert_eq!(updated["activation"], json!({ "notification": 600, "state": "pending", "time_utc": 1_612_274_400 }));
}

#[tokio::test(start_paused = true)]
async fn a_new_workflow_is_stored_with_its_id_and_as_never_observed() {
    let interface = Interface::open();
    let id = id(&interface.post(&guide()).await.workflow());
    let object = interface.stored(&id);
    assert_eq!(object["status"], json!({ "observedGeneration": -1, "workflowID": id }));
    assert_eq!(object["spec"]["accountRef"]["name"], "default");
    assert!(object["metadata"]["name"].as_str().unwrap().starts_with("live-"));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_the_controller_wrote_first_is_as_good() {
    let interface = Interface::open();
    interface.store.fail_next(1, Verb::UpdateStatus, WINDOWS, Fault::Refuse(409));
    let id = id(&interface.post(&guide()).await.workflow());
    assert_eq!(interface.stored(&id)["status"]["workflowID"], json!(id));
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_answered_as_such_even_where_its_id_could_not_be_written_yet() {
    for fault in [Fault::Refuse(500), Fault::Reset, Fault::Hang] {
        let interface = Interface::open();
        interface.store.fail_next(1, Verb::UpdateStatus, WINDOWS, fault);
        let workflow = interface.post(&guide()).await.workflow();
        assert_eq!(interface.store.list(WINDOWS).len(), 1);
        assert_eq!(interface.stored(&id(&workflow))["status"], json!({ "observedGeneration": -1 }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_made_with_kubectl_is_read_changed_and_cancelled_the_same_way() {
    let interface = Interface::open();
    let id = interface.apply("matinee", "default", JOB);
    let shown = interface.get(&id).await.workflow();
    assert_eq!(shown["activation"], json!({ "state": "pending", "time_utc": 1_617_386_100 }));
    let updated = interface.put(&id, &json!({ "deactivation": { "time_utc": 1_617_391_800 } })).await.workflow();
    assert_eq!(updated["deactivation"]["time_utc"], 1_617_391_800);
    let spec = &interface.stored(&id)["spec"];
    assert_eq!(spec["activation"]["time"], "2021-04-02T19:55:00+02:00", "what was not given stays as it was written");
    assert_eq!(spec["deactivation"]["time"], "2021-04-02T19:30:00Z");
    assert_eq!(states(&interface.delete(&id).await.workflow()), ("cancelled", "cancelled"));
}

#[tokio::test(start_paused = true)]
async fn on_air_the_stop_may_be_moved_and_a_delete_cancels_the_stop_only() {
    let interface = Interface::open_at(1_617_390_000);
    let id = id(&interface.post(&guide()).await.workflow());
    interface.status(&id, |status| {
        status["activation"] = json!({
            "state": "finished", "time": "2021-04-02T17:55:00Z", "calledAt": "2021-04-02T18:00:00.000123Z",
        });
        status["deactivation"] = json!({ "state": "pending", "time": "2021-04-02T20:00:00Z" });
    });
    let start = json!({ "activation": { "time_utc": 1_617_386_200 } });
    let (code, why) = interface.put(&id, &start).await.refusal();
    assert_eq!((code, &*why), (400, "activation cannot be changed any more: it is finished"));
    let stop = json!({ "deactivation": { "time_utc": 1_617_391_800 } });
    assert_eq!(interface.put(&id, &stop).await.workflow()["deactivation"]["time_utc"], 1_617_391_800);
    assert_eq!(states(&interface.delete(&id).await.workflow()), ("finished", "cancelled"));
    assert_eq!(states(&interface.delete(&id).await.workflow()), ("finished", "cancelled"), "once more");
    let (code, why) = interface.put(&id, &stop).await.refusal();
    assert_eq!((code, &*why), (400, "deactivation cannot be changed any more: it is cancelled"));
}

#[tokio::test(start_paused = true)]
async fn after_the_end_a_delete_is_refused() {
    let interface = Interface::open();
    let id = interface.apply("matinee", "default", JOB);
    let over =
        json!({ "state": "finished", "time": "2021-04-02T17:55:00Z", "calledAt": "2021-04-02T17:55:00.000123Z" });
    interface.status(&id, |status| {
        status["activation"] = over.clone();
        status["deactivation"] = over;
    });
    let (code, why) = interface.delete(&id).await.refusal();
    assert!(code == 400 && why.contains("nothing is pending"), "{why}");
    assert_eq!(states(&interface.get(&id).await.workflow()), ("finished", "finished"));
}

#[tokio::test(start_paused = true)]
async fn another_accounts_workflow_is_unknown() {
    let interface = Interface::open();
    let id = interface.apply("theirs", "other", JOB);
    assert_eq!(interface.get(&id).await.status, StatusCode::NOT_FOUND);
    assert_eq!(interface.put(&id, &json!({ "deactivation": { "time_utc": 1_617_391_800 } })).await.status, 404);
    assert_eq!(interface.delete(&id).await.status, StatusCode::NOT_FOUND);
    assert_eq!(interface.list("").await.workflow(), json!({ "workflows": [] }));
    let mut request = request("GET", &path(&id), "");
    request.headers_mut().insert(API_KEY, OTHER_KEY.parse().unwrap());
    assert_eq!(id, self::id(&interface.send(request).await.workflow()));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_out_of_date_leads_to_no_other_workflow() {
    let store = Interface::open().store;
    let interface = Interface::on(store, NOW, TwoAccounts::new(Some("matinee")));
    let (one, other) = (interface.apply("matinee", "default", "a"), interface.apply("soiree", "default", "b"));
    assert_eq!(interface.get(&one).await.workflow()["job_id"], "a");
    assert_eq!(interface.get(&other).await.workflow()["job_id"], "b");
    interface.store.delete(WINDOWS, "tv", "matinee").unwrap();
    assert_eq!(interface.get(&one).await.status, StatusCode::NOT_FOUND);
    assert_eq!(interface.get(&other).await.workflow()["job_id"], "b");
}

#[tokio::test(start_paused = true)]
async fn a_post_that_is_repeated_under_its_key_makes_one_object() {
    let interface = Interface::open();
    let first = interface.post_as("k-1", &guide()).await.workflow();
    interface.put(&id(&first), &json!({ "deactivation": { "time_utc": 1_617_391_800 } })).await.workflow();
    let again = interface.post_as("k-1", &guide()).await.workflow();
    assert_eq!(id(&again), id(&first));
    assert_eq!(again["deactivation"]["time_utc"], 1_617_391_800, "as it is now");
    assert_eq!(interface.store.list(WINDOWS).len(), 1);

    let mut other = guide();
    other["description"] = json!("My Thursday broadcast");
    let (code, why) = interface.post_as("k-1", &other).await.refusal();
    assert_eq!((code, &*why), (400, "Idempotency-Key was used before, with another body"));
    assert_ne!(id(&interface.post_as("k-2", &guide()).await.workflow()), id(&first));
    assert_ne!(id(&interface.post(&guide()).await.workflow()), id(&first));
    assert_eq!(interface.store.list(WINDOWS).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_post_whose_answer_was_lost_is_answered_under_its_key_also_when_its_window_is_over() {
    let interface = Interface::open();
    interface.store.fail_next(1, Verb::Create, WINDOWS, Fault::LoseAnswer);
    let lost = interface.post_as("k-1", &guide()).await;
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE);
    let later = Interface::on(interface.store, 1_617_400_000, TwoAccounts::new(None));
    assert_eq!(later.post_as("k-1", &guide()).await.workflow()["job_id"], JOB);
    assert_eq!(later.post_as("k-2", &guide()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(later.store.list(WINDOWS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_past_is_refused_and_a_start_in_the_past_is_not() {
    let on_air = Interface::open_at(1_617_390_000);
    assert_eq!(states(&on_air.post(&guide()).await.workflow()), ("pending", "pending"));
    let over = Interface::open_at(1_617_393_600);
    let (code, why) = over.post(&guide()).await.refusal();
    assert_eq!((code, &*why), (400, "deactivation.time_utc is in the past: it is 1617393600 now"));
    assert!(over.store.list(WINDOWS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_meets_another_writer_is_decided_anew() {
    let interface = Interface::open();
    let id = id(&interface.post(&guide()).await.workflow());
    interface.store.fail_next(2, Verb::Patch, WINDOWS, Fault::Refuse(409));
    assert_eq!(states(&interface.delete(&id).await.workflow()), ("cancelled", "cancelled"));
    let id = self::id(&interface.post(&guide()).await.workflow());
    interface.store.fail_next(50, Verb::Patch, WINDOWS, Fault::Refuse(409));
    let answer = interface.delete(&id).await;
    assert_eq!(
        (answer.status, answer.headers[header::RETRY_AFTER].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
}

#[tokio::test(start_paused = true)]
async fn an_apiserver_that_cannot_be_asked_is_503_and_never_500() {
    let interface = Interface::open();
    let id = id(&interface.post(&guide()).await.workflow());
    for fault in
        [Fault::Refuse(429), Fault::Refuse(500), Fault::Refuse(403), Fault::Refuse(504), Fault::Reset, Fault::Hang]
    {
        for (verb, method, path) in [
            (Verb::List, "GET", path(&id)),
            (Verb::List, "GET", COLLECTION.to_owned()),
            (Verb::Patch, "DELETE", self::path(&id)),
            (Verb::Create, "POST", COLLECTION.to_owned()),
        ] {
            interface.store.fail_next(1, verb, WINDOWS, fault);
            let answer = interface.ask(method, &path, guide().to_string()).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?} {method} {path}: {}", answer.text);
            assert!(answer.headers.contains_key(header::RETRY_AFTER));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_schema_refuses_is_400_in_the_vendors_words() {
    let interface = Interface::open();
    interface.store.admission(|_, _, object| match object["spec"]["jobID"].as_str() {
        Some("a/b") => Err("spec.jobID: Invalid value: \"a/b\": must be the job's id".to_owned()),
        _ => Ok(()),
    });
    let mut body = guide();
    body["job_id"] = json!("a/b");
    let (code, why) = interface.post(&body).await.refusal();
    assert!(code == 400 && why.contains("job_id") && why.contains("must be the job's id"), "{code} {why}");
}

#[tokio::test(start_paused = true)]
async fn one_object_that_cannot_be_read_spoils_no_list() {
    let interface = Interface::open();
    let good = interface.apply("good", "default", JOB);
    let bad = interface.apply("bad", "default", JOB);
    interface.store.edit(WINDOWS, "tv", "bad", |object| object["spec"]["suspend"] = json!("yes")).unwrap();
    let listed = interface.list("").await.workflow();
    assert_eq!(listed["workflows"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [good]);
    assert_eq!(interface.get(&bad).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_filtered_and_comes_page_by_page() {
    let interface = Interface::open();
    let mut made = Vec::new();
    for number in 0..25 {
        let job = if number % 5 == 0 { "fifth" } else { "other" };
        made.push(interface.apply(&format!("w-{number:02}"), "default", job));
        interface.apply(&format!("x-{number:02}"), "other", job);
    }
    interface.delete(&made[0]).await.workflow();
    let listed = async |query: &str| {
        let page = interface.list(query).await.workflow();
        let ids: Vec<String> = page["workflows"].as_array().unwrap().iter().map(id).collect();
        (ids, page["next_token"].as_str().map(str::to_owned))
    };
    let (first, token) = listed("").await;
    assert_eq!(first, made[..10]);
    let (second, token) = listed(&format!("start_token={}", token.unwrap())).await;
    assert_eq!(second, made[10..20]);
    let (third, token) = listed(&format!("start_token={}", token.unwrap())).await;
    assert_eq!((third, token), (made[20..].to_vec(), None));

    assert_eq!(listed("page_size=1000").await, (made.clone(), None));
    let fifth: Vec<String> = made.iter().step_by(5).cloned().collect();
    assert_eq!(listed("job_id=fifth").await, (fifth.clone(), None));
    assert_eq!(listed("job_id=fifth&state=pending").await, (fifth[1..].to_vec(), None));
    assert_eq!(listed("state=cancelled,failed").await, (fifth[..1].to_vec(), None));
    assert_eq!(listed("start=1617386100").await.0, Vec::<String>::new());
    assert_eq!(listed("start=1617386099&end=1617386101&page_size=30").await.0, made);
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_looked_through_in_parts_and_a_token_that_is_out_of_date_is_400() {
    let interface = Interface::open();
    for number in 0..150 {
        interface.apply(&format!("w-{number:03}"), "default", "other");
    }
    let last = interface.apply("z", "default", "last");
    let page = interface.list("state=pending&end=1617386101&page_size=120").await.workflow();
    let token = page["next_token"].as_str().unwrap();
    assert_eq!(page["workflows"].as_array().unwrap().len(), 120);
    let page = interface.list(&format!("page_size=120&start_token={token}")).await.workflow();
    assert_eq!(page["workflows"].as_array().unwrap().len(), 31);
    assert_eq!(id(&page["workflows"][30]), last);

    let page = interface.list("page_size=100").await.workflow();
    let token = interface.list(&format!("page_size=10&start_token={}", page["next_token"].as_str().unwrap())).await;
    let token = token.workflow()["next_token"].as_str().unwrap().to_owned();
    interface.store.compact();
    interface.apply("zz", "default", "other");
    interface.store.compact();
    let (code, why) = interface.list(&format!("start_token={token}")).await.refusal();
    assert_eq!((code, &*why), (400, "start_token is out of date: begin the list anew without it"));
    let (code, why) = interface.list("start_token=w~made-up").await.refusal();
    assert_eq!((code, &*why), (400, "start_token must be the next_token of a list"));
}

#[tokio::test(start_paused = true)]
async fn without_a_key_that_opens_an_account_all_is_401_in_the_vendors_words() {
    let interface = Interface::open();
    let id = interface.apply("matinee", "default", JOB);
    let keys: [&[&str]; 6] = [&[], &[""], &["no-such-key"], &["the-ke"], &[KEY, KEY], &[KEY, "no-such-key"]];
    for keys in keys {
        for (method, path) in [
            ("POST", COLLECTION.to_owned()),
            ("GET", COLLECTION.to_owned()),
            ("GET", path(&id)),
            ("PUT", path(&id)),
            ("DELETE", path(&id)),
            ("GET", path("no-id")),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            for key in keys {
                request = request.header(API_KEY, *key);
            }
            let answer = interface.send(request.body("not json".into()).unwrap()).await;
            assert_eq!((answer.status, &*answer.text), (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#));
        }
    }
    assert_eq!(states(&interface.get(&id).await.workflow()), ("pending", "pending"));
}

#[tokio::test(start_paused = true)]
async fn whose_key_it_was_is_told_to_the_access_log_also_where_the_request_is_refused() {
    let interface = Interface::open();
    let told = Some(AccessName("tv/default".to_owned()));
    assert_eq!(interface.list("").await.account, told);
    assert_eq!(interface.list("page_size=0").await.account, told);
    assert_eq!(interface.get("no-id").await.account, told);
    let stranger = interface.send(Request::get(COLLECTION).header(API_KEY, "no-such-key").body(Body::empty()).unwrap());
    assert_eq!(stranger.await.account, None);
}

#[tokio::test(start_paused = true)]
async fn other_paths_are_404_and_other_methods_405_with_those_there_are() {
    let interface = Interface::open();
    let id = interface.apply("matinee", "default", JOB);
    let others = [
        "/",
        "/v1",
        "/v1/scheduler",
        "/v1/scheduler/clip",
        "/v1/scheduler/jobstartstop/",
        "/V1/scheduler/jobstartstop",
    ];
    let more = [format!("{}/", path(&id)), format!("/{}", path(&id)), format!("{}/x", path(&id))];
    for other in others.iter().map(|path| (*path).to_owned()).chain(more) {
        assert_eq!(interface.ask("GET", &other, "").await.status, StatusCode::NOT_FOUND, "{other}");
    }
    for text in ["x", "%00", "%ff", "%2e%2e", "..%2f..", &id.to_uppercase(), &format!("{id}%20")] {
        assert_eq!(interface.get(text).await.status, StatusCode::NOT_FOUND, "{text}");
    }
    let encoded = id.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(self::id(&interface.get(&encoded).await.workflow()), id, "the same path, spelt otherwise");
    for (method, path, allowed) in [
        ("PUT", COLLECTION.to_owned(), "GET,HEAD,POST"),
        ("OPTIONS", COLLECTION.to_owned(), "GET,HEAD,POST"),
        ("POST", path(&id), "GET,HEAD,PUT,DELETE"),
        ("PATCH", path(&id), "GET,HEAD,PUT,DELETE"),
        ("DELETE", "/openapi.json".to_owned(), "GET,HEAD"),
    ] {
        let answer = interface.ask(method, &path, "").await;
        assert_eq!(
            (answer.status, answer.headers[header::ALLOW].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, allowed)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_json_says_so_and_is_not_too_large() {
    let interface = Interface::open();
    let mut without = request("POST", COLLECTION, guide().to_string());
    without.headers_mut().remove(header::CONTENT_TYPE);
    assert_eq!(interface.send(without).await.refusal(), (400, "Content-Type must be application/json".to_owned()));
    let mut large = guide();
    large["description"] = json!("x".repeat(64 * 1024));
    assert_eq!(interface.post(&large).await.refusal(), (413, "the body is larger than 65536 bytes".to_owned()));
    let (code, why) = interface.ask("POST", COLLECTION, r#"{"job_id": "a", "job_id": "b"}"#).await.refusal();
    assert!(code == 400 && why.contains("job_id stands there twice"), "{why}");
    let id = id(&interface.post(&guide()).await.workflow());
    let cancelled = interface.ask("DELETE", &path(&id), "[not json".repeat(100)).await;
    assert_eq!(states(&cancelled.workflow()), ("cancelled", "cancelled"), "a body is not looked at");
}

#[tokio::test(start_paused = true)]
async fn the_description_is_served_to_anybody() {
    let interface = Interface::open();
    let answer = interface.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.json()["openapi"], "3.1.0");
}
