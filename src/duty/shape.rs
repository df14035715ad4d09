//! What `-o json` prints: a shape of its own, which programs may rely on. Fields may be added to it; none changes its
//! meaning, and none goes, without another `version`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::time::utc;

use super::actions::Plan;
use super::ahead::next;
use super::extension::extends;
use super::gitops::Keeper;
use super::page::Page;
use super::session::Session;
use super::window::{Glance, Half, Window};

/// Of this shape.
const SHAPE: u32 = 1;

/// One window.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    #[serde(rename = "jobID")]
    job_id: &'a str,
    account: &'a str,
    phase: &'a str,
    on_air: &'a str,
    now: Glance,
    start: Task<'a>,
    stop: Task<'a>,
    reading: LastLook<'a>,
    conditions: Vec<Shortened<'a>>,
    suspended: bool,
    cancelled: bool,
    deleted_at: Option<String>,
    deletion_policy: &'a str,
    extends: Option<&'a str>,
    kept_by: Option<String>,
    unreadable: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Task<'a> {
    time: Option<String>,
    epoch: Option<i64>,
    call_at: Option<String>,
    state: &'a str,
    reason: &'a str,
    message: &'a str,
    called_at: Option<&'a str>,
    confirmed_at: Option<&'a str>,
    lateness_millis: Option<i64>,
    attempts: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LastLook<'a> {
    reading: &'a str,
    state: &'a str,
    sep_state: &'a str,
    since: Option<&'a str>,
    verified_at: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shortened<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    since: String,
}

fn there(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn task<'a>(half: &Half<'a>) -> Task<'a> {
    let shown = half.shown;
    Task {
        time: half.time.map(utc),
        epoch: half.time.map(Timestamp::as_second),
        call_at: half.call_at.map(utc),
        state: there(&shown.state).unwrap_or("pending"),
        reason: &shown.reason,
        message: &shown.message,
        called_at: there(&shown.called_at),
        confirmed_at: there(&shown.confirmed_at),
        lateness_millis: shown.lateness_millis,
        attempts: shown.attempts,
    }
}

fn condition(condition: &Condition) -> Shortened<'_> {
    Shortened {
        kind: &condition.type_,
        status: &condition.status,
        reason: &condition.reason,
        message: &condition.message,
        since: utc(condition.last_transition_time.0),
    }
}

fn window(window: &Window, now: Timestamp) -> Value {
    let job = &window.status.job;
    let shown = Shown {
        namespace: &window.namespace,
        name: &window.name,
        uid: &window.uid,
        job_id: window.job(),
        account: window.account(),
        phase: &window.status.phase,
        on_air: window.on_air(),
        now: window.glance(now),
        start: task(&window.start()),
        stop: task(&window.stop()),
        reading: LastLook {
            reading: &job.reading,
            state: &job.state,
            sep_state: &job.sep_state,
            since: there(&job.since),
            verified_at: there(&job.verified_at),
        },
        conditions: window.status.conditions.iter().map(condition).collect(),
        suspended: window.suspended(),
        cancelled: window.cancelled(),
        deleted_at: window.deleted.map(utc),
        deletion_policy: &window.status.deletion_policy,
        extends: extends(window),
        kept_by: Keeper::of(window).map(|keeper| keeper.to_string()),
        unreadable: &window.unread,
    };
    json!(shown)
}

/// Of `list`.
pub(super) fn list(windows: &[Window], now: Timestamp) -> Value {
    let windows: Vec<Value> = windows.iter().map(|shown| window(shown, now)).collect();
    json!({ "version": SHAPE, "at": utc(now), "windows": windows })
}

/// Of `show`.
pub(super) fn show(page: &Page<'_>) -> Value {
    let now = page.now;
    let session = Session::of(page.window, page.all, now);
    let steps = next(page.window, session.as_ref(), now);
    let session_shown = session.as_ref().map(|session| {
        let members: Vec<String> = session.members.iter().map(|member| member.full_name()).collect();
        json!({ "start": utc(session.block.start), "stop": utc(session.block.stop), "windows": members })
    });
    let others = page.all.iter().filter(|other| other.uid != page.window.uid);
    let event = |event: &super::page::Event| {
        let kind = if event.warning { "Warning" } else { "Normal" };
        json!({ "at": event.at.map(utc), "type": kind, "reason": event.reason, "note": event.note })
    };
    json!({
        "version": SHAPE,
        "at": utc(now),
        "window": window(page.window, now),
        "session": session_shown,
        "others": others.map(|other| window(other, now)).collect::<Vec<_>>(),
        "next": steps.iter().map(|step| json!({ "at": step.at.map(utc), "what": step.what })).collect::<Vec<_>>(),
        "events": page.events.iter().map(event).collect::<Vec<_>>(),
        "notShown": page.gaps,
    })
}

