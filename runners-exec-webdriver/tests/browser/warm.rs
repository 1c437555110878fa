//! Browsers that are kept started: nothing of one session is there in the next.

use crate::stage::{Site, engine_options};
use runners_exec_webdriver::{
    Browser as _, Call, Driver, DriverOptions, Engine, Method, Session, WarmBrowsers, WarmOptions,
};
use serde_json::{Value, json};
use tempfile::TempDir;

fn warm(engine: Engine, state: &TempDir, change: impl FnOnce(&mut WarmOptions)) -> Option<WarmBrowsers> {
    let mut options = WarmOptions::default();
    change(&mut options);
    Some(WarmBrowsers::new(Driver::new(engine_options(engine, state)?), options))
}

async fn call(session: &dyn Session, method: Method, path: &'static str, body: Value) -> Value {
    session.call(Call::new(method, path, body)).await.unwrap()
}

async fn js(session: &dyn Session, script: &str) -> Value {
    let script = format!(
        "const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done, e => done(`${{e}}`))"
    );
    call(session, Method::Post, "execute/async", json!({ "script": script, "args": [] })).await
}

/// How often it is looked whether a page is there, and how often before it is gone to once more.
const LOOKS_MAX: usize = 20_000;
const LOOKS_FOR_ONE: usize = 2_000;

/// Goes to a page of the site and waits until it is there.
async fn visit(session: &dyn Session, url: &str) {
    let mut last = None;
    // A browser that has only just started may lose an address that it is sent to.
    for tries in 0..LOOKS_MAX {
        if tries % LOOKS_FOR_ONE == 0 {
            call(session, Method::Post, "url", json!({ "url": url })).await;
        }
        let script = "return [location.href, document.readyState]";
        let body = json!({ "script": script, "args": [] });
        match session.call(Call::new(Method::Post, "execute/sync", body)).await {
            Ok(at) if at == json!([url, "complete"]) => return,
            other => last = Some(other),
        }
    }
    panic!("{url} is not shown: {last:?}");
}

/// What a session leaves behind if it can.
const LEAVE: &str = "
document.cookie = 'left=1; max-age=3600';
localStorage.left = 1;
sessionStorage.left = 1;
await new Promise((done, failed) => {
  const opening = indexedDB.open('left', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('left');
  opening.onsuccess = () => (opening.result.close(), done());
  opening.onerror = failed;
});
await caches.open('left');
await navigator.serviceWorker.register('/background.js');
await navigator.serviceWorker.ready;
return 'left';";

/// What is there of it.
const LOOK: &str = "
const { state } = await navigator.permissions.query({ name: 'geolocation' });
return {
  cookie: document.cookie,
  storage: localStorage.length + sessionStorage.length,
  databases: (await indexedDB.databases()).map(({ name }) => name),
  caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
  permission: state,
};";

#[tokio::test]
async fn nothing_of_a_session_is_there_in_the_next_of_the_same_browser() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let state = tempfile::tempdir().unwrap();
        let Some(browsers) = warm(engine, &state, |_| {}) else { continue };
        let site = Site::open();
        let url = site.serve("/page", "<a id=a download=left.txt href='data:text/plain,left'>Download</a>");
        let first = browsers.open().await.unwrap();
        visit(&*first, &url).await;
        let browser = process(&*first);
        assert_eq!(js(&*first, LEAVE).await, json!("left"), "{engine}");
        allow_location(&*first, engine, &site.origin).await;
        let left = js(&*first, LOOK).await;
        assert_eq!(
            left,
            json!({ "cookie": "left=1", "storage": 2, "databases": ["left"], "caches": ["left"],
            "workers": 1, "permission": "granted" }),
            "{engine}: there is something to leave"
        );
        first.close().await;
        let second = browsers.open().await.unwrap();
        assert_eq!(process(&*second), browser, "{engine}: it is the same browser");
        visit(&*second, &url).await;
        let found = js(&*second, LOOK).await;
        assert_eq!(
            found,
            json!({ "cookie": "", "storage": 0, "databases": [], "caches": [], "workers": 0,
            "permission": "prompt" }),
            "{engine}"
        );
        let handles = call(&*second, Method::Get, "window/handles", Value::Null).await;
        assert_eq!(handles.as_array().unwrap().len(), 1, "{engine}: it sees its own page only");
        second.close().await;
        drop((first, second));
        browsers.stop().await;
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "{engine}: a note is left");
    }
}

