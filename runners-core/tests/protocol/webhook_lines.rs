//! Webhooks wait in a line each: one that does not answer keeps nobody else waiting. Time is tokio's, paused.

use super::{
    crashing::{PLENTY, World},
    hand::{submit, user},
    webhooks::{admin, spec},
};
use async_trait::async_trait;
use futures::future::pending;
use runners_core::{
    Caller, ControlPlane, Index, JobId, JobOptions, JobSpec, Key, Kind, Management, MemoryStore, Paging,
    PoolSpec, Principal, Scope, TenantId, Transport as _, WebhookCall, WebhookError, WebhookSender,
    WebhookSpec,
    protocol::{Reply, Request, Submission, SubmitRequest},
    sleep,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::clock::SimClock,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);

/// Never answers for the address `dead`, unless it is mended, and takes everything elsewhere.
#[derive(Clone, Debug, Default)]
struct Half {
    is_mended: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<WebhookCall>>>,
    under_way: Arc<AtomicUsize>,
    under_way_max: Arc<AtomicUsize>,
}

#[async_trait]
impl WebhookSender for Half {
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError> {
        if call.url.contains("dead") && !self.is_mended.load(Ordering::SeqCst) {
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.under_way_max.fetch_max(under_way, Ordering::SeqCst);
            let _end = Ends(&self.under_way);
            return pending().await;
        }
        self.taken.lock().unwrap().push(call);
        Ok(200)
    }
}

