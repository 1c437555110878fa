//! The report of a real run, as whoever is sent the one file opens it: without a network, in a real browser.

use crate::{
    axe::Axe,
    stage::{Stage, has_browser, page},
};
use serde_json::{Value, json};

/// A page that shows something else all the time once it was pressed, and never what the flow waits for.
const SHOP: &str = "<title>Shop</title><style>body { font: 80px sans-serif } button { font: inherit }</style>\
    <button onclick=\"console.warn(this.textContent = 'Pressed'); setInterval(() => \
    document.body.style.background = `hsl(${performance.now() % 360} 90% 60%)`, 300)\">Press</button>";

/// Only the picture that was chosen is there before the film is played.
const RESTS: &str = "(() => { const pictures = [...document.querySelectorAll('#job-2 .screen img')]; \
    return pictures.length > 1 && pictures.every(one => one.naturalWidth > 0) \
        && pictures.filter(one => getComputedStyle(one).visibility === 'visible').length === 1; })()";

/// The film was played to its end: its pictures lie on each other, the last one on top.
const PLAYED: &str = "document.querySelector('#job-2 .play').checked && [...document.querySelectorAll('#job-2 .screen img')]\
    .every(one => getComputedStyle(one).visibility === 'visible')";

/// At each moment of the film there is one picture more than before.
const MOVES: &str = "(() => { const play = document.querySelector('#job-2 .play'); \
    const pictures = [...document.querySelectorAll('#job-2 .screen img')]; \
    const shown = () => pictures.filter(one => getComputedStyle(one).visibility === 'visible').length; \
    play.checked = false; shown(); play.checked = true; shown(); \
    const moves = document.getAnimations().filter(one => one.effect.target.localName === 'img'); \
    const ends = moves.map(one => one.effect.getTiming().duration).sort((one, other) => one - other); \
    const at = [0, ...new Set(ends)].map(time => { \
        for (const one of moves) { one.pause(); one.currentTime = time; } \
        return shown(); }); \
    return at.length > 1 && at.every((count, after) => after === 0 || count > at[after - 1]) \
        && at.at(-1) === pictures.length; })()";

/// Makes the report of a run in which one flow passed and one failed while its screen was filmed, and answers its
/// address. Pictures are taken less often on a busy machine: there the film is longer.
fn made(stage: &Stage) -> String {
    let url = page(SHOP);
    let mut report = String::new();
    for seconds in [4, 8, 16] {
        let steps = [
            json!({ "type": "navigate", "url": url }),
            json!({ "type": "click", "selectors": ["button"], "offsetX": 20, "offsetY": 20 }),
            json!({ "type": "waitForElement", "selectors": ["#paid"], "timeout": seconds * 1_000 }),
        ];
        let flow = |title: &str, steps: &[Value]| {
            let flow = json!({ "title": title, "timeout": 30_000, "steps": steps }).to_string();
            stage.write(&format!("{title}.json"), flow)
        };
        flow("good", &steps[..2]);
        flow("bad", &steps);
        let ended = stage.run(&["flow", "run", "good.json", "bad.json", "--capture", "frames"]);
        ended.expect(1, "bad: failed (");
        report = stage.read("runners-output/report.html");
        if report.matches("name=\"film-1\"").count() > 2 {
            break;
        }
    }
    // The page is all that whoever gets it has.
    reqwest::Url::from_file_path(stage.write("sent/report.html", report)).unwrap().into()
}

#[test]
fn a_report_that_is_sent_as_one_file_shows_and_plays_everything_without_a_network() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let report = made(&stage);
    let bad = "#job-2 .steps li.failed";
    let wait = |expression: &str| json!({ "type": "waitForExpression", "expression": expression });
    let seen = |selector: &str, text: &str| {
        json!({ "type": "customStep", "name": "runners.assertText",
            "parameters": { "selectors": [selector], "text": text } })
    };
    let steps = json!([
        { "type": "setViewport", "width": 1280, "height": 900, "deviceScaleFactor": 1, "isMobile": false,
            "hasTouch": false, "isLandscape": false },
        { "type": "navigate", "url": report },
        seen("h1", "2 flows"),
        seen("#job-2 .failure", "#paid"),
        seen(&format!("{bad} .number"), "3"),
        { "type": "waitForElement", "selectors": [format!("{bad} img")], "visible": true },
        wait(&format!("document.querySelector('{bad} img').naturalWidth > 0")),
        wait(RESTS),
        { "type": "click", "selectors": ["#job-2 label[for^=play]"], "offsetX": 20, "offsetY": 8 },
        wait(PLAYED),
        wait(MOVES),
    ]);
    let flow = json!({ "title": "look", "timeout": 30_000, "steps": steps });
    stage.write("look.json", flow.to_string());
    let looked = stage.run(&["flow", "run", "look.json", "--mode", "strict", "-o", "looked"]);
    assert_eq!(looked.code(), Some(0), "{}{}", looked.stderr(), looked.stdout());
    let left =
        |name: &str| serde_json::from_str::<Value>(&stage.read(&format!("looked/look/{name}"))).unwrap();
    let requests = left("network.har");
    let requests: Vec<_> =
        requests["log"]["entries"].as_array().unwrap().iter().map(|one| &one["request"]["url"]).collect();
    let beyond =
        |url: &&&Value| !["file:", "data:"].iter().any(|scheme| url.as_str().unwrap().starts_with(scheme));
    assert!(requests.contains(&&json!(report)), "what is asked for is heard: {requests:?}");
    assert_eq!(requests.iter().find(beyond), None);
    assert_eq!(left("console.json")["entries"], json!([]), "nor does its policy refuse anything that it has");
}

#[test]
fn axe_finds_nothing_serious_in_a_report() {
    let Some(axe) = Axe::find() else { return };
    let stage = Stage::new();
    let found = axe.look(json!({ "documents": [made(&stage)] }));
    assert!(found.is_empty(), "{}", found.join("\n"));
}
