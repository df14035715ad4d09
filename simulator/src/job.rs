//! One job: its cycle, its encoder, its billing clock, its recordings.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::settings::{EncoderScript, Overrides, Settings, ShortEvent};
use crate::words::{SepState, State};

/// The vendor's answer shows so many transitions and sets `state_history_is_truncated` when there were more. The
/// number is NOT DOCUMENTED.
const HISTORY_SHOWN: usize = 50;

/// A job to be created over the control API or in Rust; the vendor's own create call has its own body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewJob {
    /// Chosen id; none: 32 hexadecimal digits, from the seeded source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The account whose keys see the job.
    pub account: String,
    /// Whether it is a static entry point, the only kind that can be activated.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// As in the vendor's create call.
    pub region: String,
    /// Seconds a job waits for a lost encoder (vendor reference: 1–7,200, default 1,800).
    pub reconnect_time: u32,
    /// Seconds an event may stream, counted from the first connection; 0: no limit (vendor reference: 0–93,600).
    pub event_length: u32,
    /// `event` or `24x7`.
    pub channel_type: String,
    /// What this job does differently.
    pub overrides: Overrides,
}

impl Default for NewJob {
    fn default() -> Self {
        Self {
            id: None,
            account: crate::DEFAULT_ACCOUNT.to_owned(),
            is_static: true,
            region: "us-west-2".to_owned(),
            reconnect_time: 1_800,
            event_length: 0,
            channel_type: "event".to_owned(),
            overrides: Overrides::default(),
        }
    }
}

impl NewJob {
    /// A static job with a chosen id.
    #[must_use]
    pub fn with_id(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }
}

/// Everything that is known about a job, beyond what the vendor's API shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// The job's id.
    pub id: String,
    /// The account it belongs to.
    pub account: String,
    /// Whether it is a static entry point.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// What it truly is, whatever the overrides show.
    pub state: State,
    /// What it truly is as a static entry point.
    pub sep_state: SepState,
    /// `stop` was called on it: it cannot be deactivated any more, only cancelled (vendor reference: Stop a Job).
    pub wedged: bool,
    /// Milliseconds billed so far: in `waiting`, `processing` and `disconnected`.
    pub billed_ms: u64,
    /// The same in whole seconds, rounded down.
    pub billed_seconds: u64,
    /// Activations carried out.
    pub sessions: u64,
    /// Activations carried out while the job was on or going on: each cut a session short.
    pub restarts: u64,
    /// The recording that can be clipped; there is one once an encoder has connected. Numbered from 1.
    pub recording: Option<u64>,
    /// Recordings that an activation discarded (vendor guide: SEP, every activation discards the one before).
    pub recordings_discarded: u64,
    /// When it was created, in microseconds.
    pub created_us: i64,
    /// `state` over time, newest first.
    pub state_history: Vec<Transition<State>>,
    /// `sep_state` over time, newest first.
    pub sep_history: Vec<Transition<SepState>>,
    /// What this job does differently.
    pub overrides: Overrides,
}

/// One entry of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition<S> {
    /// The state entered.
    pub state: S,
    /// When, in epoch milliseconds.
    pub transition_timestamp: i64,
}

/// What happens next by itself. Where two fall on one instant, the encoder is first: it just made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Encoder,
    EndOfWait,
    EndOfEvent,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) is_static: bool,
    pub(crate) region: String,
    pub(crate) overrides: Overrides,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    reconnect_time: u32,
    event_length: u32,
    channel_type: String,
    finished_at: Option<Timestamp>,
    /// Fields of the create call that the answer repeats.
    echoed: Map<String, Value>,

    state: State,
    sep_state: SepState,
    wedged: bool,
    state_history: Vec<Transition<State>>,
    sep_history: Vec<Transition<SepState>>,
    /// The end of the step or wait that the job is in.
    wait_ends: Option<Timestamp>,
    event_ends: Option<Timestamp>,
    encoder_due: Option<Timestamp>,
    encoder_step: usize,

    billed: SignedDuration,
    billed_since: Option<Timestamp>,
    sessions: u64,
    restarts: u64,
    recording: Option<u64>,
    recordings_made: u64,
    recordings_discarded: u64,
}

