use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::{Doing as _, Error, Result},
    run::Run,
};

const POLL: Duration = Duration::from_millis(10);
const TAIL_LINES: usize = 30;
const TAIL_BYTES: u64 = 16 * 1024;

/// A command to be started in a [`Run`].
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    grace: Duration,
}

/// A signal that a test sends to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asks the process to end.
    Term,
    /// Ends the process without its knowledge.
    Kill,
    /// Ctrl-C.
    Interrupt,
    /// Freezes the process: it lives, holds its connections and does nothing.
    Stop,
    /// Lets a frozen process go on.
    Continue,
}

/// A process of the testbed, with its output in a log file.
///
/// It ends when this value is dropped, and when the program that holds it ends, by whatever means: its
/// parent is a small shell that waits for our end of a pipe to close. Its process group is its own, so
/// Ctrl-C in a terminal reaches only us.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    log: PathBuf,
    run: Run,
    guarded: Mutex<Guarded>,
}

#[derive(Debug)]
struct Guarded {
    guardian: Child,
    pipe: Option<ChildStdin>,
    pid: u32,
}

impl Launch {
    /// A command, with the name used in messages and for the log file.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            grace: Duration::from_secs(5),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable; the others are inherited.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder to run in.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Time between TERM and KILL when the process is to end (5 s if not set); zero means KILL at once.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts it.
    pub fn start(self, run: &Run) -> Result<Process> {
        let log = run.unique_path(&self.name, ".log");
        let guarded = guard(&self, &log, run)?;
        Ok(Process { launch: self, log, run: run.clone(), guarded: Mutex::new(guarded) })
    }
}

fn guard(launch: &Launch, log: &Path, run: &Run) -> Result<Guarded> {
    let log_file =
        File::options().create(true).append(true).open(log).doing(|| format!("opening {}", log.display()))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", include_str!("guardian.sh"), "testbed-guardian"])
        .arg(run.registry())
        .arg((launch.grace.as_millis() / 100).to_string())
        .arg(&launch.program)
        .args(&launch.args)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .process_group(0);
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    let mut guardian = command.spawn().doing(|| "starting sh".to_owned())?;
    let pid = read_pid(&mut guardian)
        .ok_or_else(|| Error::Invalid(format!("sh did not start {}: {}", launch.name, tail(log))))?;
    let pipe = guardian.stdin.take();
    Ok(Guarded { guardian, pipe, pid })
}

fn read_pid(guardian: &mut Child) -> Option<u32> {
    let mut line = String::new();
    BufReader::new(guardian.stdout.take()?).read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

impl Process {
    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.guarded().pid
    }

    /// The file with its standard output and standard error.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The whole log as text.
    pub fn log_text(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it runs; a frozen process does.
    pub fn is_running(&self) -> bool {
        self.exit_code().is_none()
    }

    /// Its exit code once it has ended: 128 + N when signal N ended it.
    pub fn exit_code(&self) -> Option<i32> {
        match self.guarded().guardian.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.code().unwrap_or(-1)),
            Err(_) => Some(-1),
        }
    }

    /// Waits until it ends by itself; `None` when it still runs after `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<i32> {
        let deadline = Instant::now() + timeout;
        loop {
            let code = self.exit_code();
            if code.is_some() || Instant::now() >= deadline {
                return code;
            }
            thread::sleep(POLL);
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let not_running = || Error::NotRunning { name: self.name().to_owned() };
        if !self.is_running() {
            return Err(not_running());
        }
        let mut guarded = self.guarded();
        let pipe = guarded.pipe.as_mut().ok_or_else(not_running)?;
        pipe.write_all(signal.line()).map_err(|_| not_running())
    }

    /// Ends it with SIGKILL, as a crash would, and waits until it is gone.
    pub fn kill9(&self) -> Result<()> {
        self.signal(Signal::Kill)?;
        self.wait_for_end();
        Ok(())
    }

    /// Asks it to end (TERM), kills it after the grace time, and returns the exit code.
    pub fn stop(&self) -> i32 {
        self.guarded().pipe = None;
        self.wait_for_end()
    }

    /// Starts the same command again, with the same log; ends it first if it still runs.
    pub fn restart(&self) -> Result<()> {
        self.stop();
        let guarded = guard(&self.launch, &self.log, &self.run)?;
        *self.guarded() = guarded;
        Ok(())
    }

    /// Asks `ready` again and again until it says so; fails at once when the process ends.
    pub fn wait_until_ready(&self, timeout: Duration, mut ready: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let code = self.exit_code();
            if let Some(code) = code {
                let (name, log, tail) = self.evidence();
                return Err(Error::Died { name, code, log, tail });
            }
            if ready(self) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let (name, log, tail) = self.evidence();
                return Err(Error::NotReady { name, after: timeout, log, tail });
            }
            thread::sleep(POLL);
        }
    }

    /// For a test that fails: its output then has the end of the log.
    pub(crate) fn show_log_if_panicking(&self) {
        if thread::panicking() {
            eprintln!("the end of the log of {}:\n{}", self.name(), tail(&self.log));
        }
    }

    fn evidence(&self) -> (String, PathBuf, String) {
        (self.name().to_owned(), self.log.clone(), tail(&self.log))
    }

    fn wait_for_end(&self) -> i32 {
        loop {
            if let Some(code) = self.exit_code() {
                return code;
            }
            thread::sleep(POLL);
        }
    }

    fn guarded(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Signal {
    fn line(self) -> &'static [u8] {
        match self {
            Self::Term => b"TERM\n",
            Self::Kill => b"KILL\n",
            Self::Interrupt => b"INT\n",
            Self::Stop => b"STOP\n",
            Self::Continue => b"CONT\n",
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: impl AsRef<OsStr>) -> String {
    let Ok(mut file) = File::open(Path::new(&log)) else {
        return String::new();
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).is_err() || file.read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
