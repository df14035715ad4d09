//! All about one window on one page, no wider than a terminal of 100 columns.

use jiff::Timestamp;
use plan::Executor;
use textwrap::Options;

use crate::api::time::{epoch_seconds, read_status, utc};

use super::ahead::next;
use super::extension::extends;
use super::gitops::Keeper;
use super::paint::{Paint, Tone};
use super::session::Session;
use super::table::{Cell, lines, tone};
use super::times::{Zone, from_now};
use super::window::{Half, Window};

const WIDTH: usize = 100;

/// What a page shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub(super) window: &'a Window,
    /// All windows of its job that could be read, itself among them.
    pub(super) all: &'a [Window],
    /// What could not be looked at, in sentences.
    pub(super) gaps: &'a [String],
    pub(super) events: &'a [Event],
    pub(super) zone: &'a Zone,
    pub(super) now: Timestamp,
    pub(super) paint: Paint,
}

/// Something that was told of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Option<Timestamp>,
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) note: String,
}

/// The page as text.
pub(super) fn show(page: &Page<'_>) -> String {
    let session = Session::of(page.window, page.all, page.now);
    let parts = [
        page.head(),
        page.times(),
        page.called(),
        page.channel(),
        page.conditions(),
        page.session(session.as_ref()),
        page.others(session.as_ref()),
        page.next(session.as_ref()),
        page.events(),
        page.gaps(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

impl Page<'_> {
    fn heading(&self, text: &str) -> String {
        format!("{}\n", self.paint.with(Tone::Strong, text))
    }

    fn head(&self) -> String {
        let Self { window, paint, .. } = self;
        let glance = window.glance(self.now);
        let (name, word) = (window.full_name(), glance.word(window));
        let space = " ".repeat(WIDTH.saturating_sub(name.chars().count() + word.chars().count()).max(2));
        let word = tone(window, glance).map_or_else(|| word.clone(), |tone| paint.with(tone, &word));
        let mut text = format!("{}{space}{word}\n", paint.with(Tone::Strong, &name));
        let spec = window.spec.as_ref();
        if let Some(description) = spec.and_then(|spec| spec.description.as_deref()) {
            text += &wrapped(description, 0);
        }
        let policy = Some(&*window.status.deletion_policy).filter(|policy| !policy.is_empty());
        let host = spec.and_then(|spec| spec.notification_url.as_deref()).map(host);
        let vendor = window.status.executor == Executor::LiveScheduler.as_str();
        let workflow = Some(&*window.status.vendor_workflow_id).filter(|id| !id.is_empty());
        let run_by = match workflow {
            Some(id) => format!("the Live API's scheduler, workflow {id}"),
            None => "the Live API's scheduler".to_owned(),
        };
        let rows = [
            ("job", Some(format!("{}, account {}", window.job(), window.account())).filter(|_| spec.is_some())),
            ("extends", extends(window).map(str::to_owned)),
            ("run by", vendor.then_some(run_by)),
            ("when deleted", policy.map(str::to_owned)),
            ("tells", host),
            ("kept by", Keeper::of(window).map(|keeper| keeper.to_string())),
            ("suspended", window.suspended().then(|| "yes".to_owned())),
            ("cancelled", window.cancelled().then(|| "yes".to_owned())),
            ("deleted", window.deleted.map(|at| self.zone.full(at))),
            ("unreadable", Some(window.unread.join("; ")).filter(|unread| !unread.is_empty())),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                text += &labelled(name, &value);
            }
        }
        text
    }

    fn times(&self) -> String {
        let time = |name: &str, at: Option<Timestamp>| {
            let mut cells = vec![Cell::plain(format!("  {name:<12}"))];
            match at {
                Some(at) => cells.extend([self.zone.full(at), utc(at), epoch_seconds(at).to_string()].map(Cell::plain)),
                None => cells.push(Cell::plain("cannot be read")),
            }
            cells
        };
        let (start, stop) = (self.window.start(), self.window.stop());
        let heads = ["", &*self.zone.name, "UTC", "epoch"];
        let mut rows = vec![heads.map(|head| Cell(head.to_owned(), Some(Tone::Faint))).to_vec()];
        rows.push(time("start", start.time));
        if start.call_at != start.time {
            rows.push(time("called ahead", start.call_at));
        }
        rows.push(time("stop", stop.time));
        let mut text = lines(&rows, self.paint);
        if self.window.seen() && !self.window.up_to_date() {
            text += &wrapped("The operator has not answered the latest edit yet.", 2);
        }
        text
    }

    fn called(&self) -> String {
        let (start, stop) = (self.window.start(), self.window.stop());
        let parts = [("start", start), ("stop", stop)].map(|(name, half)| self.task(name, &half));
        self.heading("What was called") + &parts.concat()
    }

    fn task(&self, name: &str, half: &Half<'_>) -> String {
        let shown = half.shown;
        let state = if shown.state.is_empty() { "pending" } else { &shown.state };
        let reason = Some(&*shown.reason).filter(|reason| !reason.is_empty());
        let mut parts = vec![reason.map_or_else(|| state.to_owned(), |reason| format!("{state}, {reason}"))];
        if let Some(called) = half.called() {
            let late = shown.lateness_millis.map(|late| format!(", {late} ms late")).unwrap_or_default();
            parts.push(format!("called {}{late}", self.zone.millis(called, self.now)));
        } else if let Some(attempted) = read_status(&shown.attempted_at) {
            parts.push(format!("refused {}", self.zone.millis(attempted, self.now)));
        }
        if let Some(confirmed) = read_status(&shown.confirmed_at) {
            parts.push(format!("confirmed {}", self.zone.millis(confirmed, self.now)));
        }
        if shown.attempts > 1 {
            parts.push(format!("{} calls", shown.attempts));
        }
        let message = if shown.message.is_empty() { String::new() } else { wrapped(&shown.message, INDENT) };
        labelled(name, &parts.join("; ")) + &message
    }

    fn channel(&self) -> String {
        let job = &self.window.status.job;
        let since = |text: &str| read_status(text).map(|at| self.zone.short(at, self.now));
        let words: Vec<&str> = [&*job.state, &*job.sep_state].into_iter().filter(|word| !word.is_empty()).collect();
        let reading = if job.reading.is_empty() {
            "not read yet".to_owned()
        } else {
            let since = since(&job.since).map(|since| format!(" since {since}")).unwrap_or_default();
            format!("{} ({}){since}", job.reading, words.join(", "))
        };
        let verified = since(&job.verified_at)
            .unwrap_or_else(|| "not yet: this window neither holds the channel nor cuts it".to_owned());
        self.heading("The channel") + &labelled("last read", &reading) + &labelled("first read", &verified)
    }

    fn conditions(&self) -> String {
        let conditions = &self.window.status.conditions;
        if conditions.is_empty() {
            return String::new();
        }
        let mut text = self.heading("Conditions");
        for condition in conditions {
            let bad = condition.type_ == "Stalled" || condition.type_ == "Ready" && condition.status == "False";
            let line = format!("{} {}: {}", condition.status, condition.reason, condition.message);
            let line = labelled(&condition.type_, line.trim_end_matches([':', ' ']));
            text += &if bad { painted(self.paint, &line) } else { line };
        }
        text
    }

    fn session(&self, session: Option<&Session<'_>>) -> String {
        let Some(session) =
            session.filter(|session| session.members.iter().any(|member| member.uid != self.window.uid))
        else {
            return String::new();
        };
        let (from, to) = (session.block.start, session.block.stop);
        let title = format!(
            "The channel is on from {} to {}, for these windows together",
            self.zone.short(from, self.now),
            self.zone.short(to, self.now)
        );
        self.heading(&title) + &self.windows(&session.members)
    }

    fn others(&self, session: Option<&Session<'_>>) -> String {
        let inside = |window: &Window| {
            session.is_some_and(|session| session.members.iter().any(|member| member.uid == window.uid))
        };
        let open = |window: &&Window| !window.settled() && window.uid != self.window.uid && !inside(window);
        let mut others: Vec<&Window> = self.all.iter().filter(open).collect();
        others.sort_by_key(|window| (window.start().call_at, &window.name));
        if others.is_empty() {
            return String::new();
        }
        self.heading("Other windows of the job") + &self.windows(&others)
    }

    fn windows(&self, windows: &[&Window]) -> String {
        let short = |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), |at| self.zone.short(at, self.now));
        let rows = windows.iter().map(|window| {
            let here = if window.uid == self.window.uid { "> " } else { "  " };
            let same = window.namespace == self.window.namespace;
            let name = if same { window.name.clone() } else { window.full_name() };
            let times = format!("{} - {}", short(window.start().time), short(window.stop().time));
            let glance = window.glance(self.now);
            let uncounted = if window.counts() { "" } else { "not counted yet" };
            let cells = [format!("{here}{name}"), times, glance.word(window), uncounted.to_owned()];
            cells.map(Cell::plain).to_vec()
        });
        lines(&rows.collect::<Vec<_>>(), self.paint)
    }

    fn next(&self, session: Option<&Session<'_>>) -> String {
        let mut text = self.heading("What comes next");
        for step in next(self.window, session, self.now) {
            let when = step.at.map_or_else(|| "now".to_owned(), |at| self.zone.short(at, self.now));
            let what = step.at.map_or(step.what.clone(), |at| format!("{}: {}", from_now(at, self.now), step.what));
            text += &labelled(&when, &what);
        }
        text
    }

    fn events(&self) -> String {
        if self.events.is_empty() {
            return String::new();
        }
        let mut text = self.heading("Last events");
        for event in self.events {
            let when = event.at.map_or_else(String::new, |at| self.zone.short(at, self.now));
            let line = labelled(&when, &format!("{}: {}", event.reason, event.note));
            text += &if event.warning { painted(self.paint, &line) } else { line };
        }
        text
    }

    fn gaps(&self) -> String {
        self.gaps.iter().map(|gap| wrapped(&format!("Not shown: {gap}"), 0)).collect()
    }
}

