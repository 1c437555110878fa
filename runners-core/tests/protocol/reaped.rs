//! What a runner held that is gone is given to others within a few terms, wherever that is cut short.
//! Time is tokio's, paused.

use super::{
    crashing::{PLENTY, World},
    hand::{Hand, inspect, runner_principal_of, submit_with, user},
};
use runners_core::{
    ControlPlane, JobId, JobOptions, Outcome, Transport as _,
    protocol::{JobView, Request, StateView},
    sleep,
};
use std::time::Duration;

const TERM: Duration = Duration::from_secs(60);

/// More commits than a start and a loss take, however many jobs there are here.
const CUTS: usize = 12;

/// Fewer jobs than are released in a batch, and more.
const HELD: [u8; 2] = [2, 70];

/// A runner that works on so many jobs and of which nothing more is heard at this control plane. None of
/// the jobs ends by its own time.
async fn working(world: &World, jobs: u8) -> Hand {
    let control = world.builder(PLENTY).term(TERM).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.free = jobs.into();
    for number in 1..=jobs {
        submit_with(&user, number, JobOptions { timeout: TERM * 100, ..JobOptions::default() }).await;
    }
    for _ in 0..10 {
        let answer = hand.sync().await;
        hand.hold(&answer);
    }
    assert_eq!(hand.next.held.len(), usize::from(jobs));
    control.stop().await.unwrap();
    hand
}

async fn first_job(control: &ControlPlane) -> JobView {
    inspect(&user(control), JobId::from_bytes([1; 16])).await
}

/// Whether the job runs still, before the next control plane starts. Fails unless the first attempt of each
/// is lost a few terms after that.
async fn is_cut_short(world: &World, jobs: u8, cut: usize) -> bool {
    let control = world.builder(PLENTY).term(TERM).start().await.unwrap();
    let was_cut = matches!(first_job(&control).await.state, StateView::Running { .. });
    sleep(&world.clock, TERM * 3).await;
    let user = user(&control);
    for number in 1..=jobs {
        let view = inspect(&user, JobId::from_bytes([number; 16])).await;
        assert!(!matches!(view.state, StateView::Running { .. }), "cut after {cut}: {view:?}");
        assert_eq!(view.attempts[0].outcome, Outcome::Lost, "cut after {cut}");
    }
    control.stop().await.unwrap();
    was_cut
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_runner_held_is_released_wherever_that_was_cut_short() {
    for jobs in HELD {
        let mut cuts = Vec::new();
        for cut in 0..CUTS {
            let world = World::new();
            working(&world, jobs).await;
            if let Ok(control) = world.builder(cut).term(TERM).start().await {
                sleep(&world.clock, TERM * 3).await;
                drop(control.stop().await);
                cuts.push(is_cut_short(&world, jobs, cut).await);
            }
        }
        assert!(cuts.contains(&true) && cuts.contains(&false), "{cuts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_start_held_is_released_wherever_the_later_was_cut_short() {
    for jobs in HELD {
        let mut cuts = Vec::new();
        for cut in 0..CUTS {
            let world = World::new();
            let again = working(&world, jobs).await.restarted();
            if let Ok(control) = world.builder(cut).term(TERM).start().await {
                // Nothing more is heard of the later start than this.
                let request = Request::Sync(Box::new(again.next));
                drop(control.caller(runner_principal_of(1)).call(request).await);
                drop(control.stop().await);
                cuts.push(is_cut_short(&world, jobs, cut).await);
            }
        }
        assert!(cuts.contains(&true) && cuts.contains(&false), "{cuts:?}");
    }
}
