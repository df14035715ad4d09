//! Conditions as they are stored.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A planned condition as it is stored. Its transition time moves only with its status.
pub(super) fn stored(
    before: &[Condition],
    next: &plan::conditions::Condition,
    generation: i64,
    now: &Time,
) -> Condition {
    let status = next.status.as_str();
    let last = before.iter().find(|old| old.type_ == next.kind && old.status == status);
    Condition {
        type_: next.kind.to_owned(),
        status: status.to_owned(),
        reason: next.reason.as_str().to_owned(),
        message: bounded(&next.message),
        last_transition_time: last.map_or(now, |old| &old.last_transition_time).clone(),
        observed_generation: Some(generation),
    }
}

/// `Time` is stored in whole seconds; a fraction kept here would make the stored status differ for ever.
pub(super) fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// At most a kilobyte, cut on a character: vendor texts are not ours to trust.
pub(super) fn bounded(text: &str) -> String {
    const MOST: usize = 1000;
    let (kept, cut) = text.split_at(text.floor_char_boundary(MOST));
    if cut.is_empty() { kept.to_owned() } else { format!("{kept}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_a_character_and_only_when_too_long() {
        assert_eq!(bounded(&"a".repeat(1000)), "a".repeat(1000));
        assert_eq!(bounded(&"a".repeat(1001)), "a".repeat(1000) + "…");
        assert_eq!(bounded(&"ä".repeat(501)), "ä".repeat(500) + "…");
        assert_eq!(bounded(&("a".to_owned() + &"ä".repeat(500))), "a".to_owned() + &"ä".repeat(499) + "…");
    }
}
