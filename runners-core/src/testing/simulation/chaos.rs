//! What goes wrong in a simulation beside the network and the store: strokes that hit a runner, a
//! control plane, a machine or a clock, at moments that the seed draws.

use super::{
    work::Echo,
    world::{World, operator_of},
};
use crate::{
    seams::clock::{Clock as _, sleep},
    testing::{random::SeededRandom, store::StoreFaults, transport::Faults},
    values::{
        command::Command as _, fleet::runner::Drain, id::SignalId, opaque::Opaque, request::SignalRequest,
        signal::SignalTarget,
    },
};
use std::{sync::Arc, time::Duration};

/// What goes wrong, and for how long.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests write `Chaos { strokes: false, ..Chaos::wild() }`")]
pub struct Chaos {
    /// How long things go wrong. Everything is well again after it, and whatever was accepted has
    /// to come to its end.
    pub lasts: Duration,
    /// How long it is from one stroke to the next, on average; `None` for none. A stroke kills,
    /// stops, drains, suspends or cuts off a runner, crashes a control plane, takes the store away
    /// or steps the wall clock.
    pub strokes: Option<Duration>,
    /// What the network does, between runners, users and control planes.
    pub network: Faults,
    /// What the store does.
    pub store: StoreFaults,
}

impl Chaos {
    /// Nothing goes wrong: jobs are submitted within `lasts`.
    #[must_use]
    pub const fn none(lasts: Duration) -> Self {
        Self { lasts, strokes: None, network: Faults::none(), store: StoreFaults::none() }
    }

    /// A bad network and a bad store, with a stroke every ten seconds or so.
    #[must_use]
    pub const fn wild(lasts: Duration) -> Self {
        Self {
            lasts,
            strokes: Some(Duration::from_secs(10)),
            network: Faults::bad(Duration::from_secs(75)),
            store: StoreFaults::bad(Duration::from_secs(4)),
        }
    }
}

/// What a stroke does.
#[derive(Clone, Copy, Debug)]
enum Stroke {
    Kill,
    Away,
    Stop,
    Drain,
    Pause,
    Operate,
    Signal,
    Copy,
    Partition,
    Suspend,
    CrashPlane,
    StopPlane,
    SuspendPlane,
    StoreOutage,
    StepWall,
}

const STROKES: [Stroke; 33] = [
    Stroke::Kill,
    Stroke::Kill,
    Stroke::Kill,
    Stroke::Away,
    Stroke::Stop,
    Stroke::Drain,
    Stroke::Drain,
    Stroke::Pause,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Operate,
    Stroke::Signal,
    Stroke::Signal,
    Stroke::Signal,
    Stroke::Signal,
    Stroke::Copy,
    Stroke::Partition,
    Stroke::Partition,
    Stroke::Partition,
    Stroke::Suspend,
    Stroke::Suspend,
    Stroke::CrashPlane,
    Stroke::CrashPlane,
    Stroke::StopPlane,
    Stroke::SuspendPlane,
    Stroke::StoreOutage,
];

/// How long a runner that is to leave may take before it is killed.
const LEAVE_WITHIN: Duration = Duration::from_secs(90);

/// How long after a term a runner that is away is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// Strikes until `chaos.lasts` is over.
pub(super) async fn strike(world: &Arc<World>, chaos: &Chaos, random: &SeededRandom) {
    let end = world.clock.boot() + chaos.lasts;
    let Some(every) = chaos.strokes else { return world.clock.sleep_until(end).await };
    loop {
        let wait = every.mul_f64(2.0 * random.unit());
        if world.clock.boot() + wait >= end {
            return world.clock.sleep_until(end).await;
        }
        sleep(&world.clock, wait).await;
        let which = random.number() as usize % (STROKES.len() + 1);
        let stroke = STROKES.get(which).copied().unwrap_or(Stroke::StepWall);
        let (world, random) = (world.clone(), random.fork());
        world.clone().duties.spawn(async move {
            let _doing = world.checker.doing(format!("{stroke:?}"));
            world.stroke(stroke, &random).await;
        });
    }
}

