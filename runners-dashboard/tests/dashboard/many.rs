//! Large fleets and queues: a page holds a page of them, and leads to the next.

use crate::stage::{Shout, Stage, between};
use runners_core::{Client, PoolId};

const RUNNERS: usize = 2_000;
const JOBS: usize = 10_000;
const BATCH: usize = 100;

/// The largest page, whatever there is.
const PAGE_BYTES_MAX: usize = 150_000;

async fn fill(stage: &Stage) {
    let management = stage.control.management(Stage::everything());
    for number in 0..RUNNERS {
        management.register_runner(PoolId::DEFAULT, &format!("runner-{number}")).await.unwrap();
    }
    let client = Client::new(stage.control.caller(Stage::everything()));
    for _ in 0..JOBS / BATCH {
        let jobs = vec![Shout("hello".into()); BATCH];
        assert!(client.submit_all(&jobs).await.unwrap().iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn a_page_is_bounded_however_much_there_is_and_all_of_it_is_reached() {
    let stage = Stage::open().await;
    fill(&stage).await;
    let browser = stage.sign_in(b'a').await;
    for path in ["queue", "jobs?show=waiting", "fleet", "pools", "events"] {
        let page = browser.page(path).await;
        assert!(page.len() < PAGE_BYTES_MAX, "{path}: {} bytes", page.len());
    }
    let (mut path, mut seen) = ("fleet?state=".to_owned(), 0);
    loop {
        let page = browser.page(&path).await;
        let rows = page.matches("<tr>").count() - 1;
        assert!((1..=50).contains(&rows), "{rows}");
        seen += rows;
        if !page.contains(">Next page<") {
            break;
        }
        let pager = page.rsplit("aria-label=\"Pages\"").next().unwrap();
        let next = pager.split("href=\"./").last().unwrap().split('"').next().unwrap();
        path = next.replace("&amp;", "&");
    }
    assert_eq!(seen, RUNNERS);
    let page = browser.page("jobs?show=waiting").await;
    assert!(between(&page, "aria-label=\"Pages\"", "</nav>").contains("after="));
}
