//! What every [`Transport`] must keep. The far end is a script; the near end is under test.

use crate::{
    protocol::{
        Cancelled, Finish, RefusalCode, Refused, Reply, Request, Submission, SubmitRequest, SyncRequest,
    },
    seams::transport::{Transport, TransportError},
    testing::samples,
    values::{id::JobId, lease::FencingToken, opaque::Opaque, outcome::Outcome},
};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _, join_all};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Expands to one test for each rule that a [`Transport`] must keep.
///
/// `$make` is the path of an `async fn(Arc<dyn Transport>) -> impl Transport`: it is given the far
/// end, which answers, and gives the near end, which is called. What must live as long as the near
/// end is held by it. Use it inside a module of its own.
///
/// ```
/// #[cfg(test)]
/// mod suite {
///     use runners_core::Transport;
///     use std::sync::Arc;
///
///     async fn make(far: Arc<dyn Transport>) -> Arc<dyn Transport> {
///         far
///     }
///     runners_core::transport_suite!(make);
/// }
/// ```
#[macro_export]
macro_rules! transport_suite {
    ($make:path) => {
        $crate::__suite_of!(
            transport_suite,
            $make,
            every_request_arrives_unchanged,
            every_reply_arrives_unchanged,
            opaque_bytes_arrive_unchanged,
            every_refusal_is_a_reply,
            errors_keep_their_class,
            a_parked_call_is_answered_when_the_far_end_answers,
            calls_at_once_do_not_mix,
            a_dropped_call_harms_no_other,
            a_request_up_to_the_limit_arrives,
            a_request_over_the_limit_is_rejected_by_name_or_arrives_whole,
        );
    };
}

type Script = Box<dyn Fn(Request) -> BoxFuture<'static, Result<Reply, TransportError>> + Send + Sync>;

/// A far end that does what it is told.
struct Scripted(Script);

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        (self.0)(request).await
    }
}

fn scripted<F>(script: impl Fn(Request) -> F + Send + Sync + 'static) -> Arc<dyn Transport>
where
    F: Future<Output = Result<Reply, TransportError>> + Send + 'static,
{
    Arc::new(Scripted(Box::new(move |request| script(request).boxed())))
}

/// A far end that always answers `reply`, and keeps what it was asked.
fn keeping(reply: Reply) -> (Arc<dyn Transport>, mpsc::UnboundedReceiver<Request>) {
    let (keep, kept) = mpsc::unbounded_channel();
    let far = scripted(move |request| {
        let reply = reply.clone();
        keep.send(request).expect("the rule listens");
        async move { Ok(reply) }
    });
    (far, kept)
}

fn nothing() -> Reply {
    Reply::Cancelled(Cancelled { jobs: 0 })
}

fn idle(seq: u64) -> Request {
    Request::Sync(Box::new(samples::sync_idle(seq)))
}

fn answer(seq: u64) -> Reply {
    Reply::Answer(Box::new(samples::answer_empty(seq)))
}

fn seq_of(request: &Request) -> u64 {
    match request {
        Request::Sync(sync) => sync.seq,
        other => panic!("another request arrived: {other:?}"),
    }
}

/// Every variant, with every field.
pub async fn every_request_arrives_unchanged<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let (far, mut kept) = keeping(nothing());
    let near = make(far).await;
    for (name, request) in samples::requests() {
        assert_eq!(near.call(request.clone()).await.expect(name), nothing(), "{name}");
        assert_eq!(kept.recv().await.as_ref(), Some(&request), "{name}");
    }
}

/// Every variant, with every field.
pub async fn every_reply_arrives_unchanged<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let replies = Mutex::new(samples::replies().into_iter());
    let far = scripted(move |_| {
        let next = replies.lock().unwrap_or_else(PoisonError::into_inner).next();
        async move { Ok(next.expect("one call for each reply").1) }
    });
    let near = make(far).await;
    for (name, reply) in samples::replies() {
        assert_eq!(near.call(idle(1)).await.expect(name), reply, "{name}");
    }
}

/// Digests and signatures are over the exact bytes.
pub async fn opaque_bytes_arrive_unchanged<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let (far, mut kept) = keeping(nothing());
    let near = make(far).await;
    for bytes in samples::awkward_bytes() {
        let job = Submission {
            spec: bytes.clone(),
            signature: None,
            payload: Some(bytes.clone()),
            payload_artifact: None,
        };
        let request = Request::Submit(SubmitRequest { jobs: vec![job], run: None });
        near.call(request.clone()).await.expect("submit");
        assert_eq!(kept.recv().await.as_ref(), Some(&request), "{:?}", bytes.as_bytes());
    }
}