#[tokio::test]
async fn a_download_goes_with_its_session() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let state = tempfile::tempdir().unwrap();
        let Some(browsers) = warm(engine, &state, |_| {}) else { continue };
        let session = browsers.open().await.unwrap();
        let capabilities = session.capabilities();
        let profile =
            capabilities.get("moz:profile").unwrap_or_else(|| &capabilities["chrome"]["userDataDir"]);
        let profile = profile.as_str().unwrap().to_owned();
        let site = Site::open();
        let url = site.serve("/page", "<a id=a download=left.txt href='data:text/plain,left'>Download</a>");
        visit(&*session, &url).await;
        js(&*session, "document.querySelector('#a').click()").await;
        let downloads = || {
            let entries = std::fs::read_dir(format!("{profile}/downloads")).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        while !downloads().iter().any(|path| path.join("left.txt").exists()) {
            // The browser is asked for something, so that time passes by its work and not by a clock.
            js(&*session, "return 1").await;
        }
        session.close().await;
        assert_eq!(downloads(), Vec::<std::path::PathBuf>::new(), "{engine}");
        let next = browsers.open().await.unwrap();
        assert_eq!(process(&*next), process(&*session), "{engine}: the browser is kept");
        next.close().await;
        browsers.stop().await;
    }
}

#[tokio::test]
async fn a_page_opened_by_a_session_is_of_its_context_and_ends_with_it() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let state = tempfile::tempdir().unwrap();
        let Some(browsers) = warm(engine, &state, |_| {}) else { continue };
        let site = Site::open();
        let url = site.serve("/page", "");
        let session = browsers.open().await.unwrap();
        visit(&*session, &url).await;
        js(&*session, "document.cookie = 'own=1'; open('/page'); return 1").await;
        let opened = call(&*session, Method::Post, "window/new", json!({ "type": "tab" })).await;
        let handles = call(&*session, Method::Get, "window/handles", Value::Null).await;
        assert_eq!(handles.as_array().unwrap().len(), 3, "{engine}: {handles}");
        call(&*session, Method::Post, "window", json!({ "handle": opened["handle"] })).await;
        visit(&*session, &url).await;
        assert_eq!(js(&*session, "return document.cookie").await, json!("own=1"), "{engine}");
        session.close().await;
        let next = browsers.open().await.unwrap();
        assert_eq!(process(&*next), process(&*session), "{engine}: nothing was left open");
        let handles = call(&*next, Method::Get, "window/handles", Value::Null).await;
        assert_eq!(handles.as_array().unwrap().len(), 1, "{engine}: {handles}");
        next.close().await;
        browsers.stop().await;
    }
}

#[tokio::test]
async fn the_context_of_the_next_session_is_there_before_it_is_asked_for() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let state = tempfile::tempdir().unwrap();
        let Some(browsers) = warm(engine, &state, |_| {}) else { continue };
        browsers.warm_up().await;
        let first = browsers.open().await.unwrap();
        let own = call(&*first, Method::Get, "window", Value::Null).await;
        first.close().await;
        assert_eq!(browsers.idle(), 0, "{engine}: it is made in the background");
        let (second, third) = tokio::join!(browsers.open(), browsers.open());
        let (second, third) = (second.unwrap(), third.unwrap());
        assert_eq!(process(&*second), process(&*first), "{engine}: it was waited for");
        assert_ne!(process(&*third), process(&*first), "{engine}: one has not two sessions");
        assert_ne!(call(&*second, Method::Get, "window", Value::Null).await, own, "{engine}");
        second.close().await;
        third.close().await;
        browsers.stop().await;
    }
}

