//! A PUT: other times for what is still to come.

use serde_json::{Value, json};

use super::body::json;
use super::fields::Fields;
use super::refusal::Invalid;
use super::task::{Half, Wanted};

/// What a PUT asks for: at least one of the two (vendor: nothing else can be changed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) activation: Option<Wanted>,
    pub(super) deactivation: Option<Wanted>,
}

impl Update {
    pub(super) fn read(body: &[u8]) -> Result<Self, Invalid> {
        let mut body = Fields::of_body(json(body)?, &["activation", "deactivation"])?;
        let activation = Wanted::read(&mut body, Half::Activation)?;
        let deactivation = Wanted::read(&mut body, Half::Deactivation)?;
        if activation.is_none() && deactivation.is_none() {
            return Err(Invalid::new("activation or deactivation is required"));
        }
        Ok(Self { activation, deactivation })
    }

    /// What of the spec changes: what is not given stays.
    pub(super) fn spec(&self) -> Value {
        let mut spec = json!({});
        for (half, wanted) in [(Half::Activation, self.activation), (Half::Deactivation, self.deactivation)] {
            if let Some(wanted) = wanted {
                spec[half.as_str()] = wanted.spec();
            }
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(body: &str) -> Value {
        Update::read(body.as_bytes()).unwrap().spec()
    }

    #[test]
    fn the_guides_update_moves_the_stop_and_nothing_else() {
        let spec = spec(r#"{"deactivation": {"time_utc": 1617391800}}"#);
        assert_eq!(spec, json!({ "deactivation": { "time": "2021-04-02T19:30:00Z" } }));
    }

    #[test]
    fn what_is_given_changes_and_what_is_not_stays() {
        let body =
            r#"{"activation": {"time_utc": 1617386100, "notification": 0}, "deactivation": {"time_utc": 1617391800}}"#;
        let expected = json!({
            "activation": { "time": "2021-04-02T17:55:00Z", "notificationSeconds": 0 },
            "deactivation": { "time": "2021-04-02T19:30:00Z" },
        });
        assert_eq!(spec(body), expected);
    }

    #[test]
    fn each_refusal_names_the_field() {
        for (body, sentence) in [
            ("{}", "activation or deactivation is required"),
            (r#"{"activation": {}}"#, "activation.time_utc is required"),
            (r#"{"activation": null}"#, "activation must be an object"),
            (r#"{"description": "x"}"#, "description is not a field here: there are activation, deactivation"),
            (r#"{"deactivation": {"notification": 5}}"#, "deactivation.time_utc is required"),
        ] {
            assert_eq!(Update::read(body.as_bytes()).unwrap_err().to_string(), sentence);
        }
    }
}
