//! What reading a job tells: the one place where the vendor's `state` and `sep_state` are interpreted.

use std::borrow::Cow;
use std::fmt;

/// A word of the vendor's. One that is known takes no memory of its own: there may be a hundred thousand jobs.
pub type Word = Cow<'static, str>;

/// The words that most jobs show (Live API reference, Job: `state`, `sep_state`).
const KNOWN: [&str; 8] =
    ["standby", "waiting", "none", "processing", "disconnected", "finishing", "finished", "activation_in_progress"];

/// Takes up a word of the vendor's, whichever it is.
pub fn word(text: String) -> Word {
    KNOWN.into_iter().find(|known| *known == text).map_or(Cow::Owned(text), Cow::Borrowed)
}

/// What a job is doing, as far as switching and billing go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// Off air, not billed, ready to be activated.
    Off,
    /// An activation is being carried out.
    GoingOn,
    /// On air and billed; with or without an encoder.
    On,
    /// A deactivation is being carried out.
    GoingOff,
    /// Over for good: no call can bring it back.
    Ended,
    /// Any other word. Counts as billed for a stop, and forbids a start.
    Unknown,
}

impl Reading {
    /// Reads the vendor's two words (Live API reference, Job: `state`, `sep_state`). Both sets are open-ended.
    pub fn of(state: Option<&str>, sep_state: Option<&str>) -> Self {
        match (state, sep_state) {
            (Some("finished" | "cancelling" | "cancelled" | "failed"), _) => Self::Ended,
            (Some("finishing"), _) | (_, Some("pending_deactivation" | "deactivation_in_progress")) => Self::GoingOff,
            (_, Some("pending_activation" | "activation_in_progress")) => Self::GoingOn,
            (Some("waiting" | "processing" | "disconnected"), _) => Self::On,
            (Some("standby"), None | Some("waiting" | "none")) => Self::Off,
            _ => Self::Unknown,
        }
    }

    /// Whether a stop must still be made: On, turning, or a word that nobody knows.
    pub fn may_be_billed(self) -> bool {
        !matches!(self, Self::Off | Self::Ended)
    }

    /// The word used in status, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::GoingOn => "GoingOn",
            Self::On => "On",
            Self::GoingOff => "GoingOff",
            Self::Ended => "Ended",
            Self::Unknown => "Unknown",
        }
    }

    /// The reading that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::GoingOn, Self::On, Self::GoingOff, Self::Ended, Self::Unknown]
            .into_iter()
            .find(|reading| reading.as_str() == word)
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Reading::{self, Ended, GoingOff, GoingOn, Off, On, Unknown};
    use super::{Cow, KNOWN, word};

    #[test]
    fn the_reading_table() {
        type Row<'a> = (Option<&'a str>, &'a [Option<&'a str>], Reading);
        let table: &[Row] = &[
            (Some("standby"), &[Some("waiting"), Some("none"), None], Off),
            (Some("standby"), &[Some("pending_activation"), Some("activation_in_progress")], GoingOn),
            (Some("waiting"), &[Some("pending_activation"), Some("activation_in_progress")], GoingOn),
            (Some("waiting"), &[Some("ready"), Some("waiting"), Some("none"), Some("a new word"), None], On),
            (Some("processing"), &[Some("ready"), Some("waiting"), None], On),
            (Some("disconnected"), &[Some("ready"), None], On),
            (Some("processing"), &[Some("pending_deactivation"), Some("deactivation_in_progress")], GoingOff),
            (Some("standby"), &[Some("pending_deactivation"), Some("deactivation_in_progress")], GoingOff),
            (Some("finishing"), &[Some("ready"), Some("waiting"), Some("pending_activation"), None], GoingOff),
            (Some("finished"), &[Some("waiting"), Some("pending_activation"), Some("finished"), None], Ended),
            (Some("cancelling"), &[Some("ready"), None], Ended),
            (Some("cancelled"), &[Some("cancelled"), None], Ended),
            (Some("failed"), &[Some("waiting"), None], Ended),
            (Some("standby"), &[Some("ready"), Some("a new word"), Some("cancelled"), Some("finished")], Unknown),
            (Some("error"), &[Some("waiting"), None], Unknown),
            (Some("a new word"), &[Some("ready"), Some("waiting"), None], Unknown),
            (None, &[None, Some("ready"), Some("waiting")], Unknown),
        ];
        for (state, sep_states, expected) in table {
            for sep_state in *sep_states {
                assert_eq!(Reading::of(*state, *sep_state), *expected, "state {state:?}, sep_state {sep_state:?}");
            }
        }
    }

    #[test]
    fn only_off_and_ended_are_surely_not_billed() {
        for reading in [GoingOn, On, GoingOff, Unknown] {
            assert!(reading.may_be_billed(), "{reading}");
        }
        assert!(!Off.may_be_billed() && !Ended.may_be_billed());
    }

    #[test]
    fn every_word_is_read_back() {
        for reading in [Off, GoingOn, On, GoingOff, Ended, Unknown] {
            assert_eq!(Reading::parse(reading.as_str()), Some(reading));
        }
        assert_eq!(Reading::parse("Onn"), None);
    }

    #[test]
    fn a_word_is_taken_up_as_it_is_and_a_known_one_takes_no_memory() {
        for known in KNOWN {
            assert!(matches!(word(known.to_owned()), Cow::Borrowed(text) if text == known), "{known}");
        }
        for strange in ["", "Standby", "standby ", "a new word"] {
            assert!(matches!(word(strange.to_owned()), Cow::Owned(text) if text == strange), "{strange:?}");
        }
    }
}
