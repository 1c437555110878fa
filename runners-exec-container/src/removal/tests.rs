//! What happens to what was made where the engine does not do as it is told at once.

use super::*;
use crate::{
    bridge::{Bridge, Reach},
    container::Container,
    fake::{Answer, FakeEngine},
    within::within,
};
use bollard::models::ContainerCreateBody;
use std::pin::pin;

const MADE: &str = r#"{"Id":"a","Warnings":[],"Warning":""}"#;
const BROKEN: Answer = Answer::Say(500, r#"{"message":"broken"}"#);
const GONE: Answer = Answer::Say(204, "");
/// Longer than any wait here.
const LONG: Duration = Duration::from_secs(3600);

fn owner() -> Owner {
    Owner { runner: "rack".to_owned(), start: "now".to_owned() }
}

async fn container(fake: &FakeEngine, removals: &Removals) -> Result<Container, EngineError> {
    Container::create(&fake.engine, removals, ContainerCreateBody::default()).await
}

async fn bridge(fake: &FakeEngine, removals: &Removals) -> Result<Bridge, EngineError> {
    Bridge::create(&fake.engine, removals, owner().mark(), Reach::Itself).await
}

/// An engine that makes things, and removes each at the try of this number.
fn forgetful(removed_at: usize) -> FakeEngine {
    let mut tries = 0;
    FakeEngine::start(move |asked| match asked {
        asked if asked.ends_with("/create") => Answer::Say(201, MADE),
        _ => {
            tries += 1;
            if tries < removed_at { BROKEN } else { GONE }
        }
    })
}

/// An engine that makes things, and tells so once it is released.
fn slow() -> FakeEngine {
    FakeEngine::start(|asked| if asked.ends_with("/create") { Answer::Held(201, MADE) } else { GONE })
}

/// Sees to it that something is asked for so often, and then no more.
async fn is_asked(fake: &mut FakeEngine, request: &str, times: usize) {
    let clock = fake.engine.clock.clone();
    for time in 0..times {
        let asked = within(&*clock, LONG, fake.is_asked(request)).await;
        assert!(asked.is_some(), "{request} was asked for {time} times, and not {times}");
    }
    assert!(within(&*clock, LONG, fake.is_asked(request)).await.is_none(), "{request} again");
}

#[tokio::test(start_paused = true)]
async fn a_container_is_removed_though_its_engine_was_away_for_long() {
    let tries = 7 * TRIES_MAX;
    let (mut fake, removals) = (forgetful(tries), Removals::default());
    assert!(container(&fake, &removals).await.unwrap().remove().await.is_err());
    is_asked(&mut fake, "DELETE /containers/a", tries).await;

    let (mut fake, removals) = (forgetful(tries), Removals::default());
    drop(container(&fake, &removals).await.unwrap());
    is_asked(&mut fake, "DELETE /containers/a", tries).await;
}

#[tokio::test(start_paused = true)]
async fn a_network_is_removed_though_somebody_stayed_in_it_for_long() {
    let tries = 2 * NETWORK_TRIES_MAX + 1;
    let (mut fake, removals) = (forgetful(tries), Removals::default());
    assert!(bridge(&fake, &removals).await.unwrap().remove().await.is_err());
    is_asked(&mut fake, "DELETE /networks/a", tries).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_makes_though_nobody_waits_for_it_any_more_is_removed() {
    let slow =
        || FakeEngine::start(|asked| if asked.ends_with("/create") { Answer::Held(201, MADE) } else { GONE });
    let removals = Removals::default();
    // Who asked for it was cancelled.
    let mut fake = slow();
    {
        let clock = fake.engine.clock.clone();
        let mut making = pin!(container(&fake, &removals));
        assert!(within(&*clock, Duration::from_secs(1), making.as_mut()).await.is_none());
    }
    fake.release();
    is_asked(&mut fake, "DELETE /containers/a", 1).await;
    // It took longer than a call may.
    let mut fake = slow();
    assert!(matches!(container(&fake, &removals).await, Err(EngineError::Broken { .. })));
    fake.release();
    is_asked(&mut fake, "DELETE /containers/a", 1).await;
    let mut fake = slow();
    assert!(matches!(bridge(&fake, &removals).await, Err(EngineError::Broken { .. })));
    fake.release();
    is_asked(&mut fake, "DELETE /networks/a", 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_settles_waits_for_what_is_left_and_for_no_engine_that_stays_away() {
    let removed =
        |fake: &mut FakeEngine| fake.all_asked().iter().filter(|asked| asked.starts_with("DELETE ")).count();
    let (mut fake, removals) = (forgetful(5), Removals::default());
    drop(container(&fake, &removals).await.unwrap());
    removals.settle(&*fake.engine.clock).await;
    assert_eq!(removed(&mut fake), 5);

    // What is still being made is removed by a removal that begins later.
    let mut fake = slow();
    {
        let mut making = pin!(container(&fake, &removals));
        assert!(within(&*fake.engine.clock, Duration::from_secs(1), making.as_mut()).await.is_none());
    }
    fake.release();
    removals.settle(&*fake.engine.clock).await;
    assert_eq!(removed(&mut fake), 1);

    let fake = forgetful(usize::MAX);
    drop(container(&fake, &removals).await.unwrap());
    assert!(within(&*fake.engine.clock, LONG, removals.settle(&*fake.engine.clock)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_keeps_no_sweep_from_the_rest() {
    let mut fake = FakeEngine::start(|asked| match asked {
        "GET /containers/json" => Answer::Say(200, r#"[{"Id":"a"},{"Id":"b"}]"#),
        "GET /networks" => Answer::Say(200, r#"[{"Id":"c"},{"Id":"d"}]"#),
        "DELETE /containers/a" => BROKEN,
        "DELETE /networks/c" => Answer::Say(403, r#"{"message":"in use"}"#),
        _ => GONE,
    });
    let error = sweep(&fake.engine, &owner()).await.unwrap_err();
    assert_eq!(error.to_string(), "the container engine refuses to remove a container: broken");
    let asked = fake.all_asked();
    for removed in ["/containers/a", "/containers/b", "/networks/c", "/networks/d"] {
        assert!(asked.contains(&format!("DELETE {removed}")), "{removed}: {asked:?}");
    }
}
