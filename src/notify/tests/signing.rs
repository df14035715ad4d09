//! What a receiver can prove of a notification, with the reference library of Standard Webhooks and no code of ours.

use jiff::{SignedDuration, Timestamp};
use standardwebhooks::Webhook;
use testbed::{How, Receiver};

use super::rig::*;
use crate::notify::*;

#[tokio::test]
async fn case_93_the_reference_library_verifies_every_attempt_by_the_same_id_and_a_time_of_its_own() {
    let receiver = Receiver::start(&[SECRET]).unwrap();
    receiver.answer(How::FailFirst { times: 1, code: 503 });
    // Signed as sent: spacing, order of keys and characters beyond ASCII are the text's own.
    let body = "{ \"workflow\" : {\"b\":1,\"a\":2},\n\"action\":\"Übertragung – \u{1F4FA}\" }".to_owned();
    let post = Post { secrets: vec![secret(SECRET)], body, ..post(&receiver.url()) };
    let sender = sender();
    let now = Timestamp::now();
    let earlier = now - SignedDuration::from_secs(60);

    assert_eq!(sender.send(&post, earlier).await, Outcome::Refused { code: 503, retry_after: None });
    assert_eq!(sender.send(&post, now).await, Outcome::Delivered { code: 200 });

    let [first, second] = receiver.received().try_into().unwrap();
    for (came, at) in [(&first, earlier), (&second, now)] {
        assert!(came.is_verified());
        assert_eq!(came.header("webhook-id"), post.id);
        assert_eq!(came.header("webhook-timestamp"), at.as_second().to_string());
        assert_eq!(came.body, post.body);
    }
    assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
    let reference = Webhook::new(SECRET).unwrap();
    assert!(reference.verify(b"{}", &second.headers).is_err(), "another body does not verify");
}

#[tokio::test]
async fn case_93_while_a_secret_is_replaced_the_old_and_the_new_one_verify() {
    let receiver = Receiver::start(&[SECRET, NEXT_SECRET]).unwrap();
    let post = Post { secrets: vec![secret(NEXT_SECRET), secret(SECRET)], ..post(&receiver.url()) };

    assert_eq!(send(&sender(), &post).await, Outcome::Delivered { code: 200 });

    let [came] = receiver.received().try_into().unwrap();
    assert_eq!(came.verified, [true, true]);
    let at = came.header("webhook-timestamp").parse().unwrap();
    let by = |secret| Webhook::new(secret).unwrap().sign(&post.id, at, post.body.as_bytes()).unwrap();
    assert_eq!(came.header("webhook-signature"), format!("{} {}", by(NEXT_SECRET), by(SECRET)), "in their order");
    let stranger = Webhook::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    assert!(stranger.verify(&came.body, &came.headers).is_err());
}

#[tokio::test]
async fn case_93_each_notification_is_signed_by_its_own_secret_only() {
    let receiver = Receiver::start(&[SECRET, NEXT_SECRET]).unwrap();
    let sender = sender();
    for by in [SECRET, NEXT_SECRET] {
        send(&sender, &Post { secrets: vec![secret(by)], ..post(&receiver.url()) }).await;
    }
    let verified: Vec<_> = receiver.received().into_iter().map(|came| came.verified).collect();
    assert_eq!(verified, [[true, false], [false, true]]);
}

#[tokio::test]
async fn an_unsigned_notification_has_an_id_and_no_signature() {
    let receiver = Receiver::start(&[]).unwrap();
    let post = post(&receiver.url());

    send(&sender(), &post).await;

    let [came] = receiver.received().try_into().unwrap();
    assert_eq!(came.header("webhook-id"), post.id);
    assert!(!came.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn an_id_that_no_header_can_hold_is_told_and_nothing_is_sent() {
    let receiver = Receiver::start(&[]).unwrap();
    let post = Post { id: "a\nb: c".to_owned(), ..post(&receiver.url()) };

    assert_eq!(send(&sender(), &post).await, Outcome::Unanswered(Unanswered::NotPutTogether));
    assert!(receiver.received().is_empty());
}
