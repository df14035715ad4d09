//! Names that pages use: make targets, flags, metrics, reasons, phases, conditions.

use std::{collections::BTreeSet, process::Command, time::Duration};

use jiff::SignedDuration;
use jobstartstop::gateway::serve::{self, Answered, Cut, Observer as _};
use jobstartstop::observe::{Metrics, QueueDepths};
use plan::outbox::Action;
use plan::{DeliveryState, Phase, Posted, Reason, Verb};

use crate::pages::{all, code_spans, commands, first_cells, page, section};

fn set<T: Into<String>>(words: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    words.into_iter().map(Into::into).collect()
}

#[test]
fn every_make_target_exists() {
    let makefile = page("Makefile");
    let targets = set(makefile
        .lines()
        .filter(|line| {
            line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains("?=") && !line.contains(":=")
        })
        .filter_map(|line| line.split_once(':').map(|(target, _)| target)));
    let mut named = 0;
    for path in all() {
        for command in commands(&page(&path)) {
            let Some(arguments) = command.trim().strip_prefix("make ") else { continue };
            for target in
                arguments.split_whitespace().take_while(|word| *word != "#").filter(|word| !word.contains('='))
            {
                assert!(targets.contains(target), "{path}: `make {target}` is none of {targets:?}");
                named += 1;
            }
        }
    }
    assert!(named >= 2, "make demo and make test at least");
}

/// The long flags in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    set(words.filter(|word| word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic()))))
}

fn help(command: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_jobstartstop")).args([command, "--help"]).output().unwrap();
    assert!(output.status.success());
    flags(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_flag_that_is_named_exists_and_every_flag_is_explained() {
    let run = help("run");
    let explained = flags(&first_cells(section(&page("docs/operations.md"), "## Flags")).join(" "));
    assert_eq!(&explained | &set(["--help"]), run, "docs/operations.md, Flags, and `jobstartstop run --help`");

    let on_duty = ["list", "show", "extend", "stop", "suspend", "resume", "cancel", "release", "completions"];
    let of_those_on_duty = on_duty.iter().flat_map(|command| help(command)).collect();
    for path in all() {
        for line in commands(&page(&path)) {
            let Some((_, line)) = line.split_once("jobstartstop ").or_else(|| line.split_once("kubectl jss ")) else {
                continue;
            };
            let line = line.split('|').next().unwrap();
            for command in ["run", "crds", "version", "time"].iter().chain(&on_duty) {
                if line.split_whitespace().next() == Some(*command) {
                    let unknown: Vec<_> = flags(line).difference(&help(command)).cloned().collect();
                    assert!(unknown.is_empty(), "{path}: {line}: {unknown:?}");
                }
            }
        }
        // A flag named by itself is one of ours.
        for span in code_spans(&page(&path)).into_iter().filter(|_| path.starts_with("docs/")) {
            if let Some(flag) = span.strip_prefix("--").and_then(|_| span.split([' ', '=']).next()) {
                let known = if path == "docs/on-duty.md" { &of_those_on_duty } else { &run };
                assert!(known.contains(flag), "{path}: {flag} is no flag there");
            }
        }
    }
}

#[test]
fn every_reason_is_explained_once_and_none_more() {
    let rows = first_cells(&page("docs/reasons.md"));
    let mut sorted = rows.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), rows.len(), "a reason has two rows");
    assert_eq!(set(rows), set(Reason::ALL.iter().map(|reason| reason.as_str())));
}

#[test]
fn every_metric_is_explained_and_exists() {
    // A family without a member is not shown: each gets one.
    let metrics = Metrics::new();
    metrics.lateness(Verb::Activate, SignedDuration::ZERO, 1, None);
    metrics.queue_depths(QueueDepths::default());
    metrics.channel_list(None);
    metrics.live_request("read", None, SignedDuration::ZERO);
    metrics.windows(std::iter::once((Phase::Pending, Some(Reason::KeyRefused), None)));
    metrics.clock_stepped(SignedDuration::ZERO);
    metrics.start_failed(Reason::StartMissed);
    metrics.registrations(std::iter::once(Reason::Registered));
    metrics.stepped_in(Verb::Activate);
    metrics.apiserver_write("status", Ok(()));
    metrics.watch_failed("secrets");
    metrics.notification(Action::Activate, &Posted::Gone);
    metrics.notification_lost(Action::Activate, DeliveryState::Failed);
    metrics.answered(&Answered { method: "GET", route: "none", status: None, duration: Duration::ZERO });
    metrics.refused(serve::Refusal::BodyTooLarge);
    metrics.cut(Cut::MadeRoom);
    let text = metrics.encode().unwrap();
    let existing = set(text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()));
    let explained = set(first_cells(section(&page("docs/operations.md"), "## Metrics")));
    assert_eq!(explained, existing);
}

#[test]
fn every_phase_and_every_condition_is_in_the_readme() {
    let readme = page("README.md");
    let rows = set(first_cells(section(&readme, "## Phases and conditions")));
    let phases = [Phase::Pending, Phase::Active, Phase::Finished, Phase::Cancelled, Phase::Failed, Phase::Missed]
        .map(Phase::as_str);
    assert_eq!(rows, set(phases.into_iter().chain(plan::conditions::KINDS)));
}
