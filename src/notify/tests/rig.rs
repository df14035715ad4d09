//! What the tests stand on: names that mean what a test wants, a sender, and posts.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;

use crate::notify::*;
use crate::tls_roots::TlsRoots;

pub(super) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(super) const NEXT_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A resolver that gives each name its answers one after another, the last again and again.
#[derive(Debug, Default)]
pub(super) struct Names {
    answers: Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(super) fn new(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let answers = names.iter().map(|(name, answers)| ((*name).to_owned(), answers.iter().map(parsed).collect()));
        Arc::new(Self { answers: Mutex::new(answers.collect()), asked: Mutex::default() })
    }

    /// Every name that was asked for, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for Names {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers
            .get_mut(name)
            .and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
        std::future::ready(answer.ok_or_else(|| io::ErrorKind::NotFound.into())).boxed()
    }
}

/// A guard that has 127.0.0.0/8 open, where the tests' receivers are.
pub(super) fn loopback_open() -> Guard {
    Guard::new(vec!["127.0.0.0/8".parse().unwrap()])
}

pub(super) fn sender_with(guard: Guard, names: Arc<Names>, timeouts: SendTimeouts) -> Sender {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Sender::over_http(guard, names, &TlsRoots::bundled(), timeouts).unwrap()
}

/// One that knows no names and reaches the tests' receivers.
pub(super) fn sender() -> Sender {
    sender_with(loopback_open(), Names::new(&[]), SendTimeouts::default())
}

pub(super) fn secret(text: &str) -> SigningSecret {
    SigningSecret::parse(text.as_bytes()).unwrap()
}

/// An unsigned one, that may go over `http://`.
pub(super) fn post(url: &str) -> Post {
    Post {
        id: "5f0c2e9a7b".to_owned(),
        url: ReceiverUrl::parse(url).unwrap(),
        body: r#"{"action":"activate","workflow":{"workflow_id":"d44cf29f4f184757ac0995beb8a0097e"}}"#.to_owned(),
        secrets: Vec::new(),
        allow_http: true,
    }
}

pub(super) async fn send(sender: &Sender, post: &Post) -> Outcome {
    sender.send(post, Timestamp::now()).await
}