/// A refusal is an answer, not trouble on the way.
pub async fn every_refusal_is_a_reply<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let refusals = [
        RefusalCode::Forbidden,
        RefusalCode::NotFound,
        RefusalCode::Invalid,
        RefusalCode::Conflict,
        RefusalCode::Exhausted,
        RefusalCode::Removed,
        RefusalCode::Expired,
        RefusalCode::NotRunning,
        RefusalCode::KeyReused,
    ]
    .map(|code| Reply::Refused(Refused::new(code, "say what to do")));
    let replies = Mutex::new(refusals.clone().into_iter());
    let far = scripted(move |_| {
        let next = replies.lock().unwrap_or_else(PoisonError::into_inner).next();
        async move { Ok(next.expect("one call for each refusal")) }
    });
    let near = make(far).await;
    for refusal in refusals {
        assert_eq!(near.call(idle(1)).await.expect("a reply"), refusal);
    }
}

/// The caller does the same next, whoever told it.
pub async fn errors_keep_their_class<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let retry_after = Duration::from_secs(7);
    let far = scripted(move |request| async move {
        Err(match seq_of(&request) {
            1 => TransportError::Unreachable("the store is away".into()),
            2 => TransportError::Busy { retry_after },
            3 => TransportError::Unauthorized("it was revoked".into()),
            4 => TransportError::Unsupported("0 is not between 1 and 1".into()),
            _ => TransportError::Rejected { code: "odd".into(), detail: "make it even".into() },
        })
    });
    let near = make(far).await;
    let mut told = Vec::new();
    for seq in 1..=5 {
        told.push(near.call(idle(seq)).await.expect_err("an error stays one"));
    }
    let mut told = told.into_iter();
    let mut next = || told.next().expect("five errors");
    let unreachable = next();
    assert!(matches!(unreachable, TransportError::Unreachable(_)), "{unreachable:?}");
    match next() {
        TransportError::Busy { retry_after: told } => assert_eq!(told, retry_after),
        other => panic!("{other:?}"),
    }
    match next() {
        TransportError::Unauthorized(detail) => assert!(detail.contains("it was revoked"), "{detail}"),
        other => panic!("{other:?}"),
    }
    match next() {
        TransportError::Unsupported(detail) => assert!(detail.contains("between 1 and 1"), "{detail}"),
        other => panic!("{other:?}"),
    }
    match next() {
        TransportError::Rejected { code, detail } => {
            assert_eq!((&*code, &*detail), ("odd", "make it even"));
        }
        other => panic!("{other:?}"),
    }
}

/// Not before, and not only when the park is over.
pub async fn a_parked_call_is_answered_when_the_far_end_answers<T: Transport>(
    make: impl AsyncFnOnce(Arc<dyn Transport>) -> T,
) {
    let (arrived, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrives, releases) = (arrived.clone(), released.clone());
    let far = scripted(move |request| {
        let (arrives, releases) = (arrives.clone(), releases.clone());
        async move {
            arrives.notify_one();
            releases.notified().await;
            Ok(answer(seq_of(&request)))
        }
    });
    let near = make(far).await;
    let mut call = near.call(idle(1));
    tokio::select! {
        ended = &mut call => panic!("answered before the far end did: {ended:?}"),
        () = arrived.notified() => {}
    }
    released.notify_one();
    assert_eq!(call.await.expect("answered"), answer(1));
}

/// Answered in the opposite order, each call gets its own reply.
pub async fn calls_at_once_do_not_mix<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    const CALLS: u64 = 32;
    let waiting = Arc::new(Mutex::new(BTreeMap::<u64, oneshot::Sender<()>>::new()));
    let (all, shared) = (Arc::new(Notify::new()), waiting.clone());
    let noted = all.clone();
    let far = scripted(move |request| {
        let (go, gone) = oneshot::channel();
        let mut waiting = shared.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(seq_of(&request), go);
        if waiting.len() as u64 == CALLS {
            noted.notify_one();
        }
        async move {
            gone.await.expect("the rule lets every call go");
            Ok(answer(seq_of(&request)))
        }
    });
    let near = make(far).await;
    let calls = join_all((0..CALLS).map(|seq| near.call(idle(seq))));
    let release = async {
        all.notified().await;
        let waiting = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for go in waiting.into_values().rev() {
            go.send(()).expect("the far end waits");
            tokio::task::yield_now().await;
        }
    };
    let (replies, ()) = futures::join!(calls, release);
    for (seq, reply) in (0..).zip(replies) {
        assert_eq!(reply.expect("answered"), answer(seq));
    }
}

