use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use subtle::ConstantTimeEq;

/// A Live API key (vendor: sent as the header `X-API-KEY` on every request).
///
/// It shows itself nowhere: `Debug` prints `ApiKey(…)`, there is no `Display`, and its header value is marked
/// sensitive.
#[derive(Clone)]
pub struct ApiKey {
    text: Arc<str>,
    header: HeaderValue,
    digest: KeyDigest,
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
        Ok(Self { text: text.into(), header, digest: KeyDigest(hash(b"jobstartstop key digest\0", bytes)) })
    }

    /// A short name for the key: equal for equal keys in every process and release, and no way back to the key.
    pub fn fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint(hash(b"jobstartstop key fingerprint\0", self.text.as_bytes()))
    }

    /// What the key is compared by with one that somebody presents: all of a SHA-256, so that keys of any length are
    /// compared in the same time.
    pub fn digest(&self) -> KeyDigest {
        self.digest
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

/// The first bytes of a SHA-256. The prefix keeps it from matching a plain one of the key in somebody's table.
fn hash<const N: usize>(prefix: &[u8], key: &[u8]) -> [u8; N] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(prefix);
    context.update(key);
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    bytes
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

/// A key for comparing, and for nothing else: it is shown nowhere.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Whether both are of one key. How long it takes tells nothing of either.
    pub fn is(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
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
    fn a_digest_tells_keys_apart_and_shows_nothing() {
        let digest = |text| ApiKey::parse(text).unwrap().digest();
        assert!(digest("abc").is(digest(" abc ")));
        assert!(!digest("abc").is(digest("abd")) && !digest("abc").is(digest("ab")));
        assert_eq!(format!("{:?}", digest("abc")), "KeyDigest(…)");
    }

    #[test]
    fn the_key_is_scrubbed_from_texts_also_where_json_escapes_it() {
        let key = ApiKey::parse(r#"k"1\2""#).unwrap();
        assert_eq!(key.scrub(r#"sent k"1\2", echoed "k\"1\\2\""."#), r#"sent [key], echoed "[key]"."#);
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }
}
