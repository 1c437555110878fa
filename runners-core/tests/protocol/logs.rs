//! Logs: limits, gaps, and their way into one artifact, whatever crashes on it.

use super::{
    crashing::{PLENTY, STARTS, World},
    hand::{Hand, inspect, submit, user},
};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Caller, Digest, FencingToken, JobId, Outcome, TenantId, Transport as _,
    protocol::{
        CancelRequest, CancelTarget, LogGap, LogPage, LogTail, ReadLogRequest, Reply, Request, SyncRequest,
    },
    sleep,
    store::{Page, Query, Store as _},
};
use std::time::Duration;

impl World {
    async fn chunks_of(&self, token: FencingToken) -> usize {
        let mut id = token.job.as_bytes().to_vec();
        id.extend(token.grant.to_be_bytes());
        let stream = runners_core::Key::new(runners_core::TenantId::DEFAULT, runners_core::Kind::Log, id);
        match self.store.scan(Query::Stream { stream, from: 0, bytes_max: u32::MAX }).await.unwrap() {
            Page::Chunks { chunks, .. } => chunks.len(),
            other => panic!("{other:?}"),
        }
    }
}

async fn running(user: &Caller, hand: &mut Hand) -> FencingToken {
    submit(user, 7).await;
    take(hand).await
}

async fn take(hand: &mut Hand) -> FencingToken {
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    token
}

async fn log(hand: &mut Hand, token: FencingToken, offset: u64, bytes: Vec<u8>) {
    hand.next.log_tails = vec![LogTail { token, offset, bytes: bytes.into() }];
    let answer = hand.sync().await;
    assert_eq!(answer.logged.len(), 1);
    hand.next.log_tails.clear();
}

async fn end(hand: &mut Hand, token: FencingToken) {
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    hand.next.finishes.clear();
}

async fn read(user: &Caller, job: JobId, from: u64) -> LogPage {
    let request = ReadLogRequest { job, grant: Some(1), from, park_for: Duration::ZERO };
    match user.call(Request::ReadLog(request)).await.unwrap() {
        Reply::Log(page) => page,
        other => panic!("expected a log, got {other:?}"),
    }
}

/// The whole log, page by page, with a dash for every byte that is missing.
async fn whole(user: &Caller, job: JobId) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    loop {
        let page = read(user, job, text.len() as u64).await;
        let mut pieces: Vec<(u64, Vec<u8>)> = page
            .gaps
            .iter()
            .map(|gap| (gap.offset, vec![b'-'; usize::try_from(gap.bytes).unwrap()]))
            .collect();
        pieces.extend(page.chunks.iter().map(|chunk| (chunk.offset, chunk.bytes.as_bytes().to_vec())));
        pieces.sort();
        for (offset, piece) in pieces {
            assert_eq!(offset, text.len() as u64, "nothing is left out without a gap");
            text.extend(piece);
        }
        assert_eq!(page.next, text.len() as u64);
        if page.ended {
            return text;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_never_came_are_a_gap_in_what_is_read() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand).await;
    log(&mut hand, token, 0, b"one".to_vec()).await;
    log(&mut hand, token, 10, b"two".to_vec()).await;
    let page = read(&user, token.job, 0).await;
    assert_eq!(page.gaps, [LogGap { offset: 3, bytes: 7 }]);
    assert_eq!(read(&user, token.job, 5).await.gaps, [LogGap { offset: 5, bytes: 5 }]);
    end(&mut hand, token).await;
    assert_eq!(whole(&user, token.job).await, b"one-------two");
    sleep(&world.clock, Duration::from_secs(1)).await;
    assert_eq!(world.chunks_of(token).await, 0, "it is sealed");
    assert_eq!(whole(&user, token.job).await, b"one-------two");
    assert_eq!(read(&user, token.job, 11).await.chunks[0].bytes.as_bytes().as_ref(), b"wo");
    assert!(inspect(&user, token.job).await.artifacts.is_empty(), "nobody attached it");
}

/// As where each of several control planes keeps artifacts of its own.
#[tokio::test(start_paused = true)]
async fn a_sealed_log_whose_bytes_are_gone_is_a_gap_and_ends() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand).await;
    log(&mut hand, token, 0, b"eleven byte".to_vec()).await;
    end(&mut hand, token).await;
    sleep(&world.clock, Duration::from_secs(1)).await;
    assert_eq!(world.chunks_of(token).await, 0, "it is sealed");
    let digest = Digest::of(b"eleven byte");
    world.artifacts.delete(ArtifactKey { tenant: TenantId::DEFAULT, digest }).await.unwrap();
    let page = read(&user, token.job, 3).await;
    assert_eq!(page.gaps, [LogGap { offset: 3, bytes: 8 }]);
    assert!(page.ended && page.chunks.is_empty(), "{page:?}");
    assert_eq!(whole(&user, token.job).await, b"-----------");
}

#[tokio::test(start_paused = true)]
async fn a_log_ends_at_its_limit_with_a_gap() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand).await;
    let limit = SyncRequest::LOG_BYTES_MAX;
    log(&mut hand, token, limit - 2, b"last".to_vec()).await;
    log(&mut hand, token, limit + 2, b"more".to_vec()).await;
    end(&mut hand, token).await;
    let page = read(&user, token.job, limit - 3).await;
    assert_eq!(page.chunks[0].bytes.as_bytes().as_ref(), b"la");
    let missing = [LogGap { offset: limit - 3, bytes: 1 }, LogGap { offset: limit, bytes: 6 }];
    assert_eq!((page.gaps, page.next, page.ended), (missing.into(), limit + 6, true));
}

