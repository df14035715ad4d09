use std::num::NonZeroU32;
use std::time::Duration;

/// What a client, and what all clients together, may take of this process. [`Limits::default`] is for use; tests
/// shorten the times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes that the head of a request may have: its first line and its headers. Above: 431.
    pub head_bytes: usize,
    /// Headers that a request may have. Above: 431.
    pub headers: usize,
    /// From the first byte of a request (on a new connection: from its opening) to the end of its head, however
    /// steadily bytes arrive. Then: 408, or the end of a connection that has sent nothing.
    pub head: Duration,
    /// Bytes that a body may have, announced or chunked. Above: 413.
    pub body_bytes: usize,
    /// From the end of the head to the end of the body, however steadily bytes arrive. Then: 408.
    pub body: Duration,
    /// How long the app may take for an answer. Then: 503, and the app's work on it is dropped.
    pub answer: Duration,
    /// How long a client may take to accept an answer, however steadily it does. Then its connection is closed.
    pub taking: Duration,
    /// How long a connection is kept between two requests.
    pub idle: Duration,
    /// How long a TLS handshake may take. Then its connection is closed.
    pub handshake: Duration,
    /// Connections open at once.
    ///
    /// A further one waits: a client that waits for a moment is better off than one that has to try again. The
    /// connection that has waited longest for its client's next request makes room for it at once, so that nobody can
    /// keep others out by doing nothing; the others end by the times above.
    pub connections: usize,
    /// Requests that the app answers at once. Above: 503, to be tried again after a second.
    pub requests: usize,
    /// Requests of one client. Above: 429.
    pub rate: Rate,
    /// Clients whose rates are remembered, those with a known key and the other ones each. Of the latter, those beyond
    /// share one rate.
    pub clients: usize,
    /// How long requests under way have to end once the interface is to stop. Then they are cut off.
    pub shutdown: Duration,
}

/// How many requests a client may make.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests per second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            headers: 64,
            head: Duration::from_secs(10),
            body_bytes: 64 * 1024,
            body: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            taking: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            handshake: Duration::from_secs(5),
            connections: 256,
            requests: 64,
            rate: Rate::default(),
            clients: 4096,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Default for Rate {
    /// 20 per second, 40 at once.
    fn default() -> Self {
        let per_second = NonZeroU32::MIN.saturating_add(19);
        Self { per_second, burst: per_second.saturating_add(20) }
    }
}
