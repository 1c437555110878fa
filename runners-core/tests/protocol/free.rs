//! What is explained is what is granted, with two control planes on one store: chance from fixed seeds
//! decides what is submitted, how the runners are and where they are at home. No runner is parked, so a
//! job that is free stays so until the sync that is to grant it.

use super::hand::{Hand, submit_with, user};
use runners_core::{
    Client, Concurrency, ControlPlane, Fairness, JobId, JobOptions, MemoryStore, Mode, Outcome, RunnerId,
    protocol::{Explanation, PoolExplanation},
    sleep,
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{collections::BTreeSet, time::Duration};

const SEEDS: u64 = 12;
/// Less than there are numbers for jobs.
const ROUNDS: usize = 60;
const RUNNERS: u8 = 3;
/// So many jobs wait at most: to explain more takes long and shows no more.
const WAITING_MAX: usize = 6;
const SLOTS: u32 = 2;
/// Longer than a control plane leaves the other what that made ready.
const TURN: Duration = Duration::from_millis(100);
/// So often a job has to be free in all seeds together, or nothing was shown.
const FREE_MIN: usize = 25;
/// What the labels of runners are, and what jobs want and refuse.
const LABELS: [&str; 2] = ["even", "odd"];

#[tokio::test(start_paused = true)]
async fn what_is_explained_as_free_is_granted_by_the_next_sync_and_nothing_else_is() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed).await;
        for round in 0..ROUNDS {
            world.change().await;
            // Nothing runs any more before the time goes on: both have heard of everything. What the other
            // made ready is read later.
            let span = if world.draw(2) == 0 { Duration::from_millis(1) } else { TURN };
            sleep(&world.clock, span).await;
            world.compare(&mut seen, &format!("seed {seed}, round {round}")).await;
        }
    }
    assert!(seen.free >= FREE_MIN, "{seen:?}");
    assert!(seen.free_elsewhere >= FREE_MIN && seen.kept >= FREE_MIN, "{seen:?}");
}

/// How often something was there to be compared.
#[derive(Debug, Default)]
struct Seen {
    /// A job that was the next had nothing in its way to the runner that asked.
    free: usize,
    /// Of those, how many were submitted at the other control plane.
    free_elsewhere: usize,
    /// A ready job was kept from a runner that asked.
    kept: usize,
}

struct World {
    clock: SimClock,
    chance: SeededRandom,
    planes: [ControlPlane; 2],
    runners: Vec<Known>,
    /// How many jobs were submitted.
    submitted: u8,
    /// The jobs that were offered to nobody yet, and at which control plane each was submitted.
    waiting: Vec<(JobId, usize)>,
}

/// A runner, and the control plane that it last spoke to.
struct Known {
    id: RunnerId,
    number: u8,
    home: usize,
    hand: Hand,
}

