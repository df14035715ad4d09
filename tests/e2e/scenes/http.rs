//! The HTTP interface, asked by curl.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use jobstartstop::gateway::{Account, COLLECTION, Denied, Directory, Gateway, OPENAPI, WorkflowId, holder, router};
use jobstartstop::live::{ApiKey, KeyDigest};
use jobstartstop::timetable::{Clock, WallClock};
use plan::AccountName;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Stage, blocking, eventually, in_seconds, plus};

const ACTIVATION: i64 = 1_617_386_100;
const DEACTIVATION: i64 = 1_617_393_600;
const THIRTY_MINUTES_EARLIER: i64 = 1_617_391_800;

/// The account `default` of a stage.
#[derive(Debug)]
struct OneAccount(KeyDigest, Account);

impl Directory for OneAccount {
    fn account(&self, presented: &ApiKey) -> Result<Account, Denied> {
        holder(presented.digest(), [(self.0, self.1.clone())])
    }

    fn name_of(&self, _: &AccountName, _: &WorkflowId) -> Option<String> {
        None
    }
}

/// One replica's interface, on a port of its own.
pub(super) struct Interface {
    address: SocketAddr,
    key: String,
}

/// An answer, as curl prints it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(super) fn workflow(&self) -> Value {
        assert_eq!(self.code, 200, "{}", self.text);
        self.json()
    }
}

impl Interface {
    pub(super) async fn open(stage: &Stage) -> Self {
        Self::open_at(stage, Arc::new(WallClock)).await
    }

    pub(super) async fn open_at(stage: &Stage, clock: Arc<dyn Clock>) -> Self {
        let name = AccountName::new(stage.namespace.as_str(), "default");
        let account = Account { name, account_id: "1752604059001".into() };
        let directory = OneAccount(ApiKey::parse(&stage.key).unwrap().digest(), account);
        let gateway = Gateway::new(stage.plane().client.clone(), Arc::new(directory), clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(gateway)).await.unwrap() });
        Self { address, key: stage.key.clone() }
    }

    /// One that an operator serves.
    pub(super) fn at(address: SocketAddr, key: &str) -> Self {
        Self { address, key: key.to_owned() }
    }

    /// Its description, which needs no key.
    pub(super) async fn described(&self) -> Value {
        self.curl(OPENAPI, &[]).await.workflow()
    }

    /// Runs curl with these arguments in front of the URL.
    async fn curl(&self, path: &str, args: &[&str]) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let output = blocking(move || {
            let program =
                ["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--write-out", "\n%{http_code}"];
            Command::new("curl").args(program).args(args).arg(url).output().unwrap()
        })
        .await;
        assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, code) = text.rsplit_once('\n').unwrap();
        Answer { code: code.parse().unwrap(), text: text.to_owned() }
    }

    fn key(&self) -> String {
        format!("X-API-KEY: {}", self.key)
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let (key, body) = (self.key(), body.to_string());
        self.curl(path, &["-X", method, "-H", "Content-Type: application/json", "-H", &key, "-d", &body]).await
    }

    pub(super) async fn post(&self, body: &Value) -> Answer {
        self.send("POST", COLLECTION, body).await
    }

    pub(super) async fn put(&self, id: &str, body: &Value) -> Answer {
        self.send("PUT", &format!("{COLLECTION}/{id}"), body).await
    }

    pub(super) async fn delete(&self, id: &str) -> Answer {
        self.curl(&format!("{COLLECTION}/{id}"), &["-X", "DELETE", "-H", &self.key()]).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.curl(&format!("{COLLECTION}{path}"), &["-H", &self.key()]).await
    }

    pub(super) async fn read(&self, id: &str) -> Value {
        self.get(&format!("/{id}")).await.workflow()
    }
}

pub(super) fn id(workflow: &Value) -> String {
    workflow["workflow_id"].as_str().unwrap().to_owned()
}

fn states(workflow: &Value) -> (&str, &str) {
    (workflow["activation"]["state"].as_str().unwrap(), workflow["deactivation"]["state"].as_str().unwrap())
}

/// Waits until a workflow's tasks read so.
async fn until(interface: &Interface, id: &str, wanted: (&str, &str)) -> Value {
    eventually(&format!("the states are {wanted:?}"), async || {
        let workflow = interface.read(id).await;
        (states(&workflow) == wanted).then_some(workflow)
    })
    .await
}

