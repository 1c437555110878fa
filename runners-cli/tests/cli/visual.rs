//! Pages that are compared with how they looked before, by `runners flow run`.

use crate::stage::{ChangingPage, Ended, Stage, has_browser};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// What a comparison leaves that found something else, in the order in which it is looked at.
const PICTURES: [&str; 3] =
    ["screenshots/cart-baseline.png", "screenshots/cart-now.png", "screenshots/cart-difference.png"];

#[test]
fn a_page_is_compared_with_the_picture_that_was_kept_of_it() {
    if !has_browser() {
        return;
    }
    let (stage, page) = (Stage::new(), ChangingPage::new("<h1>Cart</h1><p>10</p>"));
    let run = |millis: u64, more: &[&str]| -> Ended {
        let look = json!({ "type": "customStep", "name": "runners.assertScreenshot",
            "parameters": { "name": "cart" }, "timeout": millis });
        let steps = [json!({ "type": "navigate", "url": page.url, "timeout": 30_000 }), look];
        stage.write("shop.json", json!({ "title": "shop", "steps": steps }).to_string());
        stage.run(&[&["flow", "run", "shop.json", "--baselines", "looks"], more].concat())
    };
    run(30_000, &[]).expect(1, "shop: failed (");
    let why = failure(&stage);
    assert!(why.contains("there is no baseline shop/cart-chrom"), "{why}");
    assert_eq!(pictures(&stage.report()), ["screenshots/cart.png"]);
    assert!(!stage.path("looks").exists(), "nothing is kept unless that is asked for");

    run(30_000, &["--update-baselines"]).expect(0, "shop: passed (");
    let baseline = kept(&stage);
    let before = fs::read(&baseline).unwrap();
    run(30_000, &[]).expect(0, "shop: passed (");

    page.change("<h1>Cart</h1><p>99</p>");
    run(8_000, &[]).expect(1, "shop: failed (");
    let why = failure(&stage);
    assert!(why.contains("differ from the baseline shop/cart-chrom"), "{why}");
    assert_eq!(fs::read(&baseline).unwrap(), before, "what differs replaces nothing by itself");
    assert_eq!(pictures(&stage.report()), PICTURES);
    let left = |name: &str| fs::read(stage.path("runners-output/shop").join(name)).unwrap();
    assert_eq!(left(PICTURES[0]), before);
    let shown = stage.read("runners-output/report.html");
    let places = PICTURES.map(|name| shown.find(&format!("alt=\"{name}\"")).unwrap());
    assert!(places.is_sorted(), "{places:?}");

    let now = left(PICTURES[1]);
    run(30_000, &["--update-baselines"]).expect(0, "shop: passed (");
    assert_eq!(
        (kept(&stage), fs::read(&baseline).unwrap()),
        (baseline, now),
        "it is the one to compare with now"
    );
    run(30_000, &[]).expect(0, "shop: passed (");
}

fn failure(stage: &Stage) -> String {
    stage.report()["flows"][0]["failure"].as_str().unwrap().to_owned()
}

/// The pictures of a report that the comparison has left.
fn pictures(report: &Value) -> Vec<String> {
    let left = report["flows"][0]["steps"][1]["artifacts"].as_array().unwrap().iter();
    let names = left.map(|name| name.as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("screenshots/")).collect()
}

/// The one baseline that there is.
fn kept(stage: &Stage) -> PathBuf {
    let mut files = fs::read_dir(stage.path("looks/shop")).unwrap().map(|entry| entry.unwrap().path());
    let (file, more) = (files.next().unwrap(), files.next());
    assert_eq!(more, None, "there is one for each name");
    file
}
