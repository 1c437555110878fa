//! Where browsers may go: pages, what they load, and where they lead. Forbidden is another address of this
//! machine, at which somebody counts who comes.

use crate::stage::{Site, Stage, driver_options, flow};
use runners_core::{Egress, Verdict};
use runners_exec_webdriver::{Driver, Engine, FlowExecutor};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Counts who connects.
struct Forbidden {
    address: String,
    visitors: Arc<AtomicUsize>,
}

impl Forbidden {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visitors = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visitors);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Self { address, visitors }
    }

    fn visitors(&self) -> usize {
        self.visitors.load(Ordering::SeqCst)
    }
}

/// The site, and nothing else of this machine.
fn site_only() -> Egress {
    Egress::pushing().allow_network("127.0.0.1".parse().unwrap())
}

/// Tries every way to somewhere else; `window.tried` is true once all have failed or not.
fn trying(address: &str) -> String {
    format!(
        "<img src='http://{address}/picture'><iframe src='http://{address}/frame'></iframe>
        <link rel=stylesheet href='http://{address}/style'><script src='http://{address}/script'></script>
        <script>
          const there = 'http://{address}/';
          const socket = () => new Promise(done => {{
            const socket = new WebSocket('ws://{address}/socket');
            socket.onopen = socket.onclose = socket.onerror = done;
          }});
          const worker = () => new Promise(done => {{
            const code = `fetch('${{there}}worker', {{ mode: 'no-cors' }}).catch(() => 0).then(() => postMessage(0))`;
            const worker = new Worker(URL.createObjectURL(new Blob([code])));
            worker.onmessage = worker.onerror = done;
          }});
          const ways = [fetch(there, {{ mode: 'no-cors' }}), fetch('/away?' + there, {{ mode: 'no-cors' }}),
            import(there + 'module'), socket(), worker()];
          const loaded = new Promise(done => addEventListener('load', done));
          Promise.allSettled([...ways, loaded]).then(() => window.tried = true);
        </script>"
    )
}

fn look_at(url: &str) -> Value {
    json!([
        { "type": "navigate", "url": url },
        { "type": "waitForExpression", "expression": "window.tried === true" },
    ])
}

#[tokio::test]
async fn nothing_of_a_page_reaches_what_is_not_allowed() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_held_to(*engine, site_only()).await else { continue };
        let forbidden = Forbidden::open();
        let url = stage.page(&trying(&forbidden.address));
        stage.passes(look_at(&url)).await;
        assert_eq!(forbidden.visitors(), 0, "{engine}");
        stage.close().await;

        // The same page reaches it if it may.
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page(&trying(&forbidden.address));
        stage.passes(look_at(&url)).await;
        assert!(forbidden.visitors() > 0, "{engine}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_page_that_leads_to_what_is_not_allowed_fails_and_says_so() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_held_to(*engine, site_only()).await else { continue };
        let forbidden = Forbidden::open();
        let away = format!("{}/away?http://{}/", stage.site.origin, forbidden.address);
        let reason = stage.fails(json!([{ "type": "navigate", "url": away }])).await;
        let told = "not allowed: 127.0.0.2 is a loopback address, and the operator has not allowed it";
        assert!(reason.contains("the page cannot be loaded: "), "{engine}: {reason}");
        assert!(reason.contains(told), "{engine}: {reason}");

        let url = stage.page(&format!("<a id=it href='http://{}/'>Away</a>", forbidden.address));
        let steps = json!([
            { "type": "navigate", "url": url },
            { "type": "click", "selectors": ["#it"], "offsetX": 1, "offsetY": 1,
              "assertedEvents": [{ "type": "navigation" }] },
        ]);
        let (result, _) = stage.replay(steps).await.unwrap();
        // To the others, a page that says what is wrong is a page.
        if *engine == Engine::Chromium {
            let reason = result.failure().unwrap().reason.as_deref().unwrap();
            assert!(reason.contains(told), "{reason}");
        }
        assert_eq!(forbidden.visitors(), 0, "{engine}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_browser_is_not_sent_where_it_may_not_go() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        for (url, told) in [
            ("file:///etc/passwd", "not allowed: the scheme \"file\" is not allowed: use http or https"),
            (
                "http://169.254.169.254/latest/meta-data/",
                "not allowed: 169.254.169.254 is a cloud metadata address",
            ),
            ("http://[fe80::1]/", "not allowed: fe80::1 is a link-local address"),
        ] {
            let reason = stage.fails(json!([{ "type": "navigate", "url": url }])).await;
            assert!(reason.contains(told), "{engine}: {reason}");
        }
        stage.passes(json!([{ "type": "navigate", "url": "data:text/html,<h1>here</h1>" }])).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn a_flow_to_where_it_may_not_go_is_refused_before_a_browser_is_looked_for() {
    let state = tempfile::tempdir().unwrap();
    let mut options = runners_exec_webdriver::DriverOptions::default();
    options.state = Some(state.path().to_path_buf());
    options.browser = Some("/nowhere/browser".into());
    let executor = FlowExecutor::new(Driver::new(options));
    let steps = json!([{ "type": "close" }, { "type": "navigate", "url": "http://169.254.169.254/" }]);
    let fault = executor.replay(flow(steps), &(), std::future::pending()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("not_allowed", false), "{fault}");
    assert!(
        fault.message.starts_with("/steps/1/url: 169.254.169.254 is a cloud metadata address"),
        "{fault}"
    );
}

#[tokio::test]
async fn what_a_page_could_not_load_says_why() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options).with_egress(site_only());
    let (site, forbidden) = (Site::open(), Forbidden::open());
    let picture = format!("http://{}/picture", forbidden.address);
    let url = site.serve("/page", &format!("<img src='{picture}'>"));
    let executor = FlowExecutor::new(driver.clone());
    let steps = json!([{ "type": "navigate", "url": url }]);
    let result = executor.replay(flow(steps), &(), std::future::pending()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let told = result.page_errors.iter().find(|line| line.contains(&picture)).unwrap();
    assert!(told.contains("not allowed: 127.0.0.2 is a loopback address"), "{told}");
    driver.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_that_was_named_chromium_finds_no_link_local_address() {
    let state = tempfile::tempdir().unwrap();
    let Some(mut options) = driver_options(&state) else { return };
    let (site, proxy) = (Site::open(), Forbidden::open());
    options.arguments = vec![format!("--proxy-server=http://{}", proxy.address)];
    let executor = FlowExecutor::new(Driver::new(options));
    let away = |to: &str| {
        let steps = json!([{ "type": "navigate", "url": format!("{}/away?http://{to}/", site.origin) }]);
        executor.replay(flow(steps), &(), std::future::pending())
    };
    // By itself it would go there past the proxy.
    for address in ["169.254.7.7", "2851997447", "[::ffff:169.254.7.7]", "[fe80::7]", "[febf::7]"] {
        let result = away(address).await.unwrap();
        let reason = result.failure().unwrap().reason.as_deref().unwrap();
        assert!(reason.contains("the page cannot be loaded: ERR_NAME_NOT_RESOLVED"), "{address}: {reason}");
    }
    let result = away("elsewhere.example").await.unwrap();
    let reason = result.failure().unwrap().reason.as_deref().unwrap();
    assert!(!reason.contains("ERR_NAME_NOT_RESOLVED"), "elsewhere it goes by the proxy: {reason}");
    assert!(proxy.visitors() > 0);
}
