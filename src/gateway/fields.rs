//! An object's fields, taken out one by one. What is wrong with one is told by its path.

use serde_json::{Map, Value};

use super::body::shown;
use super::refusal::Invalid;

/// The fields of one object of a body.
pub(super) struct Fields {
    /// Ends in a point, unless it is the body itself.
    path: &'static str,
    left: Map<String, Value>,
}

impl Fields {
    /// The fields of a body, which may be `known` ones only.
    pub(super) fn of_body(value: Value, known: &[&str]) -> Result<Self, Invalid> {
        Self::read("", value, known)
            .map_err(|other| other.unwrap_or_else(|| Invalid::new("the body must be an object")))
    }

    /// `Err(None)`: it is no object.
    fn read(path: &'static str, value: Value, known: &[&str]) -> Result<Self, Option<Invalid>> {
        let Value::Object(left) = value else { return Err(None) };
        match left.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self { path, left }),
            Some(name) => {
                let sentence = format!("{path}{} is not a field here: there are {}", shown(name), known.join(", "));
                Err(Some(Invalid::new(sentence)))
            }
        }
    }

    /// A field that must be there.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Invalid> {
        value.ok_or_else(|| self.wrong(name, "is required"))
    }

    /// An object; `path` is where it stands, with a point at its end.
    pub(super) fn object(&mut self, name: &str, path: &'static str, known: &[&str]) -> Result<Option<Fields>, Invalid> {
        let Some(value) = self.left.remove(name) else { return Ok(None) };
        let no_object = || self.wrong(name, "must be an object");
        Self::read(path, value, known).map(Some).map_err(|other| other.unwrap_or_else(no_object))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a string")),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// A whole number; `1.0` is one, too.
    pub(super) fn whole(&mut self, name: &str) -> Result<Option<i64>, Invalid> {
        let Some(value) = self.left.remove(name) else { return Ok(None) };
        let Value::Number(number) = value else { return Err(self.wrong(name, "must be a number of whole seconds")) };
        let whole = number.as_i64().or_else(|| number.as_f64().and_then(without_fraction));
        whole.map(Some).ok_or_else(|| self.wrong(name, "must be a number of whole seconds"))
    }

    pub(super) fn wrong(&self, name: &str, what: &str) -> Invalid {
        Invalid::new(format!("{}{name} {what}", self.path))
    }
}

/// Below 2⁵³ every whole number has a float of its own.
#[allow(clippy::cast_possible_truncation, reason = "whole and far within the bounds")]
fn without_fraction(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: Value) -> Result<Option<i64>, Invalid> {
        let body = Value::Object([("n".to_owned(), value)].into_iter().collect());
        Fields::of_body(body, &["n"]).unwrap().whole("n")
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for text in ["1617386100", "1617386100.0", "1.6173861e9", "16173861e2"] {
            assert_eq!(number(serde_json::from_str(text).unwrap()), Ok(Some(1_617_386_100)), "{text}");
        }
        assert_eq!(number(json!(-1)), Ok(Some(-1)));
        assert_eq!(number(json!(i64::MIN)), Ok(Some(i64::MIN)));
    }

    #[test]
    fn what_is_no_whole_number_is_refused_by_its_name() {
        for wrong in
            [json!(1.5), json!("1617386100"), json!(true), json!(null), json!([1]), json!(1e300), json!(u64::MAX)]
        {
            assert_eq!(number(wrong).unwrap_err().to_string(), "n must be a number of whole seconds");
        }
    }

    #[test]
    fn a_field_that_is_not_known_is_named_with_its_path() {
        let refused = |value, known| Fields::of_body(value, known).map(|_| ()).unwrap_err().to_string();
        assert_eq!(refused(json!({ "jobid": 1 }), &["job_id"]), "jobid is not a field here: there are job_id");
        assert_eq!(refused(json!([]), &[]), "the body must be an object");
        let mut outer = Fields::of_body(json!({ "activation": { "time": 1 } }), &["activation"]).unwrap();
        let inner = outer.object("activation", "activation.", &["time_utc"]).map(|_| ()).unwrap_err();
        assert_eq!(inner.to_string(), "activation.time is not a field here: there are time_utc");
    }
}
