//! What is known at a moment: the windows as Kubernetes shows them, the channels as they truly are.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;
use simulator::{JobReport, State};
use testbed::Simulator;

use super::kubernetes::{Watch, Window};

#[derive(Debug, Default)]
pub(super) struct Board {
    /// In the order in which they came.
    pub(super) windows: Vec<Window>,
    /// By the job's id.
    pub(super) channels: BTreeMap<String, JobReport>,
    /// Windows that ever showed `Conflict=True`.
    pub(super) conflicted: BTreeSet<String>,
    /// Windows that ever shared the workflow of another one.
    pub(super) carried: BTreeSet<String>,
}

impl Board {
    /// Brings it up to date.
    pub(super) async fn update(&mut self, watch: &mut Watch, live_api: &Simulator) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Jobs {
            jobs: Vec<JobReport>,
        }
        let Jobs { jobs } = live_api.get("/control/jobs").await.context("looking at the channels")?;
        self.channels = jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        for window in watch.news()? {
            self.put(window);
        }
        Ok(())
    }

    pub(super) fn put(&mut self, window: Window) {
        if window.condition("Conflict").is_some_and(|conflict| conflict.status == "True") {
            self.conflicted.insert(window.name().to_owned());
        }
        if window.condition("Registered").is_some_and(|registered| registered.reason == "CarriedByAnother") {
            self.carried.insert(window.name().to_owned());
        }
        match self.windows.iter_mut().find(|known| known.name() == window.name()) {
            Some(known) => *known = window,
            None => self.windows.push(window),
        }
    }

    pub(super) fn window(&self, name: &str) -> Option<&Window> {
        self.windows.iter().find(|window| window.name() == name)
    }

    pub(super) fn channel(&self, job: &str) -> Option<&JobReport> {
        self.channels.get(job)
    }

    /// Whether nothing more is to come.
    pub(super) fn is_settled(&self) -> bool {
        self.windows.iter().all(Window::is_settled) && self.channels.values().all(is_off)
    }

    #[cfg(test)]
    pub(super) fn of(windows: Vec<serde_json::Value>, channels: Vec<JobReport>) -> Self {
        let mut board = Self::default();
        for window in windows {
            board.put(serde_json::from_value(window).unwrap());
        }
        board.channels = channels.into_iter().map(|job| (job.id.clone(), job)).collect();
        board
    }
}

/// Whether a channel is off for good, and costs nothing.
pub(super) fn is_off(channel: &JobReport) -> bool {
    channel.state == State::Standby && channel.sep_state == simulator::SepState::Waiting
}

/// A channel's state in the Live API's words.
pub(super) fn state_of(channel: &JobReport) -> String {
    format!("{}/{}", channel.state.as_str(), channel.sep_state.as_str())
}
