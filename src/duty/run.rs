//! Carries a command out: reads, decides, edits, tells, waits.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::actions::{self, Change, Known, Plan, Refusal, Typed};
use super::called_as::CalledAs;
use super::cluster::{Cluster, Made, OfJob};
use super::error::Error;
use super::extension;
use super::options::{
    Cancel, Command, Completions, Connection, Doing, Edit, Extend, List, ListOutput, On, Output, Release, Show, Stop,
};
use super::page::{self, Page};
use super::paint::Paint;
use super::release::{self, Held, Lead, WORD};
use super::shape::{self, Changed, Done};
use super::table::{self, Look};
use super::times::{Zone, span};
use super::wait::{Goal, Progress};
use super::window::Window;

/// The exit code where what was waited for did not come about in time. 1 is an error; 2, clap's, a wrong command line.
const NOT_IN_TIME: u8 = 3;

/// How often an edit is decided anew when others edit the same object.
const TRIES: usize = 5;

/// How often a window is looked at that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Carries a command out, and tells how it went. `cli` is the whole command line, for completions.
pub fn run(command: Command, called: CalledAs, cli: clap::Command) -> ExitCode {
    let outcome = match command {
        Command::Completions(options) => completions(&options, called, cli),
        command => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Local(format!("cannot start the runtime: {error}")))
            .and_then(|runtime| runtime.block_on(carry_out(command, called.typed()))),
    };
    outcome.unwrap_or_else(|error| {
        note(&format!("Error: {error}"));
        ExitCode::FAILURE
    })
}

async fn carry_out(command: Command, typed: &'static str) -> Result<ExitCode, Error> {
    match command {
        Command::List(options) => list(&options).await,
        Command::Show(options) => show(&options).await,
        Command::Extend(options) => extend(&options, typed).await,
        Command::Stop(Stop { all, on }) => {
            let asked = Asked { typed, command: "stop", on: &on, goal: Goal::Stopped };
            edit(asked, |known| actions::stop(known, all)).await
        }
        Command::Suspend(Edit { on }) => {
            edit(Asked { typed, command: "suspend", on: &on, goal: Goal::Suspended }, actions::suspend).await
        }
        Command::Resume(Edit { on }) => {
            edit(Asked { typed, command: "resume", on: &on, goal: Goal::Resumed }, actions::resume).await
        }
        Command::Cancel(Cancel { leave_on, on }) => {
            let asked = Asked { typed, command: "cancel", on: &on, goal: Goal::Cancelled };
            edit(asked, |known| actions::cancel(known, leave_on)).await
        }
        Command::Release(options) => release(&options).await,
        Command::Completions(_) => Ok(ExitCode::SUCCESS),
    }
}

/// To standard output. A reader that has gone needs no more.
fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line to standard error.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn tell_json(value: &Value) {
    tell(&format!("{value:#}\n"));
}

fn paint() -> Paint {
    let terminal = std::io::stdout().is_terminal();
    Paint::on(terminal, std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref())
}

fn completions(options: &Completions, called: CalledAs, cli: clap::Command) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    let name = if called == CalledAs::Itself { "jobstartstop" } else { "kubectl-jss" };
    clap_complete::generate(options.shell, &mut cli.bin_name(name), name, &mut script);
    let script = String::from_utf8(script).map_err(|error| Error::Local(error.to_string()))?;
    tell(&script);
    Ok(ExitCode::SUCCESS)
}

