//! Writes to the apiserver: whole statuses and finalizers, each with the version of the object that it was computed
//! on. Few at a time, and none while a deadline is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::{Client, Resource};
use plan::announce::Announcement;
use plan::{AccountName, Claim, JobKey, ObjectName, Reason, WindowId};
use tracing::Span;

use crate::api::{JobStartStop, JobStartStopStatus, LiveAccount, LiveAccountStatus};
use crate::observe::spans;

use super::apiserver::{Meta, WriteError, fetch, put_finalizers, put_status, version_number};
use super::expiry;
use super::index::{AccountWrite, WindowWrite};
use super::installations;
use super::notice::{self, Notice, Subject};
use super::raw::Raw;
use super::shared::Shared;
use super::status;
use super::step::{self, Step};
use super::window::{Stored, name_of};

/// Writes under way at once: kube speaks HTTP/1.1 to the apiserver, so each takes a connection.
pub(super) const WRITERS: usize = 4;

/// How often in a row a write that somebody else's edit came before is made anew before others have their turn.
const RACES: usize = 8;

/// An account's status is written at most this often: its counts change with each of its windows.
const ACCOUNT_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// One writer of windows. Runs for ever.
pub(super) async fn windows(shared: Arc<Shared>, client: Client) {
    loop {
        let id = shared.windows.next_alone().await;
        shared.give_way().await;
        write_window(&shared, &client, &id).await;
        shared.windows.done(&id);
    }
}

/// Makes the next write that the window needs; further ones are queued by what this one brings about.
///
/// One that somebody else's edit came before is planned and made anew at once: of an object that is edited over and over,
/// as by two tools at odds, a write that queues up again between loses every race, and a start waits for its claim.
pub(super) async fn write_window(shared: &Arc<Shared>, client: &Client, id: &WindowId) {
    for _ in 0..RACES {
        match write_once(shared, client, id).await {
            Written::AfterAnother(changed) => {
                shared.changed_meanwhile(changed);
                shared.give_way().await;
            }
            Written::Through => return,
        }
    }
}

/// What came of a write.
enum Written {
    /// It was made, or waits for something else, or is not needed.
    Through,
    /// The window was written by somebody else since; that is taken up. The jobs that are to be planned again.
    AfterAnother(BTreeSet<JobKey>),
}

async fn write_once(shared: &Arc<Shared>, client: &Client, id: &WindowId) -> Written {
    let Some(Next { write, notices, steps, replaces }) = next_write(shared, id) else { return Written::Through };
    if let Some(claim) = replaces {
        if installations::stands(shared, client, &claim).await {
            stand_down(shared, id, write.name(), &claim);
            return Written::Through;
        }
        if !shared.lease_proven().await {
            // Another process's word stands until the Lease, read anew, names this one.
            later(shared, id, write.name(), &WriteError::LeaseUnproven);
            return Written::Through;
        }
    }
    let newest = shared.newest_version();
    if let Some((before, _)) = steps {
        shared.steps.reached(before);
    }
    let name = write.name();
    let (kind, span, answer): (_, _, Result<Raw<JobStartStop>, _>) = match &write {
        WindowWrite::Finalizers { resource_version, finalizers, .. } => {
            let span = spans::apiserver_write("finalizers", name);
            ("finalizers", span, put_finalizers(client, name, resource_version, finalizers).await)
        }
        WindowWrite::Status { resource_version, status, .. } => {
            let span = spans::apiserver_write("status", name);
            let meta = Meta { name, uid: Some(id), resource_version };
            ("status", span, put_status(client, &meta, status).await)
        }
        WindowWrite::Expiry { resource_version, .. } => {
            expiry::delete(shared, client, id, name, resource_version).await;
            return Written::Through;
        }
    };
    told(shared, kind, span, &answer);
    match answer {
        Ok(object) => {
            shared.version_told(object.meta().resource_version.as_deref(), newest);
            if let Some((_, after)) = steps {
                shared.steps.reached(after);
            }
            if let WindowWrite::Status { status, .. } = write {
                let got: JobStartStopStatus = object.read_status();
                if got != *status {
                    // A PUT drops what the definition does not know, with a warning only.
                    shared.index().status_cut(id, *status, got);
                    shared.definition_doubted.notify_waiters();
                }
            }
            stored(shared, id, object, notices);
        }
        Err(error) if error.is_conflict() => match fetch(client, name).await {
            Ok(object) => {
                let found = object.meta().resource_version.as_deref().and_then(version_number);
                if found < version_number(write.version()) {
                    // Read at quorum, and older than what this write was computed on.
                    shared.store_went_back();
                }
                if let Some(changed) = known_now(shared, object) {
                    return Written::AfterAnother(changed);
                }
            }
            Err(error) => later(shared, id, name, &error),
        },
        // Its watch will tell.
        Err(error) if error.is_gone() => tracing::debug!(window = %name, "gone before it was written"),
        Err(error) => later(shared, id, name, &error),
    }
    Written::Through
}

