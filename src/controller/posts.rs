//! Notifications on their way: from the index to the workers that send them, and back with what came of it.

use std::sync::Arc;

use jiff::SignedDuration;
use plan::{Posted, Reason, WindowId};

use crate::notify::{Outcome, Queue};

use super::index::{Letter, Posting};
use super::shared::Shared;

/// Hands over what is to be sent. Runs for ever.
pub(super) async fn run(shared: Arc<Shared>, queue: Arc<Queue>) {
    loop {
        let id = shared.posts.next_alone().await;
        shared.give_way().await;
        let posting = shared.index().post(&id);
        if let Some(posting) = posting {
            send(&shared, &queue, &id, posting);
        }
        shared.posts.done(&id);
    }
}

fn send(shared: &Arc<Shared>, queue: &Queue, id: &WindowId, (posting, letter): (Posting, Letter)) {
    let post = match letter {
        Letter::Ready(post) => post,
        Letter::Unsendable(reason) => return held(shared, id, &posting, reason),
    };
    let posting = Arc::new(posting);
    let wanted = {
        let (shared, id, posting) = (Arc::clone(shared), id.clone(), Arc::clone(&posting));
        move || shared.index().still_wanted(&id, &posting)
    };
    let then = {
        let (shared, id, posting) = (Arc::clone(shared), id.clone(), Arc::clone(&posting));
        move |outcome| answered(&shared, &id, &posting, outcome)
    };
    if queue.push_if(*post, wanted, then).is_err() {
        tracing::debug!(window = %posting.window, "no room for its notification at the moment");
        let hold = shared.index().timings().delivery_hold;
        again(shared, id, hold);
    }
}

fn answered(shared: &Arc<Shared>, id: &WindowId, posting: &Posting, outcome: Outcome) {
    let posted = match outcome {
        Outcome::Delivered { code } => Posted::Accepted { code },
        Outcome::Refused { code, retry_after } => Posted::Refused { code, retry_after },
        Outcome::Gone => Posted::Gone,
        Outcome::NotAllowed(_) => Posted::Failed(Reason::ReceiverNotAllowed),
        Outcome::Unanswered(_) => Posted::Failed(Reason::ReceiverUnreachable),
        // Neither is written down: a thousand windows of one host would be written with each of its pauses.
        Outcome::NotYet { wait } => return again(shared, id, wait),
        Outcome::NotWanted => return again(shared, id, SignedDuration::ZERO),
    };
    told(shared, posting, &posted);
    let attempt = posting.attempt(shared.clock.now(), posted);
    let jobs = shared.index().posted(id, Some(attempt));
    shared.changed(jobs);
}

/// It cannot be sent, for a reason of our own. That is shown, and it is looked at again.
fn held(shared: &Arc<Shared>, id: &WindowId, posting: &Posting, reason: Reason) {
    let posted = Posted::Held(reason);
    told(shared, posting, &posted);
    let attempt = posting.attempt(shared.clock.now(), posted);
    let (jobs, hold) = {
        let mut index = shared.index();
        (index.held(id, attempt), index.timings().delivery_hold)
    };
    shared.changed(jobs);
    again(shared, id, hold);
}

/// It is under way until then, and decided on again.
fn again(shared: &Arc<Shared>, id: &WindowId, wait: SignedDuration) {
    let id = id.clone();
    shared.after(wait, move |shared| {
        let jobs = shared.index().posted(&id, None);
        shared.changed(jobs);
    });
}

fn told(shared: &Shared, posting: &Posting, posted: &Posted) {
    shared.metrics.notification(posting.action, posted);
    let (window, action, attempt) = (&posting.window, posting.action.as_str(), posting.number);
    match posted {
        Posted::Accepted { code } => tracing::info!(%window, action, attempt, code, "notification delivered"),
        Posted::Refused { code, .. } => {
            tracing::warn!(%window, action, attempt, code, reason = %Reason::ReceiverRefused, "notification not delivered");
        }
        Posted::Gone => {
            tracing::warn!(%window, action, attempt, reason = %Reason::ReceiverGone, "notification not delivered");
        }
        Posted::Failed(reason) => tracing::warn!(%window, action, attempt, %reason, "notification not delivered"),
        Posted::Held(reason) => tracing::warn!(%window, action, %reason, "notification held back"),
    }
}
