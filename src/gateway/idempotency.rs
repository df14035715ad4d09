//! Requests that are sent again: the same `Idempotency-Key` makes one object.

use http::HeaderMap;
use ring::digest::{Context, SHA256};

use plan::AccountName;

use super::refusal::Invalid;

const HEADER: &str = "idempotency-key";

/// The longest key, in characters.
const LONGEST: usize = 255;

/// The annotation of an object with the digest of the body that asked for it.
pub(super) const REQUEST: &str = "scheduler.bcovlive.io/http-request";

/// A client's name for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The request's, if it has one.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Invalid> {
        let mut given = headers.get_all(HEADER).iter();
        let Some(key) = given.next() else { return Ok(None) };
        let wrong = || Invalid::new(format!("Idempotency-Key must be one text of 1 to {LONGEST} visible characters"));
        let visible = |text: &&str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let key = key.to_str().ok().filter(visible).filter(|_| given.next().is_none()).ok_or_else(wrong)?;
        Ok(Some(Self(key.to_owned())))
    }

    /// The name of the one object that requests under this key make, for this account.
    pub(super) fn object_name(&self, account: &AccountName) -> String {
        let name = digest(&["jobstartstop idempotency", &account.namespace, &account.name, &self.0]);
        format!("{PREFIX}{}", &name[..40])
    }
}

/// How names of objects begin that were made here.
pub(super) const PREFIX: &str = "live-";

/// What tells one body from another.
pub(super) fn body_digest(body: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, body).as_ref())
}

/// None of the parts holds a NUL.
fn digest(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(b"\0");
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Result<Option<IdempotencyKey>, Invalid> {
        let named =
            |value: &&str| (http::HeaderName::from_static(HEADER), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        IdempotencyKey::of(&values.iter().map(named).collect())
    }

    fn name(key: &str, namespace: &str, account: &str) -> String {
        of(&[key]).unwrap().unwrap().object_name(&AccountName::new(namespace, account))
    }

    #[test]
    fn one_key_of_one_account_is_one_name() {
        assert_eq!(name("k-1", "live", "default"), name("k-1", "live", "default"));
        let names = [
            name("k-1", "live", "default"),
            name("k-2", "live", "default"),
            name("k-1", "live", "other"),
            name("k-1", "other", "default"),
        ];
        assert_eq!(std::collections::BTreeSet::from(names.clone()).len(), 4);
        for name in names {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(name.len() == 45 && name.bytes().all(allowed), "{name}");
        }
    }

    #[test]
    fn a_key_is_one_visible_text() {
        assert_eq!(of(&[]), Ok(None));
        assert!(of(&["6a7c-4b"]).unwrap().is_some());
        for wrong in [&[""][..], &["a b"], &["a", "a"], &["\u{e9}"], &[&*"k".repeat(256)]] {
            assert!(of(wrong).unwrap_err().to_string().starts_with("Idempotency-Key must be"), "{wrong:?}");
        }
    }

    #[test]
    fn digests_are_in_hexadecimal() {
        assert_eq!(body_digest(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