/// Birth and the cycle.
impl Job {
    pub(crate) fn create(id: String, new: NewJob, echoed: Map<String, Value>, now: Timestamp) -> Self {
        // A job that is not static waits for its encoder, billed, from its creation on.
        let (state, sep_state) =
            if new.is_static { (State::Standby, SepState::Waiting) } else { (State::Waiting, SepState::None) };
        let mut job = Self {
            id,
            account: new.account,
            is_static: new.is_static,
            region: new.region,
            overrides: new.overrides,
            created_at: now,
            updated_at: now,
            reconnect_time: new.reconnect_time,
            event_length: new.event_length,
            channel_type: new.channel_type,
            finished_at: None,
            echoed,
            state,
            sep_state,
            wedged: false,
            state_history: Vec::new(),
            sep_history: Vec::new(),
            wait_ends: None,
            event_ends: None,
            encoder_due: None,
            encoder_step: 0,
            billed: SignedDuration::ZERO,
            billed_since: state.is_billed().then_some(now),
            sessions: 0,
            restarts: 0,
            recording: None,
            recordings_made: 0,
            recordings_discarded: 0,
        };
        job.note_state(now);
        job.note_sep_state(now);
        job
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state.is_ended()
    }

    pub(crate) fn is_wedged(&self) -> bool {
        self.wedged
    }

    pub(crate) fn is_going_on(&self) -> bool {
        matches!(self.sep_state, SepState::PendingActivation | SepState::ActivationInProgress)
    }

    pub(crate) fn is_going_off(&self) -> bool {
        matches!(self.sep_state, SepState::PendingDeactivation | SepState::DeactivationInProgress)
    }

    pub(crate) fn is_off(&self) -> bool {
        self.sep_state == SepState::Waiting
    }

    /// An encoder may connect or is connected.
    pub(crate) fn is_on(&self) -> bool {
        self.state.is_billed() && !self.is_going_off()
    }

    pub(crate) fn activate(&mut self, now: Timestamp, settings: &Settings) {
        if self.is_on() || self.is_going_on() {
            self.restarts += 1;
        }
        if self.recording.take().is_some() {
            self.recordings_discarded += 1;
        }
        self.sessions += 1;
        self.settle();
        self.enter(now, State::Standby, SepState::PendingActivation);
        self.wait_ends = Some(later(now, self.activation_ms(settings) / 2));
    }

    pub(crate) fn deactivate(&mut self, now: Timestamp, settings: &Settings) {
        self.settle();
        let state = match self.state {
            State::Standby => State::Standby,
            _ if settings.finishing_while_deactivating => State::Finishing,
            state => state,
        };
        self.enter(now, state, SepState::PendingDeactivation);
        self.wait_ends = Some(later(now, self.deactivation_ms(settings) / 2));
    }

    /// What the vendor warns of: on a static entry point it wedges the job (vendor reference: Stop a Job). How such a
    /// job looks is NOT DOCUMENTED; `finishing` with `ready`, for ever, is this simulator's guess.
    pub(crate) fn stop(&mut self, now: Timestamp, settings: &Settings) {
        self.settle();
        if self.is_static {
            self.wedged = true;
            self.enter(now, State::Finishing, SepState::Ready);
        } else {
            self.enter(now, State::Finishing, SepState::None);
            self.wait_ends = Some(later(now, settings.cancellation_ms));
        }
    }

    pub(crate) fn cancel(&mut self, now: Timestamp, settings: &Settings) {
        self.settle();
        let sep_state = if self.is_static { SepState::Cancelled } else { SepState::None };
        self.enter(now, State::Cancelling, sep_state);
        self.wait_ends = Some(later(now, settings.cancellation_ms));
    }

    pub(crate) fn fail(&mut self, now: Timestamp) {
        self.settle();
        let sep_state = if self.is_static { SepState::Finished } else { SepState::None };
        self.enter(now, State::Failed, sep_state);
    }

    /// When something happens next by itself, and what.
    pub(crate) fn next_due(&self) -> Option<(Timestamp, Due)> {
        let due =
            [(self.encoder_due, Due::Encoder), (self.wait_ends, Due::EndOfWait), (self.event_ends, Due::EndOfEvent)];
        due.into_iter().filter_map(|(at, due)| Some((at?, due))).min()
    }

    pub(crate) fn happen(&mut self, at: Timestamp, due: Due, settings: &Settings) {
        match due {
            Due::Encoder => self.follow_encoder_script(at, settings),
            Due::EndOfWait => self.end_wait(at, settings),
            Due::EndOfEvent => self.switch_itself_off(at, settings),
        }
    }

