//! Logs: events with fields, as lines for people or as JSON. What is logged can be changed while the process runs.

use std::fmt;
use std::io::{ErrorKind, IsTerminal};
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::TRACES;

use super::traces::Traces;

/// How often a file with a filter is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Why logging was not started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter makes no sense.
    #[error(transparent)]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// It was started before.
    #[error(transparent)]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// A layer of what becomes of spans and events.
pub(super) type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging to standard error, and sending spans where traces are sent. `filter` is a tracing filter such as `info`
/// or `jobstartstop=debug,info`.
pub fn start(filter: &str, format: LogFormat, traces: Option<&Traces>) -> Result<LogFilter, LoggingError> {
    let (loaded, handle) = reload::Layer::new(EnvFilter::try_new(filter)?);
    let told = loaded.and(filter_fn(is_for_people).with_max_level_hint(LevelFilter::TRACE));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Boxed = match format {
        LogFormat::Text => lines.with_filter(told).boxed(),
        LogFormat::Json => lines.json().with_filter(told).boxed(),
    };
    let layers: Vec<Boxed> = std::iter::once(lines).chain(traces.map(Traces::layer)).collect();
    tracing_subscriber::registry().with(layers).try_init()?;
    Ok(LogFilter::new(filter, handle))
}

/// Spans are for traces alone.
fn is_for_people(metadata: &Metadata<'_>) -> bool {
    metadata.target() != TRACES
}

/// What is logged, as it can be changed while the process runs.
pub struct LogFilter {
    /// The flag's word.
    given: String,
    handle: reload::Handle<EnvFilter, Registry>,
    /// What was last found in the file: `None`: nothing.
    found: Option<String>,
    /// The file could not be looked at, and that was told.
    unread: bool,
}

impl LogFilter {
    fn new(given: &str, handle: reload::Handle<EnvFilter, Registry>) -> Self {
        Self { given: given.to_owned(), handle, found: None, unread: false }
    }

    /// Goes by the filter in a file from now on, whatever becomes of it; looks at it every 10 s. Runs for ever.
    pub async fn follow(mut self, file: &Path) {
        loop {
            self.look(file).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes up what the file says now. Where it is missing or empty, the flag's word holds; one that cannot be read
    /// changes nothing.
    pub async fn look(&mut self, file: &Path) {
        let found = match tokio::fs::read_to_string(file).await {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                if !std::mem::replace(&mut self.unread, true) {
                    let file = file.display();
                    tracing::warn!(%file, %error, "the log filter's file cannot be read: what was logged before still is");
                }
                return;
            }
        };
        self.unread = false;
        if found != self.found {
            self.found = found;
            self.take_up(file);
        }
    }

    fn take_up(&self, file: &Path) {
        let filter = self.found.as_ref().unwrap_or(&self.given);
        let file = file.display();
        let taken = EnvFilter::try_new(filter).map_err(|error| error.to_string());
        match taken.and_then(|next| self.handle.reload(next).map_err(|error| error.to_string())) {
            Ok(()) => tracing::info!(%file, filter, "what is logged has changed"),
            Err(error) => {
                tracing::warn!(%file, filter, error, "the log filter makes no sense: what was logged before still is");
            }
        }
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFilter").field("given", &self.given).field("found", &self.found).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A filter with `info` given, and a file for it that is not there yet.
    struct Rig {
        filter: LogFilter,
        _loaded: reload::Layer<EnvFilter, Registry>,
        folder: TempDir,
    }

    impl Rig {
        fn new() -> Self {
            let (loaded, handle) = reload::Layer::new(EnvFilter::try_new("info").unwrap());
            Self { filter: LogFilter::new("info", handle), _loaded: loaded, folder: TempDir::new().unwrap() }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("filter")
        }

        /// The file says this, and is looked at. Returns what is logged then.
        async fn after(&mut self, text: &str) -> String {
            std::fs::write(self.file(), text).unwrap();
            self.look().await
        }

        async fn look(&mut self) -> String {
            let file = self.file();
            self.filter.look(&file).await;
            self.filter.handle.with_current(ToString::to_string).unwrap()
        }
    }

    #[tokio::test]
    async fn the_file_holds_in_place_of_the_flag_and_the_flag_without_it() {
        let mut rig = Rig::new();
        assert_eq!(rig.look().await, "info", "no file");
        assert_eq!(rig.after("debug\n").await, "debug");
        assert_eq!(rig.after("jobstartstop=trace,warn").await, "jobstartstop=trace,warn");
        assert_eq!(rig.after(" \n").await, "info", "an empty one says nothing");
        rig.after("error").await;
        std::fs::remove_file(rig.file()).unwrap();
        assert_eq!(rig.look().await, "info");
    }

    #[tokio::test]
    async fn a_filter_that_makes_no_sense_changes_nothing() {
        let mut rig = Rig::new();
        rig.after("debug").await;
        assert_eq!(rig.after("jobstartstop=loud=er").await, "debug");
        assert_eq!(rig.after("warn").await, "warn", "the next one counts again");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_changes_nothing() {
        let mut rig = Rig::new();
        rig.after("debug").await;
        std::fs::remove_file(rig.file()).unwrap();
        std::fs::create_dir(rig.file()).unwrap();
        assert_eq!(rig.look().await, "debug");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_looked_at_every_ten_seconds() {
        let rig = Rig::new();
        let (file, handle) = (rig.file(), rig.filter.handle.clone());
        let following = rig.filter;
        let followed = file.clone();
        let task = tokio::spawn(async move { following.follow(&followed).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::fs::write(&file, "debug").unwrap();
        let begun = tokio::time::Instant::now();
        while handle.with_current(ToString::to_string).unwrap() != "debug" {
            assert!(begun.elapsed() < Duration::from_secs(30), "never looked at");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(begun.elapsed() > Duration::from_secs(5), "sooner than it has to");
        task.abort();
    }
}
