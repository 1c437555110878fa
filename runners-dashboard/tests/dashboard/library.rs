//! Flows, runs, the audit, and what a page asked for.

use crate::stage::{Shout, Stage, between};
use runners_core::{Client, FlowSpec, JobFilter, JobOptions, Paging, RunId, protocol::RunSpec};

#[tokio::test]
async fn a_flow_is_added_changed_run_and_deleted_by_forms() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let management = stage.control.management(Stage::everything());
    let fields = [("name", "shop"), ("document", "{}"), ("tags", "paid, smoke"), ("expected", "0")];
    let saved = browser.send("flows", &fields).await;
    assert_eq!(
        (saved.status(), saved.headers()["location"].to_str().unwrap()),
        (303.try_into().unwrap(), "./flows/shop")
    );
    // What a recorder sends says nothing of tags, which stay.
    let again = browser.send("flows", &[("name", "shop"), ("document", "{ }")]).await;
    assert_eq!(again.status(), 303);
    let flow = management.flow("shop", None).await.unwrap().flow;
    assert_eq!((flow.newest.version, flow.tags.len()), (2, 2));
    let late = browser.send("flows", &[("name", "shop"), ("document", "x"), ("expected", "1")]).await;
    assert_eq!(late.status(), 409);
    let list = browser.page("flows?tag=paid").await;
    assert!(list.contains("./flows/shop") && list.contains("smoke"), "{list}");
    let page = browser.page("flows/shop?version=1").await;
    assert!(page.contains("This is version 1") && page.contains("The newest is 2"), "{page}");

    let fields = [("version", "1"), ("pool", "default"), ("engine", "engine=firefox")];
    let first = browser.send("flows/shop/run", &fields).await;
    let second = browser.send("flows/shop/run", &fields).await;
    assert_eq!(first.status(), 303);
    // The form that was sent again is the same job.
    assert_eq!(first.headers()["location"], second.headers()["location"]);
    let jobs = management.jobs(&JobFilter::default(), &Paging::default()).await.unwrap().items;
    assert_eq!((jobs.len(), jobs[0].title.as_deref()), (1, Some("shop")));
    assert!(browser.page("jobs").await.contains(">shop<"));

    assert_eq!(browser.send("flows/shop/delete", &[]).await.status(), 303);
    assert_eq!(browser.open("flows/shop").await.0, 404);
    let audit = browser.page("audit").await;
    for told in ["created flow", "changed flow", "ran flow", "deleted flow"] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
}

#[tokio::test]
async fn a_document_is_handed_over_as_a_file() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'r').await;
    let management = stage.control.management(Stage::everything());
    let spec = FlowSpec::new(b"<script>alert(1)</script>".to_vec());
    management.put_flow("a \"b\"", &spec, None).await.unwrap();
    let answer = browser.get("flows/a%20%22b%22/document").send().await.unwrap();
    let headers = answer.headers();
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(headers["content-disposition"], "attachment; filename*=UTF-8''a%20%22b%22.json");
    assert!(headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(answer.text().await.unwrap(), "<script>alert(1)</script>");
    // Who only reads is given nothing to change it with.
    let page = browser.page("flows/a%20%22b%22").await;
    assert!(!page.contains("Run now") && !page.contains("<textarea"), "{page}");
    assert_eq!(browser.open("audit").await.0, 403);
}

#[tokio::test]
async fn what_a_page_asked_for_and_said_is_shown_as_text() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let runner = stage.runner("one").await;
    let job = stage.submit("traffic", JobOptions::default()).await;
    let client = runners_core::Client::new(stage.control.caller(Stage::everything()));
    client.job::<String>(job).wait().await.unwrap();
    let page = browser.page(&format!("jobs/{job}")).await;
    assert!(page.contains(&format!("../jobs/{job}/requests")) && page.contains("/console"), "{page}");
    let requests = browser.page(&format!("jobs/{job}/requests")).await;
    for text in ["&lt;script&gt;alert(1)", ">200<", ">none<", "text/html", "net::ERR_&lt;b&gt;", "3 requests"]
    {
        assert!(requests.contains(text), "{text}: {requests}");
    }
    assert!(!requests.contains("<script>") && !requests.contains("<b>FAILED"), "{requests}");
    assert!(between(&requests, "<svg class=\"bar passed\"", "</svg>").contains("<rect"));
    let console = browser.page(&format!("jobs/{job}/console")).await;
    assert!(console.contains("&lt;img src=x") && console.contains("3 more were left out"), "{console}");
    assert_eq!(browser.open(&format!("jobs/{job}/requests?from=9000")).await.0, 200);
    let none = stage.submit("none", JobOptions::default()).await;
    client.job::<String>(none).wait().await.unwrap();
    assert_eq!(browser.open(&format!("jobs/{none}/console")).await.0, 404);
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn a_run_is_a_matrix_of_its_checks_by_pool_beside_the_run_before() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let client = Client::new(stage.control.caller(Stage::everything()));
    let submit = async |number: u8, words: [&str; 2]| {
        let run = RunId::from_bytes([number; 16]);
        let job = |(title, text): (&str, &str)| {
            let options = JobOptions { title: Some(title.into()), ..JobOptions::default() };
            (Shout(text.into()), options)
        };
        let jobs = [("<sign in>", words[0]), ("pay", words[1])].map(job);
        let handles = client.submit_run(RunSpec { run, timeout: None }, &jobs).await.unwrap();
        for handle in handles {
            handle.unwrap().wait().await.unwrap();
        }
        run
    };
    let runner = stage.runner("one").await;
    submit(1, ["hello", "hello"]).await;
    let second = submit(2, ["hello", "fail"]).await;
    let page = browser.page(&format!("runs/{second}")).await;
    let matrix = between(&page, "id=\"matrix\"", "</section>");
    assert!(matrix.contains("&lt;sign in&gt;") && matrix.contains(">default</th>"), "{matrix}");
    let comparison = between(&page, "id=\"comparison\"", "</section>");
    assert!(comparison.contains("does not pass any more") && comparison.contains(">pay<"), "{comparison}");
    assert!(!between(comparison, "<table", "</table>").contains("sign in"), "{comparison}");
    let first = browser.page(&format!("runs/{}", RunId::from_bytes([1; 16]))).await;
    assert!(!first.contains("id=\"comparison\""), "there is none before it: {first}");
    let all = browser.open(&format!("runs/{second}?with={}", RunId::from_bytes([9; 16]))).await;
    assert_eq!(all.0, 404);
    runner.drain().await.unwrap();
}
