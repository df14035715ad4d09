use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use crate::error::{Doing as _, Error, Result};

const ATTEMPTS: u32 = 5;

/// Starts something on ports that were free a moment ago, and again on others when somebody took one of
/// them meanwhile.
pub(crate) fn on_free_ports<const N: usize, T>(start: impl Fn([SocketAddr; N]) -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        let ports = free_ports().doing(|| "looking for free ports".to_owned())?;
        match start(ports) {
            Err(error) if attempt < ATTEMPTS && is_port_taken(&error) => attempt += 1,
            outcome => return outcome,
        }
    }
}

fn free_ports<const N: usize>() -> io::Result<[SocketAddr; N]> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    // Held together until all are known, so that no two are the same.
    let mut listeners = Vec::with_capacity(N);
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(addresses)
}

fn is_port_taken(error: &Error) -> bool {
    matches!(error, Error::Died { tail, .. } if tail.to_lowercase().contains("address already in use"))
}
