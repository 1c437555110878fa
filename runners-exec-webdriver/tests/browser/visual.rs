//! Pages that are compared with how they looked before.

use crate::stage::{LIMIT_MILLIS, Stage, flow};
use bytes::Bytes;
use runners_core::Verdict;
use runners_exec_webdriver::{
    BaselineMode, BrowserFlow, DirectoryBaselines, Evidence, FlowObserver, FlowResult, Replay,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

/// Keeps the names of what was left.
#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl FlowObserver for Kept {
    async fn evidence(&self, evidence: Evidence) {
        assert!(evidence.bytes.starts_with(b"\x89PNG") || !evidence.name.ends_with(".png"));
        self.0.lock().unwrap().push(evidence.name);
    }
}

async fn compared(stage: &Stage, baselines: &Path, mode: BaselineMode, flow: BrowserFlow) -> FlowResult {
    let replay =
        Replay::new(flow, stage.options).with_baselines(Arc::new(DirectoryBaselines::new(baselines)), mode);
    let kept = Kept::default();
    let result = replay.run(&*stage.session, &kept, std::future::pending()).await.unwrap();
    for name in &result.steps[1].artifacts {
        assert!(kept.0.lock().unwrap().contains(name), "{name} was left");
    }
    result
}

/// A look that is to find what it looks for.
fn look(url: &str, parameters: Value) -> BrowserFlow {
    look_for(url, parameters, LIMIT_MILLIS)
}

/// A look that is to find something else. A picture is taken and compared within its limit.
fn vain_look(url: &str, parameters: Value) -> BrowserFlow {
    look_for(url, parameters, 6_000)
}

fn look_for(url: &str, parameters: Value, millis: u64) -> BrowserFlow {
    let look = json!({ "type": "customStep", "name": "runners.assertScreenshot", "parameters": parameters, "timeout": millis });
    flow(json!([{ "type": "navigate", "url": url }, look]))
}

fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_missing_baseline_is_told_then_kept_then_compared() {
    let Some(stage) = Stage::open().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let (root, cart) = (directory.path(), json!({ "name": "cart" }));
    let url = stage.page("<h1>Cart</h1><p id=price>10</p>");
    let missing = compared(&stage, root, BaselineMode::Compare, vain_look(&url, cart.clone())).await;
    let reason = missing.failure().unwrap().reason.clone().unwrap();
    assert!(reason.contains("there is no baseline a-test/cart-chrome"), "{reason}");
    assert!(missing.steps[1].artifacts.contains(&"screenshots/cart.png".to_owned()), "{missing:?}");
    assert_eq!(files(root), [""; 0], "nothing is kept unless asked");

    let kept = compared(&stage, root, BaselineMode::Update, look(&url, cart.clone())).await;
    assert_eq!(kept.verdict, Verdict::Passed, "{:?}", kept.failure());
    assert_eq!(files(&root.join("a-test")).len(), 1);
    let same = compared(&stage, root, BaselineMode::Compare, look(&url, cart.clone())).await;
    assert_eq!(same.verdict, Verdict::Passed, "{:?}", same.failure());

    let other = stage.page("<h1>Cart</h1><p id=price>99</p>");
    let differs = compared(&stage, root, BaselineMode::Compare, vain_look(&other, cart.clone())).await;
    let reason = differs.failure().unwrap().reason.clone().unwrap();
    assert!(
        reason.contains("pixels (0.0") && reason.contains("differ from the baseline a-test/cart-"),
        "{reason}"
    );
    for part in ["baseline", "now", "difference"] {
        assert!(differs.steps[1].artifacts.contains(&format!("screenshots/cart-{part}.png")), "{differs:?}");
    }
    let updated = compared(&stage, root, BaselineMode::Update, look(&other, cart.clone())).await;
    assert_eq!(updated.verdict, Verdict::Passed);
    assert_eq!(
        compared(&stage, root, BaselineMode::Compare, look(&other, cart)).await.verdict,
        Verdict::Passed
    );
    stage.close().await;
}