/// Create, update and cancel, to the byte, all times moved by one and the same number of seconds.
pub(crate) async fn the_guides_exchanges_by_curl_shifted_by_one_constant() {
    let stage = Stage::open("http-guide").await;
    let channel = stage.channel("wednesday").await;
    let interface = Interface::open(&stage).await;
    let shift = in_seconds(300).as_second() - ACTIVATION;
    let body = format!(
        r#"{{"job_id": "{}",
 "activation": {{"time_utc": {}}},
 "deactivation": {{"time_utc": {}}},
 "description": "My Wednesday broadcast"}}"#,
        channel.id,
        ACTIVATION + shift,
        DEACTIVATION + shift
    );
    let (key, json) = (interface.key(), "Content-Type: application/json");
    let created = interface.curl(COLLECTION, &["-X", "POST", "-H", json, "-H", &key, "-d", &body]).await;
    let id = id(&created.workflow());
    let path = format!("{COLLECTION}/{id}");
    let answer = |state: &str, stop: i64| {
        format!(
            r#"{{"account_id":"1752604059001","activation":{{"state":"{state}","time_utc":{}}},"deactivation":{{"state":"{state}","time_utc":{}}},"description":"My Wednesday broadcast","job_id":"{}","type":"jobstartstop","workflow_id":"{id}"}}"#,
            ACTIVATION + shift,
            stop + shift,
            channel.id
        )
    };
    assert_eq!(created.text, answer("pending", DEACTIVATION));

    let body = format!(r#"{{"deactivation": {{"time_utc": {}}}}}"#, THIRTY_MINUTES_EARLIER + shift);
    let updated = interface.curl(&path, &["-X", "PUT", "-H", json, "-H", &key, "-d", &body]).await;
    assert_eq!(updated.text, answer("pending", THIRTY_MINUTES_EARLIER));
    assert_eq!(interface.get(&format!("/{id}")).await.text, updated.text);

    let cancelled = interface.curl(&path, &["-X", "DELETE", "-H", &key]).await;
    assert_eq!(cancelled.text, answer("cancelled", THIRTY_MINUTES_EARLIER));
    assert_eq!(interface.get(&format!("/{id}")).await.text, cancelled.text);
    channel.was_left_alone().await;
}

/// A day ahead, so that nothing is sent before it is cancelled.
pub(crate) async fn the_guides_exchange_with_notifications_by_curl() {
    let stage = Stage::open("http-notes").await;
    let channel = stage.channel("tuesday").await;
    let interface = Interface::open(&stage).await;
    let shift = in_seconds(86_400).as_second() - 1_612_274_100;
    let body = json!({
        "job_id": channel.id,
        "activation": { "time_utc": 1_612_274_100 + shift, "notification": 600 },
        "deactivation": { "time_utc": 1_612_281_600 + shift, "notification": 600 },
        "description": "My Tuesday broadcast",
        "notification_url": "https://example.com/live/jobstartstop/callbacks",
    });
    let created = interface.post(&body).await.workflow();
    for (field, sent) in body.as_object().unwrap() {
        let mut shown = created[field].clone();
        if let Some(task) = shown.as_object_mut() {
            assert_eq!(task.remove("state"), Some(json!("pending")));
        }
        assert_eq!(shown, *sent, "{field}");
    }
    assert_eq!(states(&interface.delete(&id(&created)).await.workflow()), ("cancelled", "cancelled"));
}

pub(crate) async fn on_air_a_put_moves_the_stop_and_a_delete_leaves_the_channel_on() {
    let stage = Stage::open("http-on-air").await;
    let (news, gala) = (stage.channel("news").await, stage.channel("gala").await);
    let interface = Interface::open(&stage).await;
    let (start, stop) = (in_seconds(2).as_second(), in_seconds(3600).as_second());
    let times =
        |job: &str| json!({ "job_id": job, "activation": { "time_utc": start }, "deactivation": { "time_utc": stop } });
    let (moved, left) = (
        id(&interface.post(&times(&news.id)).await.workflow()),
        id(&interface.post(&times(&gala.id)).await.workflow()),
    );
    until(&interface, &moved, ("finished", "pending")).await;
    until(&interface, &left, ("finished", "pending")).await;

    let late = interface.put(&moved, &json!({ "activation": { "time_utc": stop - 60 } })).await;
    assert_eq!(
        (late.code, late.json()["message"].as_str().unwrap()),
        (400, "activation cannot be changed any more: it is finished")
    );
    let now = Timestamp::now().as_second();
    let stopped = interface.put(&moved, &json!({ "deactivation": { "time_utc": now } })).await.workflow();
    assert_eq!(stopped["deactivation"]["time_utc"], now);
    until(&interface, &moved, ("finished", "finished")).await;
    news.was_called(1, 1).await;
    assert_eq!(interface.delete(&moved).await.code, 400, "nothing is pending any more");

    assert_eq!(states(&interface.delete(&left).await.workflow()), ("finished", "cancelled"));
    until(&interface, &left, ("finished", "cancelled")).await;
    gala.was_called(1, 0).await;
}

