//! Lists, with what matters first.

use jiff::Timestamp;

use super::gitops::Keeper;
use super::paint::{Paint, Tone};
use super::times::{Zone, from_now};
use super::window::{Glance, Window};

/// How a list is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) zone: &'a Zone,
    pub(super) now: Timestamp,
    pub(super) paint: Paint,
    /// With a column of namespaces.
    pub(super) namespaces: bool,
    /// With more columns.
    pub(super) wide: bool,
}

/// First what may be on air, by its end; then what is due and what is ahead, by its start; then what is over, the latest
/// first.
pub(super) fn sort(windows: &mut [Window], now: Timestamp) {
    windows.sort_by_cached_key(|window| {
        let second = |at: Option<Timestamp>| at.map_or(i64::MAX, Timestamp::as_second);
        let (start, stop) = (second(window.start().call_at), second(window.stop().call_at));
        let rank = match window.glance(now) {
            Glance::OnAir | Glance::Turning | Glance::LeftOn | Glance::OffEarly => (0, stop),
            Glance::Due => (1, start),
            Glance::Ahead | Glance::Suspended | Glance::Unseen => (2, start),
            Glance::Over => (3, stop.saturating_neg()),
        };
        (rank, window.namespace.clone(), window.name.clone())
    });
}

/// The list as text.
pub(super) fn list(windows: &[Window], look: &Look<'_>) -> String {
    let mut heads = vec!["NAME", "NOW", "START", "STOP", "NEXT", "WHY"];
    if look.namespaces {
        heads.insert(0, "NAMESPACE");
    }
    if look.wide {
        heads.splice(heads.len() - 1..heads.len() - 1, ["JOB", "ACCOUNT", "LATE", "KEPT BY"]);
    }
    let rows: Vec<Vec<Cell>> = windows.iter().map(|window| row(window, look)).collect();
    let header = heads.into_iter().map(|head| Cell(head.to_owned(), Some(Tone::Faint))).collect();
    lines(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), look.paint)
}

/// A text and its colour.
#[derive(Clone, Debug)]
pub(super) struct Cell(pub(super) String, pub(super) Option<Tone>);

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self(text.into(), None)
    }
}

/// Rows as lines, in columns as wide as their widest text.
pub(super) fn lines(rows: &[Vec<Cell>], paint: Paint) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| length(&cell.0)).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let last = row.iter().rposition(|cell| !cell.0.is_empty()).unwrap_or(0);
        for (i, (cell, width)) in row.iter().zip(&widths).take(last + 1).enumerate() {
            let shown = cell.1.map_or_else(|| cell.0.clone(), |tone| paint.with(tone, &cell.0));
            text.push_str(&shown);
            if i < last {
                text.push_str(&" ".repeat(width - length(&cell.0) + 2));
            }
        }
        text.push('\n');
    }
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn row(window: &Window, look: &Look<'_>) -> Vec<Cell> {
    let glance = window.glance(look.now);
    let time = |at: Option<Timestamp>| {
        Cell::plain(at.map_or_else(|| "unreadable".to_owned(), |at| look.zone.short(at, look.now)))
    };
    let mut cells = vec![
        Cell::plain(&*window.name),
        Cell(glance.word(window), tone(window, glance)),
        time(window.start().time),
        time(window.stop().time),
        Cell::plain(next(window, glance, look.now)),
    ];
    if look.namespaces {
        cells.insert(0, Cell::plain(&*window.namespace));
    }
    if look.wide {
        let late = window.start().shown.lateness_millis.map(|late| format!("{late}ms")).unwrap_or_default();
        let keeper = Keeper::of(window).map(|keeper| keeper.to_string()).unwrap_or_default();
        let more = [window.job().to_owned(), window.account().to_owned(), late, keeper];
        cells.extend(more.map(Cell::plain));
    }
    cells.push(Cell(why(window), Some(if in_trouble(window) { Tone::Bad } else { Tone::Faint })));
    cells
}

fn next(window: &Window, glance: Glance, now: Timestamp) -> String {
    let (start, stop) = (window.start().call_at, window.stop().call_at);
    let told =
        |what: &str, at: Option<Timestamp>| at.map(|at| format!("{what} {}", from_now(at, now))).unwrap_or_default();
    match glance {
        Glance::OnAir | Glance::Turning | Glance::OffEarly if window.cancelled() => "no stop".to_owned(),
        Glance::OnAir | Glance::Turning | Glance::OffEarly => told("off", stop),
        Glance::Due | Glance::Ahead | Glance::Unseen => told("on", start),
        Glance::Suspended => told("would be on", start),
        Glance::LeftOn => "nobody stops it".to_owned(),
        Glance::Over => String::new(),
    }
}

