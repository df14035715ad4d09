//! What happens, in its order.

use std::time::Duration;

use super::{
    Args,
    manifest::{ACCOUNT, EVENING_NEWS, FOOTBALL, GALA, MATINEE, PREMIERE},
    screen::{Paint, Screen},
    show::Show,
    stage::Stage,
    told::table,
    verdict,
};

/// Nothing of the plot takes longer; what has not come right by then does not.
const LONGEST: Duration = Duration::from_secs(40);

/// Tells it, and whether all went as it should.
pub(super) async fn tell(args: &Args) -> anyhow::Result<bool> {
    let mut screen = Screen::new();
    screen.say("JobStartStop, live: five windows on four channels of a Live API, all of it on this machine.")?;
    screen.heading("The stage")?;
    let stage = Stage::set(&mut screen, args.sabotage).await?;

    screen.heading("The show")?;
    let mut show = Show::begin(&stage, screen)?;
    show.apply(&ACCOUNT, "the Live API and its key").await?;
    show.start_clock();
    show.apply(&EVENING_NEWS, "on and off as planned").await?;
    show.apply(&FOOTBALL, "ten minutes, to be stopped early").await?;
    show.apply(&GALA, "to be cancelled").await?;
    show.apply(&MATINEE, "the first of two on one channel").await?;

    show.play_until_second(4).await?;
    show.patch("gala", r#"{"spec":{"cancel":true}}"#, "cancelled before its start").await?;

    show.play_until_second(5).await?;
    show.apply(&PREMIERE, "overlaps the matinee on its channel").await?;

    show.play_until_second(13).await?;
    let soon = r#"{"spec":{"deactivation":{"time":"${NOW+3s}"}}}"#;
    show.patch("football", soon, "on air: stopped early by an edit").await?;

    show.play_until_settled(LONGEST).await?;
    let (mut screen, evidence) = show.end().await?;

    screen.heading("What the Live API received")?;
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
        stage.stay_open(&mut screen)?;
        std::future::pending::<()>().await;
    }
    screen.say("")?;
    screen
        .say(&screen.paint(Paint::Dim, "Kubernetes, the Live API and the operator end here; nothing stays behind."))?;
    Ok(verdict.all_well())
}
