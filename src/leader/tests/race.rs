//! Candidates, their links, clocks and lives drawn by chance: whatever happens, no two may call at the same instant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use plan::TermId;
use plan::lease::Before;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::*;

/// All that ever ran, and what was seen of it.
struct Race {
    server: Apiserver,
    seed: u64,
    dice: Dice,
    racers: Vec<Racer>,
    terms: BTreeSet<TermId>,
    born: u64,
}

struct Racer {
    candidate: Candidate,
    term: Option<TermId>,
    /// When it might last call.
    able: Option<Instant>,
    resumes: Option<Instant>,
    heals: Option<Instant>,
    leaving: bool,
}

impl Race {
    fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let mut race =
            Self { server: Apiserver::default(), seed, dice, racers: Vec::new(), terms: BTreeSet::new(), born: 0 };
        race.join();
        race.join();
        race
    }

    fn join(&mut self) {
        self.born += 1;
        let link = Link::to(&self.server);
        link.wire().dice = Some(self.dice.fork());
        let candidate = Candidate::over(&format!("process-{}-{}", self.seed, self.born), link);
        candidate.clock.set_by(SignedDuration::from_secs(i64::try_from(self.dice.below(7_200)).unwrap() - 3_600));
        self.racers.push(Racer { candidate, term: None, able: None, resumes: None, heals: None, leaving: false });
    }

    fn check(&mut self) {
        let now = Instant::now();
        let seed = self.seed;
        for racer in &mut self.racers {
            if racer.candidate.may_call() {
                racer.able = Some(now);
                // Stronger: it is the holder indeed.
                assert_eq!(self.server.holder(), racer.candidate.identity(), "seed {seed}");
            }
        }
        let able = self.racers.iter().filter(|racer| racer.able == Some(now)).count();
        assert!(able <= 1, "seed {seed}: {able} may call");
        for index in 0..self.racers.len() {
            let term = self.racers[index].candidate.term();
            let id = term.as_ref().map(|term| term.id.clone());
            if id == self.racers[index].term {
                continue;
            }
            self.racers[index].term.clone_from(&id);
            let Some(term) = term else { continue };
            assert!(self.terms.insert(term.id.clone()), "seed {seed}: a term's name is used twice");
            // What a term says of those before it: none of them could call after that instant.
            let silent = match term.before {
                Before::Expired => Duration::from_secs(10),
                Before::Released(_) | Before::Unknown => Duration::ZERO,
            };
            let told = Duration::try_from(term.since.duration_since(term.others_until)).unwrap();
            assert_eq!(told, silent);
            for (other, racer) in self.racers.iter().enumerate().filter(|(other, _)| *other != index) {
                let quiet = racer.able.map_or(s(3_600), |able| now - able);
                // Seen every 25 ms.
                assert!(quiet + 26 * MS >= silent, "seed {seed}: {other} could call {quiet:?} before");
            }
        }
    }

    /// Something happens to one of them.
    fn happens(&mut self) {
        let index = usize::try_from(self.dice.below(self.racers.len() as u64)).unwrap();
        let span = self.dice.pick(&[800, 4_000, 12_000, 25_000]);
        let until = Instant::now() + self.dice.millis(span);
        let set_by = SignedDuration::from_millis(i64::try_from(self.dice.below(8_000)).unwrap() - 4_000);
        let racer = &mut self.racers[index];
        match self.dice.below(7) {
            0 | 1 if racer.resumes.is_none() => {
                racer.candidate.suspend();
                racer.resumes = Some(until);
            }
            2 | 3 => {
                racer.candidate.link.cut(true);
                racer.heals = Some(until);
            }
            4 => racer.candidate.clock.set_by(set_by),
            5 if !racer.leaving => {
                racer.candidate.stop.cancel();
                racer.candidate.recorded.cancel();
                racer.leaving = true;
                self.join();
            }
            6 if !racer.leaving => {
                racer.candidate.kill();
                racer.leaving = true;
                self.join();
            }
            _ => {}
        }
    }

    fn pass(&mut self, heal: bool) {
        let now = Instant::now();
        for racer in &mut self.racers {
            if racer.resumes.is_some_and(|at| heal || at <= now) {
                racer.candidate.resume();
                racer.resumes = None;
            }
            if racer.heals.is_some_and(|at| heal || at <= now) {
                racer.candidate.link.cut(false);
                racer.heals = None;
            }
            if heal {
                racer.candidate.link.wire().dice = None;
            }
        }
        // A call that it sent is forgotten no sooner than anybody could ask.
        self.racers.retain(|racer| !racer.candidate.ended() || racer.able.is_some_and(|able| able.elapsed() < s(30)));
    }

    async fn run(mut self) -> usize {
        let mut next = Instant::now();
        let end = Instant::now() + s(75);
        while Instant::now() < end {
            if Instant::now() >= next {
                self.happens();
                next = Instant::now() + self.dice.millis(9_000);
            }
            self.pass(false);
            self.check();
            sleep(25 * MS).await;
        }
        // In the end somebody leads, and goes on.
        self.pass(true);
        let healed = Instant::now();
        while !self.racers.iter().any(|racer| racer.candidate.may_call()) {
            assert!(healed.elapsed() < s(45), "seed {}: nobody leads", self.seed);
            self.check();
            sleep(25 * MS).await;
        }
        let leader = self.racers.iter().position(|racer| racer.candidate.may_call()).unwrap();
        let led = Arc::clone(&self.racers[leader].candidate.tenure).term();
        let calm = Instant::now();
        while calm.elapsed() < s(20) {
            self.check();
            sleep(25 * MS).await;
        }
        if !self.racers[leader].leaving {
            assert_eq!(self.racers[leader].candidate.term(), led, "seed {}", self.seed);
        }
        self.terms.len()
    }
}

fn races(seeds: std::ops::Range<u64>) {
    let mut terms = 0;
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        terms += runtime.block_on(async { Race::new(seed).run().await });
    }
    // The lease has changed hands in most of them.
    assert!(terms as u64 >= 2 * count, "{terms} terms in {count} races");
}

#[test]
fn in_a_thousand_races_no_two_may_call_at_once() {
    races(0..500);
}

#[test]
fn in_a_thousand_races_no_two_may_call_at_once_second_half() {
    races(500..1_000);
}
