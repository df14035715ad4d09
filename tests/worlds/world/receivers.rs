//! Receivers of notifications, all of them one service: what it is sent, and how it answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jobstartstop::notify::{NotAnswered, Queue, QueueLimits, SendTimeouts, Sender, Unanswered};
use jobstartstop::timetable::Clock;
use serde_json::Value;
use tokio::time::sleep;
use tower::service_fn;

/// How a receiver answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// With 204, after 30 ms.
    #[default]
    Well,
    /// With 503, after as long.
    Down,
    /// It takes what is sent, and the connection breaks before the answer.
    Mute,
    /// Never.
    Silent,
}

/// What was sent, as its receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// It was answered with 204.
    pub(crate) accepted: bool,
}

/// All receivers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receivers {
    mood: Arc<Mutex<Mood>>,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Receivers {
    /// From now on they answer so.
    pub(crate) fn are(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// What they were sent so far.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that send to them.
    pub(super) fn queue(&self, clock: Arc<dyn Clock>) -> Arc<Queue> {
        let receivers = self.clone();
        let service = service_fn(move |request| receivers.clone().receive(request));
        Arc::new(Queue::new(Sender::new(service, SendTimeouts::default()), QueueLimits::default(), clock))
    }

    async fn receive(self, request: Request<Bytes>) -> Result<Response<()>, NotAnswered> {
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        let id = request.headers()["webhook-id"].to_str().unwrap().to_owned();
        let body = serde_json::from_slice(request.body()).unwrap();
        let letter = Letter { id, body, accepted: mood == Mood::Well };
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        sleep(Duration::from_millis(30)).await;
        let answer = |code| Ok(Response::builder().status(code).body(()).unwrap());
        match mood {
            Mood::Well => answer(204),
            Mood::Down => answer(503),
            Mood::Mute => Err(NotAnswered::Unanswered(Unanswered::Closed)),
            Mood::Silent => std::future::pending().await,
        }
    }
}
