//! The id under which the interface knows a window.

use std::fmt;

/// A workflow's id: the object's uid without the dashes, 32 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowId(String);

impl WorkflowId {
    /// Reads an id; any other text is the id of nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the id of an object with that uid.
    pub fn is_of(&self, uid: &str) -> bool {
        self.0.bytes().eq(uid.bytes().filter(|byte| *byte != b'-'))
    }

    /// The uid of the object that has this id.
    pub fn uid(&self) -> String {
        let (id, mut uid) = (&self.0, String::with_capacity(36));
        for part in [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]] {
            if !uid.is_empty() {
                uid.push('-');
            }
            uid.push_str(part);
        }
        uid
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "d44cf29f-4f18-4757-ac09-95beb8a0097e";

    #[test]
    fn an_id_is_the_uid_without_dashes() {
        let id = WorkflowId::parse("d44cf29f4f184757ac0995beb8a0097e").unwrap();
        assert!(id.is_of(UID));
        assert!(!id.is_of("d44cf29f-4f18-4757-ac09-95beb8a0097f") && !id.is_of(""));
        assert_eq!(id.uid(), UID);
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            UID,
            "D44CF29F4F184757AC0995BEB8A0097E",
            "d44cf29f4f184757ac0995beb8a0097",
            "d44cf29f4f184757ac0995beb8a0097e0",
            "d44cf29f4f184757ac0995beb8a0097,",
            "d44cf29f4f184757ac0995beb8a0097é",
        ] {
            assert_eq!(WorkflowId::parse(text), None, "{text}");
        }
    }
}
