//! One half of a workflow as a request has it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::rules;
use crate::api::time::utc;

use super::fields::Fields;
use super::refusal::Invalid;

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Activation,
    Deactivation,
}

impl Half {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Deactivation => "deactivation",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Activation => "activation.",
            Self::Deactivation => "deactivation.",
        }
    }
}

/// When a task is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `time_utc`.
    pub(super) time: Timestamp,
    /// `notification`: how many seconds ahead a notification goes, 0 for none; `None`: not said.
    pub(super) notification: Option<u32>,
}

/// The longest time that a notification may go ahead, in seconds: a week, as the schema has it.
const LONGEST_AHEAD: i64 = 604_800;

impl Wanted {
    /// The half of a body, where it is there.
    pub(super) fn read(body: &mut Fields, half: Half) -> Result<Option<Self>, Invalid> {
        let Some(mut task) = body.object(half.as_str(), half.path(), &["time_utc", "notification"])? else {
            return Ok(None);
        };
        let seconds = task.whole("time_utc")?;
        let seconds = task.required("time_utc", seconds)?;
        let time = instant(seconds).ok_or_else(|| task.wrong("time_utc", &out_of_range()))?;
        let ahead = task.whole("notification")?;
        let fits = |ahead: i64| u32::try_from(ahead).ok().filter(|_| ahead <= LONGEST_AHEAD);
        let too_far = || task.wrong("notification", &format!("must be 0 to {LONGEST_AHEAD} seconds"));
        let notification = ahead.map(|ahead| fits(ahead).ok_or_else(too_far)).transpose()?;
        Ok(Some(Self { time, notification }))
    }

    /// Whether a notification is to go ahead.
    pub(super) fn notifies(&self) -> bool {
        self.notification.is_some_and(|ahead| ahead > 0)
    }

    /// The same in the words of a spec, as far as it says something.
    pub(super) fn spec(&self) -> Value {
        let mut spec = json!({ "time": utc(self.time) });
        if let Some(ahead) = self.notification {
            spec["notificationSeconds"] = ahead.into();
        }
        spec
    }
}

/// The years that a spec can have: what else it is, milliseconds most likely, it is no time of a broadcast.
fn instant(seconds: i64) -> Option<Timestamp> {
    let in_range = |time: &Timestamp| (2000..=2099).contains(&time.to_zoned(jiff::tz::TimeZone::UTC).year());
    Timestamp::from_second(seconds).ok().filter(in_range)
}

fn out_of_range() -> String {
    format!("{}, in seconds since 1970", rules::YEAR_OUT_OF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(task: Value) -> Result<Option<Wanted>, String> {
        let body = Value::Object([("deactivation".to_owned(), task)].into_iter().collect());
        let mut body = Fields::of_body(body, &["deactivation"]).unwrap();
        Wanted::read(&mut body, Half::Deactivation).map_err(|why| why.to_string())
    }

    #[test]
    fn a_task_becomes_a_spec_that_says_no_more() {
        let wanted = read(json!({ "time_utc": 1_617_386_100 })).unwrap().unwrap();
        assert_eq!(wanted.spec(), json!({ "time": "2021-04-02T17:55:00Z" }));
        let wanted = read(json!({ "time_utc": 1_612_274_100, "notification": 600 })).unwrap().unwrap();
        assert_eq!(wanted.spec(), json!({ "time": "2021-02-02T13:55:00Z", "notificationSeconds": 600 }));
        let silent = read(json!({ "time_utc": 1_612_274_100, "notification": 0 })).unwrap().unwrap();
        assert_eq!((silent.notifies(), silent.notification), (false, Some(0)));
    }

    #[test]
    fn each_refusal_names_the_field() {
        for (task, sentence) in [
            (json!(1_617_386_100), "deactivation must be an object"),
            (json!(null), "deactivation must be an object"),
            (json!({}), "deactivation.time_utc is required"),
            (json!({ "notification": 600 }), "deactivation.time_utc is required"),
            (json!({ "time_utc": "1617386100" }), "deactivation.time_utc must be a number of whole seconds"),
            (json!({ "time_utc": 1_617_386_100.5 }), "deactivation.time_utc must be a number of whole seconds"),
            (
                json!({ "time_utc": 1_617_386_100_000_i64 }),
                "deactivation.time_utc must be in the years 2000 to 2099, in seconds since 1970",
            ),
            (
                json!({ "time_utc": 946_684_799 }),
                "deactivation.time_utc must be in the years 2000 to 2099, in seconds since 1970",
            ),
            (
                json!({ "time_utc": i64::MIN }),
                "deactivation.time_utc must be in the years 2000 to 2099, in seconds since 1970",
            ),
            (
                json!({ "time_utc": 1_617_386_100, "notification": -1 }),
                "deactivation.notification must be 0 to 604800 seconds",
            ),
            (
                json!({ "time_utc": 1_617_386_100, "notification": 604_801 }),
                "deactivation.notification must be 0 to 604800 seconds",
            ),
            (
                json!({ "time_utc": 1_617_386_100, "state": "pending" }),
                "deactivation.state is not a field here: there are time_utc, notification",
            ),
        ] {
            assert_eq!(read(task.clone()), Err(sentence.to_owned()), "{task}");
        }
    }

    #[test]
    fn every_second_of_the_century_is_a_time_and_no_other() {
        for (seconds, is_one) in
            [(946_684_799, false), (946_684_800, true), (4_102_444_799, true), (4_102_444_800, false)]
        {
            assert_eq!(instant(seconds).is_some(), is_one, "{seconds}");
        }
    }
}
