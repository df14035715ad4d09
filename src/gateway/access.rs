//! Who calls: the account whose key the request carries.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;

use crate::live::ApiKey;

use super::directory::{Account, Denied, Directory};
use super::refusal::Refusal;
use super::router::Gateway;
use super::serve::AccessName;

/// The header with the key (vendor: on every request).
pub const API_KEY: &str = "x-api-key";

/// Lets a request through to a route with its [`Account`]. Asked first of all: who has no key learns nothing but that.
pub(super) async fn admit(
    State(gateway): State<Gateway>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let account = holder_of_key(request.headers(), &*gateway.directory)?;
    let name = AccessName(account.name.to_string());
    request.extensions_mut().insert(account);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(name);
    Ok(response)
}

fn holder_of_key(headers: &HeaderMap, directory: &dyn Directory) -> Result<Account, Refusal> {
    let mut presented = headers.get_all(API_KEY).iter();
    // Of two keys, another server on the way may have looked at the other one.
    let (Some(key), None) = (presented.next(), presented.next()) else { return Err(Refusal::Unauthorized) };
    let key = ApiKey::parse(key).map_err(|_| Refusal::Unauthorized)?;
    directory.account(&key).map_err(|denied| {
        tracing::debug!(%denied, "a key was refused");
        match denied {
            Denied::Unknown | Denied::Shared => Refusal::Unauthorized,
            Denied::NotYet => Refusal::LATER,
        }
    })
}