#[tokio::test]
async fn masks_and_tolerance_let_differences_pass_and_a_late_page_is_waited_for() {
    let Some(stage) = Stage::open().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let cart = |more: Value| {
        let mut parameters = json!({ "name": "cart" });
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let url = stage.page("<h1>Cart</h1><p id=clock>10:30</p>");
    compared(&stage, root, BaselineMode::Update, look(&url, cart(json!({})))).await;
    let masked = |selector: &str| cart(json!({ "masks": [{ "selectors": [selector] }] }));
    let vain = compared(&stage, root, BaselineMode::Compare, look(&url, masked("#none"))).await;
    let note = "step 2 (see that the page looks as cart): no element matches the mask #none";
    assert_eq!((vain.verdict, vain.steps[1].reason.as_deref()), (Verdict::Passed, Some(note)));
    let later = stage.page("<h1>Cart</h1><p id=clock>23:59</p>");
    let verdict = async |flow| compared(&stage, root, BaselineMode::Compare, flow).await.verdict;
    assert_eq!(verdict(vain_look(&later, cart(json!({})))).await, Verdict::Failed);
    assert_eq!(verdict(look(&later, masked("#clock"))).await, Verdict::Passed);
    assert_eq!(verdict(vain_look(&later, masked("h1"))).await, Verdict::Failed);
    assert_eq!(verdict(look(&later, cart(json!({ "tolerance": 0.01 })))).await, Verdict::Passed);
    assert_eq!(verdict(look(&later, cart(json!({ "threshold": 255 })))).await, Verdict::Passed);
    let vain = compared(&stage, root, BaselineMode::Compare, vain_look(&later, masked("#none"))).await;
    let reason = vain.failure().unwrap().reason.as_deref().unwrap();
    assert!(reason.ends_with("; no element matches the mask #none"), "{reason}");
    let late = stage.page(
        "<h1>Cart</h1><p id=clock>--:--</p><script>setTimeout(() => clock.textContent = '10:30', 400)</script>",
    );
    let result = compared(&stage, root, BaselineMode::Compare, look(&late, cart(json!({})))).await;
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    stage.close().await;
}

#[tokio::test]
async fn a_flow_brings_its_baselines_along_and_leaves_those_that_are_new() {
    let Some(stage) = Stage::open().await else { return };
    let cart = json!({ "name": "cart" });
    let url = stage.page("<h1>Cart</h1><p id=price>10</p>");
    // As the one who sends it does, through the document.
    let brings = |flow: BrowserFlow, pictures: &BTreeMap<String, Bytes>, mode| {
        let flow = flow.with_baselines(pictures, mode).unwrap();
        BrowserFlow::parse(flow.document()).unwrap()
    };
    let updating = brings(look(&url, cart.clone()), &BTreeMap::new(), BaselineMode::Update);
    let (result, evidence) = stage.replay_flow(updating).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let path = result.steps[1].baseline.clone().unwrap();
    assert!(path.starts_with("a-test/cart-chrome") && path.ends_with(".png"), "{path}");
    let seen = evidence.into_iter().find(|one| one.name == "screenshots/cart.png").unwrap();
    assert_eq!(result.steps[1].artifacts, [seen.name]);

    let pictures = BTreeMap::from([(path, seen.bytes)]);
    let same = brings(look(&url, cart.clone()), &pictures, BaselineMode::Compare);
    let (result, _) = stage.replay_flow(same).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    let other = stage.page("<h1>Cart</h1><p id=price>99</p>");
    let differs = brings(vain_look(&other, cart), &pictures, BaselineMode::Compare);
    let (result, _) = stage.replay_flow(differs).await.unwrap();
    let reason = result.failure().unwrap().reason.clone().unwrap();
    assert!(reason.contains("differ from the baseline a-test/cart-chrome"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn without_baselines_a_comparison_says_so() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<h1>Cart</h1>");
    let (result, _) = stage.replay_flow(vain_look(&url, json!({ "name": "cart" }))).await.unwrap();
    let reason = result.failure().unwrap().reason.clone().unwrap();
    assert!(reason.contains("no baselines were given"), "{reason}");
    stage.close().await;
}
