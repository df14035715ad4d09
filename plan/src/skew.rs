//! How far our clock is from the Live API's, as far as answers tell.
//!
//! An answer's `Date` is the server's clock cut to a second, at some instant between asking and answer. So one answer
//! tells an interval, and several narrow it. Only what is certain is acted on.

use jiff::{SignedDuration, Timestamp};

/// The resolution of `Date`.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// From here on a difference is told.
const TOLD: SignedDuration = SignedDuration::from_secs(2);

/// From here on calls go by the Live API's clock.
const ACTED_ON: SignedDuration = SignedDuration::from_secs(5);

/// What is known of the difference "our clock less theirs". The default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    bounds: Option<(SignedDuration, SignedDuration)>,
}

impl Skew {
    /// Takes in one answer: when it was asked and when it came, by our clock, and its `Date`.
    pub fn answered(&mut self, asked_at: Timestamp, at: Timestamp, date: Timestamp) {
        let (least, most) = (asked_at.duration_since(date) - SECOND, at.duration_since(date));
        let narrowed = self.bounds.map(|(low, high)| (low.max(least), high.min(most)));
        // Without a common part one of the clocks was set in between: the newest answer is right.
        self.bounds = Some(narrowed.filter(|(low, high)| low <= high).unwrap_or((least, most)));
    }

    /// How far our clock is certainly ahead (positive) or behind (negative); zero when it may be right.
    pub fn certain(&self) -> SignedDuration {
        match self.bounds {
            Some((least, _)) if least.is_positive() => least,
            Some((_, most)) if most.is_negative() => most,
            _ => SignedDuration::ZERO,
        }
    }

    /// The same where it is worth telling.
    pub fn told(&self) -> Option<SignedDuration> {
        Some(self.certain()).filter(|certain| certain.abs() > TOLD)
    }

    /// The same where calls go by the Live API's clock: the most that it may be, so that no call is early. Zero
    /// elsewhere.
    pub fn acted_on(&self) -> SignedDuration {
        match self.bounds {
            Some((_, most)) if self.certain().abs() > ACTED_ON => most,
            _ => SignedDuration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn ms(millis: i64) -> SignedDuration {
        SignedDuration::from_millis(millis)
    }

    /// The `Date` of a server whose clock is behind ours by `ahead`, asked at `asked`.
    fn date(asked: i64, ahead: i64) -> Timestamp {
        Timestamp::from_second(at(asked + 20 - ahead).as_second()).unwrap()
    }

    fn after(answers: impl IntoIterator<Item = i64>, ahead: i64) -> Skew {
        let mut skew = Skew::default();
        for asked in answers {
            skew.answered(at(asked), at(asked + 40), date(asked, ahead));
        }
        skew
    }

    #[test]
    fn one_answer_tells_to_a_second_and_more_narrow_it() {
        for ahead in [-60_000, -7_300, -2_500, 2_700, 6_400, 3_600_000] {
            let one = after([100], ahead).certain().as_millis();
            let many = after((0..50).map(|i| i * 170), ahead).certain().as_millis();
            let ahead = i128::from(ahead);
            assert!((ahead - one).abs() <= 1_050, "{one} for {ahead}");
            assert!((ahead - many).abs() <= 150, "{many} for {ahead}");
            assert!(one.abs() <= ahead.abs() && many.abs() <= ahead.abs(), "never more than it is: {one}, {many}");
        }
    }

    #[test]
    fn a_clock_that_may_be_right_is_taken_to_be() {
        assert_eq!(Skew::default().certain(), SignedDuration::ZERO);
        for ahead in [-900, 0, 300, 900] {
            let skew = after((0..50).map(|i| i * 170), ahead);
            assert_eq!((skew.told(), skew.acted_on()), (None, SignedDuration::ZERO), "{ahead}");
        }
    }

    #[test]
    fn above_two_seconds_it_is_told_and_above_five_acted_on() {
        let of = |ahead| after((0..50).map(|i| i * 170), ahead);
        assert!(of(3_000).told().is_some() && of(3_000).acted_on().is_zero());
        assert!(of(-3_000).told().is_some() && of(-3_000).acted_on().is_zero());
        for ahead in [60_000, -60_000] {
            let more = of(ahead).acted_on() - ms(ahead);
            assert!(!more.is_negative() && more <= ms(150), "never early, and soon close: {more:?}");
        }
    }

    #[test]
    fn when_a_clock_is_set_the_newest_answer_is_right() {
        let mut skew = after([0, 170, 340], 60_000);
        skew.answered(at(1000), at(1040), date(1000, 0));
        assert_eq!(skew.told(), None);
    }
}
