//! One instant as each side writes it: a place's local time, UTC, and the Live API's seconds since 1970.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

/// Why a text is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text} is no time: it takes seconds since 1970 (1796216400), a time with its offset (2026-12-02T14:00:00+01:00), \
     a local time with its zone (2026-12-02T14:00:00[Europe/Berlin]), or now"
)]
pub struct NoInstant {
    text: String,
}

/// No time zone has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is no time zone that is known here, such as Europe/Berlin or America/Phoenix")]
pub struct NoZone {
    name: String,
}

/// An instant in each notation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notations {
    /// In UTC, as RFC 3339 has it.
    pub utc: String,
    /// In seconds since 1970, as the Live API's scheduler takes and tells it. What is below a second is left out.
    pub epoch: i64,
    /// In each of the zones that were asked for.
    pub zones: Vec<InZone>,
}

/// An instant at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InZone {
    /// The zone's name.
    pub zone: String,
    /// The time there, with its offset, as RFC 3339 has it: fit for a JobStartStop.
    pub time: String,
}

/// Reads an instant as a person has it: see the sentence of [`NoInstant`].
pub fn instant(text: &str) -> Result<Timestamp, NoInstant> {
    let read = match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) if text == "now" => Timestamp::from_second(Timestamp::now().as_second()).ok(),
        Err(_) => text.parse().ok().or_else(|| text.parse().ok().map(|zoned: Zoned| zoned.timestamp())),
    };
    read.ok_or_else(|| NoInstant { text: text.to_owned() })
}

/// The time zone of this name.
pub fn zone(name: &str) -> Result<TimeZone, NoZone> {
    TimeZone::get(name).map_err(|_| NoZone { name: name.to_owned() })
}

/// The names of all time zones that are known here: the machine's, or those built in where the machine has none.
pub fn zones() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect()
}

impl Notations {
    /// Writes an instant in UTC, in seconds, and in these zones.
    pub fn of(instant: Timestamp, zones: &[TimeZone]) -> Self {
        let in_zone = |zone: &TimeZone| InZone {
            zone: zone.iana_name().unwrap_or("local").to_owned(),
            time: instant.display_with_offset(zone.to_offset(instant)).to_string(),
        };
        Self { utc: instant.to_string(), epoch: instant.as_second(), zones: zones.iter().map(in_zone).collect() }
    }
}

impl fmt::Display for Notations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.zones.iter().map(|place| place.zone.len()).chain(["epoch".len()]).max().unwrap_or_default();
        for InZone { zone, time } in &self.zones {
            writeln!(f, "{zone:width$}  {time}")?;
        }
        writeln!(f, "{:width$}  {}", "UTC", self.utc)?;
        write!(f, "{:width$}  {}", "epoch", self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: i64 = 1_796_216_400;

    #[test]
    fn an_instant_is_read_in_every_notation() {
        for text in [
            "1796216400",
            "2026-12-02T13:00:00Z",
            "2026-12-02T14:00:00+01:00",
            "2026-12-02T14:00:00[Europe/Berlin]",
            "2026-12-02T14:00:00+01:00[Europe/Berlin]",
            "2026-12-02T06:00[America/Phoenix]",
        ] {
            assert_eq!(instant(text).unwrap().as_second(), SHOW, "{text}");
        }
    }

    #[test]
    fn now_has_whole_seconds() {
        assert_eq!(instant("now").unwrap().subsec_nanosecond(), 0);
    }

    #[test]
    fn a_local_time_of_no_known_place_and_milliseconds_are_refused() {
        for text in ["2026-12-02T14:00:00", "1796216400000", "tomorrow", "", "2026-12-02T14:00:00[Europe/Atlantis]"] {
            let refusal = instant(text).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("{text} is no time: ")), "{refusal}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_by_its_name() {
        assert_eq!(zone("Europe/Berlin").unwrap().iana_name(), Some("Europe/Berlin"));
        let refusal = zone("Europe/Atlantis").unwrap_err().to_string();
        assert!(refusal.starts_with("Europe/Atlantis is no time zone"), "{refusal}");
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let zones = [zone("Europe/Berlin").unwrap(), zone("Asia/Kathmandu").unwrap()];
        let written = Notations::of(Timestamp::from_second(SHOW).unwrap(), &zones);
        assert_eq!(written.zones[0].time, "2026-12-02T14:00:00+01:00");
        assert_eq!(written.zones[1].time, "2026-12-02T18:45:00+05:45");
        let epoch = written.epoch.to_string();
        for text in [&written.utc, &epoch, &written.zones[0].time, &written.zones[1].time] {
            assert_eq!(instant(text).unwrap().as_second(), SHOW, "{text}");
        }
    }

    #[test]
    fn the_columns_stand_below_each_other() {
        let written = Notations::of(Timestamp::from_second(SHOW).unwrap(), &[zone("Europe/Berlin").unwrap()]);
        let page = "Europe/Berlin  2026-12-02T14:00:00+01:00\n\
                    UTC            2026-12-02T13:00:00Z\n\
                    epoch          1796216400";
        assert_eq!(written.to_string(), page);
    }
}