/// Giving up on one call leaves those beside it, and those after it, as they are.
pub async fn a_dropped_call_harms_no_other<T: Transport>(make: impl AsyncFnOnce(Arc<dyn Transport>) -> T) {
    let (arrive, mut arrived) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let releases = release.clone();
    let far = scripted(move |request| {
        let seq = seq_of(&request);
        arrive.send(seq).expect("the rule listens");
        let releases = releases.clone();
        async move {
            match seq {
                1 => futures::future::pending().await,
                2 => releases.notified().await,
                _ => {}
            }
            Ok(answer(seq))
        }
    });
    let near = make(far).await;
    let mut beside = near.call(idle(2));
    {
        let mut dropped = near.call(idle(1));
        let mut seen = 0;
        while seen < 2 {
            tokio::select! {
                ended = &mut dropped => panic!("{ended:?}"),
                ended = &mut beside => panic!("{ended:?}"),
                _ = arrived.recv() => seen += 1,
            }
        }
    }
    assert_eq!(near.call(idle(3)).await.expect("a call after it"), answer(3));
    release.notify_one();
    assert_eq!(beside.await.expect("a call beside it"), answer(2));
}

/// The limits that the messages document are there to be used.
pub async fn a_request_up_to_the_limit_arrives<T: Transport>(
    make: impl AsyncFnOnce(Arc<dyn Transport>) -> T,
) {
    let (far, mut kept) = keeping(nothing());
    let near = make(far).await;
    for request in [submit_of(SubmitRequest::BYTES_MAX - 4096), sync_of(SyncRequest::BYTES_MAX - 4096)] {
        near.call(request.clone()).await.unwrap_or_else(|error| panic!("{}: {error}", request.name()));
        assert!(kept.recv().await == Some(request), "another request arrived");
    }
}

/// Never cut, never dropped without a word. Transports within one process may have no limit.
pub async fn a_request_over_the_limit_is_rejected_by_name_or_arrives_whole<T: Transport>(
    make: impl AsyncFnOnce(Arc<dyn Transport>) -> T,
) {
    let (far, mut kept) = keeping(nothing());
    let near = make(far).await;
    let over = [
        (submit_of(SubmitRequest::BYTES_MAX + 1), SubmitRequest::BYTES_MAX),
        (sync_of(SyncRequest::BYTES_MAX + 1), SyncRequest::BYTES_MAX),
    ];
    for (request, limit) in over {
        match near.call(request.clone()).await {
            Ok(_) => assert!(kept.recv().await == Some(request), "another request arrived"),
            Err(TransportError::Rejected { code, detail }) => {
                assert_eq!(code, "too_large");
                assert!(detail.contains(&limit.to_string()), "the limit is not named: {detail}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    near.call(idle(1)).await.expect("the transport goes on");
}

fn submit_of(bytes: usize) -> Request {
    let job = Submission {
        spec: Opaque::from(vec![b'x'; bytes]),
        signature: None,
        payload: None,
        payload_artifact: None,
    };
    Request::Submit(SubmitRequest { jobs: vec![job], run: None })
}

fn sync_of(bytes: usize) -> Request {
    let finish = Finish {
        token: FencingToken { job: JobId::from_bytes([1; 16]), grant: 1 },
        tenant: None,
        outcome: Outcome::Passed,
        result: Some(Opaque::from(vec![b'x'; bytes])),
        result_artifact: None,
        missing: Vec::new(),
        log_end: None,
    };
    Request::Sync(Box::new(SyncRequest { finishes: vec![finish], ..samples::sync_idle(1) }))
}

#[cfg(test)]
mod tests {
    use crate::seams::transport::Transport;
    use std::sync::Arc;

    async fn make(far: Arc<dyn Transport>) -> Arc<dyn Transport> {
        far
    }
    crate::transport_suite!(make);
}