/// What a command did.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done {
    version: u32,
    pub(super) command: &'static str,
    pub(super) dry_run: bool,
    pub(super) changes: Vec<Changed>,
    pub(super) says: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// Whether it came about; absent where nobody waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reached: Option<bool>,
}

/// An object that was changed, made or released.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `patched`, `created`, `exists` or `released`.
    pub(super) how: &'static str,
    /// What of the spec was set.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) spec: Value,
}

impl Done {
    pub(super) fn new(command: &'static str, dry_run: bool, plan: &Plan) -> Self {
        let (says, warnings) = (plan.says.clone(), plan.warns.clone());
        Self { version: SHAPE, command, dry_run, changes: Vec::new(), says, warnings, reached: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::fixtures::{active, at, berlin, parsed};
    use crate::duty::paint::Paint;

    #[test]
    fn the_fields_of_a_window_are_these_and_stay() {
        let shown = list(&[parsed(active())], at("2026-12-02T13:30:00Z"));
        assert_eq!(
            shown,
            json!({
                "version": 1,
                "at": "2026-12-02T13:30:00Z",
                "windows": [{
                    "namespace": "live",
                    "name": "wednesday-broadcast",
                    "uid": "d44cf29f-4f18-4757-ac09-95beb8a0097e",
                    "jobID": "15981d93877e490185e6ebc9af2c79a3",
                    "account": "default",
                    "phase": "Active",
                    "onAir": "True",
                    "now": "OnAir",
                    "start": {
                        "time": "2026-12-02T13:00:00Z",
                        "epoch": 1_796_216_400,
                        "callAt": "2026-12-02T13:00:00Z",
                        "state": "finished",
                        "reason": "Started",
                        "message": "On air; read on at 2026-12-02T13:00:21.405441Z.",
                        "calledAt": "2026-12-02T13:00:00.004123Z",
                        "confirmedAt": "2026-12-02T13:00:21.405441Z",
                        "latenessMillis": 4,
                        "attempts": 1,
                    },
                    "stop": {
                        "time": "2026-12-02T15:00:00Z",
                        "epoch": 1_796_223_600,
                        "callAt": "2026-12-02T15:00:00Z",
                        "state": "pending",
                        "reason": "",
                        "message": "",
                        "calledAt": null,
                        "confirmedAt": null,
                        "latenessMillis": null,
                        "attempts": 0,
                    },
                    "reading": {
                        "reading": "On",
                        "state": "processing",
                        "sepState": "ready",
                        "since": "2026-12-02T13:00:21Z",
                        "verifiedAt": "2026-12-01T09:00:01Z",
                    },
                    "conditions": [
                        {
                            "type": "Ready", "status": "True", "reason": "OnAir",
                            "message": "On air until 2026-12-02T15:00:00Z.", "since": "2026-12-02T13:00:21Z",
                        },
                        {
                            "type": "OnAir", "status": "True", "reason": "OnAir",
                            "message": "The channel was read on.", "since": "2026-12-02T13:00:21Z",
                        },
                    ],
                    "suspended": false,
                    "cancelled": false,
                    "deletedAt": null,
                    "deletionPolicy": "Stop",
                    "extends": null,
                    "keptBy": null,
                    "unreadable": [],
                }],
            })
        );
    }

    #[test]
    fn a_page_has_the_session_what_comes_next_and_the_events() {
        let all = [parsed(active())];
        let (gaps, zone, now) = (["events: no".to_owned()], berlin(), at("2026-12-02T13:30:00Z"));
        let page = Page { window: &all[0], all: &all, gaps: &gaps, events: &[], zone: &zone, now, paint: Paint::Plain };
        let shown = show(&page);
        let session = json!({
            "start": "2026-12-02T13:00:00Z", "stop": "2026-12-02T15:00:00Z", "windows": ["live/wednesday-broadcast"],
        });
        assert_eq!(shown["session"], session);
        assert_eq!(shown["next"], json!([{ "at": "2026-12-02T15:00:00Z", "what": "the stop is called" }]));
        assert_eq!((&shown["events"], &shown["notShown"]), (&json!([]), &json!(["events: no"])));
        assert_eq!(shown["window"]["name"], "wednesday-broadcast");
    }
}