async fn list(options: &List) -> Result<ExitCode, Error> {
    let zone = Zone::named(options.times.zone.as_deref())?;
    let cluster = Cluster::connect(&options.connection).await?;
    let namespace = Some(cluster.namespace.as_str()).filter(|_| !options.all_namespaces);
    let mut windows = cluster.windows(namespace, options.selector.as_deref()).await?;
    let now = Timestamp::now();
    table::sort(&mut windows, now);
    if options.output == Some(ListOutput::Json) {
        tell_json(&shape::list(&windows, now));
    } else if windows.is_empty() {
        let place = namespace.map_or_else(|| "any namespace".to_owned(), |name| format!("the namespace {name}"));
        note(&format!("There are no JobStartStops in {place}."));
    } else {
        let (namespaces, wide) = (options.all_namespaces, options.output == Some(ListOutput::Wide));
        tell(&table::list(&windows, &Look { zone: &zone, now, paint: paint(), namespaces, wide }));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &Show) -> Result<ExitCode, Error> {
    let zone = Zone::named(options.times.zone.as_deref())?;
    let cluster = Cluster::connect(&options.connection).await?;
    let window = cluster.window(&cluster.namespace, &options.name).await?;
    let OfJob { windows, mut gaps } = cluster.of_job(&window).await;
    let events = cluster.events(&window).await.unwrap_or_else(|error| {
        gaps.push(format!("events: {error}"));
        Vec::new()
    });
    let (now, paint) = (Timestamp::now(), paint());
    let page = Page { window: &window, all: &windows, gaps: &gaps, events: &events, zone: &zone, now, paint };
    if options.output == Some(Output::Json) {
        tell_json(&shape::show(&page));
    } else {
        tell(&page::show(&page));
    }
    Ok(ExitCode::SUCCESS)
}

/// An edit of a window.
#[derive(Clone, Copy)]
struct Asked<'a> {
    typed: &'static str,
    command: &'static str,
    on: &'a On,
    /// What is waited for where nothing had to be edited.
    goal: Goal,
}

/// What is waited for.
struct Awaited {
    namespace: String,
    name: String,
    /// A namesake made later is another window.
    uid: String,
    goal: Goal,
}

impl Awaited {
    fn of(window: &Window, goal: Goal) -> Self {
        Self { namespace: window.namespace.clone(), name: window.name.clone(), uid: window.uid.clone(), goal }
    }

    fn of_change(change: &Change) -> Self {
        let goal = match &change.spec {
            spec if spec["cancel"] == true => Goal::Cancelled,
            spec if spec["suspend"] == true => Goal::Suspended,
            spec if spec["suspend"] == false => Goal::Resumed,
            _ => Goal::Stopped,
        };
        Self { namespace: change.namespace.clone(), name: change.name.clone(), uid: change.uid.clone(), goal }
    }
}

impl Typed {
    fn of(program: &'static str, connection: &Connection) -> Self {
        let Connection { kubeconfig, context, namespace, request_timeout: _ } = connection;
        let kubeconfig = kubeconfig.as_ref().map(|path| format!(" --kubeconfig={}", path.display()));
        let context = context.as_ref().map(|name| format!(" --context={name}"));
        Self { program, namespace: namespace.clone(), cluster: kubeconfig.into_iter().chain(context).collect() }
    }
}

/// How far this machine's clock may be from the API server's, which tells whole seconds.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(2);

/// By the API server's clock, where this machine's is another.
async fn now(cluster: &Cluster) -> Timestamp {
    let ours = Timestamp::now();
    cluster.now().await.filter(|theirs| theirs.duration_since(ours).abs() > CLOCKS_APART).unwrap_or(ours)
}

fn not_looked_at(gaps: &[String]) -> impl Iterator<Item = String> {
    gaps.iter().map(|gap| format!("Not looked at: {gap}"))
}

async fn edit(asked: Asked<'_>, decide: impl Fn(&Known<'_>) -> Result<Plan, Refusal>) -> Result<ExitCode, Error> {
    let On { name, times, doing, connection } = asked.on;
    let zone = Zone::named(times.zone.as_deref())?;
    let cluster = Cluster::connect(connection).await?;
    let typed = Typed::of(asked.typed, connection);
    let mut made: Vec<Change> = Vec::new();
    for _ in 0..TRIES {
        let window = cluster.window(&cluster.namespace, name).await.map_err(|error| partly_edited(&made, error))?;
        let OfJob { windows, gaps } = cluster.of_job(&window).await;
        let known = Known { window: &window, all: &windows, now: now(&cluster).await, zone: &zone, typed: &typed };
        let mut plan = decide(&known).map_err(|refusal| partly_edited(&made, refusal.into()))?;
        plan.warns.extend(not_looked_at(&gaps));
        if !made.is_empty() {
            plan.says.insert(0, format!("Edited before others came between: {}.", edited(&made)));
        }
        if !apply(&cluster, &plan.changes, doing, &mut made).await? {
            continue;
        }
        let mut awaited: Vec<Awaited> = made.iter().map(Awaited::of_change).collect();
        if awaited.is_empty() {
            awaited.push(Awaited::of(&window, asked.goal));
        }
        let mut done = Done::new(asked.command, doing.dry_run, &plan);
        done.changes = made.into_iter().map(patched).collect();
        return conclude(&cluster, done, doing, &awaited).await;
    }
    Err(partly_edited(&made, Error::Contended(name.clone())))
}

