//! Live views from the source of an attempt to the eye of a viewer, in one process and under simulated time.

mod neighbours;
mod world;

use runners_core::{
    ControlPlane, Error, Management, Rollout, RunnerId, Scope, TenantId,
    live::{
        FrameWish, Input, LiveAccess, LiveControl, LiveEvent, LiveOptions, LivePhase, Relay as _, RelayError,
    },
    metrics::{control_plane as at, runner as runner_at},
    protocol::RefusalCode,
};
use std::{sync::Arc, time::Duration};
use world::{Hide, Show, World, is, over, picture, runner_of, seen, state, without_relay};

#[tokio::test(start_paused = true)]
async fn what_an_attempt_shows_is_seen_and_a_late_viewer_sees_the_last_picture_at_once() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    assert_eq!(world.source.opened(), 0, "nothing is taken until somebody looks");
    world.source.put("a");
    let mut first = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(state(&mut first, |_| true).await.phase, LivePhase::Connecting);
    assert_eq!(seen(&mut first).await, "a");
    world.source.put("b");
    assert_eq!(seen(&mut first).await, "b");
    let taken = world.source.taken();
    let mut late = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut late).await, "b");
    assert_eq!(
        (world.source.taken(), world.source.opened()),
        (taken, 1),
        "two viewers cost no more than one"
    );
    let view = world.user(&[Scope::Read]).stream(job.id()).await.unwrap().unwrap();
    assert_eq!((view.phase, view.viewers, view.attempt, view.last_error), (LivePhase::Live, 2, 1, None));
    assert_eq!(world.metrics.sum(&at::RELAY_CONNECTIONS), 1.0);
    assert!(world.metrics.of(&at::RELAY_TIMEOUTS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_skips_pictures_and_the_source_waits_for_the_fastest() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("0");
    let mut slow = world.watch(job.id(), LiveAccess::View).await;
    let mut fast = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut fast).await, "0");
    let held = picture(&mut slow).await;
    for number in 1..=20 {
        world.source.put(number.to_string());
        assert_eq!(seen(&mut fast).await, number.to_string());
    }
    picture(&mut slow).await;
    slow.shown(held.number);
    assert_eq!(seen(&mut slow).await, "20");
    drop(fast);
    let taken = world.source.taken();
    for number in 21..=40 {
        world.source.put(number.to_string());
        runners_core::sleep(&world.clock, Duration::from_millis(100)).await;
    }
    assert!(world.source.taken() <= taken + 4, "with everybody slow, no more than four are under way");
}

#[tokio::test(start_paused = true)]
async fn with_nobody_looking_the_source_stops_and_starts_again_with_the_next() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut viewer).await, "a");
    viewer.pause(true);
    world.source.until_open(0).await;
    viewer.pause(false);
    world.source.until_open(1).await;
    drop(viewer);
    world.source.until_open(0).await;
    let mut again = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut again).await, "a");
    drop(again);
    runners_core::sleep(&world.clock, Duration::from_secs(40)).await;
    assert_eq!(
        world.user(&[Scope::Read]).stream(job.id()).await.unwrap(),
        None,
        "nothing is kept that nobody looks at"
    );
    let mut anew = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut anew).await, "a");
    assert_eq!(world.metrics.sum(&at::RELAY_CONNECTIONS), 2.0);
}

