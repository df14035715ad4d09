//! Which installation serves an account, as the account's status says. Two whose scopes overlap, which nobody meant, find
//! each other out by it as soon as the second one begins to lead, and not only when both claim a start.

use jiff::Timestamp;

use crate::timings::Timings;

/// What this process knows of it, in its term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// The version of the object that this was learnt from.
    version: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The status has not borne our name yet.
    #[default]
    Unknown,
    /// It bears our name.
    Ours,
    /// Another name took the place of ours: only an installation that runs can have done that.
    Contested { since: Timestamp },
}

impl Serving {
    /// The status bears the name `stored`, in this version of the object. Returns whether that shows that another
    /// installation runs. An older version says nothing: a watch may lag behind our own write.
    pub fn seen(&mut self, stored: &str, version: u64, us: &str, now: Timestamp) -> bool {
        if version <= self.version {
            return false;
        }
        let state = match self.state {
            _ if stored == us => State::Ours,
            State::Ours if !stored.is_empty() => State::Contested { since: now },
            before => before,
        };
        let news = matches!((self.state, state), (State::Ours, State::Contested { .. }));
        *self = Self { version, state };
        news
    }

    /// The name that the status is to bear. The other's is left for a while, or the two would write for ever; then ours
    /// is tried again, since the other may have gone.
    pub fn name<'a>(&self, stored: &'a str, us: &'a str, now: Timestamp, timings: &Timings) -> &'a str {
        match self.state {
            State::Contested { since } if now.duration_since(since) < timings.serve_again => stored,
            _ => us,
        }
    }

    /// Another installation serves it, too.
    pub fn contested(&self) -> bool {
        matches!(self.state, State::Contested { .. })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const US: &str = "live/ours";
    const THEM: &str = "other/theirs";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_name_in_the_place_of_ours_is_news_once_and_no_other_is() {
        // By version: what the status bears, and whether that is news.
        let stories: &[&[(u64, &str, bool)]] = &[
            // Nobody's, then ours.
            &[(1, "", false), (2, US, false)],
            // An installation that went before us: nothing shows that it still runs.
            &[(1, THEM, false), (2, US, false), (3, US, false)],
            // One that runs.
            &[(1, US, false), (2, THEM, true), (3, THEM, false), (4, "third/one", false)],
            // Ours again, and theirs again.
            &[(1, US, false), (2, THEM, true), (3, US, false), (4, THEM, true)],
            // Our own write came back before the watch showed what was there before it.
            &[(5, US, false), (4, THEM, false), (5, US, false)],
            &[(5, US, false), (6, THEM, true), (5, US, false), (6, THEM, false)],
            // An older version of the operator left the name out.
            &[(1, US, false), (2, "", false), (3, US, false)],
        ];
        for story in stories {
            let mut serving = Serving::default();
            for (version, stored, news) in *story {
                assert_eq!(serving.seen(stored, *version, US, at(1)), *news, "{story:?}: {version}");
            }
        }
    }

    #[test]
    fn theirs_is_left_for_a_while_and_then_ours_is_tried_again() {
        let timings = Timings { serve_again: SignedDuration::from_secs(600), ..Timings::default() };
        let mut serving = Serving::default();
        assert_eq!(serving.name(THEM, US, at(0), &timings), US, "it may be gone");
        serving.seen(US, 1, US, at(0));
        assert!(!serving.contested());
        serving.seen(THEM, 2, US, at(10));
        assert!(serving.contested());
        assert_eq!(serving.name(THEM, US, at(609), &timings), THEM);
        assert_eq!(serving.name(THEM, US, at(610), &timings), US);
        serving.seen(US, 3, US, at(611));
        assert!(!serving.contested(), "nobody has objected yet");
    }
}