/// The reason of Ready, where it says more than the column NOW.
fn why(window: &Window) -> String {
    let ready = window.condition("Ready").map_or("", |ready| &ready.reason);
    let said = ["OnAir", "Scheduled", "Finished", "Cancelled", "Suspended"].contains(&ready);
    let deleted = window.deleted.map(|_| "being deleted");
    let unread = Some("not fully readable").filter(|_| !window.unread.is_empty());
    let parts = Some(ready).filter(|_| !said).into_iter().chain(deleted).chain(unread);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn in_trouble(window: &Window) -> bool {
    window.condition("Ready").is_some_and(|ready| ready.status == "False")
}

/// Green where it is on as it should be, red where somebody has to look.
pub(super) fn tone(window: &Window, glance: Glance) -> Option<Tone> {
    match glance {
        Glance::LeftOn | Glance::OffEarly => Some(Tone::Bad),
        _ if in_trouble(window) => Some(Tone::Bad),
        Glance::OnAir => Some(Tone::Good),
        Glance::Over => Some(Tone::Faint),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::duty::fixtures::{active, at, berlin, finished, named, parsed, pending, with};

    fn windows() -> Vec<Window> {
        let mut refused = named(active(), "refused", "2026-12-02T12:00:00Z", "2026-12-02T13:20:00Z");
        refused["status"]["conditions"][0]["status"] = json!("False");
        refused["status"]["conditions"][0]["reason"] = json!("StopRefused");
        refused["metadata"]["labels"] = json!({ "kustomize.toolkit.fluxcd.io/name": "shows" });
        let mut all: Vec<_> = [
            named(finished(), "early", "2026-12-02T08:00:00Z", "2026-12-02T09:00:00Z"),
            named(finished(), "yesterday", "2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z"),
            named(pending(), "gala", "2026-12-05T19:00:00Z", "2026-12-05T22:00:00Z"),
            named(pending(), "evening", "2026-12-02T19:00:00Z", "2026-12-02T20:00:00Z"),
            with(
                named(pending(), "concert", "2026-12-03T19:00:00Z", "2026-12-03T20:00:00Z"),
                "/spec/suspend",
                json!(true),
            ),
            active(),
            refused,
        ]
        .map(parsed)
        .into();
        sort(&mut all, at("2026-12-02T13:30:00Z"));
        all
    }

    fn shown(wide: bool, namespaces: bool) -> String {
        let zone = berlin();
        let look = Look { zone: &zone, now: at("2026-12-02T13:30:00Z"), paint: Paint::Plain, namespaces, wide };
        list(&windows(), &look)
    }

    #[test]
    fn what_is_on_air_comes_first_then_the_next_starts_then_what_is_over() {
        let expected = "\
NAME                 NOW        START           STOP            NEXT                  WHY
refused              ON AIR     13:00:00        14:20:00        off 10m ago           StopRefused
wednesday-broadcast  ON AIR     14:00:00        16:00:00        off in 1h 30m
evening              ahead      20:00:00        21:00:00        on in 5h 30m
concert              suspended  3 Dec 20:00:00  3 Dec 21:00:00  would be on in 1d 5h
gala                 ahead      5 Dec 20:00:00  5 Dec 23:00:00  on in 3d 5h
early                finished   09:00:00        10:00:00
yesterday            finished   1 Dec 09:00:00  1 Dec 10:00:00
";
        assert_eq!(shown(false, false), expected);
    }

    #[test]
    fn wide_has_the_job_the_account_the_lateness_and_who_keeps_it() {
        let text = shown(true, true);
        let rows: Vec<&str> = text.lines().collect();
        for (row, words) in [
            (rows[0], ["NAMESPACE", "JOB", "ACCOUNT", "LATE", "KEPT BY"]),
            (rows[1], ["live", "15981d93877e490185e6ebc9af2c79a3", "default", "4ms", "Flux (Kustomization shows)"]),
        ] {
            for word in words {
                assert!(row.contains(word), "{word} is missing in {row}");
            }
        }
    }

    #[test]
    fn colours_do_not_move_columns() {
        let zone = berlin();
        let look = |paint| Look { zone: &zone, now: at("2026-12-02T13:30:00Z"), paint, namespaces: false, wide: false };
        let coloured = list(&windows(), &look(Paint::Colours));
        let bare = ["32", "1;31", "1", "2", "0"]
            .iter()
            .fold(coloured.clone(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
        assert_ne!(coloured, bare);
        assert_eq!(bare, list(&windows(), &look(Paint::Plain)));
    }
}
