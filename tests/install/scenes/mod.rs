//! The scenes of the programme, and what several of them do.

pub(crate) mod admission;
pub(crate) mod modes;
pub(crate) mod overlap;
pub(crate) mod priority;
pub(crate) mod protection;
pub(crate) mod removal;
pub(crate) mod restore;
pub(crate) mod roles;
pub(crate) mod upgrade;

use std::sync::Arc;

use serde_json::json;

use crate::cluster::Cluster;
use crate::harness::{Channel, Stage, Window, eventually, in_seconds};

/// A namespace with an account, which no operator serves yet.
async fn stage(cluster: &Cluster, name: &str) -> Stage {
    Stage::unattended_on(Arc::clone(&cluster.plane), name).await
}

/// A window from its first sight to its tidying up: each right of the operator is used on the way.
async fn whole_life(stage: &Stage) {
    let news = stage.channel("news").await;
    let ttl = json!({ "ttlSecondsAfterFinished": 1 });
    let window = stage.window("evening-news", &news).between(in_seconds(3), in_seconds(6)).with(ttl).create().await;
    window.reaches("Active").await;
    eventually("an event tells that it is on", async || {
        window.events().await.into_iter().find(|event| event.reason.as_deref() == Some("Started"))
    })
    .await;
    window.reaches("Finished").await;
    window.is_gone().await;
    news.was_called(1, 1).await;
}

/// A window that is on air and stays so for as long as a scene takes.
async fn on_air(stage: &Stage) -> (Channel, Window) {
    let gala = stage.channel("gala").await;
    let window = stage.window("gala", &gala).between(in_seconds(1), in_seconds(600)).create().await;
    window.reaches("Active").await;
    (gala, window)
}
