//! Webhooks: every event that is asked for arrives, signed, however often the call fails.

use super::{
    crashing::{PLENTY, World},
    hand::{submit, user},
};
use async_trait::async_trait;
use runners_core::{
    ControlPlane, DELIVERY_HEADER, Error, Event, Management, Paging, Principal, SIGNATURE_HEADER, Scope,
    Secret, TenantId, Timestamp, WebhookCall, WebhookError, WebhookSender, WebhookSpec,
    protocol::RefusalCode, sleep, verify_webhook,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Answers as a test says, and keeps every call. What is not said is answered with 200.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    answers: Arc<Mutex<VecDeque<Result<u16, &'static str>>>>,
    calls: Arc<Mutex<Vec<WebhookCall>>>,
}

#[async_trait]
impl WebhookSender for Scripted {
    async fn send(&self, call: WebhookCall) -> Result<u16, WebhookError> {
        self.calls.lock().unwrap().push(call);
        match self.answers.lock().unwrap().pop_front() {
            None => Ok(200),
            Some(Ok(code)) => Ok(code),
            Some(Err("forbidden")) => Err(WebhookError::Forbidden("127.0.0.1".to_owned())),
            Some(Err(problem)) => Err(WebhookError::Failed(problem.into())),
        }
    }

    fn check(&self, url: &str) -> Result<(), WebhookError> {
        match url.contains("127.0.0.1") {
            true => Err(WebhookError::Forbidden("127.0.0.1".to_owned())),
            false => Ok(()),
        }
    }
}

impl Scripted {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Result<u16, &'static str>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    pub(crate) fn calls(&self) -> Vec<WebhookCall> {
        self.calls.lock().unwrap().clone()
    }
}

fn header<'a>(call: &'a WebhookCall, name: &str) -> &'a str {
    &call.headers.iter().find(|(header, _)| *header == name).unwrap().1
}

pub(crate) fn admin(control: &ControlPlane) -> Management {
    control.management(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() })
}

pub(crate) fn spec(events: &[&str]) -> WebhookSpec {
    let events = events.iter().map(|&name| name.to_owned()).collect();
    WebhookSpec { url: "https://hooks.example.com/a".to_owned(), events }
}

async fn start(world: &World, sender: &Scripted) -> ControlPlane {
    world.builder(PLENTY).webhooks(sender.clone()).start().await.unwrap()
}

