//! What can be asked for.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use super::times::Until;

/// What those on duty can ask for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List windows: first what is on air, then what starts next.
    List(List),
    /// Show all about one window on one page: its times, what was called and when, and what comes next.
    Show(Show),
    /// Keep a channel on air longer, by a second window that begins where the first one's session ends. The first one is
    /// not edited, so that a tool which applies it again from Git does not cut the show.
    Extend(Extend),
    /// Switch a channel off now, by moving its window's stop to the present.
    Stop(Stop),
    /// Hold back a start that was not made yet. A stop is made all the same.
    Suspend(Edit),
    /// Let a suspended window start; at once when its start is due.
    Resume(Edit),
    /// Call off what was not called yet, for good. On air that is the stop only: the channel stays on.
    Cancel(Cancel),
    /// Take the operator's finalizers off objects that it will not take off itself any more: after it was uninstalled.
    /// Nothing is called: a channel that is on stays on, and is billed.
    Release(Release),
    /// Print what makes a shell complete this program's command line.
    Completions(Completions),
}

// No docs on what is flattened: clap would take them for the command's.

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Connection {
    /// The kubeconfig file to use. Without it: the variable KUBECONFIG, then ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// The kubeconfig's context to use instead of its current one.
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,

    /// The namespace. Without it: the one of the kubeconfig's context.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,

    /// How long one request to the API server may take, such as 5s.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) request_timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct Times {
    /// The time zone in which times are shown, and in which a time of day is meant, such as Europe/Berlin. Without it:
    /// this machine's.
    #[arg(long, value_name = "ZONE")]
    pub(super) zone: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Doing {
    /// Let the API server check the change and tell what it would be, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Wait until it has come about.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) wait: bool,

    /// How long to wait at most, such as 90s. Then the exit code is 3.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration, requires = "wait")]
    pub(super) timeout: Duration,

    /// Print JSON instead of text.
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub(super) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(super) struct On {
    /// The window.
    #[arg(value_name = "NAME", value_parser = name)]
    pub(super) name: String,

    #[command(flatten)]
    pub(super) times: Times,
    #[command(flatten)]
    pub(super) doing: Doing,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// A form for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// As docs/on-duty.md describes it.
    Json,
}

/// The forms of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListOutput {
    /// As docs/on-duty.md describes it.
    Json,
    /// With more columns.
    Wide,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Windows of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,

    /// Only those with these labels, such as show=news,season!=1.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(super) selector: Option<String>,

    /// Print more columns, or JSON.
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub(super) output: Option<ListOutput>,

    #[command(flatten)]
    pub(super) times: Times,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The window.
    #[arg(value_name = "NAME", value_parser = name)]
    pub(super) name: String,

    /// Print JSON instead of text.
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub(super) output: Option<Output>,

    #[command(flatten)]
    pub(super) times: Times,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// `extend`.
#[derive(Debug, Args)]
pub struct Extend {
    /// The window, or one that extends it.
    #[arg(value_name = "NAME", value_parser = name)]
    pub(super) name: String,

    /// The new end: a time with an offset (2026-12-02T20:30:00+01:00), a time of day (20:30, the next one), or so much
    /// after the present end (+30m).
    #[arg(long, value_name = "TIME", value_parser = Until::from_str)]
    pub(super) until: Until,

    /// The name of the new object. Without it: made of the window's name and the new end.
    #[arg(long = "name", value_name = "NAME")]
    pub(super) new_name: Option<String>,

    #[command(flatten)]
    pub(super) times: Times,
    #[command(flatten)]
    pub(super) doing: Doing,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// `stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// End every window that keeps the channel on together with this one, and call off those of them that are ahead.
    #[arg(long)]
    pub(super) all: bool,

    #[command(flatten)]
    pub(super) on: On,
}

/// `suspend` and `resume`.
#[derive(Debug, Args)]
pub struct Edit {
    #[command(flatten)]
    pub(super) on: On,
}

/// `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// Cancel the stop of a window on air: its channel then stays on, and is billed, until somebody switches it off.
    #[arg(long)]
    pub(super) leave_on: bool,

    #[command(flatten)]
    pub(super) on: On,
}

/// `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// The windows.
    #[arg(value_name = "NAME", value_parser = name, required_unless_present = "all")]
    pub(super) names: Vec<String>,

    /// Every window, and every LiveAccount.
    #[arg(long, conflicts_with = "names")]
    pub(super) all: bool,

    /// In all namespaces.
    #[arg(short = 'A', long, requires = "all", conflicts_with_all = ["namespace", "names"])]
    pub(super) all_namespaces: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) how: ReleaseHow,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseHow {
    /// Also while an operator leads, or when that cannot be told.
    #[arg(long)]
    pub(super) force: bool,

    /// Tell what would be released, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Print JSON instead of text.
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    pub(super) output: Option<Output>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell. `kubectl jss` is completed by kubectl itself, with this program linked as kubectl_complete-jss.
    #[arg(value_name = "SHELL", value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// An object's name; `jss/NAME`, as kubectl prints it, is one too.
#[allow(clippy::unnecessary_wraps, reason = "a parser of clap's")]
fn name(text: &str) -> Result<String, std::convert::Infallible> {
    let kinds = ["jss/", "jobstartstop/", "jobstartstops/", "jobstartstop.scheduler.bcovlive.io/"];
    Ok(kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text).to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    read.filter(|read| !read.is_zero()).ok_or_else(|| "a duration such as 90s, 2m or 1m30s is needed".to_owned())
}

/// The commands by themselves, for tests.
#[cfg(test)]
#[derive(Debug, clap::Parser)]
#[command(name = "jobstartstop")]
pub(super) struct Alone {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    fn told(words: &str) -> String {
        Alone::try_parse_from(words.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn the_commands_are_sound_and_each_says_what_it_is_for_itself() {
        Alone::command().debug_assert();
        for command in Alone::command().get_subcommands() {
            let about = command.get_about().unwrap().to_string();
            assert!(about.len() > 20 && !about.contains("No docs"), "{}: {about}", command.get_name());
        }
    }

    #[test]
    fn a_name_may_be_given_as_kubectl_prints_it() {
        for text in ["news", "jss/news", "jobstartstop.scheduler.bcovlive.io/news"] {
            let Alone { command: Command::Show(show) } = Alone::parse_from(["jobstartstop", "show", text]) else {
                panic!("not show");
            };
            assert_eq!(show.name, "news");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        for (words, sentence) in [
            ("jobstartstop extend news --until 20", "a time with an offset"),
            ("jobstartstop extend news", "--until"),
            ("jobstartstop list -A -n live", "cannot be used with"),
            ("jobstartstop stop news --timeout 5s", "--wait"),
            ("jobstartstop stop news --wait --dry-run", "cannot be used with"),
            ("jobstartstop stop news --wait --timeout soon", "a duration such as 90s"),
            ("jobstartstop release", "<NAME>..."),
            ("jobstartstop release -A news", "cannot be used with"),
        ] {
            assert!(told(words).contains(sentence), "{words}: {}", told(words));
        }
    }
}