#[tokio::test(start_paused = true)]
async fn one_who_has_control_acts_on_the_page_and_nobody_else_does() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let mut looks = world.watch(job.id(), LiveAccess::View).await;
    let mut acts = world.watch(job.id(), LiveAccess::Control).await;
    assert_eq!((seen(&mut looks).await, seen(&mut acts).await), ("a".into(), "a".into()));
    looks.take_control();
    acts.take_control();
    let told = state(&mut acts, |state| state.control == LiveControl::You).await;
    assert!(told.may_control);
    let told = state(&mut looks, |state| state.control == LiveControl::Another).await;
    assert!(!told.may_control);
    looks.input(1, Input::Reload);
    acts.input(7, Input::Back);
    acts.input(8, Input::Forward);
    let done = |event| match event {
        Some(LiveEvent::Done { input, problem }) => (input, problem),
        other => panic!("expected an answer, got {other:?}"),
    };
    assert!(done(looks.next().await).1.unwrap().contains("take control"));
    assert_eq!(done(acts.next().await), (7, None));
    assert!(done(acts.next().await).1.unwrap().contains("not supported"));
    assert_eq!(world.source.inputs(1).await, [Input::Back]);
    acts.input(9, Input::Text { text: "x".repeat(Input::TEXT_BYTES_MAX + 1) });
    assert!(done(acts.next().await).1.unwrap().contains("limit"));
    drop(acts);
    state(&mut looks, |state| state.control == LiveControl::Nobody).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_is_made_again_and_the_view_goes_on() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let mut viewer = world.watch(job.id(), LiveAccess::Control).await;
    assert_eq!(seen(&mut viewer).await, "a");
    for letter in ["b", "c", "d"] {
        world.wire.cut();
        state(&mut viewer, |state| state.phase == LivePhase::Reconnecting).await;
        world.source.put(letter);
        assert_eq!(seen(&mut viewer).await, letter);
    }
    assert_eq!(world.runner_metrics.sum(&runner_at::RELAY_FAILURES), 3.0);
    assert_eq!(world.metrics.sum(&at::RELAY_CONNECTIONS), 1.0);
    let last = world.user(&[Scope::Read]).stream(job.id()).await.unwrap().unwrap().last_error;
    assert!(last.unwrap().contains("cut"));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_does_not_reach_the_relay_is_told_and_counted() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    *world.wire.inner.lock().unwrap() = None;
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    let told = state(&mut viewer, |state| state.phase == LivePhase::Over).await;
    assert_eq!(told.reason, "relay_unreachable");
    assert!(told.detail.contains("there is no way"), "{}", told.detail);
    let stream = world.user(&[Scope::Read]).stream(job.id()).await.unwrap().expect("the job tells it too");
    assert_eq!((stream.phase, stream.last_error), (LivePhase::Over, Some(told.detail)));
    assert_eq!(world.metrics.sum(&at::RELAY_TIMEOUTS), 1.0);
    assert!(world.runner_metrics.sum(&runner_at::RELAY_FAILURES) >= 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_another_control_plane_refuses_says_what_to_do() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let job = world.job(&Show).await;
    let runner = runner_of(&world.control, job.id()).await;
    let leads_to = |control: &ControlPlane| {
        *world.wire.inner.lock().unwrap() = Some(Arc::new(control.relay(TenantId::DEFAULT, runner)));
    };
    leads_to(&elsewhere.control);
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    let told = state(&mut viewer, |state| state.phase == LivePhase::Over).await;
    assert_eq!(told.reason, "relay_refused");
    assert!(told.detail.contains("several control planes"), "{}", told.detail);
    assert!(world.metrics.of(&at::RELAY_TIMEOUTS).is_empty(), "it has come, to the wrong one");
    leads_to(&world.control);
    world.source.put("a");
    let mut again = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut again).await, "a", "what was wrong keeps nobody from another try");
}

#[tokio::test(start_paused = true)]
async fn who_looks_chooses_how_much_within_the_limits_and_the_source_gives_the_most_of_it() {
    let mut options = LiveOptions::default();
    options.wish_max = FrameWish::default().per_second(10).width(800);
    let world = World::with(options, Rollout::default()).await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let mut one = world.watch(job.id(), LiveAccess::View).await;
    let mut other = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!((seen(&mut one).await, seen(&mut other).await), ("a".into(), "a".into()));
    one.wish(FrameWish::default().per_second(1).width(320));
    let told = state(&mut one, |state| state.wish.width_max == 320).await;
    assert_eq!((told.wish.per_second_max, told.wish.quality), (1, 70));
    other.wish(FrameWish::default().per_second(60).width(5000));
    let limit = FrameWish::default().per_second(10).width(800);
    assert_eq!(state(&mut other, |_| true).await.wish, limit);
    world.source.until_wish(limit).await;
    drop(other);
    world.source.until_wish(FrameWish::default().per_second(1).width(320)).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_stuck_is_begun_again() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.stick(true);
    world.source.put("a");
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    let told = state(&mut viewer, |state| state.reason == "trouble").await;
    assert!(told.detail.contains("stuck"), "{}", told.detail);
    world.source.until_opened(3).await;
    world.source.stick(false);
    state(&mut viewer, |state| state.reason.is_empty()).await;
    assert_eq!(seen(&mut viewer).await, "a");
    world.source.stick(true);
    let opened = world.source.opened();
    world.source.until_opened(opened + 1).await;
    world.source.put("b");
    world.source.stick(false);
    assert_eq!(seen(&mut viewer).await, "b", "one that stops later is begun again too");
}

