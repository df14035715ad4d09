//! What happens, in its order.

use std::time::Duration;

use super::{
    Args, Executor,
    manifest::{ACCOUNT, EVENING_NEWS, FOOTBALL, GALA, MATINEE, PREMIERE},
    screen::{Paint, Screen},
    show::Show,
    stage::Stage,
    told::table,
    verdict, workflows,
};

/// Nothing of the plot takes longer; what has not come right by then does not.
const LONGEST: Duration = Duration::from_secs(40);

impl Executor {
    /// By so many seconds the windows are later, so that all of them can be registered.
    fn later(self) -> u32 {
        match self {
            Self::Operator => 0,
            Self::LiveScheduler => 8,
        }
    }

    fn makes_the_calls(self) -> &'static str {
        match self {
            Self::Operator => "",
            Self::LiveScheduler => " switched by its own scheduler,",
        }
    }
}

/// Tells it, and whether all went as it should.
pub(super) async fn tell(args: &Args) -> anyhow::Result<bool> {
    let mut screen = Screen::new();
    let (executor, sabotage) = (args.executor, args.sabotage);
    screen.say(&format!(
        "JobStartStop, live: five windows on four channels of a Live API,{} all of it on this machine.",
        executor.makes_the_calls()
    ))?;
    screen.heading("The stage")?;
    let stage = Stage::set(&mut screen, executor, sabotage).await?;

    screen.heading("The show")?;
    let later = executor.later();
    let mut show = Show::begin(&stage, screen, executor)?;
    show.apply(&ACCOUNT, 0, "the Live API and its key").await?;
    show.start_clock();
    show.apply(&EVENING_NEWS, later, "on and off as planned").await?;
    show.apply(&FOOTBALL, later, "ten minutes, to be stopped early").await?;
    show.apply(&GALA, later, "to be cancelled").await?;
    show.apply(&MATINEE, later, "the first of two on one channel").await?;

    show.play_until_second(4).await?;
    show.patch("gala", r#"{"spec":{"cancel":true}}"#, "cancelled before its start").await?;

    show.play_until_second(5).await?;
    show.apply(&PREMIERE, later, "overlaps the matinee on its channel").await?;

    show.play_until_second(13 + u64::from(later)).await?;
    let soon = r#"{"spec":{"deactivation":{"time":"${NOW+3s}"}}}"#;
    show.patch("football", soon, "on air: stopped early by an edit").await?;

    show.play_until_settled(LONGEST + Duration::from_secs(later.into())).await?;
    let (mut screen, evidence) = show.end(sabotage).await?;

    if executor == Executor::LiveScheduler {
        screen.heading("What the Live API's scheduler was asked")?;
        for line in workflows::asked(&evidence.calls) {
            screen.say(&format!("  {line}"))?;
        }
        screen.heading("What it made of that")?;
        for line in workflows::made(&evidence.workflows) {
            screen.say(&format!("  {line}"))?;
        }
    }
    screen.heading(match executor {
        Executor::Operator => "What the Live API received",
        Executor::LiveScheduler => "What the operator called itself",
    })?;
    for line in evidence.table_of_calls() {
        screen.say(&format!("  {line}"))?;
    }
    screen.heading("What the receiver was told")?;
    for line in table(&evidence.told) {
        screen.say(&format!("  {line}"))?;
    }
    screen.heading("Where things stand")?;
    let verdict = verdict::on(&evidence);
    for line in verdict.lines(&screen) {
        screen.say(&line)?;
    }
    if args.keep {
        stage.stay_open(executor, &mut screen)?;
        std::future::pending::<()>().await;
    }
    screen.say("")?;
    screen
        .say(&screen.paint(Paint::Dim, "Kubernetes, the Live API and the operator end here; nothing stays behind."))?;
    Ok(verdict.all_well())
}
