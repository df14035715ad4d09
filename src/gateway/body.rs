//! The body of a request, as JSON and nothing else.

use std::fmt;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::refusal::{Invalid, Refusal};
use super::router::LARGEST_BODY;

/// A body that says it is JSON. Whether it is shows when it is read.
pub(super) struct JsonBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !says_json(request.headers()) {
            return Err(Invalid::new("Content-Type must be application/json").into());
        }
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| refused(&rejection))
    }
}

/// `application/json`, whatever parameters follow.
fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = said.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn refused(rejection: &BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::BodyTooLarge(LARGEST_BODY),
        _ => Invalid::new("the body did not arrive whole").into(),
    }
}

/// Reads JSON. A name that stands twice in one object is refused: which of the two is meant cannot be told. Nesting
/// beyond 128 levels is, too.
pub(super) fn json(body: &[u8]) -> Result<Value, Invalid> {
    if body.trim_ascii().is_empty() {
        return Err(Invalid::new("the body is empty: it must be a JSON object"));
    }
    match serde_json::from_slice(body) {
        Ok(Unambiguous(value)) => Ok(value),
        Err(why) => Err(Invalid::new(format!("the body cannot be read: {why}"))),
    }
}

/// How much of a name that a client wrote is repeated to it, in characters.
const NAME_SHOWN: usize = 64;

/// A name as a sentence shows it.
pub(super) fn shown(name: &str) -> String {
    let printable = |char: char| if char.is_control() { '\u{fffd}' } else { char };
    name.chars().take(NAME_SHOWN).map(printable).collect()
}

/// JSON without double names.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOfEach).map(Self)
    }
}

struct OneOfEach;

impl<'de> Visitor<'de> for OneOfEach {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = fields.next_entry::<String, _>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format_args!("{} stands there twice", shown(&name))));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(body: &[u8]) -> String {
        super::json(body).unwrap_err().to_string()
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let read = super::json(br#" {"a": [1, -2, 3.5, "x", true, null], "b": {"a": {}}} "#).unwrap();
        assert_eq!(read, json!({ "a": [1, -2, 3.5, "x", true, null], "b": { "a": {} } }));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_any_depth() {
        assert!(refusal(br#"{"job_id": "a", "job_id": "b"}"#).contains("job_id stands there twice"));
        assert!(refusal(br#"{"a": [{"b": 1, "c": 2, "b": 1}]}"#).contains("b stands there twice"));
        assert!(refusal(br#"{"b": 1, "\u0062": 1}"#).contains("b stands there twice"));
    }

    #[test]
    fn what_is_no_json_is_refused_with_a_place() {
        for body in [&b"{"[..], b"{}}", b"[1,]", b"NaN", b"\xef\xbb\xbf{}", b"{\"a\": \"\xff\"}", b"{'a': 1}", b"1e999"]
        {
            let why = refusal(body);
            assert!(why.starts_with("the body cannot be read: ") && why.contains("line 1"), "{why}");
        }
        assert!(refusal(b" \n").contains("empty"));
    }

    #[test]
    fn deep_nesting_is_refused_and_no_more() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let deep = open.repeat(20_000) + "1" + &close.repeat(20_000);
            assert!(refusal(deep.as_bytes()).contains("recursion limit"));
        }
    }

    #[test]
    fn a_name_is_shown_short_and_without_control_characters() {
        assert_eq!(shown("a\nb\u{1b}[0m"), "a\u{fffd}b\u{fffd}[0m");
        assert_eq!(shown(&"ü".repeat(1000)).chars().count(), NAME_SHOWN);
    }

    #[test]
    fn a_content_type_is_json_whatever_its_letters_and_parameters() {
        let says = |value: &'static str| {
            says_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(value))]))
        };
        assert!(says("application/json") && says("Application/JSON ; charset=utf-8"));
        assert!(!says("text/json") && !says("application/jsonx") && !says("") && !says_json(&HeaderMap::new()));
    }
}