#[tokio::test(start_paused = true)]
async fn a_log_is_whole_wherever_its_sealing_was_cut_short() {
    // A thousand chunks are dropped in several batches.
    let mut expected = Vec::new();
    let mut seen_sealed = false;
    for commits in 0.. {
        let world = World::new();
        let control = world.start(PLENTY).await;
        let (first, mut hand) = (user(&control), Hand::new(&control, 1));
        let token = running(&first, &mut hand).await;
        expected.clear();
        for number in 0..1000_u32 {
            let line = format!("line {number}\n").into_bytes();
            hand.next.log_tails.push(LogTail {
                token,
                offset: expected.len() as u64,
                bytes: line.clone().into(),
            });
            expected.extend(line);
        }
        hand.finish(token, Outcome::Passed, None);
        // Everything is there, and before anybody has seen to it the control plane is gone.
        hand.sync().await;
        control.stop().await.unwrap();

        let crashing = world.start(commits + STARTS).await;
        sleep(&world.clock, Duration::from_secs(2)).await;
        assert_eq!(whole(&user(&crashing), token.job).await, expected, "after {commits} commits");
        crashing.stop().await.unwrap();
        let is_done = world.chunks_of(token).await == 0;

        let control = world.start(PLENTY).await;
        sleep(&world.clock, Duration::from_secs(2)).await;
        assert_eq!(whole(&user(&control), token.job).await, expected, "after a restart at {commits}");
        assert_eq!(world.chunks_of(token).await, 0, "and it is sealed in the end");
        control.stop().await.unwrap();
        if is_done && seen_sealed {
            assert!(commits >= 5, "sealing is several steps: {commits}");
            return;
        }
        seen_sealed = is_done;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_of_the_runner_took_of_a_log_is_marked() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand).await;
    log(&mut hand, token, 0, b"one".to_vec()).await;
    // It kept the finish over the crash, and not what it had not sent of the log.
    hand.finish(token, Outcome::Passed, None);
    hand.next.finishes[0].log_end = Some(10);
    hand.sync().await;
    let page = read(&user, token.job, 0).await;
    assert_eq!(page.gaps, [LogGap { offset: 3, bytes: 7 }]);
    assert!(page.ended && page.next == 10, "{page:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_held_until_the_log_grows_and_told_of_its_end() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let token = running(&user, &mut hand).await;
    log(&mut hand, token, 0, b"one".to_vec()).await;
    let request =
        |from| ReadLogRequest { job: token.job, grant: Some(1), from, park_for: Duration::from_secs(15) };
    let reading = user.call(Request::ReadLog(request(3)));
    let (page, ()) = tokio::join!(reading, log(&mut hand, token, 3, b"two".to_vec()));
    assert!(matches!(page.unwrap(), Reply::Log(page) if page.next == 6 && !page.ended));
    let reading = user.call(Request::ReadLog(request(6)));
    let (page, ()) = tokio::join!(reading, end(&mut hand, token));
    assert!(matches!(page.unwrap(), Reply::Log(page) if page.next == 6 && page.ended));
}

#[tokio::test(start_paused = true)]
async fn who_names_no_attempt_waits_for_one_that_logs_or_for_the_end_of_the_job() {
    let world = World::new();
    let control = world.start(PLENTY).await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let read = async |park_for| {
        let request = ReadLogRequest { job, grant: None, from: 0, park_for };
        match user.call(Request::ReadLog(request)).await.unwrap() {
            Reply::Log(page) => page,
            other => panic!("expected a log, got {other:?}"),
        }
    };
    let waiting = read(Duration::ZERO).await;
    assert!(waiting.next == 0 && !waiting.ended, "{waiting:?}");

    // The first attempt logs nothing before it is given up, and the second one does.
    let attempts = async {
        let given_up = take(&mut hand).await;
        hand.finish(given_up, Outcome::Lapsed, None);
        hand.sync().await;
        hand.next.finishes.clear();
        let between = read(Duration::ZERO).await;
        assert!(between.next == 0 && !between.ended, "{between:?}");
        sleep(&world.clock, Duration::from_secs(10)).await;
        let token = take(&mut hand).await;
        log(&mut hand, token, 0, b"one".to_vec()).await;
        token
    };
    let reader = async {
        loop {
            let page = read(Duration::from_secs(15)).await;
            if page.ended || page.next > 0 {
                return page;
            }
        }
    };
    let (page, token) = tokio::join!(reader, attempts);
    assert_eq!((page.grant, page.next, page.ended), (token.grant, 3, false));

    // A job that logs nothing has a log that ends with it.
    let silent = submit(&user, 8).await;
    hand.sync().await;
    user.call(Request::Cancel(CancelRequest { target: CancelTarget::Job(silent) })).await.unwrap();
    let request = ReadLogRequest { job: silent, grant: None, from: 0, park_for: Duration::ZERO };
    let ended = user.call(Request::ReadLog(request)).await.unwrap();
    assert!(matches!(&ended, Reply::Log(page) if page.ended), "{ended:?}");
}
