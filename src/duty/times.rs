//! Times as people on duty give them and read them.

use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::api::time::{parse_instant, utc};

use super::error::Error;

/// A time zone by its name.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
    /// As it is told back.
    pub(super) name: String,
}

impl Zone {
    /// The named one, or this machine's.
    pub(super) fn named(name: Option<&str>) -> Result<Self, Error> {
        let Some(name) = name else {
            let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
            let name = zone.iana_name().unwrap_or("this machine's zone").to_owned();
            return Ok(Self { zone, name });
        };
        let zone = TimeZone::get(name).map_err(|_| Error::NoSuchZone(name.to_owned()))?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self { zone, name })
    }

    fn at(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// `Wed 2 Dec 2026 14:00:00 +01:00`.
    pub(super) fn full(&self, at: Timestamp) -> String {
        self.at(at).strftime("%a %-d %b %Y %H:%M:%S %:z").to_string()
    }

    /// `14:00:00` on the day of `now`, else with the date before it.
    pub(super) fn short(&self, at: Timestamp, now: Timestamp) -> String {
        self.near(at, now, "%H:%M:%S")
    }

    /// The same, to the millisecond.
    pub(super) fn millis(&self, at: Timestamp, now: Timestamp) -> String {
        self.near(at, now, "%H:%M:%S.%3f")
    }

    fn near(&self, at: Timestamp, now: Timestamp, clock: &str) -> String {
        let (at, now) = (self.at(at), self.at(now));
        let date = if at.date() == now.date() {
            ""
        } else if at.year() == now.year() {
            "%-d %b "
        } else {
            "%-d %b %Y "
        };
        at.strftime(&format!("{date}{clock}")).to_string()
    }

    /// For a sentence that is acted on: the clock of the zone, with its name, and UTC.
    pub(super) fn told(&self, at: Timestamp, now: Timestamp) -> String {
        format!("{} {} ({})", self.short(at, now), self.name, utc(at))
    }
}

/// `2h 5m`: the two largest units of a span, without its sign.
pub(super) fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().unsigned_abs();
    let units = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(units.len() - 1);
    let shown = units.iter().skip(first).take(2).enumerate();
    let parts =
        shown.filter(|(i, (_, count))| *i == 0 || *count > 0).map(|(_, (unit, count))| format!("{count}{unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

/// `in 2h 5m`, or `2h 5m ago`.
pub(super) fn from_now(at: Timestamp, now: Timestamp) -> String {
    if at >= now {
        format!("in {}", span(at.duration_since(now)))
    } else {
        format!("{} ago", span(now.duration_since(at)))
    }
}

/// The new end of a show, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// An instant.
    At(Timestamp),
    /// So much after the present end.
    Later(SignedDuration),
    /// The next time that the clock shows this.
    Clock(Time),
}

/// Why a text is no new end.
#[derive(Debug, thiserror::Error)]
pub(super) enum UntilError {
    #[error("+ needs a span after it, in whole seconds, such as +30m or +1h15m")]
    Span,
    #[error(
        "it must be a time with an offset such as 2026-12-02T20:30:00+01:00, a time of day such as 20:30, or a span such as +30m"
    )]
    Neither,
    #[error("it {0}")]
    Time(#[from] crate::api::time::TimeError),
}

impl FromStr for Until {
    type Err = UntilError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(span) = text.strip_prefix('+') {
            let span: SignedDuration = span.parse().map_err(|_| UntilError::Span)?;
            let whole = span.is_positive() && span.subsec_nanos() == 0;
            return if whole { Ok(Self::Later(span)) } else { Err(UntilError::Span) };
        }
        let clock = text.contains(':') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        if clock {
            return text.parse().map(Self::Clock).map_err(|_| UntilError::Neither);
        }
        match parse_instant(text) {
            Ok(at) => Ok(Self::At(at)),
            Err(crate::api::time::TimeError::Shape) => Err(UntilError::Neither),
            Err(error) => Err(error.into()),
        }
    }
}

impl Until {
    /// The instant that is meant, for a show that ends at `end`. The error is a sentence.
    pub(super) fn resolve(self, end: Timestamp, now: Timestamp, zone: &Zone) -> Result<Timestamp, String> {
        match self {
            Self::At(at) => Ok(at),
            Self::Later(span) => end.checked_add(span).map_err(|_| "That is too far ahead.".to_owned()),
            Self::Clock(time) => {
                let at = next(time, now, zone)?;
                if at.duration_since(end) > FAR {
                    return Err(format!(
                        "The next {time} is {} after the present end: give it with an offset, such as {}, or as a span, \
                         such as +30m.",
                        span(at.duration_since(end)),
                        zone.at(at).strftime("%Y-%m-%dT%H:%M:%S%:z")
                    ));
                }
                Ok(at)
            }
        }
    }
}

/// A time of day that comes so much later than the present end is a slip, most often: it has just passed, or half a day
/// was meant.
const FAR: SignedDuration = SignedDuration::from_hours(12);

