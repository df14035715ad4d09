use std::{
    fmt, fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::error::{Doing as _, Result};

/// A temporary folder with the data and logs of processes that belong together.
///
/// It goes when the last clone and the last process in it are gone, also when this program is killed.
/// With `TESTBED_KEEP` set it stays, to read the logs.
#[derive(Clone, Debug)]
pub struct Run(Arc<Folder>);

struct Folder {
    path: PathBuf,
    registry: PathBuf,
    names: AtomicU32,
    sweeper: Mutex<Option<Child>>,
}

impl Run {
    /// Makes an empty folder below the system's temporary one.
    pub fn new() -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix("testbed-")
            .tempdir()
            .doing(|| "making a temporary folder".to_owned())?
            .keep();
        let registry = path.join(".running");
        // The sweeper comes first: from here on the folder goes whatever happens.
        let sweeper = if std::env::var_os("TESTBED_KEEP").is_some() {
            None
        } else {
            Some(start_sweeper(&path, &registry).doing(|| "starting sh".to_owned())?)
        };
        fs::create_dir(&registry).doing(|| format!("making {}", registry.display()))?;
        Ok(Self(Arc::new(Folder { path, registry, names: AtomicU32::new(0), sweeper: Mutex::new(sweeper) })))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A file or folder name in it that no earlier call has given out.
    pub fn unique_path(&self, stem: &str, extension: &str) -> PathBuf {
        let number = self.0.names.fetch_add(1, Ordering::Relaxed);
        self.0.path.join(format!("{stem}-{number}{extension}"))
    }

    pub(crate) fn registry(&self) -> &Path {
        &self.0.registry
    }
}

fn start_sweeper(path: &Path, registry: &Path) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", include_str!("sweeper.sh"), "testbed-sweeper"])
        .args([path, registry])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let sweeper = self.sweeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut sweeper) = sweeper.take() {
            // `wait` closes the pipe, which is the sweeper's signal.
            sweeper.wait().ok();
        }
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}
