//! Whose key opens the interface, as the operator knows its accounts.

use std::sync::Arc;

use http::{Request, StatusCode};
use jobstartstop::gateway::{API_KEY, COLLECTION, Gateway, router};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{World, minutes, simulate};

use super::Standing;

async fn asked(world: &World, key: &str) -> StatusCode {
    let gateway = Gateway::new(world.store.client("gateway"), Arc::clone(&world.known) as _, Arc::new(Standing(0)));
    let request = Request::get(COLLECTION).header(API_KEY, key).body(axum::body::Body::empty()).unwrap();
    router(gateway).oneshot(request).await.unwrap().status()
}

fn opt_in(world: &World, namespace: &str, enabled: bool) {
    let change = |account: &mut Value| {
        account["spec"]["accountID"] = json!("1752604059001");
        account["spec"]["gateway"] = json!({ "enabled": enabled });
    };
    world.store.edit("liveaccounts", namespace, "default", change).unwrap();
}

fn ready(world: &World, namespace: &str) -> (String, String) {
    let account = world.store.get("liveaccounts", namespace, "default").unwrap();
    let conditions = account["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap_or_default();
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

#[test]
fn a_key_opens_the_interface_once_its_account_has_opted_in_and_as_long_as_its_secret_has_it() {
    simulate(1, async |world| {
        assert_eq!(asked(world, "key-of-tv").await, StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet");
        world.settle("tv");
        world.start_operator();
        world.until(minutes(1)).await;
        assert_eq!(asked(world, "key-of-tv").await, StatusCode::UNAUTHORIZED);
        opt_in(world, "tv", true);
        world.until(minutes(2)).await;
        assert_eq!(asked(world, "key-of-tv").await, StatusCode::OK);
        world.rotate("tv", "tv", "another-key");
        world.until(minutes(3)).await;
        assert_eq!(asked(world, "key-of-tv").await, StatusCode::UNAUTHORIZED);
        assert_eq!(asked(world, "another-key").await, StatusCode::OK);
        world.store.delete("secrets", "tv", "bcov-live").unwrap();
        world.until(minutes(4)).await;
        assert_eq!(asked(world, "another-key").await, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn a_key_of_two_accounts_opens_neither_and_the_younger_one_says_so_until_one_of_them_opts_out() {
    simulate(1, async |world| {
        world.settle("one");
        world.start_operator();
        opt_in(world, "one", true);
        world.until(minutes(1)).await;
        assert_eq!(asked(world, "key-of-one").await, StatusCode::OK);
        world.settle_with("another", "one", &json!({}));
        opt_in(world, "another", true);
        world.until(minutes(2)).await;
        assert_eq!(asked(world, "key-of-one").await, StatusCode::UNAUTHORIZED);
        assert_eq!(ready(world, "one"), ("True".to_owned(), "AccountReady".to_owned()));
        assert_eq!(ready(world, "another"), ("False".to_owned(), "GatewayKeyShared".to_owned()));
        opt_in(world, "one", false);
        world.until(minutes(3)).await;
        assert_eq!(asked(world, "key-of-one").await, StatusCode::OK, "it is the other's now");
        assert_eq!(ready(world, "another"), ("True".to_owned(), "AccountReady".to_owned()));
        opt_in(world, "one", true);
        world.until(minutes(4)).await;
        assert_eq!(ready(world, "another"), ("False".to_owned(), "GatewayKeyShared".to_owned()));
        let own = json!({ "apiKey": ByteString(b"a-key-of-its-own".to_vec()) });
        world.store.edit("secrets", "another", "bcov-live", |secret| secret["data"] = own).unwrap();
        world.until(minutes(5)).await;
        assert_eq!(asked(world, "key-of-one").await, StatusCode::OK);
        assert_eq!(asked(world, "a-key-of-its-own").await, StatusCode::OK);
    });
}
