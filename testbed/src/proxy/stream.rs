//! Bodies on their way from the API server, as they come or held back.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{Mode, other};

/// A body whose parts come through a channel; it ends when that is closed.
pub(super) struct Streamed(mpsc::UnboundedReceiver<io::Result<Bytes>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// The body of an answer as it comes.
pub(super) fn passed(answer: reqwest::Response) -> Streamed {
    let (to, body) = mpsc::unbounded_channel();
    tokio::spawn(read(answer, to, |part| part));
    Streamed(body)
}

/// The body of a watch: each part, and the end, as late as the mode has it.
pub(super) fn held(answer: reqwest::Response, mode: watch::Receiver<Mode>) -> Streamed {
    let (to_hold, parts) = mpsc::unbounded_channel();
    let (to, body) = mpsc::unbounded_channel();
    tokio::spawn(read(answer, to_hold, |part| (Instant::now(), part)));
    tokio::spawn(async move {
        let gone = to.clone();
        tokio::select! {
            // With the parts' receiver the reader ends too, and the API server's watch.
            () = gone.closed() => {}
            () = let_go(parts, to, mode) => {}
        }
    });
    Streamed(body)
}

async fn read<T>(
    mut answer: reqwest::Response,
    to: mpsc::UnboundedSender<T>,
    wrap: impl Fn(io::Result<Bytes>) -> T + Send + 'static,
) {
    loop {
        let part = tokio::select! {
            part = answer.chunk() => part,
            () = to.closed() => return,
        };
        let Some(part) = part.map_err(other).transpose() else { return };
        let failed = part.is_err();
        if to.send(wrap(part)).is_err() || failed {
            return;
        }
    }
}

async fn let_go(
    mut parts: mpsc::UnboundedReceiver<(Instant, io::Result<Bytes>)>,
    to: mpsc::UnboundedSender<io::Result<Bytes>>,
    mut mode: watch::Receiver<Mode>,
) {
    while let Some((arrived, part)) = parts.recv().await {
        let lag = mode.borrow().watch_lag;
        sleep_until(arrived + lag).await;
        if mode.wait_for(|mode| !mode.watches_frozen).await.is_err() || to.send(part).is_err() {
            return;
        }
    }
    // The end is held back as well: a frozen watch neither speaks nor ends.
    mode.wait_for(|mode| !mode.watches_frozen).await.ok();
}
