//! The rules of a live view, one by one.

use super::*;
use crate::values::{live::FrameFormat, time::Timestamp};
use bytes::Bytes;

const START: BootTime = BootTime::from_duration(Duration::from_secs(100));
const LIMIT: FrameWish = FrameWish { per_second_max: 30, width_max: 1920, quality: 90 };

fn frame(letter: u8) -> Frame {
    Frame::new(Timestamp::default(), FrameFormat::Png, (10, 10), Bytes::copy_from_slice(&[letter]))
}

fn letter(picture: Option<(u64, Frame)>) -> Option<u8> {
    picture.map(|(_, frame)| frame.bytes[0])
}

fn live() -> LiveStream {
    let mut stream = LiveStream::new(START, LIMIT);
    stream.connected(true);
    stream
}

#[test]
fn a_late_viewer_gets_the_newest_picture_at_once() {
    let mut stream = live();
    let first = stream.join(LiveAccess::View);
    stream.pictured(1, frame(b'a'));
    stream.pictured(2, frame(b'b'));
    assert_eq!(letter(stream.picture_for(first, START)), Some(b'b'));
    let late = stream.join(LiveAccess::View);
    assert_eq!(letter(stream.picture_for(late, START)), Some(b'b'));
    assert_eq!(letter(stream.picture_for(late, START)), None, "once");
}

#[test]
fn a_slow_viewer_skips_to_the_newest_and_slows_nobody() {
    let mut stream = live();
    let (slow, fast) = (stream.join(LiveAccess::View), stream.join(LiveAccess::View));
    for number in 1..=50u8 {
        stream.pictured(number.into(), frame(number));
        let (given, picture) = stream.picture_for(fast, START).unwrap();
        assert_eq!(picture.bytes[0], number);
        stream.shown(fast, given);
        assert_eq!(
            stream.next_acknowledgement(),
            Some(number.into()),
            "the source goes at the pace of the fastest"
        );
        let taken = stream.picture_for(slow, START);
        assert_eq!(taken.is_some(), number <= 2, "two are under way to the slow one, and no more");
    }
    stream.shown(slow, 1);
    assert_eq!(letter(stream.picture_for(slow, START)), Some(50));
    stream.shown(slow, 999);
    assert_eq!(letter(stream.picture_for(slow, START)), None, "it has the newest");
}

#[test]
fn a_source_waits_while_everybody_is_slow() {
    let mut stream = live();
    let viewer = stream.join(LiveAccess::View);
    for number in 1..=2 {
        stream.pictured(number, frame(1));
        stream.picture_for(viewer, START).unwrap();
        assert_eq!(stream.next_acknowledgement(), Some(number));
    }
    stream.pictured(3, frame(3));
    assert_eq!((stream.picture_for(viewer, START), stream.next_acknowledgement()), (None, None));
    stream.pictured(4, frame(4));
    assert_eq!(stream.next_acknowledgement(), None);
    stream.shown(viewer, 1);
    assert_eq!(letter(stream.picture_for(viewer, START)), Some(4));
    assert_eq!(stream.next_acknowledgement(), Some(4), "the one that was skipped is acknowledged with it");
    stream.pictured(5, frame(5));
    stream.leave(viewer, START);
    assert_eq!(stream.next_acknowledgement(), Some(5), "nobody is waited for who is gone");
}

#[test]
fn the_source_runs_while_somebody_looks_and_ends_when_nobody_has_for_long() {
    let mut stream = live();
    assert!(stream.wish().is_none());
    let viewer = stream.join(LiveAccess::View);
    assert!(stream.wish().is_some());
    stream.pause(viewer, true);
    assert!(stream.wish().is_none(), "a hidden page does not look");
    assert_eq!(stream.due_at(), None, "but it keeps the stream");
    stream.pause(viewer, false);
    assert!(stream.wish().is_some());
    stream.leave(viewer, START);
    assert!(stream.wish().is_none());
    assert_eq!(stream.due_at(), Some(START + UNWATCHED_MAX));
    assert!(!stream.overdue(START + UNWATCHED_MAX));
    assert!(matches!(stream.phase(), Phase::Over(ending) if ending.reason == "unwatched"));
}

#[test]
fn a_runner_that_does_not_come_in_time_ends_the_stream() {
    let mut stream = LiveStream::new(START, LIMIT);
    stream.join(LiveAccess::View);
    assert_eq!(stream.due_at(), Some(START + OPEN_WITHIN));
    assert!(!stream.overdue(START) && !stream.is_over());
    assert!(stream.overdue(START + OPEN_WITHIN));
    assert!(stream.is_over() && stream.due_at().is_none());

    let mut stream = live();
    stream.join(LiveAccess::View);
    stream.cut(START);
    assert_eq!(stream.public_phase(), LivePhase::Reconnecting);
    stream.connected(true);
    assert_eq!((stream.public_phase(), stream.due_at()), (LivePhase::Live, None), "it came again");
    stream.cut(START);
    assert!(stream.overdue(START + REOPEN_WITHIN));
}

