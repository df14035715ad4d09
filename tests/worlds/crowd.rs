//! Two hundred windows on fifty jobs, made, moved, cancelled and deleted at random for an hour. Whatever the dice say,
//! each channel is on while somebody wants it, and off soon after nobody does.

use simulator::{Operation, State};

use super::store::{Break, Random};
use super::world::{World, at, minutes, simulate};

const WINDOWS: usize = 200;
const JOBS: u64 = 50;

/// Between two things that people do.
const STEP: i64 = 12;

/// How long a channel may take to come on: others' starts go first, five at once, and the operator is down for a while.
const COMES_ON: i64 = 120;

/// How long a channel may stay on for nobody: a gap that is too short to be off in, a start under way, the turn itself.
const GOES_OFF: i64 = 150;

/// An edit reaches the operator within a second.
const EDIT: i64 = 1;

#[test]
fn a_crowd_of_windows_with_seed_1() {
    simulate(1, live);
}

#[test]
fn a_crowd_of_windows_with_seed_2() {
    simulate(2, live);
}

#[test]
fn a_crowd_of_windows_with_seed_3() {
    simulate(3, live);
}

/// One window as people want it, and have wanted it.
struct Wish {
    path: String,
    job: String,
    /// Since when it is wanted so; `None`: cancelled or deleted.
    versions: Vec<(i64, Option<(i64, i64)>)>,
}

impl Wish {
    fn version(&self, second: i64) -> Option<&(i64, Option<(i64, i64)>)> {
        self.versions.iter().rev().find(|(since, _)| *since <= second)
    }

    /// Whether the channel is wanted on at that time.
    fn covers(&self, second: i64) -> bool {
        let span = self.version(second).and_then(|(_, span)| *span);
        span.is_some_and(|(start, stop)| start <= second && second < stop)
    }
}

struct Crowd {
    dice: Random,
    wishes: Vec<Wish>,
}

async fn live(world: &mut World) {
    let jobs: Vec<String> = (0..JOBS).map(|number| format!("job-{number}")).collect();
    for namespace in ["tv", "sport"] {
        world.settle(namespace);
    }
    world.jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
    world.start_operator();
    let mut crowd = Crowd { dice: Random::new(world.seed), wishes: Vec::new() };
    while world.second() < minutes(60) {
        world.until(world.second() + STEP).await;
        crowd.check(world, &jobs);
        crowd.act(world).await;
    }
    crowd.check_starts(world);
    assert_eq!(crowd.wishes.len(), WINDOWS);
    world.assert_sound();
}

/// What people do.
impl Crowd {
    async fn act(&mut self, world: &mut World) {
        if self.wishes.len() < WINDOWS {
            self.apply(world);
        }
        if self.dice.below(2) == 0 && !self.wishes.is_empty() {
            self.disturb(world);
        }
        if world.second() % minutes(10) < STEP {
            world.store.break_watches(if self.dice.below(2) == 0 { Break::Reset } else { Break::Error(410) });
        }
        if (minutes(25)..minutes(25) + STEP).contains(&world.second()) {
            world.kill_operator().await;
            world.start_operator();
        }
    }

    fn apply(&mut self, world: &World) {
        let number = self.wishes.len();
        let namespace = if self.dice.below(2) == 0 { "tv" } else { "sport" };
        let (path, job) = (format!("{namespace}/window-{number}"), format!("job-{}", self.dice.below(JOBS)));
        let span = self.span(world.second());
        world.window(&path, &job, span);
        self.wishes.push(Wish { path, job, versions: vec![(world.second(), Some(span))] });
    }

    fn disturb(&mut self, world: &World) {
        let now = world.second();
        let index = self.roll(self.wishes.len());
        let Some((_, Some((start, stop)))) = self.wishes[index].version(now).copied() else { return };
        let path = self.wishes[index].path.clone();
        let wanted = match self.dice.below(4) {
            0 => {
                world.delete(&path);
                None
            }
            // On air it would leave the channel on, as the vendor's does.
            1 if now + 15 < start => {
                world.cancel(&path);
                None
            }
            2 if now + 15 < start => {
                let (start, stop) = self.span(now);
                world.move_start(&path, start);
                world.move_stop(&path, stop);
                Some((start, stop))
            }
            _ if now + 5 < stop => {
                let stop = self.between(now, now + minutes(4)).max(start + 1);
                world.move_stop(&path, stop);
                Some((start, stop))
            }
            _ => return,
        };
        self.wishes[index].versions.push((now, wanted));
    }

    /// Soon, and over ten minutes before the hour is.
    fn span(&mut self, now: i64) -> (i64, i64) {
        let start = self.between(now + 20, now + minutes(4));
        (start, self.between(start + 20, start + minutes(5)).min(minutes(50)).max(start + 20))
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.dice.below(u64::try_from(to - from).unwrap())).unwrap()
    }

    fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.dice.below(u64::try_from(sides).unwrap())).unwrap()
    }
}

/// What they may expect.
impl Crowd {
    /// The channels now, against what was wanted until now.
    fn check(&self, world: &World, jobs: &[String]) {
        let now = world.second();
        for job in jobs {
            let report = world.vendor(|vendor| vendor.report(world.now(), job)).unwrap();
            let on = report.state != State::Standby;
            let wishes = self.for_job(job);
            let wanted = |second| wishes.iter().any(|wish| wish.covers(second));
            let long_wanted = (now - COMES_ON..=now).all(wanted);
            assert!(on || !long_wanted, "at {now} off although wanted: {}\n{report:#?}", self.told(job));
            let long_unwanted = !(now - GOES_OFF..=now).any(wanted);
            assert!(!on || !long_unwanted, "at {now} on for nobody: {}\n{report:#?}", self.told(job));
        }
    }

    /// Every start was wanted when it was received.
    fn check_starts(&self, world: &World) {
        let calls: Vec<_> = world.vendor(|vendor| vendor.calls().cloned().collect());
        let starts = calls.iter().filter(|call| call.operation == Operation::Activate);
        for start in starts {
            let second = (start.received_us - at(0).as_microsecond()).div_euclid(1_000_000);
            let job = start.job.as_deref().unwrap();
            let wishes = self.for_job(job);
            let wanted = |second| wishes.iter().any(|wish| wish.covers(second));
            assert!((second - EDIT..=second).any(wanted), "started at {second} for nobody: {}", self.told(job));
        }
    }

    fn for_job(&self, job: &str) -> Vec<&Wish> {
        self.wishes.iter().filter(|wish| wish.job == job).collect()
    }

    fn told(&self, job: &str) -> String {
        let lines = self.for_job(job).into_iter().map(|wish| format!("{} {:?}", wish.path, wish.versions));
        lines.collect::<Vec<_>>().join("\n")
    }
}
