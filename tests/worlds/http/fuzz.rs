//! Anything that a client may send: nothing is a 5xx, nothing panics, and every answer is one of the description's.

use axum::body::Body;
use http::{Request, header};
use jobstartstop::gateway::{API_KEY, COLLECTION};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Interface, KEY, guide, id};

#[derive(Clone, Debug)]
struct Sent {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// Stands for the id of the workflow that is there.
const THERE: &str = "WORKFLOW";

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "BREW"])
}

fn path() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![COLLECTION, "/openapi.json", "/", "*"]).prop_map(str::to_owned);
    let segment = prop_oneof![
        4 => Just(THERE.to_owned()),
        1 => Just("0123456789abcdef0123456789abcdef".to_owned()),
        1 => "[0-9a-f]{32}",
        1 => "(%[0-9a-f]{2}|[!$&'()*+,;=:@A-Za-z0-9._~-]){0,40}",
    ];
    let query = prop_oneof![
        3 => Just(String::new()),
        1 => "[?]((job_id|state|start|end|page_size|start_token|x)=([a-z0-9,~%-]{0,12})&?){0,3}",
        1 => "[?](%[0-9a-f]{2}|[!-~&&[^#<>\"`{}\\\\^|]]){0,40}",
    ];
    let below = segment.prop_map(|segment| format!("{COLLECTION}/{segment}"));
    let anywhere = "(/(%[0-9a-f]{2}|[A-Za-z0-9._~-]){0,12}){1,5}";
    (prop_oneof![3 => known, 5 => below, 1 => anywhere], query).prop_map(|(path, query)| format!("{path}{query}"))
}

/// JSON that is nearly, or not at all, what a request is.
fn json_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (1_617_380_000_i64..1_617_400_000).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        let name = prop_oneof![
            prop::sample::select(vec!["time_utc", "notification", "job_id", "activation", "deactivation"])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    let fields =
        vec!["job_id", "activation", "deactivation", "description", "notification_url", "redundant_group", "x"];
    let tasks = vec!["activation", "deactivation"];
    prop_oneof![
        2 => value.clone(),
        3 => (prop::sample::select(fields), value.clone()).prop_map(|(field, value)| {
            let mut body = guide();
            body[field] = value;
            body
        }),
        3 => (prop::sample::select(tasks.clone()), value).prop_map(|(task, value)| json!({ task: { "time_utc": value } })),
        2 => (prop::sample::select(tasks), 1_617_380_000_i64..1_617_400_000)
            .prop_map(|(task, time)| json!({ task: { "time_utc": time } })),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        5 => json_body().prop_map(|body| body.to_string().into_bytes()),
        2 => (json_body(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(body, at, with)| {
            let mut body = body.to_string().into_bytes();
            let at = at.index(body.len());
            body[at] = with;
            body
        }),
        1 => (1_usize..5000).prop_map(|depth| [b"[".repeat(depth), b"]".repeat(depth)].concat()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let value = prop_oneof![
        prop::collection::vec(prop::sample::select((0x20..=0x7e).chain(0x80..=0xff).collect::<Vec<u8>>()), 0..24),
        Just(b"k-1".to_vec()),
        Just(b"application/json; charset=utf-16".to_vec()),
    ];
    let names =
        vec!["content-type", "idempotency-key", API_KEY, "content-length", "transfer-encoding", "host", "expect"];
    prop::collection::vec((prop::sample::select(names), value), 0..3)
}

fn sent() -> impl Strategy<Value = Sent> {
    let proper = prop::bool::weighted(0.8);
    (method(), path(), headers(), body(), proper, proper).prop_map(|(method, path, mut headers, body, key, json)| {
        if key {
            headers.retain(|(name, _)| *name != API_KEY);
            headers.push((API_KEY, KEY.into()));
        }
        if json {
            headers.retain(|(name, _)| *name != "content-type");
            headers.push(("content-type", b"application/json".to_vec()));
        }
        Sent { method, path, headers, body }
    })
}

impl Sent {
    /// `None`: it cannot be sent.
    fn request(&self, there: &str) -> Option<Request<Body>> {
        let mut request = Request::builder().method(self.method).uri(self.path.replace(THERE, there));
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_slice());
        }
        request.body(self.body.clone().into()).ok()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_no_answer_is_a_5xx_and_none_shows_the_key(all in prop::collection::vec(sent(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let interface = Interface::open();
            let there = id(&interface.post(&guide()).await.workflow());
            for sent in all {
                let Some(request) = sent.request(&there) else { continue };
                let answer = interface.send(request).await;
                assert!(answer.status.as_u16() < 500, "{sent:?}: {answer:?}");
                assert!(!answer.text.contains(KEY), "{sent:?}: {answer:?}");
                assert!(answer.status != 200 || sent.method != "POST" || answer.headers.contains_key(header::CONTENT_TYPE));
            }
        });
    }
}
