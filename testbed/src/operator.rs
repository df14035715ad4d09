use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::Result,
    ports::on_free_ports,
    probe::http_status,
    process::{Launch, Process},
    run::Run,
    workspace_binary,
};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// `jobstartstop run`, in a process of its own.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    observe: SocketAddr,
}

impl Operator {
    /// Starts it on a free `--observe-address` with `args` after that, and waits until `/readyz` answers
    /// 200. `KUBECONFIG` names its cluster. Blocks the calling thread. The variable `TESTBED_OPERATOR` may name another
    /// program that takes the same command line.
    pub fn start<A, E, K, V>(run: &Run, kubeconfig: &Path, args: A, env: E) -> Result<Self>
    where
        A: IntoIterator<Item: Into<OsString>>,
        E: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::start_program(run, "jobstartstop", kubeconfig, args, env)
    }

    /// The same with another program of this workspace, one with failpoints for instance.
    pub fn start_program<A, E, K, V>(run: &Run, program: &str, kubeconfig: &Path, args: A, env: E) -> Result<Self>
    where
        A: IntoIterator<Item: Into<OsString>>,
        E: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let program = match env::var_os("TESTBED_OPERATOR") {
            Some(program) => PathBuf::from(program),
            None => workspace_binary::find(program)?,
        };
        let mut launch = Launch::new("jobstartstop", program).env("KUBECONFIG", kubeconfig).arg("run");
        for (name, value) in env {
            launch = launch.env(name, value);
        }
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        on_free_ports(|[observe]: [SocketAddr; 1]| {
            let launch = launch.clone().arg("--observe-address").arg(observe.to_string()).args(args.clone());
            let operator = Self { process: launch.start(run)?, observe };
            operator.wait_until_ready()?;
            Ok(operator)
        })
    }

    /// Its process: to stop, to freeze or to kill.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its health and metrics, without a slash at the end.
    pub fn observe_url(&self) -> String {
        format!("http://{}", self.observe)
    }

    /// The address of its health and metrics.
    pub fn observe_address(&self) -> SocketAddr {
        self.observe
    }

    /// Starts it again with the same arguments and log, also after a kill, and waits until it is ready.
    pub fn restart(&self) -> Result<()> {
        self.process.restart()?;
        self.wait_until_ready()
    }

    /// Waits until `/readyz` answers 200; an error at once when it ends.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.process.wait_until_ready(READY_WITHIN, |_| self.answers("/readyz"))
    }

    /// Whether a GET of its observe address answers 200 right now.
    pub fn answers(&self, path: &str) -> bool {
        http_status(self.observe, path).is_ok_and(|status| status == 200)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.process.show_log_if_panicking();
    }
}
