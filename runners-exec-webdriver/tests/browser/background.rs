//! What runs in the background of a page, which a browser that is listened to holds until it is let go of.

use crate::stage::{LIMIT_MILLIS, Stage};
use runners_exec_webdriver::{Capture, Engine, ReplayOptions};
use serde_json::json;

const BACKGROUND: &str = "<script>
  const source = text => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const own = new Promise(resolve => { new Worker(source('postMessage(1)')).onmessage = resolve; });
  const shared = new Promise(resolve => {
    new SharedWorker(source('onconnect = event => event.ports[0].postMessage(1)')).port.onmessage = resolve;
  });
  const service = navigator.serviceWorker.register('/background.js').then(() => navigator.serviceWorker.ready);
  for (const [name, one] of Object.entries({ own, shared, service })) one.then(() => document.title += ' ' + name);
  Promise.all([own, shared, service]).then(() => { window.begun = true; });
</script>";

#[tokio::test]
async fn all_of_it_begins_whether_the_browser_is_listened_to_or_not() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        for capture in [Capture::NOTHING, ReplayOptions::default().capture] {
            let Some(mut stage) = Stage::open_in(engine).await else { return };
            stage.options.capture = capture;
            let url = stage.page(BACKGROUND);
            stage
                .passes_strictly(json!([
                    { "type": "navigate", "url": url },
                    { "type": "waitForExpression", "expression": "window.begun", "timeout": LIMIT_MILLIS },
                ]))
                .await;
            stage.close().await;
        }
    }
}