fn patched(change: Change) -> Changed {
    let Change { namespace, name, spec, .. } = change;
    Changed { kind: Held::WINDOW, namespace, name, how: "patched", spec }
}

/// Makes the changes. `false`: one of them was decided on what is not stored any more.
async fn apply(cluster: &Cluster, changes: &[Change], doing: &Doing, made: &mut Vec<Change>) -> Result<bool, Error> {
    for change in changes {
        let answer = cluster.edit(change, doing.dry_run).await;
        match answer.map_err(|error| partly_edited(made, error))? {
            Some(_) => made.push(change.clone()),
            None => return Ok(false),
        }
    }
    Ok(true)
}

fn edited(made: &[Change]) -> String {
    made.iter().map(|change| format!("{}/{}", change.namespace, change.name)).collect::<Vec<_>>().join(", ")
}

/// What was done before the error is not lost. `names` is empty where nothing was.
fn partly(how: &str, names: &str, error: Error) -> Error {
    if names.is_empty() {
        return error;
    }
    Error::Partly { made: format!("{how}: {names}"), error: Box::new(error) }
}

fn partly_edited(made: &[Change], error: Error) -> Error {
    partly("edited", &edited(made), error)
}

fn partly_released(made: &[Changed], error: Error) -> Error {
    let names: Vec<String> = made.iter().map(|changed| format!("{}/{}", changed.namespace, changed.name)).collect();
    partly("released", &names.join(", "), error)
}

/// Tells what was done, and waits where that is asked for.
async fn conclude(cluster: &Cluster, mut done: Done, doing: &Doing, awaited: &[Awaited]) -> Result<ExitCode, Error> {
    let as_json = doing.output == Some(Output::Json);
    if !as_json {
        tell_done(&done);
    }
    let mut reached = Ok(true);
    if doing.wait {
        reached = wait(cluster, awaited, doing.timeout).await;
        done.reached = reached.as_ref().ok().copied();
    }
    if as_json {
        tell_json(&json!(done));
    }
    if reached? {
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("It has not come about within {:?} (--timeout).", doing.timeout));
    Ok(ExitCode::from(NOT_IN_TIME))
}

fn tell_done(done: &Done) {
    let dry = if done.dry_run { "Dry run, nothing is changed. It would be so:\n" } else { "" };
    let says: String = done.says.iter().flat_map(|sentence| [sentence.as_str(), "\n"]).collect();
    tell(&format!("{dry}{says}"));
    for warning in &done.warnings {
        note(&format!("Warning: {warning}"));
    }
}

