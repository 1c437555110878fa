//! Who comes in, and what each sees.

use crate::stage::{PREFIX, Stage, client, encoded, serve, token};
use axum::Extension;
use runners_core::{
    ApiCredentialSpec, ControlPlane, JobOptions, MemoryStore, PoolSpec, Principal, Scope, TenantId,
    testing::clock::SimClock,
};
use runners_dashboard::{Dashboard, SignedIn};
use std::time::Duration;

#[tokio::test]
async fn who_has_not_signed_in_is_led_there_and_back() {
    let stage = Stage::open().await;
    let answer = client().get(stage.url("fleet?state=online")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "./sign-in?next=fleet%3Fstate%3Donline");
    let page = client().get(stage.url("sign-in?next=fleet%3Fstate%3Donline")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("value=\"fleet?state=online\""));
    let fields = [("credential", token(b'a').expose().to_owned()), ("next", "fleet?state=online".into())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client().post(stage.url("sign-in")).body(encoded(&fields)).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (303, &"./fleet?state=online".parse().unwrap())
    );
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains(token(b'a').expose()), "the credential stays on the server");
    let part = client().get(stage.url("queue")).header("runners-part", "1").send().await.unwrap();
    assert_eq!(part.status(), 401, "a part of a page is never a sign-in");
}

#[tokio::test]
async fn a_cookie_over_https_is_never_sent_without() {
    let stage = Stage::open().await;
    let post = client().post(stage.url("sign-in")).header("origin", "https://runners.example");
    let post = post.header("host", "runners.example").body(encoded(&[("credential", token(b'a').expose())]));
    let answer = post.send().await.unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn a_stranger_sends_a_small_form() {
    let stage = Stage::open().await;
    let fields = encoded(&[("credential", &"x".repeat(9 << 10))]);
    let answer = client().post(stage.url("sign-in")).body(fields).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("8192 bytes at most"));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_arrive_is_not_waited_for() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let dashboard = Dashboard::builder(&control, control.authenticator()).build();
    let (origin, _server) = serve(dashboard.into_router()).await;
    let never = reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let late = client().post(format!("{origin}/sign-in")).body(never).send().await.unwrap();
    assert!(late.text().await.unwrap().contains("did not arrive within 15 seconds"));
}

#[tokio::test]
async fn what_is_no_credential_of_people_opens_no_session() {
    let stage = Stage::open().await;
    let registration = runners_core::Token::new(runners_core::TokenKind::Registration, [1; 32]);
    for (text, says) in [
        ("", "Paste an API credential"),
        ("guess", "not known"),
        (registration.expose(), "registration token"),
    ] {
        let answer =
            client().post(stage.url("sign-in")).body(encoded(&[("credential", text)])).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (403, None));
        let page = answer.text().await.unwrap();
        assert!(
            page.contains(says) && (text.is_empty() || !page.contains(&format!("value=\"{text}\""))),
            "{page}"
        );
    }
    let nobody =
        client().get(stage.url("queue")).header("cookie", "runners_session=guess").send().await.unwrap();
    assert_eq!(nobody.status(), 303);
}

#[tokio::test]
async fn a_revoked_credential_is_out_at_once() {
    let stage = Stage::open().await;
    let management = stage.control.management(Stage::everything());
    let spec = ApiCredentialSpec { name: "x".into(), scopes: Scope::ALL.into(), expires_in: None };
    let issued = management.create_api_credential(spec).await.unwrap();
    let text = issued.token.unwrap();
    let post = client().post(stage.url("sign-in")).body(encoded(&[("credential", text.expose())]));
    let cookie = post.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let get =
        async || client().get(stage.url("queue")).header("cookie", &cookie).send().await.unwrap().status();
    assert_eq!(get().await, 200);
    management.revoke_api_credential(issued.view.id).await.unwrap();
    assert_eq!(get().await, 303);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let stage = Stage::open().await;
    let browser = stage.sign_in(b'a').await;
    let answer = browser.send("sign-out", &[]).await;
    assert_eq!(answer.headers()["location"], "./sign-in");
    assert_eq!(browser.open("queue").await.0, 303);
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    control.admit_api_credential(token(b'a').digest(), TenantId::DEFAULT, Scope::ALL).await.unwrap();
    let dashboard =
        Dashboard::builder(&control, control.authenticator()).session_life(Duration::ZERO).build();
    let (origin, _server) = serve(dashboard.into_router()).await;
    let post =
        client().post(format!("{origin}/sign-in")).body(encoded(&[("credential", token(b'a').expose())]));
    let cookie = post.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let answer = client().get(format!("{origin}/queue")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 303);
}

