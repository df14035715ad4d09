//! A window at the vendor's own scheduler: what stands there for it, as recorded.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{ProcessId, WindowId, WorkflowId};
use crate::record::TaskState;
use crate::workflow::workflow_id;

/// Who makes the calls of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Executor {
    /// This operator.
    #[default]
    Operator,
    /// The Live API's own scheduler, with which the operator registers the window. The operator steps in where that does
    /// nothing.
    LiveScheduler,
}

impl Executor {
    /// The word used in spec and status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "Operator",
            Self::LiveScheduler => "LiveScheduler",
        }
    }

    /// The executor that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Operator, Self::LiveScheduler].into_iter().find(|executor| executor.as_str() == word)
    }
}

/// By what a workflow is known as ours: the uid of the window that it was made for, the how-manieth it is for that, and the
/// cluster. It stands at the end of the workflow's description, the only free field that the vendor's scheduler has (Live
/// API reference, scheduler).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker {
    window: String,
    number: u32,
    cluster: String,
}

/// Before and after the marker in a description.
const MARK: (&str, char) = ("[jss:", ']');

/// Longer text in a mark is none of ours: a uid, `.` and a number, `@` and a cluster's name.
const MARK_MAX: usize = 32 + 1 + 10 + 1 + 63;

impl Marker {
    /// Of a window's workflows in the cluster of that name; empty: the cluster has none.
    pub fn new(window: &WindowId, cluster: &str) -> Self {
        Self { window: workflow_id(window.as_str()), number: 0, cluster: cluster.to_owned() }
    }

    /// Of that one of them, counted from 1.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        Self { number, ..self.clone() }
    }

    /// Of the same window in the same cluster, whichever workflow it is.
    pub fn is_of_same_window(&self, other: &Self) -> bool {
        self.window == other.window && self.cluster == other.cluster
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (workflow, cluster) = text.split_once('@').unwrap_or((text, ""));
        let (window, number) = workflow.split_once('.').unwrap_or((workflow, "0"));
        let number = number.parse().ok()?;
        let word = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let reads = !window.is_empty() && text.len() <= MARK_MAX && window.chars().chain(cluster.chars()).all(word);
        reads.then(|| Self { window: window.to_owned(), number, cluster: cluster.to_owned() })
    }

    /// The name of the cluster; empty: it has none.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The description of a workflow: the user's text, and the marker behind it.
    pub fn mark(&self, text: Option<&str>) -> String {
        let (open, close) = MARK;
        match text.map(str::trim_end).filter(|text| !text.is_empty()) {
            Some(text) => format!("{text} {open}{self}{close}"),
            None => format!("{open}{self}{close}"),
        }
    }

    /// A workflow's description, taken apart: the user's text, and the marker behind it where one stands.
    pub fn unmark(description: &str) -> (&str, Option<Self>) {
        let (open, close) = MARK;
        let parts = description.trim_end().strip_suffix(close).and_then(|rest| rest.rsplit_once(open));
        match parts.and_then(|(text, mark)| Some((text, Self::parse(mark)?))) {
            Some((text, marker)) => (text.trim_end(), Some(marker)),
            None => (description, None),
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.window)?;
        if self.number > 0 {
            write!(f, ".{}", self.number)?;
        }
        if self.cluster.is_empty() { Ok(()) } else { write!(f, "@{}", self.cluster) }
    }
}

/// The texts of a workflow that the vendor's scheduler takes once and never changes (Live API reference: its update has
/// times only), each as a short digest: they are compared, and a URL's path may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Texts {
    /// Of the user's description, without the marker; empty: there is none.
    pub description: String,
    /// Of the URL of notifications; empty: there is none.
    pub url: String,
}

impl Texts {
    /// Of these texts.
    pub fn of(description: Option<&str>, url: Option<&str>) -> Self {
        let digest = |text: Option<&str>| match text.map(str::trim_end).filter(|text| !text.is_empty()) {
            Some(text) => format!("{:016x}", crate::timings::spread(text, 0)),
            None => String::new(),
        };
        Self { description: digest(description), url: digest(url) }
    }
}

