//! How the simulated vendor behaves, for all jobs and for one. Changes count from the next transition on; a wait that
//! has begun keeps its end.

use serde::{Deserialize, Serialize};

use crate::scheduler::SchedulerSettings;

/// The behaviour of the simulated vendor. The defaults are the vendor's documented figures where there are any, and
/// otherwise the behaviour that costs a careless client most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from an accepted activate until an encoder may connect; the first half is `pending_activation`.
    /// The vendor says "up to about 60 s" (vendor guide: SEP).
    pub activation_ms: u64,
    /// Milliseconds from an accepted deactivate until the job is off; the first half is `pending_deactivation`.
    pub deactivation_ms: u64,
    /// Milliseconds that a job is `cancelling` (or, not being static, `finishing`).
    pub cancellation_ms: u64,
    /// Milliseconds an activated job waits for its encoder before it switches itself off (vendor guide: SEP, 30 min).
    pub max_waiting_ms: u64,
    /// How long a job with a short `event_length` waits for its encoder.
    pub short_event: ShortEvent,
    /// Activations under way at once in one account; the next is refused for lack of capacity. 0: no limit.
    pub simultaneous_activations: usize,
    /// Static jobs in one account; creating another one is refused. 0: no limit.
    pub static_jobs: usize,
    /// Milliseconds before each answer.
    pub latency_ms: u64,
    /// Up to so many milliseconds more, from the seeded source.
    pub latency_jitter_ms: u64,
    /// Seconds by which the `Date` header is ahead of the clock (negative: behind).
    pub date_skew_seconds: i64,
    /// Read a job as `{…}`, as the vendor's schema says, and not as `{"job":{…}}`, as its example says.
    pub bare_job: bool,
    /// What an activate does on a job that is on or going on. NOT DOCUMENTED by the vendor.
    pub activate_when_on: ActivateWhenOn,
    /// What a deactivate does on a job that is off or going off. NOT DOCUMENTED by the vendor.
    pub deactivate_when_off: DeactivateWhenOff,
    /// What an activate does on a job going off, and a deactivate on one going on. NOT DOCUMENTED by the vendor.
    pub while_turning: WhileTurning,
    /// Show `finishing` while going off (and stop billing then). Whether the vendor does is NOT DOCUMENTED; without,
    /// the job keeps its state, and is billed, until it is off.
    pub finishing_while_deactivating: bool,
    /// When encoders connect and drop, unless a job has a script of its own.
    pub encoder: EncoderScript,
    /// The vendor's scheduler of starts and stops.
    pub scheduler: SchedulerSettings,
    /// Seed of ids and jitter.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            activation_ms: 20_000,
            deactivation_ms: 10_000,
            cancellation_ms: 2_000,
            max_waiting_ms: 1_800_000,
            short_event: ShortEvent::default(),
            simultaneous_activations: 5,
            static_jobs: 0,
            latency_ms: 0,
            latency_jitter_ms: 0,
            date_skew_seconds: 0,
            bare_job: false,
            activate_when_on: ActivateWhenOn::default(),
            deactivate_when_off: DeactivateWhenOff::default(),
            while_turning: WhileTurning::default(),
            finishing_while_deactivating: false,
            encoder: EncoderScript::default(),
            scheduler: SchedulerSettings::default(),
            seed: 1,
        }
    }
}

/// When an encoder connects and drops, in milliseconds: connects so long after the job is ready, drops so long after
/// that, comes back so long after that, and so on; then it stays as it is. Empty: no encoder. Starts anew with each
/// activation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EncoderScript(pub Vec<u64>);

/// The vendor's two pages on the wait for an encoder of a job with a short `event_length` contradict each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortEvent {
    /// Shorter than the maximum waiting time: waits for `event_length` (vendor guide: Live API best practices).
    #[default]
    UnderMaxWaiting,
    /// Shorter than `reconnect_time`: waits for `event_length` (vendor guide: SEP).
    UnderReconnectTime,
}

/// An activate on a job that is on or going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivateWhenOn {
    /// 200, and the session starts again, its recording lost: the vendor guide (SEP) says that re-activating discards
    /// the previous recording.
    #[default]
    Restart,
    /// 200 and nothing happens.
    NoOp,
    /// 500 `After filtering, there is no job to process`.
    Refuse,
}

/// A deactivate on a job that is off or going off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivateWhenOff {
    /// 500 `After filtering, there is no job to process`: what the vendor documents for stopping a stopped job, the
    /// nearest thing there is.
    #[default]
    Refuse,
    /// 200 and nothing happens.
    NoOp,
}

/// A switch of a job that is turning the other way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileTurning {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// 200, and the job turns round.
    TurnRound,
    /// 200 and nothing happens.
    NoOp,
}

/// What one job does differently. Absent: as the [`Settings`], or the job's own fields, say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// As [`Settings::activation_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_ms: Option<u64>,
    /// As [`Settings::deactivation_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deactivation_ms: Option<u64>,
    /// As [`Settings::max_waiting_ms`], whatever the job's `event_length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting_ms: Option<u64>,
    /// Instead of the job's `reconnect_time`, which is in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_ms: Option<u64>,
    /// Instead of the job's `event_length`, which is in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_length_ms: Option<u64>,
    /// As [`Settings::encoder`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderScript>,
    /// The word that the API shows as `state`, whatever it is: for words that the vendor does not document, and for
    /// answers that lag behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows_state: Option<String>,
    /// As `shows_state`, for `sep_state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows_sep_state: Option<String>,
}
