use std::collections::BTreeSet;

use super::error::LiveError;

/// Where a list is given up: a million entries in pages of the largest size.
const PAGES_MAX: usize = 1000;

/// The tokens that the pages of one list have led to so far.
#[derive(Debug)]
pub(super) struct Trail {
    /// What the list is of.
    of: &'static str,
    tokens: BTreeSet<String>,
}

impl Trail {
    /// No page was read yet.
    pub(super) fn new(of: &'static str) -> Self {
        Self { of, tokens: BTreeSet::new() }
    }

    /// Takes down where a page leads. An error: the list has been there, or it does not end.
    pub(super) fn lead_to(&mut self, token: &str) -> Result<(), LiveError> {
        if !self.tokens.insert(token.to_owned()) {
            return Err(self.endless("leads back to a page it has been on"));
        }
        if self.tokens.len() >= PAGES_MAX {
            return Err(self.endless("does not end"));
        }
        Ok(())
    }

    fn endless(&self, how: &str) -> LiveError {
        LiveError::NotTheApi { status: 200, why: format!("the list of {} {how}", self.of), body: String::new() }
    }
}
