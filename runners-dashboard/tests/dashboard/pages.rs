//! Every page: what holds for all of them.

use crate::stage::{Stage, client};
use futures::StreamExt as _;
use runners_core::{FlowSpec, JobOptions, Management, PoolSpec};

/// A name that would be markup if it were not escaped.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>";

async fn every_page(stage: &Stage, management: &Management) -> Vec<String> {
    let pool = management
        .create_pool(PoolSpec { description: HOSTILE.into(), ..PoolSpec::new("lab") })
        .await
        .unwrap();
    let runner = management.register_runner(pool.id, "<b>r</b>").await.unwrap();
    let job = stage.submit(HOSTILE, JobOptions::default()).await;
    let mut pages: Vec<String> = [
        "queue",
        "jobs",
        "jobs?show=ended",
        "fleet",
        "pools",
        "environments",
        "events",
        "credentials",
        "settings",
    ]
    .map(str::to_owned)
    .into();
    let flow = HOSTILE.replace('/', "");
    let spec = FlowSpec { description: Some(HOSTILE.into()), ..FlowSpec::new(HOSTILE.as_bytes().to_vec()) };
    management.put_flow(&flow, &spec, None).await.unwrap();
    let flow: String = form_urlencoded::byte_serialize(flow.as_bytes()).collect();
    pages.extend(["flows", "flows?search=%22%3E", "runs", "webhooks", "audit"].map(str::to_owned));
    pages.push(format!("flows/{}", flow.replace('+', "%20")));
    pages.extend([format!("jobs/{job}"), format!("fleet/{}", runner.view.id), format!("pools/{}", pool.id)]);
    pages
}

#[tokio::test]
async fn no_answer_lets_a_page_run_or_load_anything_of_others() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let mut paths = every_page(&stage, &stage.control.management(Stage::everything())).await;
    paths.extend(["sign-in", "assets/dashboard.js", "assets/dashboard.css", "nowhere"].map(str::to_owned));
    for path in paths {
        let answer = browser.get(&path).send().await.unwrap();
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let page = answer.text().await.unwrap();
        assert!(!page.contains("<script>") && !page.contains("onerror=alert(2)>"), "{path}: {page}");
        if headers["content-type"].to_str().unwrap().starts_with("text/html") {
            assert!(!page.contains(" style=") && !page.contains("<style"), "{path}");
        }
    }
}

#[tokio::test]
async fn every_address_on_a_page_is_relative() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    for path in every_page(&stage, &stage.control.management(Stage::everything())).await {
        let page = browser.page(&path).await;
        for attribute in ["href=\"", "src=\"", "action=\"", "data-live=\"", "data-log=\""] {
            for address in page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(address.starts_with('.') || address == "#main", "{path}: {attribute}{address}");
                let url = reqwest::Url::parse(&stage.url(&path)).unwrap().join(address).unwrap();
                assert!(url.as_str().starts_with(&stage.url("")), "{path}: {address}");
            }
        }
    }
}

#[tokio::test]
async fn every_link_of_the_navigation_leads_to_a_page() {
    let stage = Stage::open().await;
    for who in [b'a', b'r', b'z'] {
        let browser = stage.sign_in(who).await;
        let page = browser.page("queue").await;
        let navigation = page.split("<nav").nth(1).unwrap().split("</nav>").next().unwrap();
        let links: Vec<&str> =
            navigation.split("href=\"./").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() >= 6);
        for link in links {
            let page = browser.page(link).await;
            assert!(page.contains("aria-current=\"page\"") && page.contains("<h1>"), "{link}");
            assert!(page.contains("<main") && page.contains("Skip to the content"), "{link}");
        }
    }
}

#[tokio::test]
async fn the_prefix_alone_leads_to_the_queue() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let at = |path: &str| client().get(format!("{}{path}", stage.origin));
    for (path, to) in [("/a/dashboard", "./dashboard/queue"), ("/a/dashboard/", "./queue")] {
        let answer = at(path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
            (303, to),
            "{path}"
        );
    }
    assert_eq!(
        at("/a/dashboard/nowhere").header("cookie", &browser.cookie).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn a_job_shows_its_result_its_log_and_its_history() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let runner = stage.runner("one").await;
    let job = stage.submit("hello", JobOptions::default()).await;
    let client = runners_core::Client::new(stage.control.caller(Stage::everything()));
    client.job::<String>(job).wait().await.unwrap();
    let path = format!("jobs/{job}");
    let page = browser.page(&path).await;
    for text in ["HELLO", "shouting &lt;b&gt;hello&lt;/b&gt;", "attempt 1 runs", "ended: passed", "Run again"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    let log = browser.get(&format!("{path}/log")).send().await.unwrap();
    assert_eq!(log.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(log.text().await.unwrap(), "shouting <b>hello</b>\n");
    assert!(browser.page("fleet").await.contains("one"));
    assert!(browser.page("events").await.contains("passed"));
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn a_job_without_a_verdict_shows_how_far_it_got() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let runner = stage.runner("one").await;
    let job = stage.submit("cut short", JobOptions::default()).await;
    let client = runners_core::Client::new(stage.control.caller(Stage::everything()));
    client.job::<String>(job).wait().await.unwrap();
    let page = browser.page(&format!("jobs/{job}")).await;
    for text in [
        "Steps of <q>A shop</q>",
        "<li class=\"errored\"><span class=\"number\">2</span>",
        "cut short",
        "the browser was lost during step 2",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn an_artifact_of_somebody_is_a_file_unless_it_is_a_picture() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let runner = stage.runner("one").await;
    let job = stage.submit("artifacts", JobOptions::default()).await;
    runners_core::Client::new(stage.control.caller(Stage::everything()))
        .job::<String>(job)
        .wait()
        .await
        .unwrap();
    let page = browser.page(&format!("jobs/{job}")).await;
    assert!(page.contains("<img src=\"../jobs/"), "{page}");
    let picture = browser.get(&format!("jobs/{job}/artifacts/1/shot.png")).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/png");
    assert_eq!(picture.headers().get("content-disposition"), None);
    let html = browser.get(&format!("jobs/{job}/artifacts/1/page.html")).send().await.unwrap();
    assert_eq!(html.headers()["content-type"], "application/octet-stream");
    assert_eq!(html.headers()["content-disposition"], "attachment; filename*=UTF-8''page.html");
    assert!(html.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    let mut bytes = html.bytes_stream();
    assert_eq!(bytes.next().await.unwrap().unwrap(), "<script>alert(1)</script>");
    assert_eq!(browser.open(&format!("jobs/{job}/artifacts/1/other")).await.0, 404);
    runner.drain().await.unwrap();
}

#[tokio::test]
async fn an_address_with_a_malformed_id_is_a_page_like_any_other_that_is_not_there() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    for path in ["jobs/xyz", "runs/1", "pools/x"] {
        let (code, page) = browser.open(path).await;
        assert!(page.contains("<nav") && page.contains("Not found"), "{path}: {code} {page}");
        assert_eq!(code, 404, "{path}");
    }
    let fleet = browser.page("fleet").await;
    assert!(fleet.contains("There is no runner yet."), "{fleet}");
    assert!(browser.page("fleet?state=online").await.contains("No runner is like this."));
}
