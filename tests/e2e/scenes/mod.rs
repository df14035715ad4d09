//! What a user sees, scene by scene.

pub(crate) mod access;
pub(crate) mod cancelling;
pub(crate) mod cases;
pub(crate) mod cases_life;
pub(crate) mod cases_objects;
pub(crate) mod corners;
pub(crate) mod deleting;
pub(crate) mod duty;
pub(crate) mod edits;
pub(crate) mod endings;
pub(crate) mod examples;
pub(crate) mod faults;
pub(crate) mod gitops;
pub(crate) mod guide;
pub(crate) mod http;
pub(crate) mod http_operator;
pub(crate) mod http_rules;
pub(crate) mod life;
pub(crate) mod notifications;
pub(crate) mod outside;
pub(crate) mod overlaps;
pub(crate) mod restarts;
pub(crate) mod rules;
pub(crate) mod stored;
pub(crate) mod strange;
pub(crate) mod timing;