/// Counts the write by what came of it, and ends its span.
fn told<T>(shared: &Shared, kind: &'static str, span: Span, answer: &Result<T, WriteError>) {
    let answer = answer.as_ref().map(|_| ()).map_err(WriteError::code);
    spans::write_answer(span, answer);
    shared.metrics.apiserver_write(kind, answer);
}

/// The next write, and what it means. Compared with what is stored before the write leaves: our own watch may bring the
/// new status sooner than the answer does, and then nothing would seem to have changed.
struct Next {
    write: WindowWrite,
    /// What storing it is worth telling.
    notices: Vec<Notice>,
    /// The steps before and after it.
    steps: Option<(Step, Step)>,
    /// Another process's claim, in whose place it puts ours, or none.
    replaces: Option<Claim>,
}

fn next_write(shared: &Shared, id: &WindowId) -> Option<Next> {
    let index = shared.index();
    let write = index.write(id, shared.clock.now())?;
    let (WindowWrite::Status { record, status, .. }, Some(before)) = (&write, index.window(id)) else {
        return Some(Next { write, notices: Vec::new(), steps: None, replaces: None });
    };
    let notices = notice::of_change(before, record);
    let steps = step::of_write(&before.acknowledged.status(), status);
    let theirs = before.acknowledged.claim().filter(|claim| !index.is_us(&claim.by)).cloned();
    let replaces = theirs.filter(|theirs| status::claim(status).as_ref() != Some(theirs));
    Some(Next { write, notices, steps, replaces })
}

/// Another installation is to make this start: ours makes none, and says so once for each claim.
fn stand_down(shared: &Arc<Shared>, id: &WindowId, name: &ObjectName, claim: &Claim) {
    let news = shared.index().claimed_elsewhere(id, claim);
    if let Some(resource_version) = news {
        let reason = Reason::OtherInstallation;
        tracing::error!(window = %name, lease = %claim.term, %reason, "two installations serve this window");
        shared.metrics.claimed_elsewhere();
        let note = format!("{} Its Lease: {}.", reason.meaning(), claim.term);
        let announcement = Announcement { warning: true, reason, action: "Activate", note };
        let (subject, uid) = (Subject::Window, id.to_string());
        shared.notice(Notice { subject, object: name.clone(), uid, resource_version, announcement });
    }
    later(shared, id, name, &WriteError::LeaseUnproven);
}

fn stored(shared: &Shared, id: &WindowId, object: Raw<JobStartStop>, notices: Vec<Notice>) {
    shared.index().write_succeeded(id);
    take_up(shared, object);
    for notice in notices {
        shared.notice(notice);
    }
}

/// A version of a window that was read or written: the index has it from now on.
pub(super) fn take_up(shared: &Shared, object: Raw<JobStartStop>) {
    shared.changed(known_now(shared, object).unwrap_or_default());
}

/// The same; returns the jobs that are to be planned again. `None`: it cannot be fully read, which is seen to elsewhere.
fn known_now(shared: &Shared, object: Raw<JobStartStop>) -> Option<BTreeSet<JobKey>> {
    let name = name_of(&object);
    let Ok(stored) = Stored::read(object) else {
        shared.unread.push(name);
        return None;
    };
    Some(shared.index().apply_window(stored))
}

