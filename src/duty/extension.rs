//! A second window that keeps a channel on where the first one's session ends.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::api::time::utc;
use crate::api::{Activation, Deactivation, GROUP, JobStartStopSpec, VERSION};

use super::actions::{Known, Plan, Refusal, over};
use super::page::host;
use super::session::Session;
use super::times::{Until, from_now};
use super::window::Window;

/// Says of an object that it extends another.
const EXTENDS: &str = "scheduler.bcovlive.io/extends";

/// For `kubectl get jss -l scheduler.bcovlive.io/extension=true`.
const EXTENSION: &str = "scheduler.bcovlive.io/extension";

/// Less than this before the end the operator may not have read the new window when the end comes.
const SHORT_NOTICE: SignedDuration = SignedDuration::from_secs(15);

/// How much of a window's name goes into that of its extension.
const NAME_KEPT: usize = 200;

/// An object to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extension {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Namespace and name of the window that it touches, and that window's end: if it moves meanwhile, they do not touch.
    pub(super) touches: (String, String, Timestamp),
    extends: String,
    pub(super) spec: JobStartStopSpec,
}

/// What an extension comes down to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extending {
    /// `None`: the session ends at that time already.
    pub(super) create: Option<Extension>,
    pub(super) plan: Plan,
}

/// Extends the session of a window. `name`: what the new object is to be called.
pub(super) fn extend(known: &Known<'_>, until: Until, name: Option<&str>) -> Result<Extending, Refusal> {
    if let Some(refusal) = over(known) {
        return Err(refusal);
    }
    let session = known.session();
    // One that no operator has seen yet is on no timeline.
    let last = session.as_ref().and_then(Session::last).or_else(|| (!known.window.seen()).then_some(known.window));
    let ended =
        || Refusal(format!("{} is over, and nothing keeps its channel on. Make another window.", known.window.name));
    let last = last.ok_or_else(ended)?;
    if last.stop().called().is_some() {
        let last = last.name_beside(known.window);
        return Err(Refusal(format!("The stop of {last} was called already. Make another window, starting now.")));
    }
    let (end, spec) = last.stop().time.zip(known.window.spec.as_ref()).ok_or_else(ended)?;
    let until = until.resolve(end, known.now, known.zone).map_err(Refusal)?;
    let told = |at| known.zone.told(at, known.now);
    let last_name = last.name_beside(known.window);
    if until == end {
        let says = format!("{} ends at {} already, with {last_name}.", known.window.name, told(end));
        return Ok(Extending { create: None, plan: Plan { says: vec![says], ..Plan::default() } });
    }
    if until < end || until <= known.now {
        return Err(Refusal(format!(
            "{} is no later than the present end at {}, of {last_name}. To end it sooner: move deactivation.time, or stop it.",
            told(until),
            told(end)
        )));
    }
    let name = name.map_or_else(|| name_of(&known.window.name, until), str::to_owned);
    let create = Extension {
        namespace: known.window.namespace.clone(),
        name: name.clone(),
        touches: (last.namespace.clone(), last.name.clone(), end),
        extends: last.full_name(),
        spec: spec_of(spec, end, until),
    };
    let mut plan = Plan::default();
    plan.says.push(format!("{name}: from {} to {}, {}.", told(end), told(until), from_now(until, known.now)));
    plan.says.push(format!(
        "It begins where {last_name} ends: the channel stays on from the one to the other, and {last_name} is not edited."
    ));
    if known.window.start().is_pending() && known.window.start().called().is_none() {
        plan.warns.push(format!(
            "{} has not started. Should it be cancelled, suspended or missed, {name} starts the channel by itself at {}.",
            known.window.name,
            told(end)
        ));
    }
    if known.window.has_it_on() && known.window.on_air() == "False" {
        plan.warns.push(format!("The channel is OFF now: {name} switches it on at {}.", told(end)));
    }
    if end.duration_since(known.now) < SHORT_NOTICE {
        plan.warns.push(format!(
            "{last_name} ends {}: the channel may go off for a moment, and is then switched on again.",
            from_now(end, known.now)
        ));
    }
    Ok(Extending { create: Some(create), plan })
}

/// Account, job, policy, executor and receiver are kept. Nobody is told ahead of a start that calls nothing, and a workflow
/// that the window took over is that window's.
fn spec_of(of: &JobStartStopSpec, from: Timestamp, until: Timestamp) -> JobStartStopSpec {
    JobStartStopSpec {
        activation: Activation { time: utc(from), notification_seconds: 0 },
        deactivation: Deactivation { time: utc(until), notification_seconds: of.deactivation.notification_seconds },
        starting_deadline_seconds: None,
        suspend: false,
        cancel: false,
        adopt_workflow_id: None,
        ..of.clone()
    }
}

/// The same for the same end, so that asking twice makes one object.
fn name_of(window: &str, until: Timestamp) -> String {
    let base = window.rsplit_once("-until-").filter(|(_, end)| is_end(end)).map_or(window, |(base, _)| base);
    let kept = base.get(..base.floor_char_boundary(NAME_KEPT)).unwrap_or(base).trim_end_matches(['-', '.']);
    format!("{kept}-until-{}", until.strftime("%Y%m%dt%H%M%Sz"))
}