pub(crate) async fn a_window_made_with_kubectl_has_an_id_and_is_cancelled_over_http() {
    let stage = Stage::open("http-kubectl").await;
    let channel = stage.channel("matinee").await;
    let interface = Interface::open(&stage).await;
    let window = stage.window("matinee", &channel).between(in_seconds(300), in_seconds(600)).create().await;
    let status = window.until("it has an id", |status| !status.workflow_id.is_empty()).await;
    let shown = interface.read(&status.workflow_id).await;
    assert_eq!((states(&shown), shown["job_id"].as_str().unwrap()), (("pending", "pending"), &*channel.id));
    interface.delete(&status.workflow_id).await.workflow();
    window.until("it is cancelled", |status| status.phase == "Cancelled").await;
    assert_eq!(states(&interface.read(&status.workflow_id).await), ("cancelled", "cancelled"));
}

pub(crate) async fn what_one_replica_wrote_every_other_reads() {
    let stage = Stage::open("http-replicas").await;
    let channel = stage.channel("news").await;
    let (one, other) = (Interface::open(&stage).await, Interface::open(&stage).await);
    let start = in_seconds(600);
    for number in 0..10 {
        let body = json!({
            "job_id": channel.id,
            "activation": { "time_utc": plus(start, number * 1000).as_second() },
            "deactivation": { "time_utc": plus(start, number * 1000 + 500).as_second() },
        });
        let created = one.post(&body).await.workflow();
        assert_eq!(other.read(&id(&created)).await, created);
        let stop = plus(start, number * 1000 + 400).as_second();
        let updated = other.put(&id(&created), &json!({ "deactivation": { "time_utc": stop } })).await.workflow();
        assert_eq!(one.read(&id(&created)).await, updated);
        let cancelled = one.delete(&id(&created)).await.workflow();
        assert_eq!(other.read(&id(&created)).await, cancelled);
    }
}

pub(crate) async fn a_crowd_of_posts_under_one_key_makes_one_object() {
    let stage = Stage::open("http-crowd").await;
    let channel = stage.channel("news").await;
    let (one, other) = (Interface::open(&stage).await, Interface::open(&stage).await);
    let (start, stop) = (in_seconds(300).as_second(), in_seconds(600).as_second());
    let body =
        json!({ "job_id": channel.id, "activation": { "time_utc": start }, "deactivation": { "time_utc": stop } });
    let body = body.to_string();
    let post = async |interface: &Interface| {
        let key = interface.key();
        let args = ["-H", "Content-Type: application/json", "-H", &key, "-H", "Idempotency-Key: k-1", "-d", &body];
        id(&interface.curl(COLLECTION, &args).await.workflow())
    };
    let crowd = (0..16).map(|number| post(if number % 2 == 0 { &one } else { &other }));
    let ids: BTreeSet<String> = futures::future::join_all(crowd).await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    let listed = one.get("").await.workflow();
    assert_eq!(listed["workflows"].as_array().unwrap().len(), 1);
    assert_eq!(one.delete(ids.first().unwrap()).await.code, 200);
}

pub(crate) async fn pages_of_a_long_list_are_the_list() {
    let stage = Stage::unattended("http-pages").await;
    let (channel, other) = (stage.no_channel("news"), stage.no_channel("gala"));
    let interface = Interface::open(&stage).await;
    for number in 0..230 {
        let channel = if number % 50 == 0 { &other } else { &channel };
        let name = format!("w-{number:03}");
        stage.window(&name, channel).between(in_seconds(300), in_seconds(600)).create().await;
    }
    let all = async |query: &str| {
        let (mut jobs, mut pages, mut token) = (Vec::new(), 0, None::<String>);
        loop {
            let from = token.map(|token| format!("&start_token={token}")).unwrap_or_default();
            let page = interface.get(&format!("?{query}{from}")).await.workflow();
            jobs.extend(
                page["workflows"].as_array().unwrap().iter().map(|it| it["job_id"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            token = page["next_token"].as_str().map(str::to_owned);
            if token.is_none() {
                return (jobs, pages);
            }
        }
    };
    let (jobs, pages) = all("page_size=90").await;
    assert_eq!((jobs.len(), pages), (230, 3));
    assert_eq!(jobs.iter().filter(|job| **job == other.id).count(), 5);
    let (jobs, pages) = all(&format!("job_id={}&page_size=2", other.id)).await;
    assert_eq!((jobs.len(), pages), (5, 3));
    let (jobs, _) = all("state=finished&page_size=10").await;
    assert!(jobs.is_empty());
    assert_eq!(interface.get("?start_token=w~abc").await.code, 400);
}
