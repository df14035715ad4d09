//! Watches: streams of changes that end on time, break, lag, expire or fall silent.

use std::{collections::VecDeque, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{
    Change, Resource, State, Store,
    reading::{Query, Selector, in_scope, revision},
    refusal,
    serve::failure,
};

const BOOKMARK_PERIOD: Duration = Duration::from_mins(1);
/// The last bookmark comes this long before the watch ends.
const BOOKMARK_MARGIN: Duration = Duration::from_secs(2);

/// How open watches end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The connection is reset.
    Reset,
    /// The stream ends as if its time were over.
    End,
    /// An ERROR event with this code (410, 500), then the end.
    Error(u16),
}

/// One open watch.
pub(super) struct Watch {
    who: Arc<str>,
    resource: &'static Resource,
    namespace: Option<String>,
    selector: Selector,
    /// Everything up to this revision was delivered, or lies before the watch.
    cursor: u64,
    breaks: u64,
    first: VecDeque<Bytes>,
    ended: bool,
    deadline: Instant,
    bookmark: Option<Instant>,
}

enum Step {
    Send(Bytes),
    Fail(io::Error),
    End,
    Wait(Option<Instant>),
}

/// The body of the answer to a watch.
pub(super) fn stream(store: Store, watch: Watch) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold((store, watch), |(store, mut watch)| async move {
        let changed = store.changed.clone();
        loop {
            let mut change = pin!(changed.notified());
            // Registered before looking, so that no change falls between the look and the wait.
            change.as_mut().enable();
            let step = store.lock().step(&mut watch);
            match step {
                Step::Send(line) => return Some((Ok(line), (store, watch))),
                Step::Fail(error) => return Some((Err(error), (store, watch))),
                Step::End => return None,
                Step::Wait(None) => change.await,
                Step::Wait(Some(until)) => tokio::select! {
                    biased;
                    () = change => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    })
}

impl State {
    pub(super) fn watch(
        &self,
        who: Arc<str>,
        resource: &'static Resource,
        namespace: Option<String>,
        query: &Query,
    ) -> Result<Watch, Box<Status>> {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(query.timeout_seconds.unwrap_or(1800));
        let asked = revision(query.resource_version.as_deref())?.filter(|asked| *asked > 0);
        let mut watch = Watch {
            who,
            resource,
            namespace,
            selector: query.selector(resource)?,
            cursor: asked.unwrap_or_default(),
            breaks: self.faults.breaks,
            first: VecDeque::new(),
            ended: false,
            deadline,
            bookmark: None,
        };
        if query.allow_watch_bookmarks {
            watch.bookmark = watch.next_bookmark(now);
        }
        if asked.is_none() || query.send_initial_events {
            self.open_with_objects(&mut watch, query)?;
        } else if watch.cursor < self.compacted {
            watch.first.push_back(error_line(&self.expired()));
            watch.ended = true;
        }
        Ok(watch)
    }

    pub(super) fn break_watches(&mut self, manner: Break) {
        self.faults.breaks += 1;
        self.faults.manner = Some(manner);
        self.changed.notify_waiters();
    }

    /// A watch from "any" version begins with what is there.
    fn open_with_objects(&self, watch: &mut Watch, query: &Query) -> Result<(), Box<Status>> {
        watch.cursor = self.basis(watch.resource, query)?;
        let objects = self.at(watch.resource, watch.cursor);
        let fits = objects
            .iter()
            .filter(|(key, _)| in_scope(key, watch.resource, watch.namespace.as_deref()))
            .filter(|(_, object)| watch.selector.matches(object));
        watch.first = fits.map(|(_, object)| line("ADDED", object)).collect();
        if query.send_initial_events && query.allow_watch_bookmarks {
            watch.first.push_back(watch.bookmark_line(true));
        }
        Ok(())
    }

    fn step(&self, watch: &mut Watch) -> Step {
        let now = Instant::now();
        if self.faults.cut.contains(&*watch.who) {
            return Step::Wait(None);
        }
        if let Some(line) = watch.first.pop_front() {
            return Step::Send(line);
        }
        if watch.ended {
            return Step::End;
        }
        if watch.breaks != self.faults.breaks {
            return watch.end(self.faults.manner.unwrap_or(Break::End));
        }
        if !self.remembers(watch.resource, watch.cursor) {
            watch.ended = true;
            return Step::Send(error_line(&self.expired()));
        }
        if let Some(line) = self.next_line(watch, now) {
            return Step::Send(line);
        }
        if now >= watch.deadline {
            return Step::End;
        }
        if watch.bookmark.is_some_and(|at| at <= now) {
            watch.bookmark = watch.next_bookmark(now);
            // None from the future, where a restored etcd has not arrived yet.
            if watch.cursor == self.seen() {
                return Step::Send(watch.bookmark_line(false));
            }
        }
        let pending = self.log.get(self.first_after(watch.cursor)).map(|change| change.due);
        Step::Wait([Some(watch.deadline), watch.bookmark, pending].into_iter().flatten().min())
    }

    fn first_after(&self, revision: u64) -> usize {
        self.log.partition_point(|change| change.revision <= revision)
    }

    fn next_line(&self, watch: &mut Watch, now: Instant) -> Option<Bytes> {
        for change in self.log.range(self.first_after(watch.cursor)..).take_while(|change| change.due <= now) {
            watch.cursor = change.revision;
            if let Some(line) = watch.line_for(change) {
                return Some(line);
            }
        }
        watch.cursor = watch.cursor.max(self.seen());
        None
    }
}

impl Watch {
    fn end(&mut self, manner: Break) -> Step {
        self.ended = true;
        match manner {
            Break::End => Step::End,
            Break::Reset => Step::Fail(io::Error::from(io::ErrorKind::ConnectionReset)),
            Break::Error(code) => Step::Send(error_line(&refusal(code, "the watch was ended by the server"))),
        }
    }

    /// Every minute and shortly before the end, never after.
    fn next_bookmark(&self, now: Instant) -> Option<Instant> {
        let last = self.deadline - BOOKMARK_MARGIN.min(self.deadline - now);
        Some(last.min(now + BOOKMARK_PERIOD)).filter(|at| *at > now)
    }

    /// An object that comes to match the selector is added for this watch, one that ceases to is deleted.
    fn line_for(&self, change: &Change) -> Option<Bytes> {
        if !in_scope(&change.key, self.resource, self.namespace.as_deref()) {
            return None;
        }
        let selects = |object: &&Arc<Value>| self.selector.matches(object);
        let (before, after) = (change.before.as_ref().filter(selects), change.after.as_ref().filter(selects));
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some(line("ADDED", after)),
            (Some(_), Some(after)) => Some(line("MODIFIED", after)),
            (Some(before), None) => {
                let mut last = Value::clone(before);
                last["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                Some(line("DELETED", &last))
            }
        }
    }

    fn bookmark_line(&self, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let version = self.resource.api_version();
        line("BOOKMARK", &json!({"kind": self.resource.kind, "apiVersion": version, "metadata": metadata}))
    }
}

fn error_line(status: &Status) -> Bytes {
    line("ERROR", &failure(status))
}

fn line(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}