struct Ends<'a>(&'a AtomicUsize);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Half {
    fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

/// Counts the deliveries that are read.
#[derive(Clone, Debug, Default)]
struct Counting {
    inner: MemoryStore,
    read: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Counting {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let page = self.inner.scan(query).await?;
        if let Page::Rows { rows, .. } = &page {
            let deliveries = rows.iter().filter(|(_, row)| row.key.kind == Kind::Delivery).count();
            self.read.fetch_add(deliveries, Ordering::SeqCst);
        }
        Ok(page)
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.inner.commit(writes).await
    }
}

fn dead() -> WebhookSpec {
    WebhookSpec { url: "https://dead.example.com".to_owned(), ..spec(&["ready"]) }
}

/// Submits jobs that have these numbers.
async fn submit_all(user: &Caller, numbers: std::ops::Range<u16>) {
    for number in numbers {
        let mut id = [9; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let spec = JobSpec::new(JobId::from_bytes(id), "visit", b"{}", JobOptions::default());
        let spec = serde_json::to_vec(&spec).unwrap().into();
        let payload = Some(b"{}".to_vec().into());
        let jobs = vec![Submission { spec, signature: None, payload, payload_artifact: None }];
        let reply = user.call(Request::Submit(SubmitRequest { jobs, run: None })).await.unwrap();
        assert!(matches!(reply, Reply::Submitted(_)), "{reply:?}");
    }
}

async fn start(world: &World, sender: &Half) -> ControlPlane {
    world.builder(PLENTY).webhooks(sender.clone()).start().await.unwrap()
}

/// Another tenant.
fn other(control: &ControlPlane) -> (Management, Caller) {
    let tenant = TenantId::from_bytes([9; 16]);
    let principal = Principal::Api { tenant, scopes: Scope::ALL.into() };
    (control.management(principal.clone()), control.caller(principal))
}

async fn waiting(management: &Management) -> usize {
    let paging = |after| Paging { after, limit: Paging::LIMIT_MAX };
    let (mut count, mut after) = (0, None);
    loop {
        let page = management.deliveries(false, &paging(after)).await.unwrap();
        count += page.items.len();
        match page.next {
            Some(next) => after = Some(next),
            None => return count,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_does_not_answer_keeps_no_other_waiting() {
    let (world, sender) = (World::new(), Half::default());
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(dead(), None).await.unwrap();
    let (other, others) = other(&control);
    other.create_pool(PoolSpec::new("default")).await.unwrap();
    other.create_webhook(spec(&["ready"]), None).await.unwrap();
    submit_all(&user(&control), 0..100).await;
    sleep(&world.clock, SECOND).await;
    let under_way = sender.under_way.load(Ordering::SeqCst);
    assert!((1..=4).contains(&under_way), "{under_way} calls of one webhook");
    submit(&others, 7).await;
    sleep(&world.clock, SECOND).await;
    assert_eq!(sender.taken(), 1);
    sender.under_way_max.store(0, Ordering::SeqCst);
    sleep(&world.clock, SECOND * 600).await;
    assert_eq!(sender.under_way_max.load(Ordering::SeqCst), 1, "one that fails is called by one");
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_is_not_read_again_and_again() {
    let (store, clock, sender) = (Counting::default(), SimClock::new(), Half::default());
    let builder = ControlPlane::builder(store.clone()).clock(clock.clone());
    let control = builder.webhooks(sender.clone()).start().await.unwrap();
    admin(&control).create_webhook(dead(), None).await.unwrap();
    submit_all(&user(&control), 0..200).await;
    sleep(&clock, SECOND * 600).await;
    let read = store.read.load(Ordering::SeqCst);
    assert!(read < 500, "{read} were read");
    sender.is_mended.store(true, Ordering::SeqCst);
    sleep(&clock, SECOND * 3600).await;
    assert_eq!(sender.taken(), 200);
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_deliveries_wait_than_a_limit_and_none_is_left_out() {
    let (world, sender) = (World::new(), Half::default());
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(dead(), None).await.unwrap();
    submit_all(&user(&control), 0..1300).await;
    sleep(&world.clock, SECOND * 60).await;
    assert_eq!(waiting(&admin(&control)).await, 1000);
    control.stop().await.unwrap();
    let control = start(&world, &sender).await;
    sleep(&world.clock, SECOND * 60).await;
    assert_eq!(waiting(&admin(&control)).await, 1000, "also after a restart");
    sender.is_mended.store(true, Ordering::SeqCst);
    sleep(&world.clock, SECOND * 3600).await;
    assert_eq!((sender.taken(), waiting(&admin(&control)).await), (1300, 0));
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_deleted_webhook_was_not_told_is_removed() {
    let (world, sender) = (World::new(), Half::default());
    let control = start(&world, &sender).await;
    let made = admin(&control).create_webhook(dead(), None).await.unwrap();
    submit_all(&user(&control), 0..50).await;
    sleep(&world.clock, SECOND).await;
    assert_eq!(waiting(&admin(&control)).await, 50);
    admin(&control).delete_webhook(made.webhook.id).await.unwrap();
    sleep(&world.clock, SECOND * 120).await;
    assert_eq!((sender.taken(), waiting(&admin(&control)).await), (0, 0));
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_release_was_to_deliver_is_delivered() {
    let (world, sender) = (World::new(), Half::default());
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(dead(), None).await.unwrap();
    submit_all(&user(&control), 0..20).await;
    sleep(&world.clock, SECOND).await;
    control.stop().await.unwrap();
    as_before(&world).await;
    sender.is_mended.store(true, Ordering::SeqCst);
    let control = start(&world, &sender).await;
    sleep(&world.clock, SECOND * 90).await;
    assert_eq!((sender.taken(), waiting(&admin(&control)).await), (20, 0));
    control.stop().await.unwrap();
}

/// Has deliveries stand where earlier releases had them: due at their next try, and in no line.
async fn as_before(world: &World) {
    let prefix = [TenantId::DEFAULT.as_bytes(), &Kind::Delivery.number().to_be_bytes()[..]].concat();
    let Page::Rows { rows, .. } = world.store.scan(Query::range(Index::Listed, prefix, 100)).await.unwrap()
    else {
        panic!("expected rows")
    };
    assert_eq!(rows.len(), 20);
    for (listed, row) in rows {
        let body: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
        let next_at = body["state"]["waiting"]["next_at"].as_u64().unwrap();
        let kind = row.key.kind.number().to_be_bytes();
        let due = [&next_at.to_be_bytes()[..], &kind, row.key.tenant.as_bytes(), &row.key.id].concat();
        let indexes = vec![(Index::Due, due.into()), (Index::Listed, listed)];
        let Stored { key, version, format, body, .. } = row;
        world.store.commit(vec![Write::Put { key, expected: version, format, body, indexes }]).await.unwrap();
    }
}