    fn end_wait(&mut self, at: Timestamp, settings: &Settings) {
        self.wait_ends = None;
        match (self.sep_state, self.state) {
            (SepState::PendingActivation, _) => {
                let whole = self.activation_ms(settings);
                self.enter(at, State::Standby, SepState::ActivationInProgress);
                self.wait_ends = Some(later(at, whole - whole / 2));
            }
            (SepState::ActivationInProgress, _) => self.become_ready(at, settings),
            (SepState::PendingDeactivation, state) => {
                let whole = self.deactivation_ms(settings);
                self.enter(at, state, SepState::DeactivationInProgress);
                self.wait_ends = Some(later(at, whole - whole / 2));
            }
            (SepState::DeactivationInProgress, _) => self.enter(at, State::Standby, SepState::Waiting),
            (sep_state, State::Cancelling) => self.enter(at, State::Cancelled, sep_state),
            (sep_state, State::Finishing) => self.enter(at, State::Finished, sep_state),
            (_, State::Waiting | State::Disconnected) => self.switch_itself_off(at, settings),
            _ => {}
        }
    }

    fn become_ready(&mut self, at: Timestamp, settings: &Settings) {
        self.enter(at, State::Waiting, SepState::Ready);
        self.wait_ends = Some(later(at, self.max_waiting_ms(settings)));
        self.encoder_step = 0;
        self.encoder_due = self.encoder_script(settings).0.first().map(|after| later(at, *after));
    }

    /// After the longest wait, after `reconnect_time`, at the end of the event.
    fn switch_itself_off(&mut self, at: Timestamp, settings: &Settings) {
        if self.is_static {
            self.deactivate(at, settings);
        } else {
            self.stop(at, settings);
        }
    }

    /// Nothing is due any more.
    fn settle(&mut self) {
        self.wait_ends = None;
        self.event_ends = None;
        self.encoder_due = None;
    }

    fn enter(&mut self, now: Timestamp, state: State, sep_state: SepState) {
        self.updated_at = now;
        if self.sep_state != sep_state {
            self.sep_state = sep_state;
            self.note_sep_state(now);
        }
        if self.state == state {
            return;
        }
        self.state = state;
        self.note_state(now);
        match (self.billed_since, state.is_billed()) {
            (None, true) => self.billed_since = Some(now),
            (Some(since), false) => {
                self.billed += now.duration_since(since);
                self.billed_since = None;
            }
            _ => {}
        }
        if state.is_ended() {
            self.finished_at = Some(now);
        }
    }

    fn note_state(&mut self, now: Timestamp) {
        self.state_history.push(Transition { state: self.state, transition_timestamp: now.as_millisecond() });
    }

    fn note_sep_state(&mut self, now: Timestamp) {
        self.sep_history.push(Transition { state: self.sep_state, transition_timestamp: now.as_millisecond() });
    }
}

/// The encoder.
impl Job {
    /// False where no encoder can connect. One that was there before the activation is unsupported (vendor guide: Live
    /// API best practices), so none is remembered.
    pub(crate) fn connect(&mut self, now: Timestamp) -> bool {
        if !matches!(self.state, State::Waiting | State::Disconnected) || !self.is_on() {
            return false;
        }
        if self.recording.is_none() {
            self.recordings_made += 1;
            self.recording = Some(self.recordings_made);
            self.event_ends = self.event_length_ms().map(|length| later(now, length));
        }
        self.wait_ends = None;
        self.enter(now, State::Processing, self.sep_state);
        true
    }

    /// False where no encoder is connected.
    pub(crate) fn drop_encoder(&mut self, now: Timestamp) -> bool {
        if self.state != State::Processing || !self.is_on() {
            return false;
        }
        self.enter(now, State::Disconnected, self.sep_state);
        self.wait_ends = Some(later(now, self.reconnect_ms()));
        true
    }

    /// From now on the encoder does what it is told, until the next activation.
    pub(crate) fn leave_encoder_script(&mut self) {
        self.encoder_due = None;
    }

    fn follow_encoder_script(&mut self, at: Timestamp, settings: &Settings) {
        if self.encoder_step.is_multiple_of(2) {
            self.connect(at);
        } else {
            self.drop_encoder(at);
        }
        self.encoder_step += 1;
        self.encoder_due = self.encoder_script(settings).0.get(self.encoder_step).map(|after| later(at, *after));
    }

    fn encoder_script<'a>(&'a self, settings: &'a Settings) -> &'a EncoderScript {
        self.overrides.encoder.as_ref().unwrap_or(&settings.encoder)
    }
}

/// How long things take.
impl Job {
    fn activation_ms(&self, settings: &Settings) -> u64 {
        self.overrides.activation_ms.unwrap_or(settings.activation_ms)
    }