/// What is said of a runner.
#[derive(Debug, Default)]
struct Said {
    /// Jobs that are the next, with nothing in their way to it, at any control plane.
    free: BTreeSet<JobId>,
    /// Jobs that nothing but their turn keeps from it, where it is at home.
    possible: BTreeSet<JobId>,
    /// Jobs that wait and are kept from it there.
    kept: BTreeSet<JobId>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let (clock, chance) = (SimClock::new(), SeededRandom::new(seed));
        let store = MemoryStore::default();
        let plane = || ControlPlane::builder(store.clone()).clock(clock.clone()).start();
        let planes = [plane().await.unwrap(), plane().await.unwrap()];
        let mut runners = Vec::new();
        for number in 1..=RUNNERS {
            let home = usize::from(number % 2);
            let mut hand = Hand::new(&planes[home], number);
            let facts = hand.next.facts.as_mut().unwrap();
            let drawn = LABELS.iter().filter(|_| chance.unit() < 0.5);
            facts.labels = drawn.map(|label| (*label).to_owned()).collect();
            hand.next.facts_digest = facts.digest();
            hand.sync().await;
            runners.push(Known { id: RunnerId::from_bytes([number; 16]), number, home, hand });
        }
        Self { clock, chance, planes, runners, submitted: 0, waiting: Vec::new() }
    }

    /// Submits a job, or has a runner tell something new.
    async fn change(&mut self) {
        if self.draw(2) == 0 && self.waiting.len() < WAITING_MAX {
            self.submit().await;
        } else {
            self.tell().await;
        }
    }

    async fn submit(&mut self) {
        self.submitted += 1;
        let (plane, number) = (self.draw(2), self.submitted);
        let rarely = |world: &Self, of: usize| (world.chance.unit() < 0.25).then(|| world.draw(of));
        let label = |which: Option<usize>| which.into_iter().map(|at| LABELS[at].to_owned()).collect();
        let runner = self.draw(RUNNERS.into());
        let options = JobOptions {
            priority: if self.draw(3) == 0 { 200 } else { 100 },
            wanted: label(rarely(self, 2)),
            refused: label(rarely(self, 2)),
            concurrency: rarely(self, 2)
                .map(|at| Concurrency::new(LABELS[at], 1 + u32::try_from(at).unwrap()))
                .into_iter()
                .collect(),
            fairness: rarely(self, 3).map(|key| Fairness { key: key.to_string(), weight: 1 }),
            runner: rarely(self, 1).map(|_| self.runners[runner].id),
            ..JobOptions::default()
        };
        submit_with(&user(&self.planes[plane]), number, options).await;
        self.waiting.push((JobId::from_bytes([number; 16]), plane));
    }

    /// A runner ends what it does, drains or serves, has other slots free, or moves.
    async fn tell(&mut self) {
        let (at, moves, ends) = (self.draw(RUNNERS.into()), self.draw(3) == 0, self.draw(4) > 0);
        let (drains, busy) = (self.draw(8) == 0, u32::from(self.draw(3) == 0));
        let known = &mut self.runners[at];
        if moves {
            known.home = 1 - known.home;
            known.hand.caller = Hand::new(&self.planes[known.home], known.number).caller;
        }
        let hand = &mut known.hand;
        if ends {
            let held = hand.next.held.clone();
            held.iter().for_each(|held| hand.finish(held.token, Outcome::Passed, None));
        }
        hand.next.intent = if drains { Mode::Drain } else { Mode::Serve };
        let holds = u32::try_from(hand.next.held.len()).unwrap();
        hand.next.free = SLOTS.saturating_sub(holds).saturating_sub(busy);
        let offered = known.sync().await;
        self.waiting.retain(|(job, _)| !offered.contains(job));
    }

    /// What is explained, then a sync of a runner that tells nothing new; one runner after the other.
    async fn compare(&mut self, seen: &mut Seen, when: &str) {
        let first = self.draw(RUNNERS.into());
        for next in 0..usize::from(RUNNERS) {
            self.compare_one((first + next) % usize::from(RUNNERS), seen, when).await;
        }
    }

    async fn compare_one(&mut self, at: usize, seen: &mut Seen, when: &str) {
        let said = self.said(&self.runners[at]).await;
        let known = &mut self.runners[at];
        let offered = known.sync().await;
        let told = || format!("{when}: {:?} was offered {offered:?}, and {said:?} was said", known.id);
        assert!(said.free.is_subset(&offered), "what is free is not granted: {}", told());
        assert!(offered.is_subset(&said.possible), "what is kept from it is granted: {}", told());
        seen.free += said.free.len();
        seen.kept += said.kept.len();
        let elsewhere = |(job, plane): &&(JobId, usize)| said.free.contains(job) && *plane != known.home;
        seen.free_elsewhere += self.waiting.iter().filter(elsewhere).count();
        self.waiting.retain(|(job, _)| !offered.contains(job));
    }

    /// What both control planes say of a runner.
    async fn said(&self, known: &Known) -> Said {
        let mut said = Said::default();
        for (at, plane) in self.planes.iter().enumerate() {
            let client = Client::new(user(plane));
            for (job, _) in &self.waiting {
                let explanation = client.explain(*job, None).await.unwrap();
                let Some(pool) = explanation.pools.first() else { continue };
                let nothing_else = explanation.obstacle.is_none() && is_unobstructed(pool, known.id);
                if nothing_else && is_next(&explanation) {
                    said.free.insert(*job);
                }
                if at == known.home {
                    let place = if nothing_else { &mut said.possible } else { &mut said.kept };
                    place.insert(*job);
                }
            }
        }
        said
    }

    fn draw(&self, below: usize) -> usize {
        usize::try_from(self.chance.number() % u64::try_from(below).unwrap()).unwrap()
    }
}

impl Known {
    /// Sends the next sync and takes what is offered.
    async fn sync(&mut self) -> BTreeSet<JobId> {
        let answer = self.hand.sync().await;
        self.hand.next.finishes.clear();
        self.hand.hold(&answer);
        answer.offers.iter().map(|offer| offer.token.job).collect()
    }
}

fn is_unobstructed(pool: &PoolExplanation, runner: RunnerId) -> bool {
    let found = pool.runners.iter().find(|found| found.runner == runner);
    pool.obstacle.is_none() && found.is_some_and(|found| found.obstacle.is_none())
}

/// Whether a job goes before all others of its pool.
fn is_next(explanation: &Explanation) -> bool {
    let position = explanation.pools[0].position.as_ref();
    position.is_some_and(|position| position.exact && position.ahead == 0)
}
