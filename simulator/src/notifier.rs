//! Sends the scheduler's notifications: the network that the world does not make.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::debug;

use crate::exchange::SharedWorld;
use crate::scheduler::{Delivery, Notification};

/// The clock may be set meanwhile; then it is looked at anew.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

pub(crate) struct Notifier {
    world: SharedWorld,
    client: reqwest::Client,
}

impl Notifier {
    pub(crate) fn new(world: SharedWorld) -> io::Result<Self> {
        // reqwest is built without a provider; an error says that the process has one already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder()
            // Proxies of the environment are not for this machine's own addresses.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { world, client })
    }

    /// Sends each when it is due, all at once, for ever.
    pub(crate) async fn run(self) {
        let mut posts = JoinSet::new();
        loop {
            let now = Timestamp::now();
            let (due, next, timeout) = self.world.with(|world| {
                let due = world.take_notifications(now);
                (due, world.next_firing(), world.settings().scheduler.notification_timeout_ms)
            });
            for notification in due {
                let post = post(self.client.clone(), notification, Duration::from_millis(timeout));
                let world = self.world.clone();
                posts.spawn(async move {
                    let (number, delivery) = post.await;
                    world.with(|world| world.settle_notification(Timestamp::now(), number, delivery));
                });
            }
            let wait = next.map(|at| Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default());
            tokio::select! {
                biased;
                () = self.world.rescheduled() => {}
                Some(_) = posts.join_next() => {}
                () = tokio::time::sleep(wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)) => {}
            }
        }
    }
}

async fn post(client: reqwest::Client, notification: Notification, timeout: Duration) -> (u64, Delivery) {
    let Notification { number, url, body, .. } = notification;
    let post = client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string()).timeout(timeout);
    let delivery = match post.send().await {
        Ok(answer) => Delivery::Answered(answer.status().as_u16()),
        Err(error) => {
            // A URL's path is often a secret.
            let error = error.without_url();
            debug!(number, %error, "a notification was not answered");
            Delivery::Unanswered(
                error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
            )
        }
    };
    (number, delivery)
}
