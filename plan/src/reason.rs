//! Why: one stable word for everything that can be said of a window, the same in status, events, metrics, logs and
//! docs.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $name:ident,)+) => {
        /// Why a task, a condition or an event stands as it does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word, as it stands in status, events, metrics, logs and docs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it means, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii_start()),+ }
            }
        }
    };
}

reasons! {
    // A window as a whole.
    /// Seen for the first time; key and job are being checked.
    Checking,
    /// Waiting for its start; key and job were checked.
    Scheduled,
    /// On air.
    OnAir,
    /// Not on air: its start is ahead.
    NotStarted,
    /// Off air: its stop was confirmed.
    OffAir,
    /// Started and stopped.
    Finished,
    /// Cancelled before the start.
    Cancelled,
    /// Deleted before the start.
    Deleted,
    /// `suspend` is set: no start is made.
    Suspended,
    /// Another window wants the same channel at the same time. The channel stays on until the last of them ends.
    Overlap,

    // The start.
    /// The start was called; the channel is not read on yet.
    Starting,
    /// An earlier process had claimed the start and recorded nothing: it may have called. The job is read before anything
    /// is called again.
    PerhapsCalled,
    /// This process was suspended right before the call: nothing was sent, and all is read anew.
    Overslept,
    /// Another installation of the operator, with a Lease of its own, has claimed this start: this one makes none.
    OtherInstallation,
    /// The start is due, and the API server has not stored yet that it is this process which makes it.
    WaitingForClaim,
    /// The channel was read on after our start.
    Started,
    /// The channel was already on, or going on, when the start was due: nothing was called.
    AlreadyOnAir,
    /// The start waits until an account's simultaneous activations, or its request rate, leave room.
    WaitingForCapacity,
    /// More starts are due within a minute of each other than the account allows at once: this one will have to wait
    /// for a slot.
    TooManyStarts,
    /// The start waits until a stop of the same channel is through.
    WaitingForStop,
    /// The start waits for a reading of the job.
    WaitingForReading,
    /// The start was refused; it is tried again until its deadline.
    StartRefused,
    /// The start was called, but the channel was read off long enough after it to be believed.
    StartNotConfirmed,
    /// The start was edited after it had been called: the edit changes nothing.
    StartAlreadyMade,
    /// `startingDeadlineSeconds` had passed before the start could be made.
    StartDeadlineExceeded,
    /// The window ended before the start could be made.
    StartMissed,
    /// The window was over when it was first seen: nothing is called.
    WindowPast,
    /// The job is not a static entry point: it cannot be switched on and off.
    NotStatic,
    /// The job has ended for good (finished, cancelled or failed).
    JobEnded,
    /// The Live API does not know the job.
    JobNotFound,
    /// The Live API refused the call in a way that repeating cannot heal.
    CallRefused,
    /// The answer to the last call was lost; the job is read before anything else is done.
    AnswerLost,

    // The stop.
    /// The stop was called; the channel is not read off yet.
    Stopping,
    /// The channel was read off after our stop.
    Stopped,
    /// The channel was already off when the stop was due: nothing was called.
    AlreadyOff,
    /// Another window keeps the channel on past this window's end.
    KeptOnAir,
    /// The stop was refused; it is repeated until the channel is read off.
    StopRefused,
    /// The stop was called more than once and the channel is not read off yet; it is repeated until it is.
    StopNotConfirmed,
    /// The stop waits until the channel, which is going on, is on.
    WaitingForStart,
    /// The stop was edited after it had been called: the edit changes nothing.
    StopAlreadyMade,
    /// The stop was cancelled while on air: the channel stays on until somebody switches it off.
    StopCancelled,
    /// Deleted under the policy Retain, or with its definition: nothing is called, the channel stays as it is.
    Retained,
    /// The window was deleted on air, or while a workflow stood for it, and no API key could be had to switch its channel
    /// off, or to cancel that: it may still be on, or go on.
    StopGivenUp,
    /// The start failed or was missed, so there is nothing to stop.
    StartFailed,
    /// The start had failed or was missed, but the channel was on at the end of the window and was switched off.
    StoppedAfterFailedStart,
    /// Cancelled while the start was under way; the channel had come on and was switched off again.
    CancelledDuringStart,
    /// Somebody, or the vendor, switched the channel off inside the window. It is not switched on again.
    StoppedExternally,
    /// The vendor switched the channel off inside the window: no encoder had been connected for as long as it waits for
    /// one, half an hour by default. It is not switched on again.
    AutoDeactivated,
    /// The channel is on although this window, long past, is over and no other window wants it on.
    LeftOn,
    /// The channel is going on or off.
    Turning,

    // The vendor's scheduler.
    /// Registered with the Live API's scheduler, which makes start and stop.
    Registered,
    /// One workflow of the Live API's scheduler stands for this window and another one that it is merged with; it is
    /// recorded on the other one.
    CarriedByAnother,
    /// Registered with the Live API's scheduler later: its start is further ahead than the account registers windows.
    RegistersLater,
    /// The Live API's scheduler takes no more pending starts of this account: sooner windows go first.
    WaitingForQuota,
    /// The Live API's scheduler refused the window. It is tried again; a window that is not registered two minutes before
    /// its start is started and stopped by this operator.
    SchedulerUnavailable,
    /// There was no time left to register the window with the Live API's scheduler: this operator makes its calls.
    TooLateToRegister,
    /// A window of the other executor wants the same channel at the same time: this operator makes the calls of both.
    MixedExecutors,
    /// A workflow that is not this operator's stands at the Live API's scheduler for the same job and time. It is left
    /// alone, and none is made beside it.
    ForeignWorkflow,
    /// The answer that would have told whether the Live API's scheduler took the window was lost, and there is no list to
    /// look it up in. It is not registered a second time; a start that does not come is made here, two minutes late.
    WorkflowUnknown,
    /// The workflow that `adoptWorkflowID` names cannot be taken over.
    AdoptionFailed,
    /// The Live API's scheduler does not have the workflow any more, or somebody cancelled it there: this operator makes
    /// what is missing.
    DroppedByVendor,
    /// The workflow is being cancelled at the Live API's scheduler; nothing else is done before it was read back.
    CancellingWorkflow,
    /// The Live API's scheduler made its start, or may still make it: no other one is made before its workflow was read
    /// back.
    WaitingForWorkflow,
    /// What stands at the Live API's scheduler is not as the window has it.
    VendorCopyDiffers,
    /// The Live API's scheduler did not make the start: this operator makes it.
    VendorStartMissing,
    /// The Live API's scheduler did not make the stop: this operator makes it.
    VendorStopMissing,
    /// The Live API's scheduler switched the channel off while a window wanted it on: its start is made again.
    CutByVendor,
    /// The Live API's scheduler takes windows of this account.
    SchedulerAvailable,

    // Account and key.
    /// The LiveAccount that `accountRef` names does not exist.
    AccountNotFound,
    /// The LiveAccount names an endpoint that the operator does not allow (`--live-endpoint`).
    EndpointNotAllowed,
    /// The Secret that holds the API key does not exist.
    SecretNotFound,
    /// The Secret has no such key.
    SecretKeyMissing,
    /// The API key has characters that no key has.
    KeyMalformed,
    /// The Live API refuses the key.
    KeyRefused,
    /// The Live API accepts the key.
    KeyAccepted,
    /// No window has used the key yet.
    KeyNotUsed,
    /// The account can be used.
    AccountReady,
    /// Channels are on air that no window covers, of the namespaces that this operator watches. Nothing is called for
    /// them.
    UncoveredChannels,
    /// An older LiveAccount that opted in to the HTTP interface has the same API key: the key opens neither there. Calls to
    /// the Live API are made all the same.
    GatewayKeyShared,

    // Notifications.
    /// The receiver of notifications answered with something other than 2xx.
    ReceiverRefused,
    /// The receiver answered that it is gone for good (410): nothing is sent again.
    ReceiverGone,
    /// The receiver could not be reached, or did not answer in time.
    ReceiverUnreachable,
    /// The receiver's address is one that the operator does not send to (`--allow-notification-cidr`), or its URL begins
    /// with http:// and the account does not allow that.
    ReceiverNotAllowed,
    /// A signing secret that the account names cannot be used: nothing is sent unsigned in its place.
    SigningSecretUnusable,
    /// Its object has no `notificationURL` any more: what was owed is not sent.
    NoReceiver,
    /// A notification could not be delivered and is given up.
    NotificationFailed,
    /// What a notification announced came before it could be delivered.
    NotificationExpired,
    /// A notification was owed when its object was deleted, or its receiver taken away: it is not sent.
    NotificationDropped,
    /// The account names no signing secret: receivers cannot tell who sent a notification.
    NoSigningSecret,

    // The Live API.
    /// The Live API could not be reached, or did not answer in time.
    LiveAPIUnreachable,
    /// The Live API answered with an error, or with something that is not its answer.
    LiveAPIError,

    /// This machine's clock is off from the Live API's. Above 5 s, starts wait until both clocks have reached their
    /// time, and stops go by the Live API's.
    ClockSkew,

    // The object.
    /// This version of the operator cannot read a part of the object: no start is made, a stop that is due is.
    Undecodable,
    /// The installed definition is older than this operator and would drop a part of the status: no start is made, since
    /// nobody would know of it after a crash; a stop that is due is made.
    CRDTooOld,
}

impl Reason {
    /// The reason that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }

    /// For a failed activation: the start was refused for good, rather than missed.
    pub fn refuses_for_good(self) -> bool {
        matches!(self, Self::NotStatic | Self::JobEnded | Self::JobNotFound | Self::CallRefused)
    }

    /// Whether a person has to act before it heals (condition Stalled), as opposed to something that may heal by
    /// itself (condition Reconciling).
    pub fn stalls(self) -> bool {
        matches!(
            self,
            Self::NotStatic
                | Self::JobEnded
                | Self::JobNotFound
                | Self::CallRefused
                | Self::KeyRefused
                | Self::KeyMalformed
                | Self::SecretKeyMissing
                | Self::EndpointNotAllowed
                | Self::GatewayKeyShared
                | Self::Undecodable
                | Self::CRDTooOld
                | Self::StartDeadlineExceeded
                | Self::StartMissed
                | Self::StartNotConfirmed
                | Self::StopGivenUp
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_word() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert!(!reason.meaning().is_empty());
        }
        assert_eq!(Reason::parse("NoSuchReason"), None);
    }
}
