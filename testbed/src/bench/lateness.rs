//! Lateness from the simulator's log: when it received a call less when that call was planned for.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Call, Operation};

/// Milliseconds from planned to received; percentiles by nearest rank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Lateness {
    pub(super) calls: usize,
    /// Received before they were planned for.
    pub(super) early: usize,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Lateness {
    /// Of these calls of one kind: each job of `planned` was called once, and no other was.
    pub(super) fn of(
        calls: &[Call],
        operation: Operation,
        planned: &BTreeMap<&str, Timestamp>,
    ) -> anyhow::Result<Self> {
        let mut late = Vec::with_capacity(planned.len());
        let mut called: BTreeMap<&str, u32> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.operation == operation) {
            let job = call.job.as_deref().unwrap_or_default();
            let Some(at) = planned.get(job) else { bail!("{job}: {operation:?} was called, and not planned") };
            *called.entry(job).or_default() += 1;
            late.push(call.received_us - at.as_microsecond());
        }
        for job in planned.keys() {
            let times = called.get(job).copied().unwrap_or(0);
            ensure!(times == 1, "{job}: {times} calls of {operation:?} instead of one");
        }
        Ok(Self::of_micros(late))
    }

    /// Of the differences themselves, in microseconds.
    pub(super) fn of_micros(mut late: Vec<i64>) -> Self {
        late.sort_unstable();
        Self {
            calls: late.len(),
            early: late.iter().filter(|late| **late < 0).count(),
            p50: percentile(&late, 50),
            p99: percentile(&late, 99),
            max: percentile(&late, 100),
        }
    }
}

/// Nearest rank, in milliseconds, of sorted microseconds.
fn percentile(sorted: &[i64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    millis(sorted.get(rank - 1).copied().unwrap_or_default())
}

/// Microseconds as milliseconds.
pub(super) fn millis(micros: i64) -> f64 {
    jiff::SignedDuration::from_micros(micros).as_secs_f64() * 1_000.0
}

/// The middle one; of an even number the mean of both. `None` of none.
pub(super) fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper)) }
}

#[cfg(test)]
mod tests {
    use simulator::Outcome;

    use super::*;

    fn call(job: &str, operation: Operation, received_us: i64) -> Call {
        Call {
            sequence: 1,
            received_us,
            answered_us: None,
            operation,
            method: "PUT".into(),
            path: String::new(),
            job: Some(job.into()),
            workflow: None,
            body: None,
            key: None,
            outcome: Outcome::Answered,
            status: Some(200),
            carried_out: true,
            carried_out_us: None,
            fault: None,
        }
    }

    fn about(figure: f64, wanted: f64) {
        assert!((figure - wanted).abs() < 1e-9, "{figure} instead of {wanted}");
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let of = |count: i64| Lateness::of_micros((1..=count).rev().map(|i| i * 1_000).collect());
        let twenty = of(20);
        about(twenty.p50, 10.0);
        about(twenty.p99, 20.0);
        let thousand = of(1_000);
        about(thousand.p50, 500.0);
        about(thousand.p99, 990.0);
        about(thousand.max, 1_000.0);
        about(Lateness::of_micros(vec![500]).p99, 0.5);
    }

    #[test]
    fn calls_before_their_time_are_counted() {
        let late = Lateness::of_micros(vec![-1, 0, 1]);
        assert_eq!((late.calls, late.early), (3, 1));
    }

    #[test]
    fn a_missing_a_repeated_and_an_unplanned_call_are_no_figure() {
        let planned = BTreeMap::from([("a", Timestamp::UNIX_EPOCH)]);
        let once = call("a", Operation::Activate, 2_000);
        let late = |calls: &[Call]| Lateness::of(calls, Operation::Activate, &planned);
        about(late(std::slice::from_ref(&once)).unwrap().max, 2.0);
        assert!(late(&[]).is_err());
        assert!(late(&[once.clone(), once.clone()]).is_err());
        assert!(late(&[once.clone(), call("b", Operation::Activate, 0)]).is_err());
        let stop = call("a", Operation::Deactivate, 0);
        assert!(late(&[once, stop]).is_ok(), "another kind of call is another figure");
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both() {
        about(median(&[3.0, 1.0, 2.0]).unwrap(), 2.0);
        about(median(&[4.0, 1.0]).unwrap(), 2.5);
        assert_eq!(median(&[]), None);
    }
}