impl World {
    async fn stroke(&self, stroke: Stroke, random: &SeededRandom) {
        let runner = random.number() as usize % self.runners.len();
        let plane = random.number() as usize % self.planes.len();
        // Half of all troubles are short, the others about as long as a term.
        let span = |max: Duration| {
            if random.unit() < 0.5 { max.mul_f64(0.1 * random.unit()) } else { max.mul_f64(random.unit()) }
        };
        let span = span(self.spans.term * 2);
        match stroke {
            Stroke::Kill | Stroke::Away | Stroke::Stop | Stroke::Drain | Stroke::Pause | Stroke::Copy => {
                self.strike_runner(stroke, runner, span, random).await;
            }
            Stroke::Operate => self.operate(runner, span, random).await,
            Stroke::Signal => self.signal(runner, span, random).await,
            Stroke::Partition => {
                self.checker.trace(None, format_args!("{} is cut off", self.runners[runner].id));
                self.checker.count(|count| count.partitions += 1);
                self.runners[runner].network.partition(span);
            }
            Stroke::Suspend => {
                self.checker.trace(None, format_args!("{} is suspended", self.runners[runner].id));
                self.checker.count(|count| count.suspends += 1);
                self.runners[runner].machine.suspend(span);
            }
            Stroke::SuspendPlane => {
                self.checker.trace(None, format_args!("plane {plane} is suspended"));
                self.planes.machine(plane).suspend(span / 2);
            }
            Stroke::CrashPlane => {
                self.checker.count(|count| count.plane_crashes += 1);
                self.planes.crash(plane);
                sleep(&self.clock, span / 2).await;
                self.planes.start(plane).await;
            }
            Stroke::StopPlane => {
                self.planes.stop(plane).await;
                sleep(&self.clock, span / 2).await;
                self.planes.start(plane).await;
            }
            Stroke::StoreOutage => {
                self.checker.trace(None, "the store is away");
                self.checker.count(|count| count.store_outages += 1);
                self.store.outage(span / 4);
            }
            Stroke::StepWall => {
                let millis = (random.number() % 240_000) as i64 - 120_000;
                // What is kept by the wall is not to be removed by a step of it.
                let small = random.unit() < 0.5 || self.kept_for.is_some();
                let millis = if small { millis / 30 } else { millis };
                self.checker.trace(None, format_args!("the wall clock moves by {millis} ms"));
                self.checker.count(|count| count.wall_steps += 1);
                self.wall().step_wall(millis);
            }
        }
    }

    async fn strike_runner(&self, stroke: Stroke, at: usize, span: Duration, random: &SeededRandom) {
        let node = &self.runners[at];
        let Ok(_hands) = node.hands.try_lock() else { return };
        let Some(runner) = node.runner() else { return };
        match stroke {
            // A copy that is heard before the runner itself was is what is displaced, at work.
            Stroke::Copy if self.checker.incarnation(node.id).is_none() => return,
            Stroke::Copy => {
                let copy = node.start_copy();
                sleep(&self.clock, span).await;
                copy.kill();
                copy.stopped().await;
                return;
            }
            Stroke::Pause => {
                node.pause();
                sleep(&self.clock, span).await;
                return node.resume();
            }
            Stroke::Stop => {
                self.checker.trace(None, format_args!("{} is stopped", node.id));
                runner.stop(span / 4).await;
            }
            Stroke::Drain => {
                self.checker.trace(None, format_args!("{} leaves", node.id));
                self.checker.count(|count| count.drains += 1);
                tokio::select! {
                    biased;
                    _ = runner.drain() => {}
                    () = sleep(&self.clock, LEAVE_WITHIN) => {}
                }
            }
            _ => {
                self.checker.count(|count| count.kills += 1);
            }
        }
        node.kill().await;
        if matches!(stroke, Stroke::Away) {
            self.checker.count(|count| count.aways += 1);
            sleep(&self.clock, self.spans.term + FORGOTTEN_AFTER).await;
        }
        sleep(&self.clock, span.mul_f64(random.unit())).await;
        node.start();
    }

    /// An operator wants something else of a runner for a while.
    async fn operate(&self, at: usize, span: Duration, random: &SeededRandom) {
        let runner = self.runners[at].id;
        let slots = random.unit() < 0.15;
        let timed = random.unit() < 0.5;
        let Some(control) = self.planes.any() else { return };
        let operator = operator_of(&control, self.runners[at].member.tenant);
        let done = if slots {
            operator.set_slots(runner, Some(1)).await
        } else {
            let within = timed.then(|| span.mul_f64(0.5));
            operator.drain_runner(runner, &Drain { note: Some("stroke".to_owned()), within }).await
        };
        let drains = done.is_ok() && !slots;
        self.checker.count(|count| count.drains += u64::from(drains));
        self.checker.trace(None, format_args!("{runner} is operated: {}", done.is_ok()));
        sleep(&self.clock, span).await;
        self.let_serve(at).await;
    }

    /// Somebody sends a signal to a runner, or to a job that may run, and asks for the answer more
    /// often than it takes.
    async fn signal(&self, at: usize, span: Duration, random: &SeededRandom) {
        let node = &self.runners[at];
        let (to, by) = match self.any_job(random).filter(|_| random.unit() < 0.6) {
            Some(job) => (SignalTarget::Job(job.spec.job), job.tenant),
            None => (SignalTarget::Runner(node.id), node.member.tenant),
        };
        let mut id = [0; 16];
        id[..8].copy_from_slice(&random.number().to_be_bytes());
        let request = SignalRequest {
            id: SignalId::from_bytes(id),
            to,
            kind: Echo::KIND.to_owned(),
            payload: Opaque::new(&b"null"[..]),
            expires_in: span + Duration::from_secs(5),
        };
        self.submitter(by).signal(request, random.unit() < 0.3).await;
    }
}
