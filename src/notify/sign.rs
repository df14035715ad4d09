use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use standardwebhooks::{Webhook, WebhookError};

const PREFIX: &str = "whsec_";

/// What a signing secret may have, in bytes (Standard Webhooks: between 24 and 64).
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A secret that notifications are signed with, as [Standard Webhooks] has it.
///
/// It shows itself nowhere: `Debug` prints `SigningSecret(…)`. Cheap to clone.
///
/// [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
#[derive(Clone)]
pub struct SigningSecret(Arc<Webhook>);

/// Why a Secret's value cannot be a [`SigningSecret`]. The value is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretMalformed {
    /// Nothing is left after trimming.
    #[error("the signing secret is empty")]
    Empty,
    /// It is a raw text, perhaps.
    #[error(
        "the signing secret is not `whsec_` followed by base64; `echo whsec_$(openssl rand -base64 32)` makes one that is"
    )]
    NotAsText,
    /// What the base64 stands for has another length than 24 to 64 bytes.
    #[error("the signing secret has {length} bytes; give 24 to 64 random bytes, as base64 after `whsec_`")]
    Length {
        /// Its bytes, once the base64 is read.
        length: usize,
    },
}

impl SigningSecret {
    /// Reads `whsec_` and base64, with padding; white space around it is let pass (Secrets are often made from files
    /// that end in a line break).
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretMalformed> {
        let text = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| SecretMalformed::NotAsText)?;
        if text.is_empty() {
            return Err(SecretMalformed::Empty);
        }
        let base64 = text.strip_prefix(PREFIX).ok_or(SecretMalformed::NotAsText)?;
        // Whole, since it takes off such a prefix itself.
        let webhook = Webhook::new(text).map_err(|_| SecretMalformed::NotAsText)?;
        let length = decoded_length(base64);
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(SecretMalformed::Length { length });
        }
        Ok(Self(Arc::new(webhook)))
    }

    /// The signature of a notification that is sent at this time, with its version in front.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &str) -> Result<String, WebhookError> {
        self.0.sign(id, at.as_second(), body.as_bytes())
    }
}

/// The length of what a padded base64 text stands for, one that could be read.
fn decoded_length(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 bytes.
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn white_space_around_the_secret_is_not_the_secret() {
        let at = Timestamp::from_second(1_649_367_553).unwrap();
        let signed = |given: &[u8]| SigningSecret::parse(given).unwrap().sign("msg_1", at, "{}").unwrap();
        let plain = signed(SECRET.as_bytes());
        assert!(plain.starts_with("v1,"), "{plain}");
        assert_eq!(signed(format!("{SECRET}\n").as_bytes()), plain);
        assert_eq!(signed(format!("\t {SECRET}\r\n").as_bytes()), plain);
    }

    #[test]
    fn the_length_is_that_of_the_bytes() {
        // Each four characters are three bytes, less what is padding.
        for (base64, length) in [
            ("A".repeat(32), Ok(24)),
            (format!("{}AA==", "A".repeat(28)), Err(22)),
            (format!("{}AAA=", "A".repeat(28)), Err(23)),
            (format!("{}AA==", "A".repeat(84)), Ok(64)),
            (format!("{}AAA=", "A".repeat(84)), Err(65)),
            (String::new(), Err(0)),
        ] {
            let parsed = SigningSecret::parse(format!("whsec_{base64}").as_bytes());
            let refused = length.map(|_| ()).map_err(|length| SecretMalformed::Length { length });
            assert_eq!(parsed.map(|_| ()), refused, "{base64}");
        }
    }

    #[test]
    fn what_is_no_signing_secret_is_told_without_showing_it() {
        assert_eq!(SigningSecret::parse(b" \n").unwrap_err(), SecretMalformed::Empty);
        for given in [
            &b"hunter2hunter2hunter2hunter2hunter2"[..],
            b"C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            b"WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            b"whsec_hunter2 hunter2hunter2hunter2",
            b"whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD",
            b"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o",
            b"whsec_whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            b"\xff\xfehunter2",
        ] {
            let error = SigningSecret::parse(given).unwrap_err();
            assert_eq!(error, SecretMalformed::NotAsText, "{}", given.escape_ascii());
            assert!(error.to_string().contains("`whsec_` followed by base64"));
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!(format!("{:?}", SigningSecret::parse(SECRET.as_bytes()).unwrap()), "SigningSecret(…)");
    }
}
