//! Notifications on their way: from the index to the workers that send them, and back with what came of it.

use std::sync::Arc;

use jiff::SignedDuration;
use plan::{Posted, Reason, WindowId};

use crate::notify::{Outcome, Queue};

use super::index::{Letter, Posting};
use super::shared::Shared;

/// How long what finds no room waits before it is handed over again.
const NO_ROOM: SignedDuration = SignedDuration::from_secs(30);

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
    match letter {
        Letter::Unsendable(reason) => answered(shared, id, &posting, Posted::Failed(reason)),
        Letter::Ready(post) => {
            let (shared, id) = (Arc::clone(shared), id.clone());
            let posting = Arc::new(posting);
            let then = {
                let (shared, id, posting) = (Arc::clone(&shared), id.clone(), Arc::clone(&posting));
                move |outcome| answered(&shared, &id, &posting, posted(outcome))
            };
            if queue.push(*post, then).is_err() {
                answered(&shared, &id, &posting, Posted::NotYet(NO_ROOM));
            }
        }
    }
}

fn answered(shared: &Shared, id: &WindowId, posting: &Posting, posted: Posted) {
    let at = shared.clock.now();
    shared.metrics.notification(posting.action, &posted);
    tracing::debug!(
        window = %posting.window, action = posting.action.as_str(), attempt = posting.number, outcome = ?posted,
        "notification tried"
    );
    let jobs = shared.index().posted(id, Some(posting.attempt(at, posted)));
    shared.changed(jobs);
}

fn posted(outcome: Outcome) -> Posted {
    match outcome {
        Outcome::Delivered { code } => Posted::Accepted { code },
        Outcome::Refused { code, retry_after } => Posted::Refused { code, retry_after },
        Outcome::Gone => Posted::Gone,
        Outcome::NotAllowed(_) => Posted::Failed(Reason::ReceiverNotAllowed),
        Outcome::Unanswered(_) => Posted::Failed(Reason::ReceiverUnreachable),
        Outcome::NotYet { wait } => Posted::NotYet(wait),
    }
}
