use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

const LINE_EVERY: Duration = Duration::from_secs(10);
const UPDATE_EVERY: Duration = Duration::from_secs(1);

/// Tells on standard error that something long is going on: one line that changes on a terminal, else a
/// line every ten seconds. Written past the test harness, which would hold `eprintln!` back to the end.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    began: Instant,
    told: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub(crate) fn begin(what: String) -> Self {
        let mut progress = Self { what, began: Instant::now(), told: None, terminal: io::stderr().is_terminal() };
        progress.tick();
        progress
    }

    /// To be called often.
    pub(crate) fn tick(&mut self) {
        let every = if self.terminal { UPDATE_EVERY } else { LINE_EVERY };
        if self.told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        self.told = Some(Instant::now());
        let end = if self.terminal { "\x1b[K\r" } else { "\n" };
        self.write("…", end);
    }

    pub(crate) fn end(self, outcome: &str) {
        let end = if self.terminal { "\x1b[K\n" } else { "\n" };
        self.write(outcome, end);
    }

    fn write(&self, state: &str, end: &str) {
        let line = format!("testbed: {} {state} {} s{end}", self.what, self.began.elapsed().as_secs());
        // Progress that nobody can read is no reason to fail.
        io::stderr().write_all(line.as_bytes()).ok();
    }
}