/// Where values stand.
const INDENT: usize = 16;

fn labelled(name: &str, value: &str) -> String {
    // A longer one moves its value, and never runs into it.
    let first = format!("{:<INDENT$}", format!("  {name}  "));
    let rest = " ".repeat(INDENT);
    let options = Options::new(WIDTH).initial_indent(&first).subsequent_indent(&rest);
    fold(value, options)
}

fn wrapped(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    fold(text, Options::new(WIDTH).initial_indent(&indent).subsequent_indent(&indent))
}

fn fold(text: &str, options: Options<'_>) -> String {
    // What others wrote moves no cursor and colours nothing.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    textwrap::wrap(&text, options).iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn painted(paint: Paint, lines: &str) -> String {
    lines.lines().flat_map(|line| [paint.with(Tone::Bad, line), "\n".to_owned()]).collect()
}

/// Scheme and host: the path of a receiver's URL may be a secret.
pub(super) fn host(url: &str) -> String {
    let end = url.find("://").map_or(0, |scheme| scheme + 3);
    let path = url[end..].find(['/', '?']).map_or(url.len(), |path| end + path);
    url[..path].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::duty::fixtures::{active, at, berlin, named, parsed, pending, stored, with};

    fn page(all: &[Window], now: &str, events: &[Event], paint: Paint) -> String {
        let gaps = [];
        show(&Page { window: &all[0], all, gaps: &gaps, events, zone: &berlin(), now: at(now), paint })
    }

    fn golden(name: &str, shown: &str) {
        let path = format!("{}/tests/fixtures/duty/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            std::fs::write(&path, shown).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(shown == expected, "{path} is not what is shown (WRITE_GOLDEN=1 writes it):\n{shown}");
    }

    #[test]
    fn a_window_on_air_with_an_extension_fills_one_page() {
        let mut longer = named(
            pending(),
            "wednesday-broadcast-until-20261202t160000z",
            "2026-12-02T15:00:00Z",
            "2026-12-02T16:00:00Z",
        );
        longer["metadata"]["annotations"] = json!({ "scheduler.bcovlive.io/extends": "live/wednesday-broadcast" });
        let later = named(pending(), "thursday-broadcast", "2026-12-03T13:00:00Z", "2026-12-03T15:00:00Z");
        let mut first = active();
        first["metadata"]["labels"] = json!({ "kustomize.toolkit.fluxcd.io/name": "shows" });
        first["spec"]["notificationURL"] = json!("https://example.com/live/secret-path");
        let all: Vec<_> = [first, longer, later].map(parsed).into();
        let events = [
            Event { at: Some(at("2026-12-02T13:00:00Z")), warning: false, reason: "Starting".into(), note: "Called.".into() },
            Event {
                at: Some(at("2026-12-02T13:00:21Z")),
                warning: true,
                reason: "Overlap".into(),
                note: "Overlaps with live/another-window-with-a-long-name on the same job, which is told at some length here."
                    .into(),
            },
        ];
        let shown = page(&all, "2026-12-02T14:55:00Z", &events, Paint::Plain);
        assert!(!shown.contains("secret-path"), "{shown}");
        golden("on-air", &shown);
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH), "{widest:?}");
    }

    #[test]
    fn every_stored_window_has_its_page() {
        for name in [
            "active",
            "cancelled",
            "failed",
            "finished",
            "going",
            "handed-over",
            "heir",
            "left-on",
            "missed",
            "overlapping",
            "past",
            "pending",
            "suspended",
            "unready",
        ] {
            let all = [stored(name)];
            golden(&format!("stored-{name}"), &page(&all, "2026-11-29T10:57:00Z", &[], Paint::Plain));
        }
    }

    #[test]
    fn a_window_that_cannot_be_fully_read_shows_what_can() {
        let strange = with(with(active(), "/spec/deletionPolicy", json!("Pause")), "/spec/deactivation/time", json!(7));
        golden("strange", &page(&[parsed(strange)], "2026-12-02T14:55:00Z", &[], Paint::Plain));
        golden("bare", &page(&[parsed(with(active(), "/spec", json!({})))], "2026-12-02T14:55:00Z", &[], Paint::Plain));
    }

    #[test]
    fn a_window_at_the_vendors_scheduler_names_its_workflow() {
        let mut there = pending();
        there["status"]["executor"] = json!("LiveScheduler");
        let shown = page(&[parsed(there.clone())], "2026-12-02T12:00:00Z", &[], Paint::Plain);
        assert!(shown.contains("run by        the Live API's scheduler\n"), "{shown}");
        there["status"]["vendorWorkflowID"] = json!("0a7c3b2e9d5f4e1c8b6a7d9e0f1a2b3c");
        let shown = page(&[parsed(there)], "2026-12-02T12:00:00Z", &[], Paint::Plain);
        assert!(shown.contains("the Live API's scheduler, workflow 0a7c3b2e9d5f4e1c8b6a7d9e0f1a2b3c\n"), "{shown}");
    }

    #[test]
    fn a_window_that_nobody_has_seen_says_so() {
        let new = with(pending(), "/status", json!({ "observedGeneration": -1 }));
        golden("unseen", &page(&[parsed(new)], "2026-12-02T12:00:00Z", &[], Paint::Plain));
    }

    #[test]
    fn what_others_wrote_does_not_reach_the_terminal_as_it_stands() {
        let nasty = with(active(), "/spec/description", json!("\u{1b}[2Jgone\u{7}"));
        let shown = page(&[parsed(nasty)], "2026-12-02T14:55:00Z", &[], Paint::Plain);
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    }
}
