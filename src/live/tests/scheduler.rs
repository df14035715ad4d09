//! The vendor's scheduler: the bodies in both directions, and what is concluded from each answer.

use http::StatusCode;
use serde_json::{Value, json};

use super::*;

const WORKFLOW: &str = "d44cf29f4f184757ac0995beb8a0097e";
const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";
const RECEIVER: &str = "https://example.com/live/jobstartstop/callbacks";

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/live/", $name)).trim_end()
    };
}

fn workflow_id() -> WorkflowId {
    WorkflowId::parse(WORKFLOW).unwrap()
}

fn job_id() -> JobId {
    JobId::parse(JOB).unwrap()
}

fn new_task(time_utc: i64, notification: Option<u32>) -> NewTask {
    NewTask { time_utc, notification }
}

/// What the guide registers first.
fn wednesday() -> NewWorkflow {
    NewWorkflow {
        job_id: job_id(),
        activation: new_task(1_617_386_100, None),
        deactivation: new_task(1_617_393_600, None),
        description: Some("My Wednesday broadcast".to_owned()),
        notification_url: None,
    }
}

/// What the guide registers with notifications.
fn tuesday() -> NewWorkflow {
    NewWorkflow {
        activation: new_task(1_612_274_100, Some(600)),
        deactivation: new_task(1_612_281_600, Some(600)),
        description: Some("My Tuesday broadcast".to_owned()),
        notification_url: Some(RECEIVER.to_owned()),
        ..wednesday()
    }
}

fn half_an_hour_less() -> WorkflowChange {
    WorkflowChange::new(None, Some(new_task(1_617_391_800, None))).unwrap()
}

fn task(state: &str, time_utc: i64) -> WorkflowTask {
    WorkflowTask { state: state.to_owned(), time_utc, notification: None }
}

/// What the guide's first create answers.
fn registered() -> Workflow {
    Workflow {
        id: workflow_id(),
        account_id: Some("1752604059001".to_owned()),
        job_id: JOB.to_owned(),
        activation: task("pending", 1_617_386_100),
        deactivation: task("pending", 1_617_393_600),
        description: Some("My Wednesday broadcast".to_owned()),
        notification_url: None,
        start_time_utc: None,
    }
}

