//! Completes `kubectl jss …`: kubectl starts `kubectl_complete-jss` with the words so far, the last one being typed, and
//! reads one candidate a line, and `:` with a directive in the end.

use std::time::Duration;

use clap::{Arg, Command};

use super::cluster::Cluster;
use super::options::Connection;

/// How long somebody who pressed Tab waits for names.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cobra's directive: these are all, do not offer files.
const NO_FILES: u8 = 4;

/// Cobra's directive: what a shell does by itself.
const AS_EVER: u8 = 0;

/// What can stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// One of these, each with what it is for.
    Words(Vec<(String, String)>),
    /// The name of a window.
    Window,
    /// A file, or a text that nobody can guess.
    Anything,
}

/// The candidates for the last of these words, as kubectl reads them.
pub fn complete(cli: &Command, words: &[String]) -> String {
    let typed = words.last().map_or("", String::as_str);
    let (candidates, directive) = match wanted(cli, words) {
        Wanted::Words(words) => (words, NO_FILES),
        Wanted::Window => (windows(words).into_iter().map(|name| (name, String::new())).collect(), NO_FILES),
        Wanted::Anything => (Vec::new(), AS_EVER),
    };
    let fitting = candidates.into_iter().filter(|(word, _)| word.starts_with(typed));
    let lines =
        fitting.map(|(word, about)| if about.is_empty() { format!("{word}\n") } else { format!("{word}\t{about}\n") });
    lines.collect::<String>() + &format!(":{directive}\n")
}

fn wanted(cli: &Command, words: &[String]) -> Wanted {
    let Some((typed, before)) = words.split_last() else { return Wanted::Anything };
    let Some(command) = before.first() else { return Wanted::Words(commands(cli)) };
    let Some(command) = cli.find_subcommand(command) else { return Wanted::Anything };
    let previous = before.last().filter(|word| word.starts_with('-') && !word.contains('='));
    if let Some(flag) = previous.and_then(|word| flag(command, word))
        && flag.get_action().takes_values()
    {
        return values(flag);
    }
    if typed.starts_with('-') {
        return Wanted::Words(flags(command));
    }
    match command.get_positionals().next() {
        Some(positional) if positional.get_id().as_str().starts_with("name") => Wanted::Window,
        Some(positional) => values(positional),
        None => Wanted::Words(Vec::new()),
    }
}

fn first_sentence(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    let first = text.split(". ").next().and_then(|sentence| sentence.split(": ").next());
    first.unwrap_or_default().trim_end_matches('.').to_owned()
}

fn commands(cli: &Command) -> Vec<(String, String)> {
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| (command.get_name().to_owned(), first_sentence(command.get_about()))).collect()
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    shown.filter_map(|flag| Some((format!("--{}", flag.get_long()?), first_sentence(flag.get_help())))).collect()
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        let long = arg.get_long().is_some_and(|long| word == format!("--{long}"));
        long || arg.get_short().is_some_and(|short| word == format!("-{short}"))
    })
}

fn values(arg: &Arg) -> Wanted {
    let values: Vec<_> = arg.get_possible_values();
    if values.is_empty() {
        return Wanted::Anything;
    }
    Wanted::Words(values.iter().map(|value| (value.get_name().to_owned(), first_sentence(value.get_help()))).collect())
}

/// The names of the windows in the namespace that the words so far mean. Nobody who pressed Tab reads an error.
fn windows(words: &[String]) -> Vec<String> {
    let connection = connection(words);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let names = async {
        let cluster = Cluster::connect(&connection).await.ok()?;
        let windows = cluster.windows(Some(&cluster.namespace), None).await.ok()?;
        Some(windows.into_iter().map(|window| window.name).collect())
    };
    runtime.block_on(names).unwrap_or_default()
}

/// What the words so far say of the cluster.
fn connection(words: &[String]) -> Connection {
    let value = |names: [&str; 2]| {
        words.iter().enumerate().rev().find_map(|(i, word)| match word.split_once('=') {
            Some((name, value)) if names.contains(&name) => Some(value.to_owned()),
            None if names.contains(&word.as_str()) => words.get(i + 1).cloned(),
            _ => None,
        })
    };
    Connection {
        kubeconfig: value(["--kubeconfig", "--kubeconfig"]).map(Into::into),
        context: value(["--context", "--context"]),
        namespace: value(["--namespace", "-n"]),
        request_timeout: PATIENCE,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::duty::options::Alone;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn completed(text: &str) -> String {
        complete(&Alone::command(), &words(text))
    }

    #[test]
    fn commands_flags_and_words_of_flags_are_completed() {
        assert_eq!(completed("sus"), "suspend\tHold back a start that was not made yet\n:4\n");
        assert!(completed("").contains("extend\tKeep a channel on air longer"), "{}", completed(""));
        assert!(
            completed("stop news --dr").starts_with("--dry-run\tLet the API server check"),
            "{}",
            completed("stop news --dr")
        );
        assert_eq!(completed("stop news -o "), "json\tAs docs/on-duty.md describes it\n:4\n");
        assert_eq!(completed("completions ba").lines().next(), Some("bash"));
        assert_eq!(completed("show news --kubeconfig "), ":0\n", "a file");
        assert_eq!(completed("no-such-command x"), ":0\n");
    }

    #[test]
    fn a_place_for_a_name_takes_a_window() {
        for text in ["show ", "stop -n live ne", "release a ", "extend --until +30m "] {
            assert_eq!(wanted(&Alone::command(), &words(text)), Wanted::Window, "{text}");
        }
    }

    #[test]
    fn the_cluster_is_the_one_that_the_words_so_far_name() {
        let named = connection(&words("stop --context=studio -n live --kubeconfig /tmp/k ne"));
        assert_eq!((named.context.as_deref(), named.namespace.as_deref()), (Some("studio"), Some("live")));
        assert_eq!(named.kubeconfig, Some("/tmp/k".into()));
        assert_eq!(connection(&words("stop ne")).namespace, None);
    }
}
