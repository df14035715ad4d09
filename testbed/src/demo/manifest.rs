//! The manifests of `examples/demo`, with their times filled in.

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp, Unit};

/// One file, as it stands in the repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manifest {
    pub(super) file: &'static str,
    pub(super) template: &'static str,
}

macro_rules! manifest {
    ($file:literal) => {
        Manifest { file: $file, template: include_str!(concat!("../../../examples/demo/", $file)) }
    };
}

pub(super) const ACCOUNT: Manifest = manifest!("account.yaml");
pub(super) const EVENING_NEWS: Manifest = manifest!("evening-news.yaml");
pub(super) const FOOTBALL: Manifest = manifest!("football.yaml");
pub(super) const GALA: Manifest = manifest!("gala.yaml");
pub(super) const MATINEE: Manifest = manifest!("matinee.yaml");
pub(super) const PREMIERE: Manifest = manifest!("premiere.yaml");

/// What the placeholders of a template stand for: `${NOW+6s}`, `${NOW-2m}`, `${NOW}`, `${LIVE_API}`, `${RECEIVER}`,
/// `${EXECUTOR}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'a> {
    pub(super) now: Timestamp,
    pub(super) live_api: &'a str,
    pub(super) receiver: &'a str,
    pub(super) executor: &'a str,
}

impl<'a> Filling<'a> {
    /// Times count from the next whole second, since a schedule knows no smaller unit.
    pub(super) fn as_of(
        now: Timestamp,
        live_api: &'a str,
        receiver: &'a str,
        executor: &'a str,
    ) -> anyhow::Result<Self> {
        let up = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Ceil);
        Ok(Self { now: now.round(up)?, live_api, receiver, executor })
    }

    /// The template with all its placeholders filled in.
    pub(super) fn fill(&self, template: &str) -> anyhow::Result<String> {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (placeholder, behind) = after.split_once('}').context("a placeholder without its closing brace")?;
            text.push_str(before);
            text.push_str(&self.value(placeholder)?);
            rest = behind;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn value(&self, placeholder: &str) -> anyhow::Result<String> {
        if placeholder == "LIVE_API" {
            return Ok(self.live_api.to_owned());
        }
        if placeholder == "RECEIVER" {
            return Ok(self.receiver.to_owned());
        }
        if placeholder == "EXECUTOR" {
            return Ok(self.executor.to_owned());
        }
        let Some(offset) = placeholder.strip_prefix("NOW") else { bail!("${{{placeholder}}} is no placeholder") };
        let offset = if offset.is_empty() { SignedDuration::ZERO } else { parse_offset(offset)? };
        Ok(format!("{:.0}", self.now.checked_add(offset)?))
    }
}

/// `+6s`, `-2m`.
fn parse_offset(text: &str) -> anyhow::Result<SignedDuration> {
    let wrong = || format!("{text} is no offset such as +6s or -2m");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).with_context(wrong)?;
    let number: i64 = number.parse().with_context(wrong)?;
    match unit {
        "s" => Ok(SignedDuration::from_secs(number)),
        "m" => Ok(SignedDuration::from_mins(number)),
        _ => bail!(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling() -> Filling<'static> {
        let now = "2026-12-02T13:00:00.25Z".parse().unwrap();
        Filling::as_of(now, "http://127.0.0.1:8090", "http://127.0.0.1:8091/callbacks", "LiveScheduler").unwrap()
    }

    #[test]
    fn times_count_from_the_next_whole_second() {
        let filled = filling().fill("a: ${NOW}\nb: ${NOW+6s}\nc: \"${NOW-2m}\"\n").unwrap();
        assert_eq!(filled, "a: 2026-12-02T13:00:01Z\nb: 2026-12-02T13:00:07Z\nc: \"2026-12-02T12:58:01Z\"\n");
    }

    #[test]
    fn a_whole_second_stays() {
        let filling = Filling::as_of("2026-12-02T13:00:00Z".parse().unwrap(), "", "", "").unwrap();
        assert_eq!(filling.fill("${NOW+1s}").unwrap(), "2026-12-02T13:00:01Z");
    }

    #[test]
    fn addresses_and_the_executor_are_filled_in() {
        assert_eq!(filling().fill("url: ${RECEIVER}").unwrap(), "url: http://127.0.0.1:8091/callbacks");
        assert_eq!(filling().fill("endpoint: ${LIVE_API}").unwrap(), "endpoint: http://127.0.0.1:8090");
        assert_eq!(filling().fill("executor: ${EXECUTOR}").unwrap(), "executor: LiveScheduler");
    }

    #[test]
    fn what_is_no_placeholder_is_refused() {
        for wrong in ["${LATER}", "${NOW+6}", "${NOW+s}", "${NOW+6h}", "${NOW", "${NOWé}"] {
            assert!(filling().fill(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_manifest_can_be_filled() {
        for manifest in [ACCOUNT, EVENING_NEWS, FOOTBALL, GALA, MATINEE, PREMIERE] {
            let filled = filling().fill(manifest.template).unwrap();
            assert!(!filled.contains("${"), "{}", manifest.file);
        }
    }
}