/// `false`: not in time.
async fn wait(cluster: &Cluster, all: &[Awaited], limit: Duration) -> Result<bool, Error> {
    let deadline = Instant::now() + limit;
    for Awaited { namespace, name, uid, goal } in all {
        let mut told = String::new();
        let mut before: Option<Window> = None;
        loop {
            let progress = match cluster.find(namespace, name).await {
                Ok(window) => {
                    let window = window.filter(|window| window.uid == *uid);
                    let progress = goal.progress(window.as_ref(), before.as_ref());
                    before = window;
                    progress
                }
                // It may come back; what is waited for does not depend on it.
                Err(error @ (Error::TimedOut(_) | Error::Unreachable(_) | Error::NotNow(_))) => {
                    Progress::Waiting(error.to_string())
                }
                Err(error) => return Err(error),
            };
            let (Progress::Reached(says) | Progress::Waiting(says) | Progress::Failed(says)) = &progress;
            if *says != told {
                note(&format!("{name}: {says}"));
                told.clone_from(says);
            }
            match progress {
                Progress::Reached(_) => break,
                Progress::Failed(says) => return Err(Error::Undone(format!("{name}: it did not come about. {says}"))),
                Progress::Waiting(_) if Instant::now() >= deadline => return Ok(false),
                Progress::Waiting(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }
    Ok(true)
}

async fn extend(options: &Extend, typed: &'static str) -> Result<ExitCode, Error> {
    let zone = Zone::named(options.times.zone.as_deref())?;
    let cluster = Cluster::connect(&options.connection).await?;
    let window = cluster.window(&cluster.namespace, &options.name).await?;
    let OfJob { windows, gaps } = cluster.of_job(&window).await;
    let typed = Typed::of(typed, &options.connection);
    let known = Known { window: &window, all: &windows, now: now(&cluster).await, zone: &zone, typed: &typed };
    let extending = extension::extend(&known, options.until, options.new_name.as_deref())?;
    let mut plan = extending.plan;
    plan.warns.extend(not_looked_at(&gaps));
    let mut changes = Vec::new();
    let mut awaited = Vec::new();
    if let Some(new) = extending.create {
        let (stored, how) = match cluster.create(&new, options.doing.dry_run).await? {
            Made::Created(window) => (window, "created"),
            Made::Existed(window) => (alive(&known, window)?, "exists"),
        };
        if how == "exists" {
            plan.says.insert(0, format!("{} exists already.", stored.name));
        }
        plan.warns.extend(moved(&cluster, &new, &zone).await);
        awaited.push(Awaited::of(&stored, Goal::Counted));
        let spec = extension::shown(stored.spec.as_ref().unwrap_or(&new.spec));
        let Window { namespace, name, .. } = stored;
        changes.push(Changed { kind: Held::WINDOW, namespace, name, how, spec });
    }
    let mut done = Done::new("extend", options.doing.dry_run, &plan);
    done.changes = changes;
    conclude(&cluster, done, &options.doing, &awaited).await
}

/// An extension that was made before, if it still keeps the channel on.
fn alive(known: &Known<'_>, window: Window) -> Result<Window, Error> {
    let Some(state) = window.dead() else { return Ok(window) };
    let what_now = if window.suspended() && !window.cancelled() {
        format!("Resume it: {}", known.command("resume", &window, ""))
    } else {
        "Give the new one another name with --name".to_owned()
    };
    Err(Error::Dead { name: window.name, state, what_now })
}

/// The end that the extension was made to touch is another one now, or there is none.
async fn moved(cluster: &Cluster, new: &extension::Extension, zone: &Zone) -> Option<String> {
    let (namespace, name, end) = &new.touches;
    let what = match cluster.find(namespace, name).await.ok()? {
        None => "is gone".to_owned(),
        Some(window) => match (window.stop().time.filter(|at| at != end), window.dead()) {
            (Some(at), _) => format!("ends at {} now", zone.told(at, Timestamp::now())),
            (None, Some(state)) => state.to_owned(),
            (None, None) => return window.stop().called().map(|_| called_meanwhile(name, new)),
        },
    };
    Some(format!("{name} {what}: {} does not touch it. Delete it, and extend again.", new.name))
}

fn called_meanwhile(name: &str, new: &extension::Extension) -> String {
    format!("The stop of {name} was called meanwhile: {} switches the channel on again, in a new session.", new.name)
}

async fn release(options: &Release) -> Result<ExitCode, Error> {
    let cluster = Cluster::connect(&options.connection).await?;
    let how = &options.how;
    let held = held(&cluster, options).await?;
    let mut plan = Plan { says: release::before(&held), ..Plan::default() };
    if held.is_empty() {
        plan.says.push("Nothing is held by the operator's finalizer.".to_owned());
    } else if !(how.force || how.dry_run) {
        nobody_leads(&cluster).await?;
    }
    let mut done = Done::new("release", how.dry_run, &plan);
    let as_json = how.output == Some(Output::Json);
    if !as_json {
        tell_done(&done);
    }
    if !(held.is_empty() || options.yes || how.dry_run) {
        if as_json {
            done.says.iter().for_each(|sentence| note(sentence));
        }
        confirm()?;
    }
    for one in held {
        let released =
            let_go(&cluster, one, how.dry_run).await.map_err(|error| partly_released(&done.changes, error))?;
        if let Some(Held { kind, namespace, name, .. }) = released {
            done.changes.push(Changed { kind, namespace, name, how: "released", spec: Value::Null });
        }
    }
    if as_json {
        tell_json(&json!(done));
    } else if !how.dry_run && !done.changes.is_empty() {
        tell(&format!("Released: {}.\n", done.changes.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be released: windows first, since an account is held for its windows.
async fn held(cluster: &Cluster, options: &Release) -> Result<Vec<Held>, Error> {
    let now = Timestamp::now();
    let mut windows = Vec::new();
    if options.all {
        let namespace = Some(cluster.namespace.as_str()).filter(|_| !options.all_namespaces);
        windows = cluster.windows(namespace, None).await?;
        let accounts = cluster.held_accounts(namespace).await?;
        return Ok(windows.iter().filter_map(|window| Held::window(window, now)).chain(accounts).collect());
    }
    for name in &options.names {
        windows.push(cluster.window(&cluster.namespace, name).await?);
    }
    Ok(windows.iter().filter_map(|window| Held::window(window, now)).collect())
}

/// An operator that leads lets go of its objects itself, when their channels are off.
async fn nobody_leads(cluster: &Cluster) -> Result<(), Error> {
    let leads = |holder: &str| {
        Err(Error::Undone(format!(
            "{holder} leads as the operator: it lets objects go itself, once their channels are off. `show` says what it waits \
             for. --force releases all the same"
        )))
    };
    let Some(leases) = cluster.leases().await? else {
        return Err(Error::Undone(
            "whether an operator leads cannot be told, since you may not list Leases in all namespaces. --force releases all the \
             same"
                .to_owned(),
        ));
    };
    let now = Timestamp::now();
    let leading: Vec<Lead> = leases.iter().map(|lease| release::lead(lease, now)).collect();
    if let Some(Lead::Held(holder)) = leading.iter().find(|lead| matches!(lead, Lead::Held(_))) {
        return leads(holder);
    }
    let doubt =
        leading.iter().filter_map(|lead| if let Lead::Doubtful(lasts) = lead { Some(*lasts) } else { None }).max();
    let Some(lasts) = doubt else { return Ok(()) };
    note(&format!("A Lease ran out and was not let go: waiting {} to see whether it is renewed.", span(lasts)));
    match renewed_within(cluster, leases, Duration::try_from(lasts).unwrap_or_default()).await? {
        Some(holder) => leads(&holder),
        None => Ok(()),
    }
}

async fn renewed_within(cluster: &Cluster, before: Vec<Lease>, limit: Duration) -> Result<Option<String>, Error> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        sleep(LOOK_AGAIN).await;
        let after = cluster.leases().await?.unwrap_or_default();
        if let Some(holder) = release::renewed(&before, &after) {
            return Ok(Some(holder.to_owned()));
        }
    }
    Ok(None)
}

fn confirm() -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Undone("nobody can be asked here: --yes goes on without asking".to_owned()));
    }
    let _ = write!(std::io::stderr().lock(), "Type {WORD} to go on: ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| Error::Local(error.to_string()))?;
    if answer.trim() == WORD { Ok(()) } else { Err(Error::Undone("nothing was released".to_owned())) }
}

/// Takes the finalizer off. `None`: it was off already.
async fn let_go(cluster: &Cluster, held: Held, dry_run: bool) -> Result<Option<Held>, Error> {
    let mut held = held;
    for _ in 0..TRIES {
        if cluster.release(&held, dry_run).await? {
            return Ok(Some(held));
        }
        let now = Timestamp::now();
        let again = if held.kind == Held::ACCOUNT {
            cluster.held_account(&held.namespace, &held.name).await?
        } else {
            cluster.find(&held.namespace, &held.name).await?.and_then(|window| Held::window(&window, now))
        };
        match again {
            Some(again) if again.is_as(&held) => held = again,
            Some(_) => {
                return Err(Error::Undone(format!(
                    "{} was changed just now: an operator may run. Look at it, and release it again",
                    held.full_name()
                )));
            }
            None => return Ok(None),
        }
    }
    Err(Error::Contended(held.full_name()))
}
