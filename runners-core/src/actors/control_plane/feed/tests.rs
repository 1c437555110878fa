//! The rules of the numbers of what is told, and of the watermark that readers raise.

use super::*;
use crate::{seams::clock::sleep, testing::clock::SimClock};

const WALL: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn feed(shared: bool) -> Feed {
    Feed::new(7, shared, Arc::new(SimClock::new()))
}

#[tokio::test(start_paused = true)]
async fn numbers_grow_whatever_the_wall_does() {
    let feed = feed(false);
    let first = feed.begin(3, WALL).first;
    assert!(feed.begin(1, WALL - Duration::from_secs(9)).first >= first + 3);
    assert!(feed.begin(1, WALL + Duration::from_millis(1)).first > first + 3);
}

#[tokio::test(start_paused = true)]
async fn two_control_planes_give_no_number_twice_wherever_one_begins() {
    let [one, other] = [7, 8].map(|drawn| Feed::new(drawn, true, Arc::new(SimClock::new())));
    let mut given = Vec::new();
    for wall in [WALL, WALL, WALL - Duration::from_secs(9)] {
        given.push(one.begin(1, wall).first);
        other.found(given[given.len() - 1]);
        given.push(other.begin(1, wall).first);
        one.found(given[given.len() - 1]);
        let _ = (one.horizon(wall), other.horizon(wall));
    }
    given.extend([one.begin(1, WALL).first, other.begin(1, WALL).first]);
    let different: std::collections::BTreeSet<_> = given.iter().collect();
    assert_eq!(different.len(), given.len(), "{given:x?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_past_a_commit_that_is_under_way() {
    let feed = feed(false);
    let (slow, quick) = (feed.begin(1, WALL), feed.begin(1, WALL));
    let (first, last) = (slow.first, quick.first);
    quick.settled();
    assert_eq!(feed.horizon(WALL), first);
    slow.settled();
    assert!(feed.horizon(WALL) > last);
}

#[tokio::test(start_paused = true)]
async fn what_begins_after_a_look_goes_after_what_was_looked_at() {
    let feed = feed(false);
    let horizon = feed.horizon(WALL);
    assert!(feed.begin(1, WALL - Duration::from_secs(9)).first >= horizon);
    let ahead = horizon << 1;
    feed.found(ahead);
    assert!(feed.begin(1, WALL).first > ahead);
}

#[tokio::test(start_paused = true)]
async fn a_commit_of_which_nothing_is_known_is_waited_for() {
    let feed = feed(false);
    let lost = feed.begin(1, WALL);
    let first = lost.first;
    drop(lost);
    sleep(&*feed.clock, SETTLE / 2).await;
    assert_eq!(feed.horizon(WALL), first);
    sleep(&*feed.clock, SETTLE).await;
    assert!(feed.horizon(WALL) > first);
}

fn after(millis: u64) -> Timestamp {
    WALL + Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_large_commit_takes_no_numbers_of_others() {
    let feed = feed(true);
    let first = feed.begin(1000, WALL).first;
    let second = feed.begin(1000, WALL).first;
    assert!(feed.is_own(second) && feed.is_own(second + 999), "{first:x} {second:x}");
}

#[tokio::test(start_paused = true)]
async fn where_others_tell_too_nothing_is_read_that_the_watermark_has_not_reached() {
    let feed = feed(true);
    feed.begin(1, WALL).settled();
    assert_eq!(feed.horizon(after(60_000)), 1);
    feed.raised(7);
    feed.raised(5);
    assert_eq!(feed.horizon(WALL), 8);
}

#[tokio::test(start_paused = true)]
async fn the_watermark_is_raised_over_what_was_found_once_others_had_a_moment() {
    let feed = feed(true);
    assert_eq!(feed.due(WALL), None, "nobody has found anything");
    let told = feed.begin(1, WALL).first;
    feed.found_beyond(told, told);
    assert_eq!(feed.due(after(150)), None);
    assert_eq!(feed.look_again_at(after(150)), feed.clock.boot() + Duration::from_millis(50));
    assert_eq!(feed.due(after(200)), Some(told), "and not over what is told now");
    feed.tried();
    assert_eq!(feed.due(after(200)), None, "not again at once");
    assert_eq!(feed.look_again_at(after(200)), feed.clock.boot() + MARGIN);
    feed.raised(told);
    sleep(&*feed.clock, MARGIN).await;
    assert_eq!(feed.due(after(400)), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_than_something_old_is_not_raised_over_with_it() {
    let feed = feed(true);
    let [old, new] = [0, 300].map(|millis| feed.begin(1, after(millis)).first);
    feed.found_beyond(old, new);
    assert_eq!(feed.due(after(300)), Some(last_of(after(100))));
    assert_eq!(feed.due(after(60_000)), Some(last_of(after(50_000))), "who is far behind catches up");
}

#[tokio::test(start_paused = true)]
async fn what_is_ahead_of_the_wall_is_read_a_moment_after_it_was_found() {
    let feed = feed(true);
    let told = feed.begin(1, after(3_600_000)).first;
    feed.found_beyond(told, told);
    assert_eq!(feed.due(WALL), None);
    assert_eq!(feed.look_again_at(WALL), feed.clock.boot() + MARGIN);
    sleep(&*feed.clock, MARGIN / 2).await;
    let later = feed.begin(1, WALL).first;
    feed.found_beyond(told, later);
    sleep(&*feed.clock, MARGIN / 2).await;
    assert_eq!(feed.due(WALL), Some(told), "what was found later is left a moment too");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_refused_takes_numbers_above_the_watermark() {
    let feed = feed(true);
    let ticket = feed.begin(1, WALL);
    let at = feed.begin(1, after(500)).first;
    feed.refused(&ticket, at);
    assert_eq!(feed.horizon(WALL), at + 1);
    let again = feed.begin(1, WALL).first;
    assert!(at < again && again < last_of(after(501)), "it was quick, so the next ones need no lead");
}

#[tokio::test(start_paused = true)]
async fn who_commits_too_slowly_takes_numbers_ahead_of_the_wall_for_a_while() {
    let feed = feed(true);
    let ticket = feed.begin(1, WALL);
    sleep(&*feed.clock, Duration::from_secs(2)).await;
    feed.refused(&ticket, last_of(after(1_800)));
    let again = feed.begin(1, after(2_000)).first;
    assert!(again > last_of(after(4_000)), "it may take as long again");
    sleep(&*feed.clock, SETTLE).await;
    assert!(feed.begin(1, after(12_000)).first < last_of(after(12_001)));
}
