//! Who calls: the account whose key the request carries.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::live::ApiKey;

use super::directory::{Account, Denied};
use super::refusal::Refusal;
use super::router::Gateway;

/// The header with the key (vendor: on every request).
pub const API_KEY: &str = "x-api-key";

/// The account that a request may act for. Asked first of all: who has no key learns nothing but that.
pub(super) struct Caller(pub(super) Account);

impl FromRequestParts<Gateway> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Refusal> {
        let mut presented = parts.headers.get_all(API_KEY).iter();
        // Of two keys, another server on the way may have looked at the other one.
        let (Some(key), None) = (presented.next(), presented.next()) else { return Err(Refusal::Unauthorized) };
        let key = ApiKey::parse(key).map_err(|_| Refusal::Unauthorized)?;
        match gateway.directory.account(&key) {
            Ok(account) => Ok(Self(account)),
            Err(Denied::NotYet) => Err(Refusal::LATER),
            Err(denied) => {
                tracing::debug!(%denied, "a key was refused");
                Err(Refusal::Unauthorized)
            }
        }
    }
}