/// The next instant at which the zone's clock shows this.
fn next(time: Time, now: Timestamp, zone: &Zone) -> Result<Timestamp, String> {
    let mut day = zone.at(now).date();
    // The third day is for a time of day that the second one leaves out.
    for _ in 0..3 {
        let there = zone.zone.to_ambiguous_zoned(day.to_datetime(time));
        // It may be now between its two.
        let both = [there.clone().earlier(), there.clone().later()];
        let to_come = both.into_iter().flatten().any(|at| at.timestamp() > now);
        if to_come && there.is_ambiguous() {
            return Err(format!(
                "{time} does not come exactly once on {day} in {}, where clocks are set then: give it with an offset.",
                zone.name
            ));
        }
        if to_come {
            return there.unambiguous().map(|at| at.timestamp()).map_err(|error| error.to_string());
        }
        day = day.tomorrow().map_err(|_| "That is too far ahead.".to_owned())?;
    }
    Err(format!("{time} was not found in {}: give it with an offset.", zone.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::fixtures::{at, berlin};

    #[test]
    fn a_new_end_is_an_instant_a_span_or_a_time_of_day() {
        let (now, end) = (at("2026-12-02T19:00:00Z"), at("2026-12-02T19:15:00Z"));
        for (text, meant) in [
            ("2026-12-02T21:30:00+01:00", "2026-12-02T20:30:00Z"),
            ("+30m", "2026-12-02T19:45:00Z"),
            ("+1h15m", "2026-12-02T20:30:00Z"),
            ("+90s", "2026-12-02T19:16:30Z"),
            ("20:30", "2026-12-02T19:30:00Z"),
            ("08:00", "2026-12-03T07:00:00Z"),
            ("21:30", "2026-12-02T20:30:00Z"),
            ("21:30:15", "2026-12-02T20:30:15Z"),
            ("00:10", "2026-12-02T23:10:00Z"),
        ] {
            let until: Until = text.parse().unwrap();
            assert_eq!(until.resolve(end, now, &berlin()), Ok(at(meant)), "{text}");
        }
    }

    #[test]
    fn what_is_no_new_end_is_refused_with_what_is() {
        for (text, sentence) in [
            ("", "a time with an offset such as"),
            ("20", "a time with an offset such as"),
            ("25:00", "a time with an offset such as"),
            ("tomorrow", "a time with an offset such as"),
            ("+", "such as +30m"),
            ("+30", "such as +30m"),
            ("+-30m", "such as +30m"),
            ("+0s", "such as +30m"),
            ("+500ms", "such as +30m"),
            ("2026-12-02T20:30:00", "has no offset from UTC"),
            ("2026-02-30T20:30:00Z", "not in the calendar"),
        ] {
            let told = text.parse::<Until>().unwrap_err().to_string();
            assert!(told.contains(sentence), "{text}: {told}");
        }
    }

    #[test]
    fn a_time_of_day_that_comes_twice_or_never_must_be_given_with_an_offset() {
        for (now, text) in [
            ("2026-10-25T00:00:00Z", "02:30"),
            // 02:45 for the first time, and 02:15 for the second.
            ("2026-10-25T00:45:00Z", "02:30"),
            ("2026-10-25T01:15:00Z", "02:30"),
            ("2026-03-29T00:00:00Z", "02:30"),
        ] {
            let until: Until = text.parse().unwrap();
            let told = until.resolve(at(now), at(now), &berlin()).unwrap_err();
            assert!(told.contains("with an offset"), "{now}: {told}");
        }
    }

    #[test]
    fn a_time_of_day_that_is_far_after_the_present_end_is_refused_with_what_it_would_be() {
        let (now, end) = (at("2026-12-02T19:30:05Z"), at("2026-12-02T19:45:00Z"));
        for (text, far) in [("20:30", "23h 45m"), ("09:00", "12h 15m")] {
            let told = text.parse::<Until>().unwrap().resolve(end, now, &berlin()).unwrap_err();
            assert!(told.contains(far) && told.contains(&format!("2026-12-03T{text}:00+01:00")), "{told}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in
            [(0, "0s"), (45, "45s"), (60, "1m"), (3_725, "1h 2m"), (3_605, "1h"), (90_000, "1d 1h"), (-120, "2m")]
        {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_date_is_left_out_where_it_is_todays() {
        let now = at("2026-12-02T19:00:00Z");
        for (time, text) in [
            ("2026-12-02T20:30:00Z", "21:30:00"),
            ("2026-12-02T23:30:00Z", "3 Dec 00:30:00"),
            ("2027-01-01T00:00:00Z", "1 Jan 2027 01:00:00"),
        ] {
            assert_eq!(berlin().short(at(time), now), text);
        }
        assert_eq!(berlin().full(at("2026-12-02T13:00:00Z")), "Wed 2 Dec 2026 14:00:00 +01:00");
        assert_eq!(berlin().millis(at("2026-12-02T13:00:00.004123Z"), now), "14:00:00.004");
        assert!(Zone::named(Some("Europe/Nowhere")).unwrap_err().to_string().contains("Europe/Nowhere"));
    }
}
