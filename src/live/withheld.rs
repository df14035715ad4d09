//! What texts that are kept or shown leave out: the key, and what users write for themselves and their receivers.

use std::fmt;

use reqwest::Url;
use serde_json::Value;

use super::key::ApiKey;

/// How much of a server's text an error keeps, in bytes.
const EXCERPT: usize = 1024;

const LEFT_OUT: &str = "…";

/// What must not be in any text that is kept of an exchange.
#[derive(Clone, Copy)]
pub(super) struct Withheld<'a> {
    pub(super) key: &'a ApiKey,
    /// A URL that was sent along.
    pub(super) url: Option<&'a str>,
}

impl Withheld<'_> {
    /// A text as it may be kept: without the key, with the URL's scheme and host only, on one line, and no longer than
    /// [`EXCERPT`].
    pub(super) fn excerpt(&self, text: &str) -> String {
        // First what is withheld: none of it must survive in part because the cut went through it.
        let text = self.key.scrub(text);
        let text = match self.url.and_then(|url| Some((url, origin(url)?))) {
            Some((url, origin)) => text.replace(url, &origin),
            None => text,
        };
        let text = text.replace(char::is_control, " ");
        let text = text.trim();
        if text.len() <= EXCERPT {
            return text.to_owned();
        }
        let cut = text.floor_char_boundary(EXCERPT - LEFT_OUT.len());
        format!("{}{LEFT_OUT}", &text[..cut])
    }

    /// The same for a body. If it is JSON, its descriptions are left out too, and the paths of all its notification URLs.
    pub(super) fn excerpt_of_body(&self, body: &[u8]) -> String {
        let mut json = serde_json::from_slice(body).unwrap_or_default();
        if withhold(&mut json) { self.excerpt(&json.to_string()) } else { self.excerpt(&String::from_utf8_lossy(body)) }
    }
}

/// Takes out of a JSON value what is not shown; false: there was nothing of the kind.
fn withhold(json: &mut Value) -> bool {
    let mut any = false;
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                any |= withhold_field(name, value);
            }
        }
        Value::Array(values) => {
            for value in values {
                any |= withhold(value);
            }
        }
        _ => {}
    }
    any
}

fn withhold_field(name: &str, value: &mut Value) -> bool {
    let shown = match name {
        _ if value.is_null() => return false,
        "description" => LEFT_OUT.to_owned(),
        "notification_url" => shown_url(value.as_str().unwrap_or_default()),
        _ => return withhold(value),
    };
    *value = shown.into();
    true
}

/// A receiver's URL as it may be shown: its path is often a secret.
pub(super) fn shown_url(url: &str) -> String {
    origin(url).unwrap_or_else(|| LEFT_OUT.to_owned())
}

fn origin(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (scheme, host) = (url.scheme(), url.host_str()?);
    Some(url.port().map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

/// Stands in `Debug` output for a text that is not shown.
pub(super) struct NotShown;

impl fmt::Debug for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LEFT_OUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/live/jobstartstop/callbacks?token=abc";

    fn key() -> ApiKey {
        ApiKey::parse("the-secret-key").unwrap()
    }

    #[test]
    fn a_kept_text_is_short_on_one_line_and_without_the_key() {
        let key = key();
        let withheld = Withheld { key: &key, url: None };
        assert_eq!(withheld.excerpt(" a\r\n\tb the-secret-key\0 "), "a   b [key]");
        for filler in 1000..1030 {
            let long = format!("{}the-secret-key{}", "x".repeat(filler), "ä".repeat(900));
            let kept = withheld.excerpt(&long);
            assert!(kept.len() <= EXCERPT && kept.len() > EXCERPT - 4 && kept.ends_with('…'), "{filler}");
            assert!(!kept.contains("the-"), "{filler}");
        }
    }

    #[test]
    fn a_url_that_was_sent_is_kept_as_scheme_and_host() {
        let key = key();
        let kept = Withheld { key: &key, url: Some(URL) }.excerpt(&format!("cannot reach {URL}, sorry"));
        assert_eq!(kept, "cannot reach https://example.com, sorry");
        let odd = Withheld { key: &key, url: Some("") }.excerpt("as it was");
        assert_eq!(odd, "as it was");
    }

    #[test]
    fn a_body_is_kept_without_descriptions_and_paths_of_receivers() {
        let key = key();
        let withheld = Withheld { key: &key, url: None };
        let body = format!(
            r#"{{"workflows":[{{"description":"My broadcast","notification_url":"{URL}","job_id":"j"}},
                {{"description":null,"notification_url":7}}]}}"#
        );
        let kept: Value = serde_json::from_str(&withheld.excerpt_of_body(body.as_bytes())).unwrap();
        let expected = serde_json::json!({"workflows": [
            {"description": "…", "notification_url": "https://example.com", "job_id": "j"},
            {"description": null, "notification_url": "…"},
        ]});
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_body_with_nothing_to_withhold_is_kept_as_it_came() {
        let key = key();
        let withheld = Withheld { key: &key, url: None };
        for body in [r#"{"b": 1,  "a": [2]}"#, "<html>description</html>", "", r#"{"description":null}"#] {
            assert_eq!(withheld.excerpt_of_body(body.as_bytes()), body);
        }
    }

    #[test]
    fn of_a_receivers_url_scheme_and_host_are_shown() {
        for (url, shown) in [
            (URL, "https://example.com"),
            ("http://user:hunter2@receiver:8080/x", "http://receiver:8080"),
            ("https://[::1]/x", "https://[::1]"),
            ("mailto:someone@example.com", "…"),
            ("secret", "…"),
            ("", "…"),
        ] {
            assert_eq!(shown_url(url), shown, "{url}");
        }
    }
}