/// `20261202t153000z`, as names of extensions end. People choose names with `-until-` in them, too.
fn is_end(text: &str) -> bool {
    let digit_or = |mark: u8| move |byte: &u8| if mark == b'0' { byte.is_ascii_digit() } else { *byte == mark };
    let shape = b"00000000t000000z";
    text.len() == shape.len() && text.bytes().zip(shape).all(|(byte, mark)| digit_or(*mark)(&byte))
}

/// The spec, as it may be shown: without the path of the receiver's URL, which may be a secret.
pub(super) fn shown(spec: &JobStartStopSpec) -> Value {
    let url = spec.notification_url.as_deref().map(host);
    json!(JobStartStopSpec { notification_url: url, ..spec.clone() })
}

impl Extension {
    /// The object. It bears no label of the window that it extends: a tool that applies that one would take this one for its
    /// own, and delete it.
    pub(super) fn manifest(&self) -> Value {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.namespace.clone()),
            labels: Some(BTreeMap::from([(EXTENSION.to_owned(), "true".to_owned())])),
            annotations: Some(BTreeMap::from([(EXTENDS.to_owned(), self.extends.clone())])),
            ..ObjectMeta::default()
        };
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "JobStartStop",
            "metadata": metadata,
            "spec": self.spec,
        })
    }

    /// An object of that name is this one, made before.
    pub(super) fn is(&self, window: &Window) -> bool {
        let same = |spec: &JobStartStopSpec| {
            let times = (spec.times().ok(), spec.job_id.as_str(), &spec.account_ref);
            times == (self.spec.times().ok(), self.spec.job_id.as_str(), &self.spec.account_ref)
        };
        extends(window) == Some(self.extends.as_str()) && window.spec.as_ref().is_some_and(same)
    }
}

