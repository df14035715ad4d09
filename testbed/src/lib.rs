//! A real etcd and kube-apiserver without containers, the simulator and the operator: for the demo, the
//! tests and the benches.
//!
//! Everything stands on free ports of the loopback interface and in a temporary folder, and is gone when
//! the program that started it is, by whatever means. All calls but the simulator's control interface
//! and [`Receiver::until`] block the calling thread; that is fine in a test, also within `#[tokio::test]`, as
//! long as nothing that the call waits for runs on the same single thread. No value is bound to a runtime.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let plane = testbed::shared()?;
//! let namespace = plane.create_namespace("windows")?;
//! let simulator = testbed::Simulator::start(plane.run(), ["--job", "studio-1"])?;
//! let env = [("LIVE_API", simulator.base_url.as_str())];
//! let operator = testbed::Operator::start(plane.run(), plane.kubeconfig(), ["--namespace", &namespace], env)?;
//! operator.process().kill9()?;
//! operator.restart()?;
//! # Ok(())
//! # }
//! ```
//!
//! | variable | meaning |
//! | --- | --- |
//! | `KUBEBUILDER_ASSETS` | folder with etcd, kube-apiserver, kubectl and maybe more programs of `tools/`; what is missing is built |
//! | `XDG_CACHE_HOME` | where to build, in `jobstartstop-testbed`; else `~/.cache` |
//! | `TESTBED_KUBECONFIG` | use this cluster, as admin, and start none |
//! | `TESTBED_BIN_DIR` | folder with `jobstartstop` and `live-simulator`; else beside the running program |
//! | `TESTBED_KEEP` | when set, temporary folders stay, with their logs |

pub mod binaries;
mod command;
mod control_plane;
mod error;
mod go_module;
mod helm;
mod kubeconfig;
mod kubectl;
mod operator;
mod ports;
mod probe;
mod process;
mod progress;
mod proxy;
mod receiver;
mod run;
mod simulator;
mod toolchain;
mod verdicts;
mod workspace_binary;

use std::{
    fmt::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

pub use crate::{
    binaries::Tool,
    command::Output,
    control_plane::{ControlPlane, Options},
    error::{Error, Result},
    helm::Helm,
    kubectl::Kubectl,
    operator::Operator,
    process::{Launch, Process, Signal},
    proxy::ApiProxy,
    receiver::{How, Received, Receiver},
    run::Run,
    simulator::Simulator,
    verdicts::{Judgement, Verdict, verdicts},
};

/// The control plane that all tests of a program share, started by the first that asks. It has no
/// controllers until [`ControlPlane::start_controller_manager`] is called: a deleted namespace stays, owned
/// objects outlive their owner, and aggregated roles such as `view` and `edit` are empty. It ends with the
/// program.
pub fn shared() -> std::result::Result<&'static ControlPlane, &'static Error> {
    static SHARED: OnceLock<Result<ControlPlane>> = OnceLock::new();
    SHARED.get_or_init(|| ControlPlane::start(&Options::default())).as_ref()
}

/// A name for a namespace that no other call gives out, here or in another program on the same cluster.
pub fn unique_namespace(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}-{:x}-{:x}-{number}", since_epoch.as_secs(), std::process::id())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string does not fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}