/// When the vendor's scheduler is to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// In whole seconds.
    pub time: Timestamp,
    /// So long before a notification goes ahead; zero: none.
    pub ahead: SignedDuration,
}

/// One half of a workflow, as last shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Half {
    /// When it is called.
    pub slot: Slot,
    /// Where it stands. `None`: in a word that nobody knows, so that it may still be called.
    pub state: Option<TaskState>,
}

impl Half {
    /// One that is still to be called.
    pub fn pending(slot: Slot) -> Self {
        Self { slot, state: Some(TaskState::Pending) }
    }

    /// It was called.
    pub fn is_spent(&self) -> bool {
        self.state == Some(TaskState::Finished)
    }

    /// It may still be called.
    pub fn is_open(&self) -> bool {
        matches!(self.state, None | Some(TaskState::Pending))
    }

    /// It was not called, and will not be.
    pub fn came_to_nothing(&self) -> bool {
        matches!(self.state, Some(TaskState::Failed | TaskState::Cancelled))
    }
}

/// The workflow that stands for a window at the vendor's scheduler. It is recorded before it is made: a process that dies
/// between the two leaves word of what may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// By what it is found.
    pub marker: Marker,
    /// The vendor's id. `None`: it is about to be made, or its answer was lost.
    pub id: Option<WorkflowId>,
    /// The process that makes it.
    pub by: ProcessId,
    /// The how-manieth it is that was recorded on the window that it was made for, from 1: one that was refused is recorded
    /// anew before it is tried again.
    pub attempt: u32,
    /// The start, as last shown.
    pub start: Half,
    /// The stop, as last shown.
    pub stop: Half,
    /// When we last asked for the start and for the stop: what is shown otherwise was changed by somebody else.
    pub asked: (Slot, Slot),
    /// The texts that it bears.
    pub texts: Texts,
    /// The vendor does not have it: it took it never, or has it no more.
    pub gone: bool,
    /// We asked for it to be cancelled: that it is, is no news.
    pub withdrawn: bool,
    /// It made its start when nobody wanted that any more, and the channel was read off since.
    pub cleared: bool,
}

impl Registration {
    /// Nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.gone || (self.id.is_some() && !self.start.is_open() && !self.stop.is_open())
    }

    /// It is there, or may be, and something may come of it.
    pub fn stands(&self) -> bool {
        !self.is_over()
    }

    /// Whether the vendor's scheduler may still make its start.
    pub fn may_start(&self) -> bool {
        !self.gone && self.start.is_open()
    }

    /// Whether it may still make its stop.
    pub fn may_stop(&self) -> bool {
        !self.gone && self.stop.is_open()
    }

    /// The vendor sends the window's notifications.
    pub fn tells(&self) -> bool {
        !self.texts.url.is_empty()
    }

    /// The same workflow, whatever has become of it.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.marker == other.marker,
        }
    }
}

/// What a window is registered with, as its owner wants it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// What marks its workflow.
    pub marker: Marker,
    /// Its texts.
    pub texts: Texts,
    /// An existing workflow that it is to take over.
    pub adopt: Option<WorkflowId>,
}

/// Whether the account has room for one more workflow whose start is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// It has, and this one is among the soonest.
    #[default]
    Granted,
    /// It is among the soonest, and a later one has to go first.
    Making,
    /// So many are sooner, and take all the room.
    Waits(u32),
}

/// What the account's scheduler offers a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Room for its workflow.
    pub grant: Grant,
    /// The list of workflows is known not to be there.
    pub no_list: bool,
    /// How long before its start a window is registered at the earliest; zero: as soon as it is seen.
    pub horizon: SignedDuration,
}

/// How much of the vendor's scheduler an account's windows may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Workflows whose start is pending, at once; 0: no limit (vendor: six, more by its Support).
    pub pending_activations: u32,
    /// How long before its start a window is registered at the earliest; zero: as soon as it is seen.
    pub ahead: SignedDuration,
}

