//! The show: what a user does with kubectl, and the table that runs meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use simulator::{Call, WorkflowReport};

use super::{
    Executor, Sabotage, blocking,
    board::Board,
    kubernetes::Watch,
    manifest::{Filling, Manifest},
    screen::{Paint, Screen},
    stage::Stage,
    table::{time_of_day, window_line, window_titles},
    told::Told,
    verdict::Evidence,
};

const FRAME: Duration = Duration::from_millis(100);
/// Of a command that has its meaning beside it; the meaning of a longer one goes above it.
const COMMAND_WIDTH: usize = 36;

#[derive(Debug)]
pub(super) struct Show<'a> {
    stage: &'a Stage,
    screen: Screen,
    watch: Watch,
    board: Board,
    executor: Executor,
    /// The URL of the receiver.
    receiver: String,
    began: Instant,
    /// Without a terminal: what was last printed of each window.
    printed: BTreeMap<String, String>,
    /// What should not have happened, whatever became of the windows.
    mishaps: Vec<String>,
}

impl<'a> Show<'a> {
    pub(super) fn begin(stage: &'a Stage, mut screen: Screen, executor: Executor) -> anyhow::Result<Self> {
        screen.say(&format!("  manifests: examples/demo, with times filled in: {}", stage.manifests.display()))?;
        Ok(Self {
            stage,
            screen,
            watch: Watch::begin(&stage.plane)?,
            board: Board::default(),
            executor,
            receiver: stage.receiver.url(),
            began: Instant::now(),
            printed: BTreeMap::new(),
            mishaps: Vec::new(),
        })
    }

    /// `kubectl apply` of a manifest, with the times counted from now, or from so many seconds later.
    pub(super) async fn apply(&mut self, manifest: &Manifest, later: u32, meaning: &str) -> anyhow::Result<()> {
        let path: PathBuf = self.stage.manifests.join(manifest.file);
        let text = self.filling(later)?.fill(manifest.template)?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        let args = vec!["apply".to_owned(), "-f".to_owned(), path.display().to_string()];
        self.kubectl(args, &format!("kubectl apply -f {}", manifest.file), meaning).await
    }

    /// `kubectl patch` of a window; times are filled in as in a manifest.
    pub(super) async fn patch(&mut self, window: &str, patch: &str, meaning: &str) -> anyhow::Result<()> {
        let patch = self.filling(0)?.fill(patch)?;
        let shown = format!("kubectl patch jss {window} --type merge -p '{patch}'");
        let args = ["patch", "jss", window, "--type", "merge", "-p", &patch].map(str::to_owned);
        self.kubectl(args.to_vec(), &shown, meaning).await
    }

    fn filling(&self, later: u32) -> anyhow::Result<Filling<'_>> {
        let from = Timestamp::now().checked_add(SignedDuration::from_secs(later.into()))?;
        Filling::as_of(from, &self.stage.live_api.base_url, &self.receiver, self.executor.as_str())
    }

    /// A refusal is shown, and does not stop the show.
    async fn kubectl(&mut self, args: Vec<String>, shown: &str, meaning: &str) -> anyhow::Result<()> {
        let command = format!("$ {shown}");
        let meaning = self.screen.paint(Paint::Dim, &format!("# {meaning}"));
        if command.len() <= COMMAND_WIDTH {
            self.screen.say(&format!("  {command:<COMMAND_WIDTH$}  {meaning}"))?;
        } else {
            self.screen.say(&format!("  {meaning}"))?;
            self.screen.say(&format!("  {command}"))?;
        }
        let kubectl = self.stage.plane.kubectl().clone();
        let output = blocking(move || kubectl.run(args)).await?;
        if output.code != Some(0) {
            let reason = output.stderr.trim();
            self.screen.say(&self.screen.paint(Paint::Red, &format!("    {reason}")))?;
            self.mishaps.push(format!("{shown}: {reason}"));
        }
        self.frame().await
    }

    /// Seconds count from here.
    pub(super) fn start_clock(&mut self) {
        self.began = Instant::now();
    }

    /// Runs the table until that second.
    pub(super) async fn play_until_second(&mut self, second: u64) -> anyhow::Result<()> {
        while self.began.elapsed() < Duration::from_secs(second) {
            self.frame().await?;
            tokio::time::sleep(FRAME).await;
        }
        Ok(())
    }

    /// Runs the table until all windows are over and all channels off, or the time is up.
    pub(super) async fn play_until_settled(&mut self, longest: Duration) -> anyhow::Result<()> {
        while !self.board.is_settled() && self.began.elapsed() < longest {
            self.frame().await?;
            tokio::time::sleep(FRAME).await;
        }
        Ok(())
    }

    /// Leaves the last table in its place, and gathers what there is to judge by.
    pub(super) async fn end(mut self, sabotage: Option<Sabotage>) -> anyhow::Result<(Screen, Evidence)> {
        #[derive(Deserialize)]
        struct Calls {
            calls: Vec<Call>,
        }
        #[derive(Deserialize)]
        struct Workflows {
            workflows: Vec<WorkflowReport>,
        }
        self.frame().await?;
        self.screen.leave_table();
        if let Some(code) = self.stage.operator.process().exit_code() {
            self.mishaps.push(format!("the operator ended with exit code {code}"));
        }
        let Calls { calls } =
            self.stage.live_api.get("/control/calls").await.context("asking which calls the Live API received")?;
        let Workflows { workflows } =
            self.stage.live_api.get("/control/workflows").await.context("asking what its scheduler has")?;
        let told = self.stage.receiver.received().iter().filter_map(Told::read).collect();
        let evidence = Evidence {
            executor: self.executor,
            sabotage,
            board: self.board,
            calls,
            workflows,
            told,
            mishaps: self.mishaps,
            at: Timestamp::now(),
        };
        Ok((self.screen, evidence))
    }

    async fn frame(&mut self) -> anyhow::Result<()> {
        self.board.update(&mut self.watch, &self.stage.live_api).await?;
        if self.screen.is_terminal() { self.draw() } else { self.print_changes() }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let now = time_of_day(Timestamp::now(), 0);
        let clock = format!("── {now} UTC ── {} s ──", self.began.elapsed().as_secs());
        let mut table =
            vec![String::new(), self.screen.paint(Paint::Dim, &clock), window_titles(self.executor, &self.screen)];
        let line = |window| window_line(window, self.executor, &self.board, &self.screen);
        table.extend(self.board.windows.iter().map(line));
        self.screen.draw(table)?;
        Ok(())
    }

    fn print_changes(&mut self) -> anyhow::Result<()> {
        for window in &self.board.windows {
            let line = window_line(window, self.executor, &self.board, &self.screen);
            if self.printed.get(window.name()) == Some(&line) {
                continue;
            }
            if self.printed.is_empty() {
                self.screen.say(&format!("{:<11} {}", "", window_titles(self.executor, &self.screen)))?;
            }
            self.screen.say(&format!("{:<11} {line}", time_of_day(Timestamp::now(), 1)))?;
            self.printed.insert(window.name().to_owned(), line);
        }
        Ok(())
    }
}