#[tokio::test]
async fn webkit_is_not_kept_and_that_is_said() {
    let browsers = WarmBrowsers::new(Driver::new(DriverOptions::of(Engine::Webkit)), WarmOptions::default());
    browsers.warm_up().await;
    let error = browsers.open().await.unwrap_err().to_string();
    assert_eq!(error, "webkit is not kept started: use its driver as it is");
    assert_eq!(browsers.idle(), 0);
}

#[tokio::test]
async fn a_browser_is_replaced_after_so_many_sessions_and_when_it_is_too_large() {
    let state = tempfile::tempdir().unwrap();
    let Some(browsers) = warm(Engine::Chromium, &state, |options| options.jobs_max = 2) else { return };
    let mut processes = Vec::new();
    for _ in 0..3 {
        let session = browsers.open().await.unwrap();
        processes.push(process(&*session));
        session.close().await;
        browsers.warm_up().await;
    }
    assert!(processes[0] == processes[1] && processes[1] != processes[2], "{processes:?}");
    browsers.stop().await;

    let Some(browsers) = warm(Engine::Chromium, &state, |options| options.bytes_max = 1) else { return };
    let session = browsers.open().await.unwrap();
    let first = process(&*session);
    session.close().await;
    let session = browsers.open().await.unwrap();
    assert_ne!(process(&*session), first, "one byte is not enough");
    session.close().await;
    browsers.stop().await;
}

#[tokio::test]
async fn a_kept_browser_that_is_gone_is_replaced_when_it_is_wanted() {
    let state = tempfile::tempdir().unwrap();
    let Some(browsers) = warm(Engine::Chromium, &state, |_| {}) else { return };
    let session = browsers.open().await.unwrap();
    let first = process(&*session);
    session.close().await;
    crate::life::kill(u32::try_from(first).unwrap());
    crate::life::wait_for_ends(&[u32::try_from(first).unwrap()]);
    let session = browsers.open().await.unwrap();
    assert_ne!(process(&*session), first);
    session.close().await;
    browsers.stop().await;
}

#[tokio::test]
async fn a_session_that_is_dropped_takes_its_kept_browser_with_it() {
    let state = tempfile::tempdir().unwrap();
    let Some(browsers) = warm(Engine::Chromium, &state, |_| {}) else { return };
    let session = browsers.open().await.unwrap();
    let first = process(&*session);
    drop(session);
    let session = browsers.open().await.unwrap();
    assert_ne!(process(&*session), first, "nobody knows what it left");
    session.close().await;
    browsers.stop().await;
}

/// The process of the browser.
fn process(session: &dyn Session) -> u64 {
    let capabilities = session.capabilities();
    let id = capabilities.get("goog:processID").or_else(|| capabilities.get("moz:processID"));
    id.unwrap().as_u64().unwrap()
}

/// Grants a permission to a site in the context of a session.
async fn allow_location(session: &dyn Session, engine: Engine, origin: &str) {
    if engine == Engine::Chromium {
        let page = devtools(session, "Target.getTargetInfo", json!({})).await;
        let context = &page["targetInfo"]["browserContextId"];
        let allowed =
            json!({ "permissions": ["geolocation"], "origin": origin, "browserContextId": context });
        devtools(session, "Browser.grantPermissions", allowed).await;
        return;
    }
    let contexts = bidi(session, "browser.getUserContexts", json!({})).await;
    let context = &contexts["userContexts"].as_array().unwrap().last().unwrap()["userContext"];
    let allowed = json!({
        "descriptor": { "name": "geolocation" }, "state": "granted", "origin": origin, "userContext": context,
    });
    bidi(session, "permissions.setPermission", allowed).await;
}

async fn devtools(session: &dyn Session, method: &str, params: Value) -> Value {
    call(session, Method::Post, "goog/cdp/execute", json!({ "cmd": method, "params": params })).await
}

async fn bidi(session: &dyn Session, method: &str, params: Value) -> Value {
    call(session, Method::Post, "runners/bidi", json!({ "method": method, "params": params })).await
}
