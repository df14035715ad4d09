use std::time::Duration;

/// How long each step of a request may take, and how long an idle connection is kept.
///
/// All of them are measured on tokio's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP, a proxy's CONNECT and TLS together. Shorter than the others, so that an unreachable
    /// host is told as not sent instead of as an unanswered call.
    pub connect: Duration,
    /// A read of one job or one workflow, connecting included.
    pub read: Duration,
    /// An `activate` or `deactivate`, or a workflow that is made, changed or cancelled, connecting included.
    pub call: Duration,
    /// One page of a list, connecting included.
    pub list: Duration,
    /// How long a connection of [`Lane::Reads`](super::Lane::Reads) is kept idle.
    pub idle_reads: Duration,
    /// How long a connection of [`Lane::Calls`](super::Lane::Calls) is kept idle. Below the shortest keep-alive
    /// common among servers (5 s, Node's default): a server that closes an idle connection just as the call is
    /// written on it leaves the call unanswered.
    pub idle_calls: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(5),
            call: Duration::from_secs(5),
            list: Duration::from_secs(10),
            idle_reads: Duration::from_secs(20),
            idle_calls: Duration::from_secs(4),
        }
    }
}
