//! Whose key a call carries.

use std::fmt::Debug;
use std::sync::Arc;

use plan::AccountName;

use crate::live::{ApiKey, KeyDigest};

use super::WorkflowId;

/// A LiveAccount that opted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its namespace, which holds the objects, and its name, which they refer to.
    pub name: AccountName,
    /// Its `accountID`, as answers show it.
    pub account_id: Arc<str>,
}

/// Why a key opens nothing. Callers are not told which: the first two are 401, the last is 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No account that opted in has this key.
    #[error("no LiveAccount that opted in has this key")]
    Unknown,
    /// Several have it: whose objects are meant cannot be told.
    #[error("more than one LiveAccount that opted in has this key")]
    Shared,
    /// The accounts are not all known yet: this process has just begun.
    #[error("the accounts are not all known yet")]
    NotYet,
}

/// Knows the accounts that opted in, as they are now.
pub trait Directory: Debug + Send + Sync {
    /// The account whose key was presented. One that is being deleted, or cannot be read, is none.
    fn account(&self, presented: &ApiKey) -> Result<Account, Denied>;

    /// The name of the object of this id in the account's namespace, where it is known. It may be out of date: who uses
    /// it reads the object and compares its uid.
    fn name_of(&self, account: &AccountName, id: &WorkflowId) -> Option<String>;
}

/// The one of these accounts that has the key which was presented. Every key is compared, each in constant time: how
/// long it takes tells nothing of the keys, nor which of them was met.
pub fn holder<A>(presented: KeyDigest, accounts: impl IntoIterator<Item = (KeyDigest, A)>) -> Result<A, Denied> {
    let (mut found, mut holders) = (None, 0_usize);
    for (key, account) in accounts {
        if key.is(presented) {
            found = Some(account);
            holders += 1;
        }
    }
    match found {
        Some(account) if holders == 1 => Ok(account),
        Some(_) => Err(Denied::Shared),
        None => Err(Denied::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> KeyDigest {
        ApiKey::parse(text).unwrap().digest()
    }

    #[test]
    fn a_key_opens_the_one_account_that_has_it() {
        let accounts = [(key("one"), "a"), (key("two"), "b")];
        assert_eq!(holder(key("one"), accounts), Ok("a"));
        assert_eq!(holder(key("two"), accounts), Ok("b"));
        assert_eq!(holder(key("three"), accounts), Err(Denied::Unknown));
        assert_eq!(holder(key("on"), accounts), Err(Denied::Unknown), "a part of a key is no key");
    }

    #[test]
    fn a_key_of_two_accounts_opens_neither() {
        let accounts = [(key("one"), "a"), (key("two"), "b"), (key("one"), "c")];
        assert_eq!(holder(key("one"), accounts), Err(Denied::Shared));
        assert_eq!(holder(key("two"), accounts), Ok("b"));
    }
}