    fn deactivation_ms(&self, settings: &Settings) -> u64 {
        self.overrides.deactivation_ms.unwrap_or(settings.deactivation_ms)
    }

    fn reconnect_ms(&self) -> u64 {
        self.overrides.reconnect_ms.unwrap_or(u64::from(self.reconnect_time) * 1_000)
    }

    fn event_length_ms(&self) -> Option<u64> {
        let length = self.overrides.event_length_ms.unwrap_or(u64::from(self.event_length) * 1_000);
        (length > 0).then_some(length)
    }

    /// What holds for `event_length` 0, the default, is NOT DOCUMENTED: it is read as "no limit" here.
    fn max_waiting_ms(&self, settings: &Settings) -> u64 {
        if let Some(wait) = self.overrides.max_waiting_ms {
            return wait;
        }
        let short = match settings.short_event {
            ShortEvent::UnderMaxWaiting => settings.max_waiting_ms,
            ShortEvent::UnderReconnectTime => self.reconnect_ms(),
        };
        match self.event_length_ms() {
            Some(length) if length < short => length.min(settings.max_waiting_ms),
            _ => settings.max_waiting_ms,
        }
    }
}

/// What is shown.
impl Job {
    pub(crate) fn shown_state(&self) -> &str {
        self.overrides.shows_state.as_deref().unwrap_or(self.state.as_str())
    }

    pub(crate) fn shown_sep_state(&self) -> &str {
        self.overrides.shows_sep_state.as_deref().unwrap_or(self.sep_state.as_str())
    }

    /// The vendor's job object. Milliseconds in the history, ISO 8601 in the dates, seconds in the lengths: the units
    /// are mixed there, too.
    pub(crate) fn shown(&self) -> Value {
        let history: Vec<_> = self.state_history.iter().rev().take(HISTORY_SHOWN).collect();
        let mut shown = json!({
            "id": self.id,
            "account_id": self.account,
            "state": self.shown_state(),
            "sep_state": self.shown_sep_state(),
            "ssai_state": "none",
            "static": self.is_static,
            "region": self.region,
            "channel_type": self.channel_type,
            "reconnect_time": self.reconnect_time,
            "event_length": self.event_length,
            "live_stream": true,
            "created_at": iso(self.created_at),
            "submitted_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "finished_at": self.finished_at.map(iso),
            "state_history": history,
            "state_history_is_truncated": self.state_history.len() > HISTORY_SHOWN,
            "stream": { "url": self.stream_url(), "name": "alive" },
            "playback_url": self.playback_url(),
        });
        if let Some(object) = shown.as_object_mut() {
            for (field, value) in &self.echoed {
                object.entry(field.as_str()).or_insert_with(|| value.clone());
            }
        }
        shown
    }

    /// The answer to the vendor's create call.
    pub(crate) fn created(&self) -> Value {
        json!({
            "id": self.id,
            "stream_url": self.stream_url(),
            "stream_name": "alive",
            "static": self.is_static,
            "sep_state": self.shown_sep_state(),
            "outputs": self.echoed.get("outputs"),
            "playback_url": self.playback_url(),
        })
    }

    pub(crate) fn report(&self, now: Timestamp) -> JobReport {
        let running = self.billed_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        let billed_ms = u64::try_from((self.billed + running).as_millis()).unwrap_or(0);
        JobReport {
            id: self.id.clone(),
            account: self.account.clone(),
            is_static: self.is_static,
            state: self.state,
            sep_state: self.sep_state,
            wedged: self.wedged,
            billed_ms,
            billed_seconds: billed_ms / 1_000,
            sessions: self.sessions,
            restarts: self.restarts,
            recording: self.recording,
            recordings_discarded: self.recordings_discarded,
            created_us: self.created_at.as_microsecond(),
            state_history: self.state_history.iter().rev().copied().collect(),
            sep_history: self.sep_history.iter().rev().copied().collect(),
            overrides: self.overrides.clone(),
        }
    }

    fn stream_url(&self) -> String {
        format!("rtmp://{id}.sep.bcovlive.io:1935/{id}", id = self.id)
    }

    fn playback_url(&self) -> String {
        format!("https://bcovlive-a.akamaihd.net/{}/{}/playlist.m3u8", self.id, self.region)
    }
}

fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// So many milliseconds later; the end of time where that is too far.
pub(crate) fn later(at: Timestamp, milliseconds: u64) -> Timestamp {
    let wait = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
