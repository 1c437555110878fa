//! What the errors of a driver mean, and that one which says nothing is given up.

use super::*;
use futures::{
    future::{Either, select},
    poll,
};
use runners_core::{BootTime, Timestamp};
use std::{pin::pin, sync::atomic::AtomicUsize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

/// Stands still until it is moved.
#[derive(Clone, Debug)]
struct HandClock(Arc<watch::Sender<Duration>>);

impl HandClock {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Duration::from_secs(1))))
    }

    fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now += span);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
    fn boot(&self) -> BootTime {
        BootTime::from_duration(*self.0.borrow())
    }
    async fn sleep_until(&self, deadline: BootTime) {
        let mut time = self.0.subscribe();
        let _ = time.wait_for(|now| BootTime::from_duration(*now) >= deadline).await;
    }
}

/// A driver that answers no script, and nothing at all once it is mute.
#[derive(Debug, Default)]
struct Silent {
    is_mute: AtomicBool,
    asked: AtomicUsize,
    script: Notify,
}

impl Silent {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut serving = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            serving.spawn(Arc::clone(&self).answer(stream));
        }
    }

    async fn answer(self: Arc<Self>, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        stream.read_line(&mut first).await.ok()?;
        let mut line = String::new();
        while stream.read_line(&mut line).await.ok()? > 2 {
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
            line.clear();
        }
        stream.read_exact(&mut vec![0; length]).await.ok()?;
        self.asked.fetch_add(1, Ordering::SeqCst);
        if first.contains("/execute/") || self.is_mute.load(Ordering::SeqCst) {
            self.script.notify_one();
            return std::future::pending().await;
        }
        let body = json!({ "value": { "sessionId": "s", "capabilities": {} } }).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
    }
}

#[tokio::test]
async fn a_script_that_is_not_answered_is_given_up_and_costs_the_session_if_nothing_else_is_either() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let wire = Wire::local(listener.local_addr().unwrap().port()).unwrap();
    let (hand, driver) = (HandClock::new(), Arc::new(Silent::default()));
    let mut serving = JoinSet::new();
    serving.spawn(Arc::clone(&driver).serve(listener));
    let clock: Arc<dyn Clock> = Arc::new(hand.clone());
    let session = WebDriverSession::open(wire, Map::new(), Manners::Ours, &clock).await.unwrap();
    let script = || Call::new(Method::Post, "execute/sync", json!({ "script": "return 1", "args": [] }));

    {
        let mut unanswered = pin!(session.call(script()));
        let heard = pin!(driver.script.notified());
        let heard = select(unanswered.as_mut(), heard).await;
        assert!(matches!(heard, Either::Right(_)), "the driver has the script");
        hand.advance(ANSWER_TIMEOUT - Duration::from_millis(1));
        assert!(poll!(&mut unanswered).is_pending(), "there is still time");
        hand.advance(Duration::from_millis(1));
        let Err(BrowserError::Refused { code, message }) = unanswered.await else { panic!("it is there") };
        assert_eq!((&*code, &*message), ("script timeout", "a script was not answered within 15 s"));
    }
    session.call(Call::new(Method::Get, "url", Value::Null)).await.unwrap();

    driver.is_mute.store(true, Ordering::SeqCst);
    let mut unanswered = pin!(session.call(script()));
    for limit in [ANSWER_TIMEOUT, SIGN_TIMEOUT] {
        let heard = pin!(driver.script.notified());
        let heard = select(unanswered.as_mut(), heard).await;
        assert!(matches!(heard, Either::Right(_)), "the driver is asked");
        hand.advance(limit);
    }
    let Err(BrowserError::Gone { source }) = unanswered.await else { panic!("nothing is answered") };
    assert_eq!(source.to_string(), "a script was not answered within 15 s");

    // The next ones do not wait for it again, nor are they sent.
    let asked = driver.asked.load(Ordering::SeqCst);
    for call in [script(), Call::new(Method::Get, "url", Value::Null)] {
        assert!(matches!(session.call(call).await, Err(BrowserError::Gone { .. })));
    }
    assert_eq!(driver.asked.load(Ordering::SeqCst), asked);
    let mut closing = pin!(session.close_in_time());
    let heard = pin!(driver.script.notified());
    assert!(matches!(select(closing.as_mut(), heard).await, Either::Right(_)));
    hand.advance(CLOSE_TIMEOUT);
    assert!(!closing.await, "whoever owns the browser kills it");
}

fn error(code: &str, message: &str) -> BrowserError {
    let (code, message) = (code.to_owned(), message.to_owned());
    Unanswered::Refused { code, message, text: None }.into()
}

#[test]
fn errors_of_drivers_are_told_by_what_to_do() {
    assert!(matches!(error("no such window", ""), BrowserError::Closed));
    assert!(matches!(error("unknown command", ""), BrowserError::Unsupported { .. }));
    assert!(matches!(error("invalid session id", ""), BrowserError::Gone { .. }));
    assert!(matches!(error("unknown error", "chrome not reachable"), BrowserError::Gone { .. }));
    assert!(matches!(error("tab crashed", ""), BrowserError::Gone { .. }), "a code of ChromeDriver's own");
    assert!(matches!(error("stale element reference", "x"), BrowserError::Refused { .. }));
    assert!(
        matches!(error("unexpected alert open", "Sure?"), BrowserError::Dialog { text } if text == "Sure?")
    );
}
