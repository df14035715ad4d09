//! Requests per second of each client.
//!
//! A client is told by its key only once the app has known that key: everybody can make up keys, and each would be a
//! client of its own. All others are told by their address.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderValue};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::Limits;
use crate::timetable::Clock;

/// What stands for a key that a client sent: its SHA-256. It shows itself nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyDigest([u8; SHA256_OUTPUT_LEN]);

impl KeyDigest {
    /// Of the key in these headers (vendor: `X-API-KEY`).
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let key = digest(&SHA256, headers.get("x-api-key").map(HeaderValue::as_bytes)?);
        key.as_ref().try_into().ok().map(Self)
    }
}

type Limiter<C> = RateLimiter<C, HashMapStateStore<C>, Monotonic, NoOpMiddleware<Duration>>;

pub(super) struct Rates {
    keys: Limiter<KeyDigest>,
    peers: Limiter<Peer>,
    known: Mutex<BTreeSet<KeyDigest>>,
    clients: usize,
}

/// Who sends without a known key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Peer {
    At(IpAddr),
    /// Everybody for whom there is no place of their own.
    Others,
}

impl Rates {
    pub(super) fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(limits.rate.per_second).allow_burst(limits.rate.burst);
        Self {
            keys: RateLimiter::hashmap_with_clock(quota, Monotonic(Arc::clone(clock))),
            peers: RateLimiter::hashmap_with_clock(quota, Monotonic(Arc::clone(clock))),
            known: Mutex::default(),
            clients: limits.clients,
        }
    }

    /// Counts a request. Where it is one too many: how long the client has to wait.
    pub(super) fn admit(&self, key: Option<&KeyDigest>, peer: IpAddr) -> Result<(), Duration> {
        let known = key.filter(|key| self.known().contains(key));
        let counted = match known {
            Some(key) => self.keys.check_key(key),
            None => self.peers.check_key(&self.place(peer)),
        };
        counted.map_err(|not_until| not_until.wait_time_from(self.keys.clock().now()))
    }

    /// Notes whether the app knows a key.
    pub(super) fn learn(&self, key: KeyDigest, is_known: bool) {
        let mut known = self.known();
        if !is_known {
            known.remove(&key);
            return;
        }
        if known.len() >= self.clients && !known.contains(&key) {
            // Keys that are rotated leave theirs behind. Those in use are learnt again with their next request.
            known.clear();
        }
        known.insert(key);
    }

    /// Forgets all who have not sent for so long that it makes no difference.
    pub(super) fn tidy(&self) {
        self.keys.retain_recent();
        self.keys.shrink_to_fit();
        self.peers.retain_recent();
        self.peers.shrink_to_fit();
    }

    fn place(&self, peer: IpAddr) -> Peer {
        if self.peers.len() >= self.clients {
            self.peers.retain_recent();
        }
        if self.peers.len() >= self.clients { Peer::Others } else { Peer::At(network(peer)) }
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<KeyDigest>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one client has for itself: an IPv4 address, or 64 bits of an IPv6 address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[derive(Clone, Debug)]
struct Monotonic(Arc<dyn Clock>);

impl governor::clock::Clock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicU64, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::gateway::serve::Rate;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[derive(Debug, Default)]
    struct Seconds(AtomicU64);

    impl Clock for Seconds {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }

        fn boottime(&self) -> Duration {
            self.monotonic()
        }
    }

    /// Two requests at once and one per second; three places.
    fn rates() -> (Rates, Arc<Seconds>) {
        let seconds = Arc::new(Seconds::default());
        let clock: Arc<dyn Clock> = Arc::clone(&seconds) as _;
        let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN.saturating_add(1) };
        (Rates::new(&Limits { rate, clients: 3, ..Limits::default() }, &clock), seconds)
    }

    fn key(text: &str) -> KeyDigest {
        let headers = HeaderMap::from_iter([("x-api-key".parse().unwrap(), text.parse().unwrap())]);
        KeyDigest::of(&headers).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_sends_a_burst_and_then_waits() {
        let (rates, seconds) = rates();
        assert_eq!(rates.admit(None, HOME), Ok(()));
        assert_eq!(rates.admit(None, HOME), Ok(()));
        assert_eq!(rates.admit(None, HOME), Err(Duration::from_secs(1)));
        assert_eq!(rates.admit(None, address("192.0.2.1")), Ok(()), "another client is not concerned");
        seconds.0.store(1, Ordering::Relaxed);
        assert_eq!(rates.admit(None, HOME), Ok(()));
        assert_eq!(rates.admit(None, HOME), Err(Duration::from_secs(1)));
    }

    #[test]
    fn made_up_keys_count_for_the_address_and_known_keys_for_themselves() {
        let (rates, _) = rates();
        rates.learn(key("known"), true);
        assert!(rates.admit(Some(&key("made up 1")), HOME).is_ok());
        assert!(rates.admit(Some(&key("made up 2")), HOME).is_ok());
        assert!(rates.admit(Some(&key("made up 3")), HOME).is_err());
        assert!(rates.admit(Some(&key("known")), HOME).is_ok());
        rates.learn(key("known"), false);
        assert!(rates.admit(Some(&key("known")), HOME).is_err(), "a key that is known no more is one that is made up");
    }

    #[test]
    fn clients_without_a_place_share_one_rate_until_places_are_free() {
        let (rates, seconds) = rates();
        for last in 1..=3 {
            assert!(rates.admit(None, address(&format!("192.0.2.{last}"))).is_ok());
        }
        assert!(rates.admit(None, address("192.0.2.4")).is_ok());
        assert!(rates.admit(None, address("192.0.2.5")).is_ok());
        assert!(rates.admit(None, address("192.0.2.6")).is_err());
        assert_eq!(rates.peers.len(), 4, "three clients and the others");
        seconds.0.store(60, Ordering::Relaxed);
        assert!(rates.admit(None, address("192.0.2.6")).is_ok());
        assert_eq!(rates.peers.len(), 1);
    }

    #[test]
    fn known_keys_are_bounded_and_clients_are_forgotten() {
        let (rates, seconds) = rates();
        for number in 0..10 {
            let key = key(&format!("rotated {number}"));
            rates.learn(key, true);
            assert!(rates.admit(Some(&key), HOME).is_ok());
            assert!(rates.known().len() <= 3);
        }
        seconds.0.store(60, Ordering::Relaxed);
        rates.tidy();
        assert_eq!(rates.keys.len(), 0);
    }

    #[test]
    fn an_address_is_as_much_of_it_as_one_client_has() {
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(network(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
    }
}