/// The window that this one extends.
pub(super) fn extends(window: &Window) -> Option<&str> {
    window.annotations.get(EXTENDS).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::actions::Typed;
    use crate::duty::fixtures::{active, at, berlin, finished, named, parsed, pending, stored, with};

    fn decide(all: &[Window], until: &str) -> Result<Extending, String> {
        let zone = berlin();
        let typed = Typed::default();
        let known = Known { window: &all[0], all, now: at("2026-12-02T14:50:00Z"), zone: &zone, typed: &typed };
        extend(&known, until.parse().unwrap(), None).map_err(|refusal| refusal.0)
    }

    #[test]
    fn an_extension_begins_where_the_window_ends_and_keeps_its_settings() {
        let mut object = active();
        object["metadata"]["labels"] = json!({ "kustomize.toolkit.fluxcd.io/name": "shows", "show": "news" });
        object["spec"]["deletionPolicy"] = json!("Retain");
        object["spec"]["notificationURL"] = json!("https://example.com/live/callbacks");
        object["spec"]["activation"]["notificationSeconds"] = json!(600);
        object["spec"]["deactivation"]["notificationSeconds"] = json!(300);
        object["spec"]["startingDeadlineSeconds"] = json!(60);
        object["spec"]["executor"] = json!("LiveScheduler");
        object["spec"]["adoptWorkflowID"] = json!("0a7c3b2e9d5f4e1c8b6a7d9e0f1a2b3c");
        let extending = decide(&[parsed(object)], "16:30").unwrap();
        let made = extending.create.as_ref().unwrap().manifest();
        assert_eq!(
            made,
            json!({
                "apiVersion": "scheduler.bcovlive.io/v1alpha1",
                "kind": "JobStartStop",
                "metadata": {
                    "name": "wednesday-broadcast-until-20261202t153000z",
                    "namespace": "live",
                    "labels": { "scheduler.bcovlive.io/extension": "true" },
                    "annotations": { "scheduler.bcovlive.io/extends": "live/wednesday-broadcast" },
                },
                "spec": {
                    "accountRef": { "name": "default" },
                    "jobID": "15981d93877e490185e6ebc9af2c79a3",
                    "description": "My Wednesday broadcast",
                    "activation": { "time": "2026-12-02T15:00:00Z", "notificationSeconds": 0 },
                    "deactivation": { "time": "2026-12-02T15:30:00Z", "notificationSeconds": 300 },
                    "notificationURL": "https://example.com/live/callbacks",
                    "deletionPolicy": "Retain",
                    "executor": "LiveScheduler",
                    "suspend": false,
                    "cancel": false,
                },
            })
        );
        assert!(extending.plan.says[0].contains("to 16:30:00 Europe/Berlin (2026-12-02T15:30:00Z)"), "{extending:?}");
    }

    #[test]
    fn a_second_extension_goes_on_from_the_first() {
        let longer = named(
            pending(),
            "wednesday-broadcast-until-20261202t153000z",
            "2026-12-02T15:00:00Z",
            "2026-12-02T15:30:00Z",
        );
        let all: Vec<_> = [active(), longer.clone()].map(parsed).into();
        let made = decide(&all, "+30m").unwrap().create.unwrap();
        assert_eq!(made.touches.1, "wednesday-broadcast-until-20261202t153000z");
        assert_eq!(made.name, "wednesday-broadcast-until-20261202t160000z");
        assert_eq!(made.spec.activation.time, "2026-12-02T15:30:00Z");
        let all: Vec<_> = [longer, active()].map(parsed).into();
        assert_eq!(
            decide(&all, "+30m").unwrap().create.unwrap().name,
            made.name,
            "by the extension's name it is the same"
        );
    }

    #[test]
    fn the_same_end_again_makes_nothing() {
        let longer = named(pending(), "longer", "2026-12-02T15:00:00Z", "2026-12-02T15:30:00Z");
        let all: Vec<_> = [active(), longer].map(parsed).into();
        let extending = decide(&all, "16:30").unwrap();
        assert_eq!(extending.create, None);
        assert!(extending.plan.says[0].contains("already, with longer"), "{extending:?}");
    }

    #[test]
    fn what_was_made_before_is_known_by_its_name_times_and_job() {
        let made = decide(&[parsed(active())], "16:30").unwrap().create.unwrap();
        let stored = parsed(made.manifest());
        assert!(made.is(&stored));
        let other = with(made.manifest(), "/spec/deactivation/time", json!("2026-12-02T15:31:00Z"));
        assert!(!made.is(&parsed(other)));
        let foreign = with(made.manifest(), "/metadata/annotations", json!({}));
        assert!(!made.is(&parsed(foreign)));
    }

    #[test]
    fn an_extension_that_would_start_a_channel_by_itself_is_refused() {
        for (window, words) in [
            (parsed(finished()), "Make another window"),
            (stored("failed"), "Nothing of it is on air"),
            (stored("missed"), "Nothing of it is on air"),
            (parsed(with(active(), "/spec/cancel", json!(true))), "is cancelled"),
            (parsed(with(pending(), "/spec/suspend", json!(true))), "Resume it first"),
            (parsed(with(active(), "/status/deactivation/calledAt", json!("2026-12-02T14:49:00Z"))), "stop was called"),
        ] {
            let told = decide(&[window], "16:30").unwrap_err();
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn where_the_stop_of_the_one_that_ends_the_session_was_called_it_is_refused() {
        let heir = named(active(), "heir", "2026-12-02T13:00:00Z", "2026-12-02T15:30:00Z");
        let called = with(heir, "/status/deactivation/calledAt", json!("2026-12-02T14:49:59Z"));
        let all: Vec<_> = [active(), called].map(parsed).into();
        let told = decide(&all, "16:45").unwrap_err();
        assert!(told.contains("The stop of heir was called already"), "{told}");
    }

    #[test]
    fn what_cannot_be_fully_read_is_not_copied() {
        let strange = with(active(), "/spec/deletionPolicy", json!("Pause"));
        assert!(decide(&[parsed(strange)], "16:30").unwrap_err().contains("cannot be fully read here"));
    }

    #[test]
    fn an_extension_of_what_has_not_started_is_made_with_a_warning() {
        let extending = decide(&[parsed(pending())], "16:30").unwrap();
        assert!(extending.create.is_some() && extending.plan.warns[0].contains("starts the channel by itself"));
    }

    #[test]
    fn a_name_loses_the_end_that_an_extension_gave_it_and_no_other() {
        let until = at("2026-12-02T16:00:00Z");
        for (name, kept) in [
            ("talk-until-20261202t153000z", "talk"),
            ("talk-until-late", "talk-until-late"),
            ("talk-until-dawn-until-20261202t153000z", "talk-until-dawn"),
            ("talk-until-20261202t15300zz", "talk-until-20261202t15300zz"),
        ] {
            assert_eq!(name_of(name, until), format!("{kept}-until-20261202t160000z"));
        }
    }

    #[test]
    fn what_is_shown_of_a_spec_has_no_path_of_the_receiver() {
        let object = with(active(), "/spec/notificationURL", json!("https://example.com/live/s3cret?token=1"));
        let spec = shown(parsed(object).spec.as_ref().unwrap());
        assert_eq!(spec["notificationURL"], "https://example.com");
        assert_eq!(spec["deactivation"]["time"], "2026-12-02T16:00:00+01:00");
    }

    #[test]
    fn an_end_that_is_not_later_is_refused_with_the_present_one() {
        let told = decide(&[parsed(active())], "2026-12-02T15:55:00+01:00").unwrap_err();
        assert!(told.contains("no later than the present end at 16:00:00 Europe/Berlin"), "{told}");
    }

    #[test]
    fn what_may_go_wrong_is_said_before() {
        let off = with(active(), "/status/conditions/1/status", json!("False"));
        let off = decide(&[parsed(off)], "16:30").unwrap();
        assert!(off.plan.warns[0].contains("is OFF now"), "{off:?}");
        let near = named(active(), "near", "2026-12-02T13:00:00Z", "2026-12-02T14:50:10Z");
        let near = decide(&[parsed(near)], "16:30").unwrap();
        assert!(near.plan.warns[0].contains("near ends in 10s"), "{near:?}");
    }
}
