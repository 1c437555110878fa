//! Forms: only those of our pages are carried out, each once.

use crate::stage::{Stage, between};
use runners_core::{JobOptions, Paging, PoolId, PoolSpec, RunnerFilter};

#[tokio::test]
async fn a_form_that_no_page_of_ours_sent_changes_nothing() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let other = stage.sign_in(b'a').await;
    let page = browser.page("pools").await;
    let token = between(&page, "name=\"form_token\" value=\"", "\"");
    let others = other.page("pools").await;
    let others = between(&others, "name=\"form_token\" value=\"", "\"");
    assert_ne!(token, others);
    let fields = |token: &'static str| {
        vec![("name", "lab"), ("active", "on"), ("form_key", "1"), ("form_token", token)]
    };
    let leak = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let (token, others) = (leak(token), leak(others));
    let pools = async || {
        stage.control.management(Stage::everything()).pools(&Paging::default()).await.unwrap().items.len()
    };
    let before = pools().await;
    for (what, request) in [
        ("without the text", browser.post("pools", &[("name", "lab"), ("form_key", "1")])),
        ("with another's", browser.post("pools", &fields(others))),
        ("from another site", browser.post("pools", &fields(token)).header("sec-fetch-site", "cross-site")),
        ("from a neighbour", browser.post("pools", &fields(token)).header("sec-fetch-site", "same-site")),
    ] {
        let mut request = request.build().unwrap();
        // The last one counts: a browser sends one.
        let last = request.headers().get_all("sec-fetch-site").iter().next_back().unwrap().clone();
        request.headers_mut().insert("sec-fetch-site", last);
        let answer = crate::stage::client().execute(request).await.unwrap();
        assert_eq!(answer.status(), 403, "{what}");
        assert_eq!(pools().await, before, "{what}");
    }
    assert_eq!(browser.post("pools", &fields(token)).send().await.unwrap().status(), 303);
    assert_eq!(pools().await, before + 1);
}

#[tokio::test]
async fn a_form_that_is_sent_again_makes_nothing_twice_and_tells_no_secret_twice() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let path = format!("pools/{}/tokens", PoolId::DEFAULT);
    let fields =
        [("name", "build machines"), ("uses_max", "3"), ("expires_in", "2"), ("expires_in_unit", "hours")];
    let first = browser.send(&path, &fields).await.text().await.unwrap();
    assert!(first.contains("rreg_") && first.contains("shown this once"), "{first}");
    let again = browser.send(&path, &fields).await.text().await.unwrap();
    assert!(!again.contains("rreg_") && again.contains("was made before"));
    let tokens = stage
        .control
        .management(Stage::everything())
        .registrations(PoolId::DEFAULT, &Paging::default())
        .await;
    let tokens = tokens.unwrap().items;
    assert_eq!((tokens.len(), tokens[0].uses_max), (1, Some(3)));
    let page = browser.page(&format!("pools/{}", PoolId::DEFAULT)).await;
    assert!(page.contains("build machines") && !page.contains("rreg_"));
}

#[tokio::test]
async fn a_runner_is_drained_with_a_note_resumed_renamed_and_removed() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let path = format!("pools/{}/runners", PoolId::DEFAULT);
    let page = browser.send(&path, &[("name", "mac-mini-3")]).await.text().await.unwrap();
    assert!(page.contains("rcrd_"), "{page}");
    let management = stage.control.management(Stage::everything());
    let listed = management.runners(&RunnerFilter::default(), &Paging::default()).await.unwrap();
    let runner = format!("fleet/{}", listed.items[0].id);
    let send = async |verb: &str, fields: &[(&str, &str)]| {
        let answer = browser.send(&format!("{runner}/{verb}"), fields).await;
        assert_eq!(answer.status(), 303, "{verb}");
    };
    send("drain", &[("note", "kernel update"), ("within", "5"), ("within_unit", "minutes")]).await;
    let page = browser.page(&runner).await;
    assert!(
        page.contains("It drains") && page.contains("kernel update") && page.contains("Resume"),
        "{page}"
    );
    send("resume", &[]).await;
    assert!(!browser.page(&runner).await.contains("It drains:"));
    send("rename", &[("name", "mac-mini-4")]).await;
    send("slots", &[("slots", "7")]).await;
    let page = browser.page(&runner).await;
    assert!(page.contains("mac-mini-4") && page.contains("value=\"7\""));
    send("remove", &[]).await;
    assert_eq!(browser.open(&runner).await.0, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_in_words() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let answer = browser.send("pools", &[("name", "lab"), ("runners_max", "many")]).await;
    assert_eq!(answer.status(), 400);
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("runners max: &quot;many&quot; is no whole number") && page.contains("role=\"alert\""),
        "{page}"
    );
    stage.control.management(Stage::everything()).create_pool(PoolSpec::new("lab")).await.unwrap();
    let answer = browser.send("pools", &[("name", "lab")]).await;
    assert_eq!(answer.status(), 409);
    assert!(answer.text().await.unwrap().contains("there is a pool of that name"));
}

#[tokio::test]
async fn a_job_is_cancelled_and_run_again() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let job = stage.submit("hello", JobOptions::default()).await;
    let path = format!("jobs/{job}");
    assert!(browser.page(&path).await.contains("Why it waits"));
    assert_eq!(browser.send(&format!("{path}/cancel"), &[]).await.status(), 303);
    let page = browser.page(&path).await;
    assert!(page.contains("cancelled") && page.contains("Run again"), "{page}");
    let again = browser.send(&format!("{path}/retry"), &[]).await;
    let to = again.headers()["location"].to_str().unwrap().trim_start_matches("../../").to_owned();
    let page = browser.page(&to).await;
    assert!(page.contains("Again, after") && page.contains(&format!("title=\"{job}\"")), "{page}");
}

#[tokio::test]
async fn an_environment_is_made_led_elsewhere_and_deleted() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let pool = PoolId::DEFAULT.to_string();
    assert_eq!(browser.send("environments", &[("name", "staging"), ("route", &pool)]).await.status(), 303);
    assert!(browser.page("environments").await.contains("staging"));
    assert_eq!(browser.send("environments", &[("name", "staging"), ("route", "hosted")]).await.status(), 303);
    let deleted = browser.send("environments/delete", &[("name", "staging")]).await;
    assert_eq!(deleted.headers()["location"], "../environments");
    assert!(!browser.page("environments").await.contains("<b>staging</b>"));
}
