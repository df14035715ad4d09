use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use futures::future::BoxFuture;

/// Tells the addresses of a name.
pub trait Resolver: Debug + Send + Sync {
    /// All addresses of this name; an error, or none, if it has no address.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver, with its hosts file and search domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}
