//! Colours, where a terminal shows them.

use std::ffi::OsStr;

/// Whether texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Colours,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be, and on.
    Good,
    /// Somebody has to look.
    Bad,
    /// A heading.
    Strong,
    /// Of less weight.
    Faint,
}

impl Paint {
    /// On a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal has none.
    pub(super) fn on(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty()) || term == Some(OsStr::new("dumb"));
        if terminal && !refused { Self::Colours } else { Self::Plain }
    }

    pub(super) fn with(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if self == Self::Plain || text.trim().is_empty() => return text.to_owned(),
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Strong => "1",
            Tone::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let (set, unset) = (Some(OsStr::new("1")), None);
        assert_eq!(Paint::on(true, unset, unset), Paint::Colours);
        assert_eq!(Paint::on(true, Some(OsStr::new("")), unset), Paint::Colours);
        assert_eq!(Paint::on(true, set, unset), Paint::Plain);
        assert_eq!(Paint::on(true, unset, Some(OsStr::new("dumb"))), Paint::Plain);
        assert_eq!(Paint::on(false, unset, unset), Paint::Plain);
        assert_eq!(Paint::Colours.with(Tone::Good, "on"), "\u{1b}[32mon\u{1b}[0m");
        assert_eq!(Paint::Plain.with(Tone::Good, "on"), "on");
    }
}