#[test]
fn inputs_count_of_one_who_has_control_and_of_nobody_else() {
    let mut stream = live();
    let (looks, ann, bob) =
        (stream.join(LiveAccess::View), stream.join(LiveAccess::Control), stream.join(LiveAccess::Control));
    stream.take_control(looks);
    assert_eq!(stream.control_of(looks), LiveControl::Nobody, "who may only look takes nothing");
    stream.ask(ann, 1, Input::Back);
    assert!(stream.answer_for(ann).unwrap().1.is_some() && stream.next_input().is_none());
    stream.take_control(ann);
    stream.ask(ann, 2, Input::Back);
    stream.take_control(bob);
    stream.ask(ann, 3, Input::Forward);
    assert_eq!((stream.control_of(ann), stream.control_of(bob)), (LiveControl::Another, LiveControl::You));
    assert_eq!(stream.next_input(), Some((1, Input::Back)), "what was asked in time is carried out");
    assert_eq!(stream.next_input(), None);
    stream.done(1, None);
    stream.done(1, None);
    let answers: Vec<_> = std::iter::from_fn(|| stream.answer_for(ann)).collect();
    assert_eq!(
        answers.iter().map(|(number, problem)| (*number, problem.is_some())).collect::<Vec<_>>(),
        [(3, true), (2, false)]
    );
    stream.leave(bob, START);
    assert_eq!(stream.control_of(ann), LiveControl::Nobody, "control leaves with who had it");
}

#[test]
fn inputs_keep_their_order_and_only_moves_after_moves_are_skipped() {
    let mut stream = live();
    let viewer = stream.join(LiveAccess::Control);
    stream.take_control(viewer);
    let point = |x: f64| Input::PointerMove { x, y: 0.0 };
    for (number, input) in
        [point(1.0), point(2.0), Input::Back, point(3.0), point(4.0)].into_iter().enumerate()
    {
        stream.ask(viewer, number as u64, input);
    }
    let sent: Vec<_> = std::iter::from_fn(|| stream.next_input()).map(|(_, input)| input).collect();
    assert_eq!(sent, [point(2.0), Input::Back, point(4.0)]);
}

#[test]
fn an_input_is_carried_out_at_most_once_and_its_queue_is_bounded() {
    let mut stream = live();
    let viewer = stream.join(LiveAccess::Control);
    stream.take_control(viewer);
    for number in 0..=INPUTS_MAX as u64 {
        stream.ask(viewer, number, Input::Back);
    }
    assert_eq!(stream.answer_for(viewer).unwrap().0, INPUTS_MAX as u64, "one too many");
    assert!(stream.next_input().is_some());
    stream.cut(START);
    let told =
        std::iter::from_fn(|| stream.answer_for(viewer)).filter(|(_, problem)| problem.is_some()).count();
    assert_eq!(told, INPUTS_MAX, "each is told that it may be lost");
    stream.ask(viewer, 999, Input::Back);
    stream.connected(true);
    assert_eq!(stream.next_input(), None, "nothing is done later than it was meant");
}

#[test]
fn what_a_runner_that_comes_again_has_not_answered_is_told_and_takes_no_place() {
    let mut stream = live();
    let viewer = stream.join(LiveAccess::Control);
    stream.take_control(viewer);
    for number in 0..INPUTS_MAX as u64 {
        stream.ask(viewer, number, Input::Back);
        assert!(stream.next_input().is_some());
    }
    // Its new connection is there before anybody has noticed that the old one is gone.
    stream.connected(true);
    let told =
        std::iter::from_fn(|| stream.answer_for(viewer)).filter(|(_, problem)| problem.is_some()).count();
    assert_eq!(told, INPUTS_MAX);
    stream.ask(viewer, 999, Input::Back);
    assert!(stream.next_input().is_some(), "there is room again");
}

#[test]
fn only_the_first_end_counts() {
    let mut stream = live();
    stream.end(Ending::attempt_over());
    stream.end(Ending::new("unwatched", ""));
    stream.cut(START);
    assert_eq!(stream.phase(), &Phase::Over(Ending::attempt_over()));
}

#[test]
fn the_source_gives_what_the_greatest_wish_is_and_nobody_gets_more_than_the_limit() {
    let mut stream = live();
    let (one, other) = (stream.join(LiveAccess::View), stream.join(LiveAccess::View));
    assert_eq!(stream.wish(), Some(FrameWish::default()));
    stream.wish_of(one, FrameWish { per_second_max: 2, width_max: 320, quality: 30 });
    assert_eq!(stream.wish(), Some(FrameWish::default()), "the other one wishes for more");
    stream.wish_of(other, FrameWish { per_second_max: 1, width_max: 100_000, quality: 0 });
    assert_eq!(stream.wish(), Some(FrameWish { per_second_max: 2, width_max: LIMIT.width_max, quality: 30 }));
    assert_eq!(stream.wished_by(other), FrameWish { per_second_max: 1, width_max: 1920, quality: 1 });
    stream.pause(one, true);
    assert_eq!(stream.wish(), Some(stream.wished_by(other)), "who does not look wishes for nothing");
}

#[test]
fn who_wishes_for_fewer_pictures_gets_fewer_and_the_newest_of_them() {
    let mut stream = live();
    let (fast, rare) = (stream.join(LiveAccess::View), stream.join(LiveAccess::View));
    stream.wish_of(rare, FrameWish::default().per_second(2));
    let mut given = Vec::new();
    for tenth in 0..=10_u8 {
        let now = START + Duration::from_millis(100) * u32::from(tenth);
        stream.pictured(tenth.into(), frame(tenth));
        let (number, _) = stream.picture_for(fast, now).expect("nobody keeps the fast one back");
        stream.shown(fast, number);
        if let Some((number, picture)) = stream.picture_for(rare, now) {
            stream.shown(rare, number);
            given.push(picture.bytes[0]);
        }
    }
    assert_eq!(given, [0, 5, 10]);
    stream.pictured(11, frame(11));
    assert_eq!(stream.picture_at(rare), Some(START + Duration::from_millis(1_500)));
    stream.leave(fast, START);
    assert!(stream.picture_for(rare, START).is_some(), "the source keeps to what it alone wishes for");
}
