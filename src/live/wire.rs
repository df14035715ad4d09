//! How the API's fields are read: the vendor's texts disagree about their types, so more is let pass than they promise.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The longest id, in characters.
pub(super) const ID_MAX_LENGTH: usize = 64;

/// Whether a text can be an id in the API's paths: 1 to 64 of `A-Z a-z 0-9 _ -`.
pub(super) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= ID_MAX_LENGTH && text.bytes().all(allowed)
}

/// A value of the wrong type is as if absent.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// What a list page says to ask the next one with.
pub(super) fn next_token(token: Option<Value>) -> Option<String> {
    text(&token?).filter(|token| !token.is_empty())
}

/// A text, or a number written where a text belongs.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whole seconds: an integer, a number with a fraction, which is cut off, or either as a text.
pub(super) fn seconds(value: &Value) -> Option<i64> {
    let text = text(value)?;
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        format!("{:.0}", number.floor()).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_are_read_from_an_integer_a_float_or_a_text() {
        for value in [json!(1_617_386_100), json!(1_617_386_100.0), json!("1617386100"), json!(" 1617386100.0 ")] {
            assert_eq!(seconds(&value), Some(1_617_386_100), "{value}");
        }
        assert_eq!(seconds(&json!(1_617_386_100.75)), Some(1_617_386_100));
        assert_eq!(seconds(&json!(0)), Some(0));
        assert_eq!(seconds(&json!(-1.5)), Some(-2));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_none() {
        for value in [
            json!(null),
            json!(true),
            json!(""),
            json!("soon"),
            json!("2021-04-02T17:55:00Z"),
            json!("NaN"),
            json!("inf"),
            json!(1e300),
            json!([1]),
            json!({"seconds": 1}),
        ] {
            assert_eq!(seconds(&value), None, "{value}");
        }
    }

    #[test]
    fn a_token_may_be_a_number_and_an_empty_one_is_none() {
        assert_eq!(next_token(Some(json!("t"))).as_deref(), Some("t"));
        assert_eq!(next_token(Some(json!(7))).as_deref(), Some("7"));
        for none in [None, Some(json!(null)), Some(json!("")), Some(json!({}))] {
            assert_eq!(next_token(none), None);
        }
    }
}
