//! Channels on air that no window covers: once a day all jobs of each key are listed, and what is found is told of. Nothing
//! is called for them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::UncoveredChannels;
use crate::api::time::{read_status, utc};
use crate::live::{JobId, LiveError};

use super::index::Order;
use super::live_calls::{heard, page, reason};
use super::shared::Shared;

/// So many jobs are named.
const NAMED: usize = 10;

/// What the last complete list of a key's jobs showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// When it was asked for.
    pub(super) at: Timestamp,
    /// How many channels were on air and covered by no window.
    pub(super) count: u32,
    /// The first of them.
    jobs: Vec<String>,
}

impl Listed {
    fn begun(at: Timestamp) -> Self {
        Self { at, count: 0, jobs: Vec::new() }
    }

    /// What is stored of it.
    pub(super) fn read(stored: &UncoveredChannels) -> Option<Self> {
        let at = read_status(&stored.listed_at)?;
        Some(Self { at, count: stored.count, jobs: stored.jobs.iter().take(NAMED).cloned().collect() })
    }

    /// As it is to be stored, in place of the one `before`.
    pub(super) fn render(&self, before: &UncoveredChannels) -> UncoveredChannels {
        UncoveredChannels {
            listed_at: utc(self.at),
            count: self.count,
            jobs: self.jobs.clone(),
            unknown: before.unknown.clone(),
        }
    }

    /// For people.
    pub(super) fn sentence(&self) -> String {
        let more = if self.jobs.len() < self.count as usize { ", and more" } else { "" };
        format!(
            "Channels on air that no window covers, of the namespaces that this operator watches: {} ({}{more}). \
             Nothing is called for them.",
            self.count,
            self.jobs.join(", ")
        )
    }

    fn add(&mut self, job: String) {
        self.count += 1;
        if self.jobs.len() < NAMED {
            self.jobs.push(job);
        }
    }
}

/// Looks again and again for keys whose list is due. Runs for ever.
pub(super) async fn run(shared: Arc<Shared>) {
    let pause = shared.index().timings().supervise;
    let pause = Duration::try_from(pause).unwrap_or_default();
    loop {
        tokio::time::sleep(pause).await;
        shared.give_way().await;
        let loads = shared.index().want_daily_lists(shared.clock.now());
        shared.admit(loads, false);
    }
}

/// Makes a daily list that was let go, and tells what it shows.
pub(super) async fn list(shared: &Shared, order: &Order) {
    let mut listed = Listed::begun(shared.clock.now());
    let answer = all_pages(shared, order, &mut listed).await;
    let (at, account) = (shared.clock.now(), &order.origin.account);
    shared.metrics.channel_list(answer.as_ref().err());
    match answer {
        Ok(pages) => {
            if listed.count > 0 {
                tracing::warn!(
                    %account, channels = listed.count, jobs = ?listed.jobs, pages,
                    "channels are on air that no window covers, of the namespaces that are watched"
                );
            } else {
                tracing::info!(%account, pages, "all jobs were listed: each channel on air is covered by a window");
            }
            let notices = shared.index().daily_list_answered(&order.origin, &listed, pages, at);
            for notice in notices {
                shared.notice(notice);
            }
        }
        Err(error) => {
            let reason = reason(&error);
            tracing::warn!(%account, %reason, %error, "the daily list of all jobs failed, trying again");
            shared.index().daily_list_failed(&order.origin, at, reason, heard(&error));
        }
    }
    shared.answered([], &order.origin.load);
}

/// Takes in each page as it was answered. Returns how many there were.
async fn all_pages(shared: &Shared, order: &Order, listed: &mut Listed) -> Result<usize, LiveError> {
    let endpoint = order.client.endpoint().origin();
    let mut pages = order.client.pages(true);
    let mut count = 0;
    while let Some((page, (_, at))) = page(shared, order, &mut pages).await {
        let jobs = page?;
        count += 1;
        let index = shared.index();
        // One with an id that is none cannot be named by a window, and is no channel.
        for job in jobs.into_iter().filter(|job| JobId::parse(&job.id).is_ok()) {
            if index.is_uncovered(&endpoint, &job, at) {
                listed.add(job.id);
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(count: usize) -> Listed {
        let mut listed = Listed::begun(Timestamp::from_second(1_800_000_000).unwrap());
        (0..count).for_each(|number| listed.add(format!("job-{number}")));
        listed
    }

    #[test]
    fn at_most_ten_jobs_are_named_and_all_are_counted() {
        let many = listed(12);
        assert_eq!((many.count, many.jobs.len()), (12, 10));
        let sentence = many.sentence();
        assert!(sentence.contains(": 12 (job-0, ") && sentence.contains("job-9, and more)."), "{sentence}");
        let sentence = listed(1).sentence();
        assert!(sentence.contains(": 1 (job-0)."), "{sentence}");
    }

    #[test]
    fn what_is_stored_of_a_list_is_read_back() {
        for count in [0, 3, 12] {
            let before = listed(count);
            assert_eq!(Listed::read(&before.render(&UncoveredChannels::default())), Some(before));
        }
        assert_eq!(Listed::read(&UncoveredChannels::default()), None, "never listed");
    }
}
