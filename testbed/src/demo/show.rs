//! The show: what a user does with kubectl, and the table that runs meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use simulator::Call;

use super::{
    blocking,
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
    /// The URL of the receiver.
    receiver: String,
    began: Instant,
    /// Without a terminal: what was last printed of each window.
    printed: BTreeMap<String, String>,
    /// What should not have happened, whatever became of the windows.
    mishaps: Vec<String>,
}

impl<'a> Show<'a> {
    pub(super) fn begin(stage: &'a Stage, mut screen: Screen) -> anyhow::Result<Self> {
        screen.say(&format!("  manifests: examples/demo, with times filled in: {}", stage.manifests.display()))?;
        Ok(Self {
            stage,
            screen,
            watch: Watch::begin(&stage.plane)?,
            board: Board::default(),
            receiver: stage.receiver.url(),
            began: Instant::now(),
            printed: BTreeMap::new(),
            mishaps: Vec::new(),
        })
    }

    /// `kubectl apply` of a manifest, with the times counted from now.
    pub(super) async fn apply(&mut self, manifest: &Manifest, meaning: &str) -> anyhow::Result<()> {
        let path: PathBuf = self.stage.manifests.join(manifest.file);
        let text = self.filling()?.fill(manifest.template)?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        let args = vec!["apply".to_owned(), "-f".to_owned(), path.display().to_string()];
        self.kubectl(args, &format!("kubectl apply -f {}", manifest.file), meaning).await
    }

    /// `kubectl patch` of a window; times are filled in as in a manifest.
    pub(super) async fn patch(&mut self, window: &str, patch: &str, meaning: &str) -> anyhow::Result<()> {
        let patch = self.filling()?.fill(patch)?;
        let shown = format!("kubectl patch jss {window} --type merge -p '{patch}'");
        let args = ["patch", "jss", window, "--type", "merge", "-p", &patch].map(str::to_owned);
        self.kubectl(args.to_vec(), &shown, meaning).await
    }

    fn filling(&self) -> anyhow::Result<Filling<'_>> {
        Filling::as_of(Timestamp::now(), &self.stage.live_api.base_url, &self.receiver)
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
    pub(super) async fn end(mut self) -> anyhow::Result<(Screen, Evidence)> {
        #[derive(Deserialize)]
        struct Calls {
            calls: Vec<Call>,
        }
        self.frame().await?;
        self.screen.leave_table();
        if let Some(code) = self.stage.operator.process().exit_code() {
            self.mishaps.push(format!("the operator ended with exit code {code}"));
        }
        let Calls { calls } =
            self.stage.live_api.get("/control/calls").await.context("asking which calls the Live API received")?;
        let told = self.stage.receiver.received().iter().filter_map(Told::read).collect();
        let evidence = Evidence { board: self.board, calls, told, mishaps: self.mishaps, at: Timestamp::now() };
        Ok((self.screen, evidence))
    }

    async fn frame(&mut self) -> anyhow::Result<()> {
        self.board.update(&mut self.watch, &self.stage.live_api).await?;
        if self.screen.is_terminal() { self.draw() } else { self.print_changes() }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let now = time_of_day(Timestamp::now(), 0);
        let clock = format!("── {now} UTC ── {} s ──", self.began.elapsed().as_secs());
        let mut table = vec![String::new(), self.screen.paint(Paint::Dim, &clock), window_titles(&self.screen)];
        table.extend(self.board.windows.iter().map(|window| window_line(window, &self.board, &self.screen)));
        self.screen.draw(table)?;
        Ok(())
    }

    fn print_changes(&mut self) -> anyhow::Result<()> {
        for window in &self.board.windows {
            let line = window_line(window, &self.board, &self.screen);
            if self.printed.get(window.name()) == Some(&line) {
                continue;
            }
            if self.printed.is_empty() {
                self.screen.say(&format!("{:<11} {}", "", window_titles(&self.screen)))?;
            }
            self.screen.say(&format!("{:<11} {line}", time_of_day(Timestamp::now(), 1)))?;
            self.printed.insert(window.name().to_owned(), line);
        }
        Ok(())
    }
}
