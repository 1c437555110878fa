//! The library of flows: versions, what the host reads in them, and jobs that are made of them.

use super::{
    control,
    hand::Hand,
    management::{admin, refusal},
};
use runners_core::{
    ControlPlane, FlowFilter, FlowOutline, FlowReader, FlowSpec, JobId, JobOptions, Management, MemoryStore,
    Paging, RunId,
    protocol::{RefusalCode, SubmitRequest},
};
use std::{collections::BTreeSet, sync::Arc};

/// Takes what begins with a brace, and calls it by its length.
#[derive(Debug)]
struct Braces;

impl FlowReader for Braces {
    fn read(&self, kind: &str, document: &[u8]) -> Result<FlowOutline, String> {
        match document.starts_with(b"{") {
            true => Ok(FlowOutline {
                title: Some(format!("{kind} of {}", document.len())),
                steps: vec!["open".to_owned(), "close".to_owned()],
                secrets: ["password".to_owned()].into(),
            }),
            false => Err("begins with something else than a brace".to_owned()),
        }
    }
}

fn spec(document: &str) -> FlowSpec {
    FlowSpec::new(document.as_bytes().to_vec())
}

async fn names(management: &Management, filter: &FlowFilter, limit: u32) -> Vec<String> {
    let (mut found, mut paging) = (Vec::new(), Paging { limit, ..Paging::default() });
    loop {
        let page = management.flows(filter, &paging).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        found.extend(page.items.into_iter().map(|flow| flow.name));
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_flow_is_put_over_the_version_that_was_read_and_older_ones_are_kept() {
    let control = control().await;
    let management = admin(&control);
    assert_eq!(management.put_flow("shop", &spec("{}"), Some(0)).await.unwrap().newest.version, 1);
    assert_eq!(management.put_flow("shop", &spec("{ }"), Some(1)).await.unwrap().newest.version, 2);
    let late = management.put_flow("shop", &spec("{  }"), Some(1)).await;
    assert_eq!(refusal(late).code, RefusalCode::Conflict);
    let taken = management.put_flow("shop", &spec("{  }"), Some(0)).await;
    assert_eq!(refusal(taken).code, RefusalCode::Conflict);
    // A repeat of what was carried out finds it.
    assert_eq!(management.put_flow("shop", &spec("{ }"), Some(1)).await.unwrap().newest.version, 2);
    let text = async |version| management.flow("shop", version).await.unwrap().document.into_bytes();
    assert_eq!((&text(None).await[..], &text(Some(1)).await[..]), (&b"{ }"[..], &b"{}"[..]));
    assert_eq!(refusal(management.flow("shop", Some(3)).await).code, RefusalCode::NotFound);
}

#[tokio::test]
async fn a_flow_keeps_a_bounded_number_of_versions_and_goes_with_all_of_them() {
    let control = control().await;
    let management = admin(&control);
    for number in 0..=FlowSpec::VERSIONS_MAX {
        management.put_flow("shop", &spec(&number.to_string()), None).await.unwrap();
    }
    let versions = management.flow_versions("shop").await.unwrap();
    assert_eq!(versions.len(), FlowSpec::VERSIONS_MAX);
    assert!(versions.windows(2).all(|pair| pair[0].version == pair[1].version + 1));
    assert_eq!(refusal(management.flow("shop", Some(1)).await).code, RefusalCode::NotFound);
    let late = management.delete_flow("shop", Some(1)).await;
    assert_eq!(refusal(late).code, RefusalCode::Conflict);
    management.delete_flow("shop", None).await.unwrap();
    assert_eq!(refusal(management.flow_versions("shop").await).code, RefusalCode::NotFound);
    // Nothing of the old one is in the way of a new one.
    let again = management.put_flow("shop", &spec("again"), Some(0)).await.unwrap();
    assert_eq!(again.newest.version, 1);
}

#[tokio::test]
async fn flows_are_found_by_text_and_tag_whatever_the_size_of_a_page() {
    let control = control().await;
    let management = admin(&control);
    for name in ["sign-in", "shop", "Shop again", "map"] {
        let tags: BTreeSet<String> = name.contains("hop").then(|| "paid".to_owned()).into_iter().collect();
        let asked = FlowSpec { tags, description: Some(format!("for {name}")), ..spec("{}") };
        management.put_flow(name, &asked, None).await.unwrap();
    }
    for limit in 1..=5 {
        assert_eq!(names(&management, &FlowFilter::default(), limit).await.len(), 4, "{limit} at once");
        let text = FlowFilter { text: Some("SHOP".into()), tag: None };
        let mut found = names(&management, &text, limit).await;
        found.sort();
        assert_eq!(found, ["Shop again", "shop"], "{limit} at once");
        let tag = FlowFilter { text: Some("again".into()), tag: Some("paid".into()) };
        assert_eq!(names(&management, &tag, limit).await, ["Shop again"], "{limit} at once");
    }
}

#[tokio::test]
async fn what_the_host_cannot_read_is_not_kept_and_what_it_reads_is_shown() {
    let control = ControlPlane::builder(MemoryStore::default()).flow_reader(Braces).start().await.unwrap();
    let management = admin(&control);
    let refused = refusal(management.put_flow("shop", &spec("[]"), None).await);
    assert_eq!(refused.code, RefusalCode::Invalid);
    assert!(refused.detail.starts_with("document: begins with"), "{}", refused.detail);
    let flow = management.put_flow("shop", &spec("{}"), None).await.unwrap();
    assert_eq!((flow.title.as_deref(), flow.steps), (Some("browser_flow of 2"), Some(2)));
    assert_eq!(management.flow("shop", None).await.unwrap().steps, ["open", "close"]);
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_flow_that_is_run_is_a_job_with_its_document_its_title_and_its_secrets() {
    let shared: Arc<dyn FlowReader> = Arc::new(Braces);
    let control = ControlPlane::builder(MemoryStore::default()).flow_reader(shared).start().await.unwrap();
    let management = admin(&control);
    let visit = |document| FlowSpec { kind: "visit".to_owned(), ..spec(document) };
    management.put_flow("shop", &visit("{}"), None).await.unwrap();
    management.put_flow("shop", &visit("{ }"), None).await.unwrap();
    let (job, run) = (JobId::from_bytes([7; 16]), RunId::from_bytes([8; 16]));
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let line = management.run_flow("shop", Some(1), job, options.clone()).await.unwrap();
    assert_eq!((line.job, line.title.as_deref()), (job, Some("visit of 2")));
    // A repeat is the same job.
    assert_eq!(management.run_flow("shop", Some(1), job, options).await.unwrap().job, job);

    let mut hand = Hand::new(&control, 1);
    let answer = hand.sync().await;
    let offer = &answer.offers[0];
    assert_eq!(offer.payload.as_ref().unwrap().as_bytes().as_ref(), b"{}");
    let spec: runners_core::JobSpec = serde_json::from_slice(offer.spec.as_bytes()).unwrap();
    assert_eq!(spec.secrets, ["password".to_owned()].into());

    let runs = management.runs(&Paging::default()).await.unwrap().items;
    assert_eq!((runs[0].run, runs[0].jobs, runs[0].open()), (run, 1, 1));
    assert_eq!(runs[0].title.as_deref(), Some("visit of 2"));
    assert_eq!(management.run(run).await.unwrap(), runs[0]);
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_flow_that_is_too_large_to_travel_is_an_artifact_and_what_is_over_the_limit_is_told() {
    let control = control().await;
    let management = admin(&control);
    let document = format!("{{{}}}", " ".repeat(SubmitRequest::PAYLOAD_BYTES_MAX));
    let visit = FlowSpec { kind: "visit".to_owned(), ..spec(&document) };
    let flow = management.put_flow("long", &visit, None).await.unwrap();
    assert_eq!(flow.newest.length, document.len() as u64);
    let digest = flow.newest.digest;
    assert_eq!(management.artifact_length(digest).await.unwrap(), Some(document.len() as u64));
    let read = management.flow("long", None).await.unwrap().document;
    assert_eq!(read.as_bytes().as_ref(), document.as_bytes());
    // The artifact is named by the version, so it is not collected.
    let unnamed = management.unnamed_artifacts(None).await.unwrap();
    assert_eq!((unnamed.looked_at, unnamed.unnamed), (1, vec![]));

    let line =
        management.run_flow("long", None, JobId::from_bytes([7; 16]), JobOptions::default()).await.unwrap();
    assert_eq!(line.kind, "visit");
    let answer = Hand::new(&control, 1).sync().await;
    let offer = &answer.offers[0];
    assert_eq!((offer.payload.is_none(), offer.payload_artifact), (true, Some(digest)));

    let over = " ".repeat(FlowSpec::DOCUMENT_BYTES_MAX + 1);
    let refused = refusal(management.put_flow("over", &spec(&over), None).await);
    assert_eq!(refused.code, RefusalCode::Invalid);
    assert!(refused.detail.contains("document") && refused.detail.contains("4194304"), "{}", refused.detail);
}