#[tokio::test(start_paused = true)]
async fn a_view_ends_with_its_attempt() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let grant = world.user(&[Scope::Read]).view(job.id(), LiveAccess::View).await.unwrap();
    let mut viewer = world.control.live().watch(&grant.text).await.unwrap();
    assert_eq!(seen(&mut viewer).await, "a");
    job.cancel().await.unwrap();
    assert!(["over", "attempt_over"].contains(&&*over(&mut viewer).await));
    job.wait().await.ok();
    world.source.until_open(0).await;
    assert_eq!(world.user(&[Scope::Read]).stream(job.id()).await.unwrap(), None);
    let error = world.control.live().watch(&grant.text).await.unwrap_err();
    assert!(is(&error, RefusalCode::NotRunning), "{error}");
    let error = world.user(&[Scope::Read]).view(job.id(), LiveAccess::View).await.unwrap_err();
    assert!(is(&error, RefusalCode::NotRunning), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_shows_nothing_says_so() {
    let world = World::new().await;
    let job = world.job(&Hide).await;
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(over(&mut viewer).await, "shows_nothing");
    assert!(world.metrics.of(&at::RELAY_TIMEOUTS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_good_for_one_attempt_of_ones_own_and_for_a_while() {
    let world = World::new().await;
    let job = world.job(&Show).await.id();
    let other = TenantId::from_bytes([9; 16]);
    let code = async |management: &Management, access| match management.view(job, access).await {
        Err(Error::Refused(refused)) => Some(refused.code),
        _ => None,
    };
    assert_eq!(code(&world.who(other, &Scope::ALL), LiveAccess::View).await, Some(RefusalCode::NotFound));
    assert_eq!(code(&world.user(&[Scope::Submit]), LiveAccess::View).await, Some(RefusalCode::Forbidden));
    assert_eq!(code(&world.user(&[Scope::Read]), LiveAccess::Control).await, Some(RefusalCode::Forbidden));
    for scope in [Scope::Submit, Scope::Admin] {
        assert_eq!(code(&world.user(&[Scope::Read, scope]), LiveAccess::Control).await, None, "{scope:?}");
    }
    world.source.put("a");
    let grant = world.user(&Scope::ALL).view(job, LiveAccess::View).await.unwrap();
    assert!(!format!("{grant:?}").contains(&grant.text));
    let live = world.control.live();
    let mut viewer = live.watch(&grant.text).await.unwrap();
    assert_eq!(seen(&mut viewer).await, "a");
    assert!(is(&live.watch("view_e30.AAAA").await.unwrap_err(), RefusalCode::Forbidden));
    runners_core::sleep(&world.clock, LiveOptions::default().grant_life).await;
    assert!(is(&live.watch(&grant.text).await.unwrap_err(), RefusalCode::Expired));
    world.source.put("b");
    assert_eq!(viewer.next().await, None, "nothing is told after the grant is over");
}

#[tokio::test(start_paused = true)]
async fn a_runner_shows_only_what_it_was_asked_for() {
    let world = World::new().await;
    let job = world.job(&Show).await.id();
    let viewer = world.watch(job, LiveAccess::View).await;
    let stream = world.user(&[Scope::Read]).stream(job).await.unwrap().unwrap().stream;
    let runner = runner_of(&world.control, job).await;
    for (tenant, runner, good) in [
        (TenantId::DEFAULT, runner, true),
        (TenantId::DEFAULT, RunnerId::from_bytes([1; 16]), false),
        (TenantId::from_bytes([9; 16]), runner, false),
    ] {
        let connected = world.control.relay(tenant, runner).connect(stream).await;
        assert_eq!(connected.is_ok(), good);
        assert!(good || matches!(connected, Err(RelayError::Refused(_))));
    }
    drop(viewer);
}

#[tokio::test(start_paused = true)]
async fn without_live_view_everybody_is_told_why() {
    let off = World::with(LiveOptions::off(), Rollout::default()).await;
    let nobody = without_relay(Rollout::default());
    for (world, word) in
        [(off, "switched off"), (World::with(LiveOptions::default(), nobody).await, "this tenant")]
    {
        let job = world.control.local_client().submit(&Show).await.unwrap();
        let error = world.user(&Scope::ALL).view(job.id(), LiveAccess::View).await.unwrap_err();
        assert!(is(&error, RefusalCode::Forbidden) && error.to_string().contains(word), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_and_viewers_are_limited_and_a_refusal_names_the_limit() {
    let mut options = LiveOptions::default();
    (options.tenant_streams_max, options.viewers_max) = (1, 2);
    let world = World::with(options, Rollout::default()).await;
    let (one, other) = (world.job(&Show).await.id(), world.job(&Show).await.id());
    let (first, _second) =
        (world.watch(one, LiveAccess::View).await, world.watch(one, LiveAccess::View).await);
    let live = world.control.live();
    for (job, limit) in [(one, "2 look"), (other, "of this tenant")] {
        let grant = world.user(&Scope::ALL).view(job, LiveAccess::View).await.unwrap();
        let error = live.watch(&grant.text).await.unwrap_err();
        assert!(is(&error, RefusalCode::Exhausted) && error.to_string().contains(limit), "{error}");
    }
    drop(first);
    world.watch(one, LiveAccess::View).await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_stops_ends_its_views() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    world.source.put("a");
    let mut viewer = world.watch(job.id(), LiveAccess::View).await;
    assert_eq!(seen(&mut viewer).await, "a");
    world.control.stop().await.unwrap();
    assert_eq!(over(&mut viewer).await, "stopping");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_stops_ends_a_view_that_its_runner_has_not_answered() {
    let world = World::new().await;
    let job = world.job(&Show).await;
    let grant = world.user(&Scope::ALL).view(job.id(), LiveAccess::View).await.unwrap();
    world.runner.kill();
    let mut viewer = world.control.live().watch(&grant.text).await.unwrap();
    assert_eq!(state(&mut viewer, |_| true).await.phase, LivePhase::Connecting);
    runners_core::sleep(&world.clock, Duration::from_secs(1)).await;
    world.control.stop().await.unwrap();
    assert_eq!(over(&mut viewer).await, "stopping");
}