#[tokio::test]
async fn controls_are_those_of_the_scope_and_the_rest_is_refused() {
    let stage = Stage::open().await;
    let pool = stage.control.management(Stage::everything()).create_pool(PoolSpec::new("lab")).await.unwrap();
    let job = stage.submit("hello", JobOptions::default()).await;
    let (pool, job) = (format!("pools/{}", pool.id), format!("jobs/{job}"));
    let (reader, all) = (stage.sign_in(b'r').await, stage.sign_in(b'a').await);
    for path in ["pools", &pool, &job, "environments", "settings", "fleet"] {
        let page = reader.page(path).await;
        let forms = page.matches("method=\"post\"").count();
        assert_eq!(forms, 1, "{path}: only that of the sign-out");
        assert!(!page.contains("credentials\""), "{path}");
    }
    for path in ["pools", &pool, &job, "environments", "settings"] {
        assert!(all.page(path).await.matches("method=\"post\"").count() > 1, "{path}");
    }
    for path in [
        "pools",
        &format!("{pool}/delete"),
        &format!("{job}/cancel"),
        "environments",
        "settings/retention",
        "credentials",
    ] {
        let answer = reader.send(path, &[("name", "x"), ("route", "hosted"), ("read", "on")]).await;
        assert_eq!(answer.status(), 403, "{path}");
    }
    assert_eq!(reader.open("credentials").await.0, 403);
    assert_eq!(all.open("tenants").await.0, 403);
    let submitter = stage.sign_in(b's').await;
    assert_eq!(submitter.open("queue").await.0, 403);
}

#[tokio::test]
async fn another_tenants_are_as_if_they_were_not() {
    let stage = Stage::open().await;
    let pool = stage.control.management(Stage::everything()).create_pool(PoolSpec::new("lab")).await.unwrap();
    let job = stage.submit("hello", JobOptions::default()).await;
    let other = stage.sign_in(b'o').await;
    for path in [format!("pools/{}", pool.id), format!("jobs/{job}"), format!("jobs/{job}/log")] {
        assert_eq!(other.open(&path).await.0, 404, "{path}");
    }
    assert!(!other.page("jobs").await.contains(&job.to_string()));
    assert_eq!(other.send(&format!("jobs/{job}/cancel"), &[]).await.status(), 404);
}

#[tokio::test]
async fn the_operator_looks_into_a_tenant_and_nobody_else_does() {
    let stage = Stage::open().await;
    let job = stage.submit("hello", JobOptions::default()).await;
    let operator = stage.sign_in(b'z').await;
    assert_eq!(operator.open(&format!("jobs/{job}")).await.0, 404, "it looks at its own tenant first");
    let path = format!("tenants/{}/work-for", TenantId::DEFAULT);
    assert_eq!(operator.send(&path, &[]).await.headers()["location"], "../../queue");
    assert_eq!(operator.open(&format!("jobs/{job}")).await.0, 200);
    let admin = stage.sign_in(b'o').await;
    assert_eq!(admin.send(&path, &[]).await.status(), 403);
    assert_eq!(admin.open(&format!("jobs/{job}")).await.0, 404);
}

#[tokio::test]
async fn a_host_signs_people_in_by_itself() {
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() };
    let who = SignedIn { name: "Ada".into(), principal, tenant: None };
    let routes = || Dashboard::behind_sign_in(&control).build().into_router();
    let app = axum::Router::new().nest(PREFIX, routes().layer(Extension(who))).nest("/bare", routes());
    let (origin, _server) = serve(app).await;
    let page = client().get(format!("{origin}{PREFIX}/queue")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Ada") && !page.contains("Sign out"));
    assert_eq!(client().get(format!("{origin}/bare/queue")).send().await.unwrap().status(), 401);
    assert_eq!(client().get(format!("{origin}/bare/sign-in")).send().await.unwrap().status(), 404);
    // Without a text of ours in it, a form must say that it comes from here.
    let post = || {
        client().post(format!("{origin}{PREFIX}/pools")).body(encoded(&[("name", "lab"), ("form_key", "1")]))
    };
    assert_eq!(post().send().await.unwrap().status(), 403);
    assert_eq!(post().header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    let made = post().header("origin", &origin).send().await.unwrap();
    assert!(made.headers()["location"].to_str().unwrap().starts_with("./pools/pool_"));
}