impl Quota {
    /// Of two accounts that share a key, each limit as the stricter has it.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        fn stricter<T: Ord + Default>(a: T, b: T) -> T {
            if a == T::default() || b == T::default() { a.max(b) } else { a.min(b) }
        }
        Self {
            pending_activations: stricter(self.pending_activations, other.pending_activations),
            ahead: stricter(self.ahead, other.ahead),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { pending_activations: 6, ahead: SignedDuration::from_hours(30 * 24) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(cluster: &str) -> Marker {
        Marker::new(&WindowId::new("d44cf29f-4f18-4757-ac09-95beb8a0097e"), cluster)
    }

    #[test]
    fn the_users_text_comes_back_unchanged_and_the_marker_with_it() {
        for text in ["My Wednesday broadcast", "ends in [jss:]", "[a] [b]", "Ünïcode ✓", "a [jss:no mark here] b"] {
            for cluster in ["", "prod-eu"] {
                for marker in [marker(cluster), marker(cluster).numbered(12)] {
                    let described = marker.mark(Some(text));
                    assert_eq!(Marker::unmark(&described), (text, Some(marker)), "{described}");
                }
            }
        }
        assert_eq!(marker("eu").numbered(3).mark(None), "[jss:d44cf29f4f184757ac0995beb8a0097e.3@eu]");
        assert_eq!(marker("eu").mark(None), "[jss:d44cf29f4f184757ac0995beb8a0097e@eu]");
        assert_eq!(Marker::unmark("[jss:d44cf29f4f184757ac0995beb8a0097e@eu]"), ("", Some(marker("eu"))));
    }

    #[test]
    fn a_description_without_a_marker_is_nobodys() {
        for text in ["", "My Wednesday broadcast", "[jss:]", "[jss:a b]", "[jss:a.b]", "[jss:abc] and more"] {
            assert_eq!(Marker::unmark(text), (text, None));
        }
    }

    #[test]
    fn texts_differ_where_their_digests_do() {
        let of = |description, url| Texts::of(description, url);
        assert_eq!(of(Some("a"), None), of(Some("a "), None), "as the marker stands behind it, trailing space is lost");
        assert_ne!(of(Some("a"), None), of(Some("b"), None));
        assert_ne!(of(None, Some("https://a")), of(None, None));
        assert_eq!(of(Some(""), None), Texts::default());
    }

    #[test]
    fn the_strictest_of_two_accounts_with_one_key_counts_and_no_limit_is_none() {
        let of = |pending_activations, days: i64| Quota {
            pending_activations,
            ahead: SignedDuration::from_hours(days * 24),
        };
        for (one, two, both) in
            [(of(6, 30), of(4, 60), of(4, 30)), (of(0, 30), of(6, 0), of(6, 30)), (of(0, 0), of(0, 0), of(0, 0))]
        {
            assert_eq!(one.strictest(two), both);
            assert_eq!(two.strictest(one), both);
        }
    }

    #[test]
    fn a_workflow_is_over_once_neither_half_can_be_called_any_more() {
        use TaskState::{Cancelled, Failed, Finished, Pending};
        let at = crate::plan::fixtures::at;
        let slot = Slot { time: at(0), ahead: SignedDuration::ZERO };
        let half = |state| Half { slot, state };
        let of = |id: Option<&str>, start, stop| Registration {
            marker: marker(""),
            id: id.map(WorkflowId::new),
            by: ProcessId::new("p"),
            attempt: 1,
            start: half(start),
            stop: half(stop),
            asked: (slot, slot),
            texts: Texts::default(),
            gone: false,
            withdrawn: false,
            cleared: false,
        };
        for (start, stop, over) in [
            (Some(Pending), Some(Pending), false),
            (Some(Finished), Some(Pending), false),
            (Some(Finished), None, false),
            (Some(Finished), Some(Finished), true),
            (Some(Finished), Some(Cancelled), true),
            (Some(Failed), Some(Cancelled), true),
            (Some(Cancelled), Some(Cancelled), true),
        ] {
            assert_eq!(of(Some("a"), start, stop).is_over(), over, "{start:?} {stop:?}");
        }
        assert!(!of(None, Some(Pending), Some(Pending)).is_over(), "it may be there");
    }
}
