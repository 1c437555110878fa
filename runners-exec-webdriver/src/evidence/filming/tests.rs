//! What a film hands on while it goes on and at its end, of sources that are made up.

use super::*;
use crate::{evidence::journal::Journal, within::beside};
use async_trait::async_trait;
use runners_core::{
    Redactor, SystemClock,
    live::{FrameFormat, Frames, Input},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Shows one picture after the other, each as large as a part.
#[derive(Debug)]
struct Large;

#[derive(Debug)]
struct Pictures(u64);

#[async_trait]
impl FrameSource for Large {
    async fn open(&self, _: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
        Ok(Box::new(Pictures(1_000)))
    }
    async fn input(&self, _: Input) -> Result<(), FrameError> {
        Err(FrameError::Closed)
    }
}

#[async_trait]
impl Frames for Pictures {
    async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.0 > 3_000 {
            return pending().await;
        }
        self.0 += 1_000;
        let (at, bytes) = (Timestamp::from_millis(self.0), vec![0; 1024 * 1024]);
        Ok(Some(Frame::new(at, FrameFormat::Jpeg, (1, 1), bytes.into())))
    }
}

struct Kept(mpsc::UnboundedSender<Evidence>);

#[async_trait]
impl FlowObserver for Kept {
    async fn evidence(&self, evidence: Evidence) {
        let _ = self.0.send(evidence);
    }
}

#[tokio::test]
async fn parts_and_index_come_while_it_goes_on_and_nothing_before_it_is_on() {
    let clock = SystemClock::default();
    let filming = Filming::of(Some(Arc::new(Large)), Timestamp::from_millis(0));
    filming.begin(Capture::NOTHING, Timestamp::from_millis(1_000), None);
    let (sender, mut kept) = mpsc::unbounded_channel();
    let observer = Kept(sender);
    assert!(filming.finish(&observer, clock.wall(), &clock).await.is_empty(), "there is no film");
    assert!(kept.try_recv().is_err());
    filming.start();
    let watching = async {
        let mut names = Vec::new();
        while names.len() < 6 {
            let Evidence { name, bytes, .. } = kept.recv().await.unwrap();
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            if name == INDEX {
                assert_eq!(
                    (told["parts"].as_array().unwrap().len() * 2, &told["ended"]),
                    (names.len() + 1, &json!(false))
                );
            }
            names.push(name);
        }
        names
    };
    let names = beside(watching, filming.run(&observer, &clock)).await;
    let expected = ["film/0000.json", INDEX, "film/0001.json", INDEX, "film/0002.json", INDEX];
    assert_eq!(names, expected);
    assert_eq!(filming.finish(&observer, clock.wall(), &clock).await, [INDEX]);
    let last: Value = serde_json::from_slice(&kept.recv().await.unwrap().bytes).unwrap();
    assert_eq!(last["ended"], true);
}

/// A clock on which a moment passes at once, and nothing longer does.
#[derive(Debug)]
struct Moments;

#[async_trait]
impl Clock for Moments {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn boot(&self) -> BootTime {
        BootTime::from_duration(Duration::ZERO)
    }
    async fn sleep_until(&self, deadline: BootTime) {
        if deadline.since(self.boot()) > REST {
            pending::<()>().await;
        }
    }
}

#[tokio::test]
async fn a_flow_that_is_over_before_the_first_picture_waits_for_it_unless_there_is_none() {
    let (sender, _kept) = mpsc::unbounded_channel();
    let observer = Kept(sender);
    for (source, expected) in [(Some(Arc::new(Large) as Arc<dyn FrameSource>), Some(INDEX)), (None, None)] {
        let filming = Filming::of(source, Timestamp::from_millis(0));
        filming.start();
        // The flow is looked at first, as it is by a replay.
        beside(filming.rest(&Moments), filming.run(&observer, &Moments)).await;
        let names = filming.finish(&observer, Moments.wall(), &Moments).await;
        assert_eq!(names.first().map(String::as_str), expected);
    }
}

/// A clock on which whatever is waited for has passed, once others had their turn.
#[derive(Debug, Default)]
struct Hurried(Mutex<BootTime>);

#[async_trait]
impl Clock for Hurried {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(9_000)
    }
    fn boot(&self) -> BootTime {
        *self.0.lock().unwrap()
    }
    async fn sleep_until(&self, deadline: BootTime) {
        tokio::task::yield_now().await;
        let mut now = self.0.lock().unwrap();
        *now = deadline.max(*now);
    }
}

#[tokio::test]
async fn what_is_heard_comes_with_the_index_while_it_goes_on() {
    let journal = SharedJournal::new(Journal::new(Redactor::default(), Timestamp::from_millis(1_000)));
    let (clock, (sender, mut kept)) = (Hurried::default(), mpsc::unbounded_channel());
    let filming = Filming::of(Some(Arc::new(Large)), Timestamp::from_millis(0));
    filming.begin(Capture::NOTHING, Timestamp::from_millis(1_000), Some(journal.clone()));
    filming.start();
    let observer = Kept(sender);
    let log = |text: &str| {
        let args = json!([{ "type": "string", "value": text }]);
        let said = json!({ "type": "log", "args": args, "timestamp": 4_200.0 });
        journal.open().take("Runtime.consoleAPICalled", &said);
    };
    let texts = |index: &Evidence| {
        let told: Value = serde_json::from_slice(&index.bytes).unwrap();
        assert_eq!(told["ended"], false);
        told["heard"]["console"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect::<Vec<_>>()
    };
    let watching = async {
        while kept.recv().await.unwrap().name != "film/0002.json" {}
        assert!(texts(&kept.recv().await.unwrap()).is_empty());
        log("one");
        assert_eq!(texts(&kept.recv().await.unwrap()), ["one"], "without a picture that is new");
        log("two");
        assert_eq!(texts(&kept.recv().await.unwrap()), ["one", "two"]);
    };
    beside(watching, filming.run(&observer, &clock)).await;
    assert!(kept.try_recv().is_err(), "it is not told again");
    log("three");
    filming.finish(&observer, clock.wall(), &clock).await;
    let last: Value = serde_json::from_slice(&kept.recv().await.unwrap().bytes).unwrap();
    assert_eq!((&last["ended"], &last["heard"]["console"][2]["text"]), (&json!(true), &json!("three")));
}
