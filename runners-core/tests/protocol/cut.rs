//! Callers that hang up, or whose time is over, while what they asked for is being written: it is written all the
//! same, and counts.

use super::{
    hand::{Hand, user},
    late::Late,
};
use futures::poll;
use runners_core::{
    Kind, Opaque, RunnerId, SignalId, SignalTarget, Transport as _,
    protocol::{Reply, Request, SignalRequest},
};
use std::{pin::pin, time::Duration};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(start_paused = true)]
async fn a_signal_whose_sender_hung_up_as_it_was_written_is_delivered_when_it_is_sent_again() {
    let store = Late::default();
    let control = store.control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let request = Request::Signal(SignalRequest {
        id: SignalId::from_bytes([1; 16]),
        to: SignalTarget::Runner(RunnerId::from_bytes([1; 16])),
        kind: "look".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: LONG,
    });
    let until = store.hold(Kind::Signal, false);
    {
        let mut sending = pin!(user.call(request.clone()));
        store.until_held(sending.as_mut()).await;
    }
    until.notify_one();
    let again = user.call(request).await.unwrap();
    assert!(matches!(again, Reply::Signalled(_)), "{again:?}");
    assert_eq!(parked.await.signals.len(), 1);
}
