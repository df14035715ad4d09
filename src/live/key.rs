use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

/// A Live API key (vendor: sent as the header `X-API-KEY` on every request).
///
/// It shows itself nowhere: `Debug` prints `ApiKey(…)`, there is no `Display`, and its header value is marked
/// sensitive.
#[derive(Clone)]
pub struct ApiKey {
    text: Arc<str>,
    header: HeaderValue,
}

/// Why a Secret's value cannot be an API key. The value is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMalformed {
    /// Nothing is left after trimming.
    #[error("the API key is empty")]
    Empty,
    /// A character inside is not visible ASCII: a line break, a space, a byte above 126.
    #[error(
        "the API key holds, at byte {position} of {length}, a character that is not visible ASCII (a line break or a \
         space inside, perhaps)"
    )]
    NotVisibleAscii {
        /// Position of the first such byte after trimming, counted from 1.
        position: usize,
        /// Bytes after trimming.
        length: usize,
    },
}

impl ApiKey {
    /// Reads a key, without the white space around it (Secrets are often made from files that end in a line break).
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, KeyMalformed> {
        let bytes = bytes.as_ref().trim_ascii();
        if bytes.is_empty() {
            return Err(KeyMalformed::Empty);
        }
        let malformed = |at: usize| KeyMalformed::NotVisibleAscii { position: at + 1, length: bytes.len() };
        if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
            return Err(malformed(at));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| malformed(e.valid_up_to()))?;
        let mut header = HeaderValue::from_str(text).map_err(|_| malformed(0))?;
        header.set_sensitive(true);
        Ok(Self { text: text.into(), header })
    }

    /// A short name for the key: equal for equal keys in every process and release, and no way back to the key.
    pub fn fingerprint(&self) -> KeyFingerprint {
        // The prefix keeps it from matching a plain SHA-256 of the key in somebody's table.
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(b"jobstartstop key fingerprint\0");
        context.update(self.text.as_bytes());
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        KeyFingerprint(short)
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The text without the key in it, plain or as JSON escapes it.
    pub(super) fn scrub(&self, text: &str) -> String {
        let scrubbed = text.replace(&*self.text, MASK);
        let quoted = serde_json::Value::from(&*self.text).to_string();
        match &quoted[1..quoted.len() - 1] {
            escaped if *escaped != *self.text => scrubbed.replace(escaped, MASK),
            _ => scrubbed,
        }
    }
}

const MASK: &str = "[key]";

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// What tells one [`ApiKey`] from another where the key itself must not appear: the first 64 bits of a SHA-256,
/// displayed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; 8]);

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_the_key_is_not_the_key() {
        let plain = ApiKey::parse("abc-DEF_1/+=").unwrap();
        assert_eq!(ApiKey::parse("  abc-DEF_1/+=\r\n").unwrap(), plain);
        assert_eq!(ApiKey::parse(b"\tabc-DEF_1/+= ".as_slice()).unwrap(), plain);
        assert_eq!(plain.header(), "abc-DEF_1/+=");
        assert!(plain.header().is_sensitive());
    }

    #[test]
    fn a_malformed_key_is_told_without_showing_it() {
        assert_eq!(ApiKey::parse(" \n ").unwrap_err(), KeyMalformed::Empty);
        for given in
            [&b"secret\nsecret"[..], b"secret secret", b"secret\0secret", b"secret\x7fsecret", b"secret\xffsecret"]
        {
            let error = ApiKey::parse(given).unwrap_err();
            assert_eq!(error, KeyMalformed::NotVisibleAscii { position: 7, length: 13 });
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
        let with_bom = "\u{feff}secret";
        assert!(matches!(ApiKey::parse(with_bom), Err(KeyMalformed::NotVisibleAscii { position: 1, .. })));
    }

    #[test]
    fn a_fingerprint_is_short_and_stable() {
        let key = ApiKey::parse("abc").unwrap();
        assert_eq!(key.fingerprint(), ApiKey::parse(" abc ").unwrap().fingerprint());
        assert_ne!(key.fingerprint(), ApiKey::parse("abd").unwrap().fingerprint());
        // printf 'jobstartstop key fingerprint\0abc' | sha256sum
        assert_eq!(key.fingerprint().to_string(), "1c20d338c6e2634c");
    }

    #[test]
    fn the_key_is_scrubbed_from_texts_also_where_json_escapes_it() {
        let key = ApiKey::parse(r#"k"1\2""#).unwrap();
        assert_eq!(key.scrub(r#"sent k"1\2", echoed "k\"1\\2\""."#), r#"sent [key], echoed "[key]"."#);
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }
}