fn later(shared: &Arc<Shared>, id: &WindowId, name: &ObjectName, error: &WriteError) {
    let Some((failures, wait)) = shared.index().write_failed(id, shared.clock.now()) else { return };
    tracing::warn!(window = %name, %error, failures, "not written, trying again");
    let id = id.clone();
    shared.after(wait, move |shared| shared.windows.push(id));
}

/// The one writer of accounts. Runs for ever.
pub(super) async fn accounts(shared: Arc<Shared>, client: Client) {
    let mut written: BTreeMap<AccountName, Timestamp> = BTreeMap::new();
    loop {
        let name = shared.accounts.next_alone().await;
        let now = shared.clock.now();
        let wait = written
            .get(&name)
            .map(|at| ACCOUNT_PAUSE - now.duration_since(*at))
            .filter(SignedDuration::is_positive)
            // A clock that was set back must not hold a write up until it is where it was.
            .map(|wait| wait.min(ACCOUNT_PAUSE));
        if let Some(wait) = wait {
            // Kept until then, so that one timer runs however often it is asked for meanwhile.
            shared.after(wait, move |shared| {
                shared.accounts.push(name.clone());
                shared.accounts.done(&name);
            });
            continue;
        }
        written.insert(name.clone(), now);
        write_account(&shared, &client, &name).await;
        shared.accounts.done(&name);
    }
}

/// Another installation serves the account, too: that is said, and our name tried again later.
fn tell_served_elsewhere(shared: &Arc<Shared>, name: &AccountName, notice: Notice) {
    let (reason, told) = (notice.announcement.reason, &notice.announcement.note);
    tracing::error!(account = %name, %reason, told, "two installations serve this account");
    shared.notice(notice);
    let wait = shared.index().serve_again();
    again(shared, name, wait);
}

async fn write_account(shared: &Arc<Shared>, client: &Client, name: &AccountName) {
    let served = shared.index().served(name, shared.clock.now());
    if let Some(notice) = served {
        tell_served_elsewhere(shared, name, notice);
    }
    let Some(write) = shared.index().account_write(name, shared.clock.now()) else { return };
    let span = spans::apiserver_write("account", name);
    let answer: Result<Raw<LiveAccount>, _> = match &write {
        AccountWrite::Finalizers { resource_version, finalizers } => {
            put_finalizers(client, name, resource_version, finalizers).await
        }
        AccountWrite::Status { resource_version, status } => {
            put_status(client, &Meta { name, uid: None, resource_version }, status).await
        }
    };
    told(shared, "account", span, &answer);
    match answer {
        Ok(object) => {
            shared.index().account_written(name, &object, shared.clock.now());
            match write {
                AccountWrite::Finalizers { .. } => shared.accounts.push(name.clone()),
                AccountWrite::Status { status, .. } => told_of_less(shared, name, *status, object.read_status()),
            }
        }
        Err(error) if error.is_gone() => {}
        Err(error) if matches!(write, AccountWrite::Finalizers { .. }) && !error.is_conflict() => {
            tracing::warn!(account = %name, %error, "its finalizer was not written, trying again");
            let Some(wait) = shared.index().account_hold_failed(name, shared.clock.now()) else { return };
            again(shared, name, wait);
            // Its status does not wait for that.
            shared.accounts.push(name.clone());
        }
        Err(error) => {
            let Some((failures, wait)) = shared.index().account_write_failed(name, shared.clock.now()) else { return };
            // After a conflict the watch brings the newer version; not of an object that cannot be read at all.
            if !error.is_conflict() {
                tracing::warn!(account = %name, %error, failures, "status not written, trying again");
            }
            again(shared, name, wait);
        }
    }
}

/// A PUT drops what an older definition does not know, with a warning only.
fn told_of_less(shared: &Shared, name: &AccountName, sent: LiveAccountStatus, got: LiveAccountStatus) {
    if got != sent {
        tracing::warn!(account = %name, "less of its status was stored than was sent: its definition is older than this operator");
        shared.index().account_cut(name, sent, got);
    }
}

fn again(shared: &Arc<Shared>, name: &AccountName, wait: SignedDuration) {
    let name = name.clone();
    shared.after(wait, move |shared| shared.accounts.push(name));
}
