//! How long it is waited for a container.

use super::*;
use crate::fake::{Answer, FakeEngine};
use crate::within::within;

/// Longer than any wait here.
const LONG: Duration = Duration::from_secs(3600);

/// An engine that can be asked for the state of a container as `looks` says, and that tells no end of it.
async fn ended(mut is_told: impl FnMut(usize) -> bool + Send + 'static) -> Option<bool> {
    let mut looks = 0;
    let fake = FakeEngine::start(move |asked| match asked {
        "POST /containers/create" => Answer::Say(201, r#"{"Id":"a","Warnings":[]}"#),
        "GET /containers/a/json" => {
            looks += 1;
            if is_told(looks) { Answer::Say(200, r#"{"State":{"Running":true}}"#) } else { Answer::HangUp }
        }
        _ => Answer::HangUp,
    });
    let body = ContainerCreateBody::default();
    let container = Container::create(&fake.engine, &Removals::default(), body).await.unwrap();
    Some(within(&*fake.engine.clock, LONG, container.ended()).await?.is_ok())
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stays_away_is_not_waited_for_whenever_it_goes() {
    let mut gone_after = Vec::new();
    for told in [0, 1, WAITS_MAX, WAITS_MAX + 1, 3 * WAITS_MAX] {
        gone_after.push(ended(move |look| look <= told).await);
    }
    assert_eq!(gone_after, [Some(false); 5]);
    // It came back just before it was given up.
    assert_eq!(ended(|look| look == WAITS_MAX + 1).await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_runs_is_waited_for_however_often_its_engine_breaks_off() {
    assert_eq!(ended(|look| look % WAITS_MAX == 0).await, None);
}