/// The value of a good answer, the one request that led to it, and that request's body.
async fn exchange<T, F>(reply: &'static str, ask: impl FnOnce(LiveClient) -> F) -> (T, String, String)
where
    F: Future<Output = Result<Answered<T>, LiveError>>,
{
    let server = Server::start(move || Reply::Write(answer(200, "", reply))).await;
    let answered = ask(http_client(&server.endpoint)).await.unwrap();
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (answered.value, head.to_owned(), body.to_owned())
}

/// The request line, and the header fields that are not the same for all requests.
fn shape(head: &str) -> (String, Vec<String>) {
    let general = ["accept: application/json".to_owned(), format!("x-api-key: {KEY}")];
    let (lines, own): (Vec<_>, Vec<_>) = headers(head)
        .into_iter()
        .filter(|line| !line.starts_with("host: ") && !line.starts_with("user-agent: "))
        .partition(|line| general.contains(line));
    assert_eq!(lines, general);
    (head.lines().next().unwrap().to_owned(), own)
}

#[tokio::test]
async fn the_guides_create() {
    let (made, head, body) =
        exchange(golden!("create.answer.json"), |client| async move { client.schedule(&wednesday()).await }).await;

    assert_eq!(body, golden!("create.request.json"));
    let (line, own) = shape(&head);
    assert_eq!(line, "POST /v1/scheduler/jobstartstop HTTP/1.1");
    assert_eq!(own, [format!("content-length: {}", body.len()), "content-type: application/json".to_owned()]);
    assert_eq!(made, registered());
}

#[tokio::test]
async fn the_guides_update() {
    let ask = |client: LiveClient| async move { client.reschedule(&workflow_id(), &half_an_hour_less()).await };
    let (moved, head, body) = exchange(golden!("update.answer.json"), ask).await;

    assert_eq!(body, golden!("update.request.json"));
    let (line, own) = shape(&head);
    assert_eq!(line, format!("PUT /v1/scheduler/jobstartstop/{WORKFLOW} HTTP/1.1"));
    assert_eq!(own, [format!("content-length: {}", body.len()), "content-type: application/json".to_owned()]);
    assert_eq!(moved, Workflow { deactivation: task("pending", 1_617_391_800), ..registered() });
}

#[tokio::test]
async fn the_guides_cancel() {
    let ask = |client: LiveClient| async move { client.cancel_workflow(&workflow_id()).await };
    let (cancelled, head, body) = exchange(golden!("cancel.answer.json"), ask).await;

    assert_eq!(body, "");
    let (line, own) = shape(&head);
    assert_eq!(line, format!("DELETE /v1/scheduler/jobstartstop/{WORKFLOW} HTTP/1.1"));
    assert_eq!(own, ["content-type: application/json"]);
    let expected = Workflow {
        activation: task("cancelled", 1_617_386_100),
        deactivation: task("cancelled", 1_617_391_800),
        ..registered()
    };
    assert_eq!(cancelled, expected);
}

/// The answer is not in the guide; it is made by its reference's schema.
#[tokio::test]
async fn the_guides_create_with_notifications() {
    let ask = |client: LiveClient| async move { client.schedule(&tuesday()).await };
    let (made, _, body) = exchange(golden!("create-notified.answer.json"), ask).await;

    assert_eq!(body, golden!("create-notified.request.json"));
    let ahead = |time_utc| WorkflowTask { notification: Some(600), ..task("pending", time_utc) };
    let expected = Workflow {
        activation: ahead(1_612_274_100),
        deactivation: ahead(1_612_281_600),
        description: Some("My Tuesday broadcast".to_owned()),
        notification_url: Some(RECEIVER.to_owned()),
        ..registered()
    };
    assert_eq!(made, expected);
}

#[tokio::test]
async fn case_73_the_bodies_are_the_v1_schedulers_and_the_marker_stands_in_the_description() {
    let marked = r#"Fußball "live" [jss 0a1b2c3d]"#;
    let new = NewWorkflow { description: Some(marked.to_owned()), ..wednesday() };
    let ask = |client: LiveClient| async move { client.schedule(&new).await };
    let (made, _, body) = exchange(golden!("create-marked.answer.json"), ask).await;

    assert_eq!(body, golden!("create-marked.request.json"));
    for of_v2 in ["start_action", "stop_action", "metadata_passthrough"] {
        assert!(!body.contains(of_v2), "{body}");
    }
    assert_eq!(made.description.as_deref(), Some(marked));
}

#[tokio::test]
async fn what_is_not_given_is_not_sent() {
    let new = NewWorkflow { description: None, ..wednesday() };
    let ask = |client: LiveClient| async move { client.schedule(&new).await };
    let (_, _, body) = exchange(golden!("create.answer.json"), ask).await;
    assert_eq!(body, golden!("create-bare.request.json"));
}

#[tokio::test]
async fn an_update_holds_the_tasks_that_change_and_no_others() {
    let (start, stop) = (new_task(1_617_384_300, Some(300)), new_task(1_617_391_800, Some(0)));
    for (change, expected) in [
        (WorkflowChange::new(Some(start), None), golden!("update-start.request.json")),
        (WorkflowChange::new(Some(start), Some(stop)), golden!("update-both.request.json")),
    ] {
        let ask = |client: LiveClient| async move { client.reschedule(&workflow_id(), &change.unwrap()).await };
        let (_, _, body) = exchange(golden!("update.answer.json"), ask).await;
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn a_workflow_is_read() {
    let ask = |client: LiveClient| async move { client.workflow(&workflow_id()).await };
    let (read, head, body) = exchange(golden!("create.answer.json"), ask).await;

    assert_eq!(shape(&head), (format!("GET /v1/scheduler/jobstartstop/{WORKFLOW} HTTP/1.1"), vec![]));
    assert_eq!((read, body.as_str()), (registered(), ""));
}

#[tokio::test]
async fn a_page_of_workflows_is_read() {
    let query = WorkflowQuery { job_id: Some(job_id()), page_size: 0, start_token: Some("n&1".to_owned()) };
    let ask = |client: LiveClient| async move { client.workflows(&query).await };
    let (page, head, body) = exchange(golden!("list.answer.json"), ask).await;

    let path = format!("/v1/scheduler/jobstartstop?page_size=1&job_id={JOB}&start_token=n%261");
    assert_eq!((shape(&head), body.as_str()), ((format!("GET {path} HTTP/1.1"), vec![]), ""));
    let on_air = Workflow {
        account_id: Some("44bc2648864e40b7b0146fbe4e487523".to_owned()),
        activation: task("finished", 1_617_386_100),
        description: None,
        start_time_utc: Some(1_617_386_100),
        ..registered()
    };
    assert_eq!(page, WorkflowPage { workflows: vec![on_air], unread: 0, next_token: Some("n2".to_owned()) });
}

/// An answer of which a field was passed over would be read as before without it.
#[tokio::test]
async fn every_field_of_the_answers_is_read() {
    let whole: Value = serde_json::from_str(golden!("create-notified.answer.json")).unwrap();
    let read = |answer: &Value| {
        let (transport, _) = scripted(&[&answer.to_string()]);
        async move { in_process(transport).workflow(&workflow_id()).await.map(|answered| answered.value) }
    };
    let before = read(&whole).await;
    assert!(before.is_ok());
    let mut tried = 0;
    for path in ["", "/activation", "/deactivation"] {
        let names: Vec<_> = whole.pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut other = whole.clone();
            let value = &mut other.pointer_mut(path).unwrap()[&name];
            *value = match &*value {
                Value::String(text) => json!(format!("{text}x")),
                Value::Number(number) => json!(number.as_i64().unwrap() + 1),
                _ => Value::Null,
            };
            assert_ne!(read(&other).await, before, "{path}/{name}");
            tried += 1;
        }
    }
    assert_eq!(tried, 8 + 2 * 3);
}

/// Each operation once.
pub(super) async fn all(client: &LiveClient) -> [(&'static str, Result<(), LiveError>); 5] {
    [
        ("schedule", client.schedule(&tuesday()).await.map(drop)),
        ("workflow", client.workflow(&workflow_id()).await.map(drop)),
        ("reschedule", client.reschedule(&workflow_id(), &half_an_hour_less()).await.map(drop)),
        ("cancel", client.cancel_workflow(&workflow_id()).await.map(drop)),
        ("list", client.workflows(&WorkflowQuery::default()).await.map(drop)),
    ]
}

/// A client of a server that answers everything alike.
fn always(status: u16, body: &str) -> LiveClient {
    let body = Bytes::copy_from_slice(body.as_bytes());
    in_process(Transport::new(service_fn(move |_| {
        let mut answer = Response::new(body.clone());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        async move { Ok(answer) }
    })))
}

/// An error's variant, and whether it is certain that nothing was carried out.
type Conclusion = (&'static str, bool);

#[tokio::test]
async fn what_is_concluded_from_an_answer_depends_on_what_was_asked() {
    const NOT_THE_API: Conclusion = ("NotTheApi", false);
    const UNAUTHORIZED: Conclusion = ("Unauthorized", true);
    const NO_JOB: Conclusion = ("JobNotFound", true);
    const NO_WORKFLOW: Conclusion = ("WorkflowNotFound", true);
    const NO_LIST: Conclusion = ("NoSuchOperation", true);
    const CAPACITY: Conclusion = ("Capacity", true);
    const NOTHING: Conclusion = ("NothingToProcess", true);
    const LIMITED: Conclusion = ("RateLimited", true);
    const REFUSED: Conclusion = ("Refused", true);
    const FAILED: Conclusion = ("ServerError", false);
    let unknown = "DB getItem, no results found";
    let error = |text: &str| json!({ "error": text }).to_string();
    let message = |text: &str| json!({ "message": text }).to_string();
    for (status, body, create, one, list) in [
        (401, message("Unauthorized"), UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED),
        (401, String::new(), UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED),
        (401, "<html>log in</html>".to_owned(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (403, message("Unauthorized"), UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED),
        (403, message("the scheduler is not enabled"), REFUSED, REFUSED, REFUSED),
        (500, error(unknown), NO_JOB, NO_WORKFLOW, FAILED),
        (500, message(unknown), NO_JOB, NO_WORKFLOW, FAILED),
        (404, message(unknown), NO_JOB, NO_WORKFLOW, NO_LIST),
        (200, error(unknown), NO_JOB, NO_WORKFLOW, NOT_THE_API),
        (404, message("Not Found"), REFUSED, NO_WORKFLOW, NO_LIST),
        (404, message("Unauthorized"), NOT_THE_API, NOT_THE_API, NO_LIST),
        (404, "<html>Cannot GET</html>".to_owned(), NOT_THE_API, NOT_THE_API, NO_LIST),
        (404, String::new(), NOT_THE_API, NOT_THE_API, NO_LIST),
        (405, message("Method Not Allowed"), REFUSED, REFUSED, NO_LIST),
        (405, String::new(), NOT_THE_API, NOT_THE_API, NO_LIST),
        (501, String::new(), FAILED, FAILED, NO_LIST),
        (400, error("Invalid input value"), REFUSED, REFUSED, NO_LIST),
        (400, "<html>Bad Request</html>".to_owned(), NOT_THE_API, NOT_THE_API, NO_LIST),
        (400, error("no_streaming_capacity_in_region"), CAPACITY, CAPACITY, CAPACITY),
        (500, error("After filtering, there is no job to process"), NOTHING, NOTHING, NOTHING),
        (402, message("the pending activations are used up"), REFUSED, REFUSED, REFUSED),
        (409, message("it is not pending"), REFUSED, REFUSED, REFUSED),
        (422, message("the stop is before the start"), REFUSED, REFUSED, REFUSED),
        (429, String::new(), LIMITED, LIMITED, LIMITED),
        (408, message("timeout"), FAILED, FAILED, FAILED),
        (500, error("boom"), FAILED, FAILED, FAILED),
        (502, "<html>Bad Gateway</html>".to_owned(), FAILED, FAILED, FAILED),
        (504, String::new(), FAILED, FAILED, FAILED),
        (307, String::new(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (204, String::new(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (200, "<html>Welcome</html>".to_owned(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (200, "OK".to_owned(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (200, "{}".to_owned(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
        (200, r#"{"workflows":{}}"#.to_owned(), NOT_THE_API, NOT_THE_API, NOT_THE_API),
    ] {
        for (operation, result) in all(&always(status, &body)).await {
            let found = result.unwrap_err();
            let debug = format!("{found:?}");
            let (variant, refused) = (debug.split(' ').next().unwrap(), found.certainly_refused());
            let expected = match operation {
                "schedule" => create,
                "list" => list,
                _ => one,
            };
            assert_eq!((variant, refused), expected, "{operation}: {status} {body}");
            assert_ne!(refused, found.unanswered());
        }
    }
}

#[tokio::test]
async fn a_2xx_is_accepted_only_with_what_was_asked_for() {
    let good: Value = serde_json::from_str(golden!("create.answer.json")).unwrap();
    let changed = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        always(200, &body.to_string())
    };
    let other = "00000000000000000000000000000000";

    let client = changed("workflow_id", json!(other));
    assert!(client.schedule(&wednesday()).await.is_ok(), "a new workflow has an id that nobody knew");
    for (operation, result) in all(&client).await.into_iter().filter(|(name, _)| !matches!(*name, "schedule" | "list"))
    {
        let found = result.unwrap_err();
        let why = format!("it speaks of workflow `{other}` instead of `{WORKFLOW}`");
        assert!(matches!(&found, LiveError::NotTheApi { status: 200, why: said, .. } if *said == why), "{operation}");
        assert!(found.unanswered());
    }

    let found = changed("job_id", json!(other)).schedule(&wednesday()).await.unwrap_err();
    let why = format!("it speaks of a workflow of job `{other}` instead of `{JOB}`");
    assert!(matches!(&found, LiveError::NotTheApi { status: 200, why: said, .. } if *said == why), "{found:?}");
    assert!(found.unanswered());

    for (name, value, why) in [
        ("type", json!("clip"), "it is a workflow of type `clip`"),
        ("workflow_id", json!(null), "it names no workflow"),
        ("workflow_id", json!("../x"), "its workflow id is none"),
        ("job_id", json!(null), "its workflow names no job"),
        ("activation", json!(null), "its workflow's activation has no state or no time"),
        ("deactivation", json!({"state": "pending"}), "its workflow's deactivation has no state or no time"),
    ] {
        let client = changed(name, value);
        for (operation, result) in all(&client).await.into_iter().filter(|(operation, _)| *operation != "list") {
            let found = result.unwrap_err();
            assert!(matches!(&found, LiveError::NotTheApi { why: said, .. } if said == why), "{operation}: {found:?}");
            assert!(found.unanswered());
        }
    }
}

#[tokio::test]
async fn a_workflows_own_words_are_not_taken_for_an_error() {
    let mut body: Value = serde_json::from_str(golden!("create.answer.json")).unwrap();
    body["message"] = json!("DB getItem, no results found");
    assert!(always(200, &body.to_string()).schedule(&wednesday()).await.is_ok());
    body["activation"] = json!(null);
    let found = always(200, &body.to_string()).schedule(&wednesday()).await.unwrap_err();
    assert!(matches!(&found, LiveError::NotTheApi { .. }), "it may have been made: {found:?}");
}

#[tokio::test]
async fn a_change_whose_connection_breaks_is_told_as_lost_and_sent_once() {
    let server = Server::start(|| Reply::WriteAndClose(String::new())).await;
    let client = http_client(&server.endpoint);
    for (operation, result) in all(&client).await {
        let found = result.unwrap_err();
        assert!(matches!(found, LiveError::ConnectionLost { .. }), "{operation}: {found:?}");
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_change_that_reaches_no_server_is_told_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for (operation, result) in all(&http_client(&endpoint)).await {
        let found = result.unwrap_err();
        assert!(matches!(found, LiveError::NotSent { .. }), "{operation}: {found:?}");
        assert!(found.certainly_refused());
    }
}

#[tokio::test]
async fn a_change_goes_over_a_connection_of_its_own_and_leaves_none_behind() {
    let server = Server::start(|| Reply::Write(answer(200, "", golden!("create.answer.json")))).await;
    let client = http_client(&server.endpoint);
    let _ = client.read(&id()).await;
    let _ = client.read_for_call(&id()).await;
    assert_eq!(server.connections(), 2, "one for reads and one for calls, both idle now");

    client.schedule(&wednesday()).await.unwrap();
    client.reschedule(&workflow_id(), &half_an_hour_less()).await.unwrap();
    client.cancel_workflow(&workflow_id()).await.unwrap();
    assert_eq!(server.connections(), 5);

    client.workflow(&workflow_id()).await.unwrap();
    assert_eq!(server.connections(), 5, "a read may take an idle one");
}

#[tokio::test]
async fn a_simulator_sees_lane_and_limit_of_each_operation() {
    let workflow = golden!("create.answer.json");
    let (transport, asked) = scripted(&[workflow, workflow, workflow, workflow, golden!("list.answer.json")]);
    for (operation, result) in all(&in_process(transport)).await {
        assert_eq!(result, Ok(()), "{operation}");
    }
    let seen: Vec<_> = asked.lock().unwrap().iter().map(lane_and_limit).collect();
    assert_eq!(
        seen,
        [
            (Lane::Fresh, AnswerLimit::DEFAULT),
            (Lane::Reads, AnswerLimit::DEFAULT),
            (Lane::Fresh, AnswerLimit::DEFAULT),
            (Lane::Fresh, AnswerLimit::DEFAULT),
            (Lane::Reads, AnswerLimit::LIST),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_scheduler_runs_into_the_timeout_of_each_operation() {
    let timeouts = Timeouts {
        read: Duration::from_secs(1),
        call: Duration::from_secs(2),
        list: Duration::from_secs(3),
        ..Timeouts::default()
    };
    let client = client(Transport::new(service_fn(|_| std::future::pending())), VENDOR, timeouts);
    let waited = all(&client).await.map(|(_, result)| match result {
        Err(LiveError::TimedOut { after }) => after.as_secs(),
        other => panic!("{other:?}"),
    });
    assert_eq!(waited, [2, 1, 2, 2, 3]);
}

async fn workflows_of(client: &LiveClient) -> Result<Vec<WorkflowPage>, LiveError> {
    let (mut pages, mut read) = (client.workflows_of(&job_id()), Vec::new());
    while let Some(page) = pages.next().await {
        read.push(page?.value);
    }
    assert!(pages.is_over());
    Ok(read)
}

#[tokio::test]
async fn the_workflows_of_a_job_are_read_to_their_end_and_those_of_others_left_out() {
    let entry = |id: &str, job: &str| {
        let mut entry: Value = serde_json::from_str(golden!("create.answer.json")).unwrap();
        entry["workflow_id"] = json!(id);
        entry["job_id"] = json!(job);
        entry
    };
    let first = json!({"workflows": [entry("a", JOB), entry("b", "another")], "next_token": "t"});
    let second = json!({"workflows": [entry("c", JOB), {"workflow_id": "d"}]});
    let (transport, asked) = scripted(&[&first.to_string(), &second.to_string()]);

    let pages = workflows_of(&in_process(transport)).await.unwrap();

    let ids: Vec<_> = pages.iter().flat_map(|page| &page.workflows).map(|workflow| workflow.id.as_str()).collect();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!(pages.iter().map(|page| page.unread).collect::<Vec<_>>(), [0, 1]);
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|request| request.uri().to_string()).collect();
    let first = format!("{VENDOR}/v1/scheduler/jobstartstop?page_size=1000&job_id={JOB}");
    assert_eq!(asked, [first.clone(), format!("{first}&start_token=t")]);
}

#[tokio::test]
async fn a_list_of_workflows_without_end_is_given_up() {
    let (transport, asked) = scripted(&[r#"{"workflows":[],"next_token":"same"}"#; 9]);
    let error = workflows_of(&in_process(transport)).await.unwrap_err();
    assert!(error.to_string().contains("the list of workflows leads back"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_list_that_is_not_there_ends_with_its_first_page() {
    let error = workflows_of(&always(404, "")).await.unwrap_err();
    assert!(matches!(error, LiveError::NoSuchOperation { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn neither_descriptions_nor_paths_of_receivers_show_in_an_error_or_a_log() {
    let (log, _here) = Captured::start();
    let mut shown = String::new();
    let mut workflow: Value = serde_json::from_str(golden!("create-notified.answer.json")).unwrap();
    let mut echoes = vec![golden!("create-notified.answer.json").to_owned()];
    for name in ["workflow_id", "job_id", "activation"] {
        workflow[name] = json!("another");
        echoes.push(workflow.to_string());
    }
    echoes.push(json!({"workflows": {"first": workflow}}).to_string());
    for status in [200, 400, 404, 500] {
        for echo in &echoes {
            for (_, result) in all(&always(status, echo)).await {
                write!(shown, "{result:?}").unwrap();
            }
        }
        let said = json!({ "error": format!("cannot call {RECEIVER}") }).to_string();
        let found = always(status, &said).schedule(&tuesday()).await.unwrap_err();
        write!(shown, "{found} {found:?}").unwrap();
    }
    write!(shown, "{:?} {:?}", tuesday(), registered()).unwrap();

    let logged = log.text();
    assert!(logged.contains(r#"request="schedule""#) && logged.contains(WORKFLOW), "{logged}");
    assert!(shown.contains("https://example.com") && shown.contains(JOB));
    for text in [shown, logged] {
        for secret in ["callbacks", "Tuesday", "Wednesday", KEY] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