fn wall(world: &World) -> Timestamp {
    runners_core::Clock::wall(&world.clock)
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_signed_and_tried_until_it_is_taken() {
    let (world, sender) = (World::new(), Scripted::answering([Err("no route"), Ok(503)]));
    let control = start(&world, &sender).await;
    let made = admin(&control).create_webhook(spec(&["ready"]), None).await.unwrap();
    let job = submit(&user(&control), 7).await;
    sleep(&world.clock, Duration::from_secs(2)).await;
    let waiting = admin(&control).deliveries(false, &Paging::default()).await.unwrap().items;
    assert_eq!((waiting[0].tries, waiting[0].event.job), (1, Some(job)));
    assert!(waiting[0].problem.as_ref().unwrap().contains("no route"));

    sleep(&world.clock, Duration::from_secs(60)).await;
    let calls = sender.calls();
    assert_eq!(calls.len(), 3);
    for call in &calls {
        assert_eq!(header(call, DELIVERY_HEADER), waiting[0].id.to_string(), "the same in every try");
        let event: Event = serde_json::from_slice(&call.body).unwrap();
        assert_eq!((event.job, event.what.name()), (Some(job), "ready"));
        let signature = header(call, SIGNATURE_HEADER);
        let minutes = Duration::from_secs(120);
        assert!(verify_webhook(made.secret.as_ref().unwrap(), signature, &call.body, wall(&world), minutes));
    }
    for given_up in [false, true] {
        let left = admin(&control).deliveries(given_up, &Paging::default()).await.unwrap().items;
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_given_up_is_listed_and_can_be_made_again() {
    let (world, sender) = (World::new(), Scripted::answering(std::iter::repeat_n(Ok(500), 12)));
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(spec(&["ready"]), None).await.unwrap();
    submit(&user(&control), 7).await;
    sleep(&world.clock, Duration::from_secs(24 * 3600)).await;
    assert_eq!(sender.calls().len(), 12, "the number of tries is bounded");
    let dead = admin(&control).deliveries(true, &Paging::default()).await.unwrap().items;
    assert_eq!((dead.len(), dead[0].tries, dead[0].next_at), (1, 12, None));
    admin(&control).redeliver(dead[0].id).await.unwrap();
    sleep(&world.clock, Duration::from_secs(2)).await;
    assert_eq!(sender.calls().len(), 13);
    assert!(admin(&control).deliveries(true, &Paging::default()).await.unwrap().items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_not_permitted_is_called_once() {
    let (world, sender) = (World::new(), Scripted::answering([Err("forbidden")]));
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(spec(&["ready"]), None).await.unwrap();
    submit(&user(&control), 7).await;
    sleep(&world.clock, Duration::from_secs(3600)).await;
    assert_eq!(sender.calls().len(), 1);
    let dead = admin(&control).deliveries(true, &Paging::default()).await.unwrap().items;
    assert!(dead[0].problem.as_ref().unwrap().contains("not permitted"));
}

#[tokio::test(start_paused = true)]
async fn events_that_nobody_could_be_told_of_are_told_after_a_restart() {
    let (world, sender) = (World::new(), Scripted::default());
    let control = start(&world, &sender).await;
    admin(&control).create_webhook(spec(&[]), None).await.unwrap();
    control.stop().await.unwrap();
    // Nobody calls webhooks here, and the event is kept for those who will.
    let silent = world.start(PLENTY).await;
    let job = submit(&user(&silent), 7).await;
    silent.stop().await.unwrap();
    assert!(sender.calls().is_empty());
    let control = start(&world, &sender).await;
    sleep(&world.clock, Duration::from_secs(2)).await;
    let told: Vec<Event> =
        sender.calls().iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect();
    assert_eq!(told.iter().map(|event| event.job).collect::<Vec<_>>(), [Some(job)]);
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_made_listed_and_deleted_within_its_tenant() {
    let (world, sender) = (World::new(), Scripted::default());
    let control = start(&world, &sender).await;
    let admin = admin(&control);
    let code = |refused: Result<_, Error>| match refused.map(|made: runners_core::NewWebhook| made.webhook) {
        Err(Error::Refused(refused)) => refused.code,
        other => panic!("expected it to be refused, got {other:?}"),
    };
    let local = WebhookSpec { url: "file:///etc/passwd".to_owned(), ..spec(&[]) };
    assert_eq!(code(admin.create_webhook(local, None).await), RefusalCode::Invalid);
    let never = WebhookSpec { url: "https://127.0.0.1:9/x".to_owned(), ..spec(&[]) };
    assert_eq!(code(admin.create_webhook(never, None).await), RefusalCode::Invalid);
    let short = Some(Secret::from_text("short"));
    assert_eq!(code(admin.create_webhook(spec(&[]), short).await), RefusalCode::Invalid);
    let made = admin.create_webhook(spec(&["concluded"]), None).await.unwrap();
    assert!(!format!("{made:?}").contains(made.secret.as_ref().unwrap().expose()));
    for _ in 1..WebhookSpec::COUNT_MAX {
        admin.create_webhook(spec(&[]), None).await.unwrap();
    }
    assert_eq!(code(admin.create_webhook(spec(&[]), None).await), RefusalCode::Exhausted);

    let other = TenantId::from_bytes([9; 16]);
    let other = control.management(Principal::Api { tenant: other, scopes: Scope::ALL.into() });
    assert!(matches!(other.delete_webhook(made.webhook.id).await, Err(Error::Refused(_))));
    assert!(other.webhooks(&Paging::default()).await.unwrap().items.is_empty());
    admin.delete_webhook(made.webhook.id).await.unwrap();
    assert_eq!(admin.webhooks(&Paging::default()).await.unwrap().items.len(), 19);
    admin.create_webhook(spec(&[]), None).await.unwrap();
}
