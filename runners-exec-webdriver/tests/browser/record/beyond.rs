//! What takes more than a click: menus that open where the pointer is, lists, and things that are drawn
//! elsewhere. What no step says is told.

use super::{Person, Stage, json, patient, recorded, stop};
use runners_core::Verdict;
use runners_exec_webdriver::{Aim, Asserted, Engine, SteerRecording, Steered, Step};

const PAGE: &str = "
<style>
  nav ul { display: none; position: absolute; margin: 0; } nav:hover ul { display: block; }
  #deep { visibility: hidden; } li.open #deep { visibility: visible; }
</style>
<nav><span id=products>Products</span><ul><li id=tools><span>Tools</span> <b id=deep>Hammer</b></li></ul></nav>
<p style='height:90px'></p>
<select id=sizes multiple aria-label=Sizes><option value=s>Small<option value=m>Medium<option value=l>Large</select>
<div id=card style='width:60px;height:30px;background:#ccc;user-select:none'>Card</div>
<p style='height:20px'></p>
<div id=done style='width:200px;height:60px;border:1px solid;user-select:none'>Done</div>
<canvas id=sheet width=200 height=60 style='border:1px solid'></canvas>
<x-card></x-card>
<script>
  const see = text => { localStorage.seen = `${localStorage.seen ?? ''}${text};`; };
  const at = id => document.getElementById(id);
  // The page is busy for a while then, and is looked at late.
  const busy = millis => { const from = performance.now(); while (performance.now() < from + millis); };
  at('tools').onmouseenter = () => setTimeout(() => { at('tools').classList.add('open'); busy(800); }, 50);
  at('tools').onmouseleave = () => at('tools').classList.remove('open');
  at('deep').onclick = () => see('hammer');
  at('sizes').onchange = e => { localStorage.sizes = Array.from(e.target.selectedOptions, one => one.value).join('+'); };
  let held = false;
  at('card').onpointerdown = () => { held = true; };
  at('done').onpointerup = () => { if (held) see('dropped'); };
  document.querySelector('x-card').attachShadow({ mode: 'closed' }).innerHTML = '<input style=width:200px>';
</script>";

/// From when on something comes into sight because of the pointer, and not because the page loads.
const SETTLED: &str = "performance.now() > performance.getEntriesByType('navigation')[0].loadEventEnd + 1500";

async fn what_takes_more_than_a_click_is_recorded_in(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let url = stage.page(PAGE);
    let (recorded, person) = recorded(&stage, engine, &url, async |mut person: Person, sender| {
        // The page before it is complete as well, and a busy machine may stay there for as long.
        let arrived = "document.querySelector('#products') && document.readyState === 'complete'";
        person.see(&format!("{arrived} && {SETTLED}")).await;
        person.point("#products").await;
        person.see("document.querySelector('#tools').checkVisibility()").await;
        // Until it was looked what has come.
        person.pass(500).await;
        person.point("#tools span").await;
        person.see("document.querySelector('#tools.open')").await;
        person.pass(500).await;
        person.click("#deep").await;
        person.see("localStorage.seen.includes('hammer')").await;
        person.choose("#sizes", &["s", "l"]).await;
        person.drag("#card", "#done").await;
        person.see("localStorage.seen.includes('dropped')").await;
        person.drag("#sheet", "#sheet").await;
        person.click("x-card").await;
        person.keys("told nobody").await;
        let aim = Some(Aim::Selector("#done".to_owned()));
        let wish = SteerRecording::Assert { what: Asserted::Visible, aim };
        sender.send(Steered::new(wish, |answer| drop(answer.unwrap()))).unwrap();
        person.step("see #done").await;
        stop(&sender);
        person
    })
    .await;
    let steps: Vec<String> = recorded.flow.flow().steps.iter().map(Step::description).collect();
    println!("{steps:#?} {:?}", recorded.notes);
    let at = |what: &str| steps.iter().position(|step| step.contains(what));
    let (products, tools) = (at("hover over \"Products\""), at("hover over \"Tools\""));
    assert!(products.is_some() && products < tools && tools < at("click \"Hammer\""), "{steps:?}");
    assert!(at("choose 2 options of \"Sizes\"").is_some(), "{steps:?}");
    assert!(at("drag \"Card\" onto \"Done\"").is_some(), "{steps:?}");
    for left_out in ["<canvas", "shadow root is closed"] {
        assert!(recorded.notes.iter().any(|note| note.contains(left_out)), "{:?}", recorded.notes);
    }
    assert!(at("press ").is_none(), "what is typed there is not told key by key either: {steps:?}");
    let look = "return [localStorage.seen, localStorage.sizes]";
    let seen = person.js(look).await;
    assert_eq!(seen, json!(["hammer;dropped;", "s+l"]));
    person.session.close().await;
    let (result, _) = stage.replay_flow(patient(&recorded)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?} in {}", result.failure(), recorded.flow.document());
    assert_eq!(stage.js(look).await, seen);
    stage.close().await;
}

#[tokio::test]
async fn what_takes_more_than_a_click_is_recorded_in_chromium_and_what_no_step_says_is_told() {
    what_takes_more_than_a_click_is_recorded_in(Engine::Chromium).await;
}

#[tokio::test]
async fn what_takes_more_than_a_click_is_recorded_in_firefox_and_what_no_step_says_is_told() {
    what_takes_more_than_a_click_is_recorded_in(Engine::Firefox).await;
}
