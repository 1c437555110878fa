//! Where a pointer goes in frames of which a frame around them shows only a part.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Stage, flow};
use runners_core::Verdict;
use runners_exec_webdriver::{Engine, Mode};
use serde_json::{Value, json};

/// A button that is too large for the window of the frame around its own, one that is not, and a far one.
const INNER: &str =
    "<style>button { position: absolute; left: 0; width: 200px; border: 0; padding: 0 }</style>
    <button id=large style='top:0;height:500px'>Large</button>
    <button id=small style='top:600px;height:40px'>Small</button>
    <button id=far style='top:900px;height:40px'>Far</button>
    <script>
      window.clicked = [];
      window.pointed = [];
      const told = e => `${e.target.id} ${e.offsetX},${e.offsetY}`;
      addEventListener('click', e => clicked.push(told(e)));
      addEventListener('mousemove', e => pointed.push(told(e)));
    </script>";

/// The middle frame has a window of 300 by 200 pixels, and the inner one is larger.
fn middle(inner: &str, over: &str) -> String {
    format!("{}{over}<p style='height:300px'></p>", frame(inner, "width:250px;height:1000px"))
}

/// Room above, so that what is not hit there hits something else.
fn outer(middle: &str) -> String {
    format!("<p style='margin:0;height:220px'></p>{}", frame(middle, "width:300px;height:200px"))
}

fn frame(source: &str, style: &str) -> String {
    format!("<iframe src='{source}' style='display:block;border:0;{style}'></iframe>")
}

fn step(kind: &str, selector: &str) -> Value {
    let mut step = json!({ "type": kind, "selectors": [selector], "frame": [0, 0], "timeout": LIMIT_MILLIS });
    if kind == "click" {
        (step["offsetX"], step["offsetY"]) = (json!(7), json!(9));
    }
    step
}

fn short(mut step: Value) -> Value {
    step["timeout"] = json!(SHORT_MILLIS);
    step
}

fn scroll(y: i32) -> Value {
    json!({ "type": "scroll", "x": 0, "y": y, "frame": [0] })
}

/// What was clicked in the inner frame, and where.
fn clicked(all: &str) -> Value {
    expects("clicked.join('; ')", &format!("{all:?}"))
}

/// Where the pointer came in it, also.
fn pointed(at: &str) -> Value {
    expects(&format!("pointed.find(at => at === {at:?}) ?? pointed.join('; ')"), &format!("{at:?}"))
}

/// What the inner frame is to say; a failure has what it says instead.
fn expects(what: &str, wanted: &str) -> Value {
    let expression = format!("(is => {{ if (is !== {wanted}) throw Error(is); return true; }})({what})");
    json!({ "type": "waitForExpression", "expression": expression, "frame": [0, 0], "timeout": LIMIT_MILLIS })
}

/// Replays steps in both modes, where both frames are of the page's process, and where one or both are not.
async fn passes_wherever_frames_are(stage: &Stage, engine: Engine, steps: &[Value]) {
    let here = stage.site.origin.clone();
    let there = here.replace("127.0.0.1", "localhost");
    let mut origins = vec![(&here, &here)];
    // Firefox keeps the pointer of a driver out of frames of another site.
    if engine == Engine::Chromium {
        origins.extend([(&there, &there), (&here, &there), (&there, &here)]);
    }
    stage.site.serve("/inner", INNER);
    for (of_middle, of_inner) in origins {
        stage.site.serve("/middle", &middle(&format!("{of_inner}/inner"), ""));
        let url = stage.page(&outer(&format!("{of_middle}/middle")));
        let mut all = vec![json!({ "type": "navigate", "url": url })];
        all.extend_from_slice(steps);
        for mode in [Mode::Compat, Mode::Strict] {
            let (result, _) = stage.replay_flow(flow(json!(all)).with_mode(mode)).await.unwrap();
            let failure = result.failure();
            assert_eq!(
                result.verdict,
                Verdict::Passed,
                "{engine} {mode:?} {of_middle} {of_inner}: {failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_point_counts_from_the_corner_that_an_outer_frame_shows() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let steps = [
            scroll(150),
            step("click", "#large"),
            clicked("large 7,159"),
            scroll(120),
            // The middle of what is to be seen.
            step("hover", "#large"),
            pointed("large 100,220"),
        ];
        passes_wherever_frames_are(&stage, *engine, &steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn a_frame_that_is_scaled_counts_in_pixels_of_its_own() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        stage.site.serve("/inner", INNER);
        let style =
            "transform:scale(.5);transform-origin:0 0;border:6px solid;padding:4px;width:250px;height:2000px";
        stage.site.serve("/middle", &format!("{}<p style='height:300px'></p>", frame("/inner", style)));
        let url = stage.page(&outer("/middle"));
        let mut click = step("click", "#large");
        (click["offsetX"], click["offsetY"]) = (json!(8), json!(10));
        // Border and padding take 5 pixels of those 30.
        let steps = json!([{ "type": "navigate", "url": url }, scroll(30), click, clicked("large 8,60")]);
        stage.passes(steps.clone()).await;
        stage.passes_strictly(steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn an_outer_frame_without_a_doctype_shows_as_much_as_others() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        stage.site.serve("/inner", INNER);
        let written = format!("<body style='margin:0'>{}", middle("/inner", ""));
        let url = stage.page(&format!(
            "{}<script>
              const inside = document.querySelector('iframe').contentDocument;
              inside.open();
              inside.write(`{written}`);
              inside.close();
            </script>",
            outer("about:blank")
        ));
        let quirks = json!({ "type": "waitForExpression", "expression": "document.compatMode === 'BackCompat'", "frame": [0] });
        let to = json!({ "type": "navigate", "url": url });
        // A pointer that is there already does not come there.
        let away = json!({ "type": "hover", "selectors": ["p"] });
        let steps = json!([to, quirks, away, step("hover", "#large"), pointed("large 100,100")]);
        stage.passes(steps.clone()).await;
        stage.passes_strictly(steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn what_an_outer_frame_cuts_off_is_scrolled_into_view_whole() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let steps = [
            // Its upper half is hidden, then its lower one, then all of it.
            scroll(620),
            step("click", "#small"),
            scroll(420),
            step("click", "#small"),
            scroll(0),
            step("click", "#far"),
            clicked("small 7,9; small 7,9; far 7,9"),
        ];
        passes_wherever_frames_are(&stage, *engine, &steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn what_is_cut_off_is_scrolled_into_view_whole_though_a_browser_is_late_to_say_so() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        // The first that asks what is in view is not answered.
        let late = "<script>
            const Prompt = IntersectionObserver;
            IntersectionObserver = function (told) {
              IntersectionObserver = Prompt;
              return { observe() {}, disconnect() {} };
            };
            </script>";
        stage.site.serve("/inner", &format!("{late}{INNER}"));
        stage.site.serve("/middle", &middle("/inner", ""));
        let url = stage.page(&outer("/middle"));
        let to = json!({ "type": "navigate", "url": url });
        let steps = json!([to, scroll(620), step("click", "#small"), clicked("small 7,9")]);
        stage.passes(steps.clone()).await;
        stage.passes_strictly(steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn what_the_page_cuts_off_is_scrolled_into_view_whole() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let url = stage.page(&format!("{INNER}<p style='height:9000px'></p>"));
        let steps = |by: &str| {
            let click = json!({ "type": "click", "selectors": ["#small"], "offsetX": 7, "offsetY": 9 });
            let expression = format!("scrollTo(0, {by}) ?? true");
            json!([
                { "type": "navigate", "url": url },
                { "type": "waitForExpression", "expression": expression },
                click,
                { "type": "waitForExpression", "expression": "clicked.join() === 'small 7,9'" },
            ])
        };
        for by in ["620", "620 - innerHeight"] {
            stage.passes(steps(by)).await;
            stage.passes_strictly(steps(by)).await;
        }
        stage.close().await;
    }
}

#[tokio::test]
async fn a_frame_in_the_hidden_part_of_a_frame_is_revealed() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let here = stage.site.origin.clone();
        let there = here.replace("127.0.0.1", "localhost");
        stage.site.serve("/inner", INNER);
        let room = "<p style='margin:0;height:3000px'></p>";
        let inner = format!("{there}/inner");
        let inner = if *engine == Engine::Chromium { &*inner } else { "/inner" };
        stage.site.serve("/middle", &format!("{room}{}", frame(inner, "width:250px;height:100px")));
        let url = stage.page(&frame("/middle", "width:300px;height:5000px"));
        let steps = json!([
            { "type": "navigate", "url": url },
            step("waitForElement", "#far"),
            // What is not painted is late, so that frames are revealed before anything is done there.
            { "type": "waitForExpression", "expression": "scrollY > 0", "timeout": SHORT_MILLIS },
            step("hover", "#far"),
            step("click", "#small"),
            pointed("far 100,20"),
            clicked("small 7,9"),
        ]);
        stage.passes(steps.clone()).await;
        stage.passes_strictly(steps).await;
        stage.close().await;
    }
}

#[tokio::test]
async fn what_covers_the_part_that_an_outer_frame_shows_is_named() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        stage.site.serve("/inner", INNER);
        let url = stage.page(&outer("/middle"));
        let begin = [json!({ "type": "navigate", "url": url }), scroll(150)];
        let over = |top: u32, height: u32| {
            let style = format!("position:absolute;left:0;width:250px;top:{top}px;height:{height}px");
            stage
                .site
                .serve("/middle", &middle("/inner", &format!("<p id=over style='{style};margin:0'></p>")));
        };
        // Over the corner that is hidden.
        over(0, 100);
        let [to, down] = begin.clone();
        stage.passes_strictly(json!([to, down, step("click", "#large"), clicked("large 7,159")])).await;
        // Over the one that is to be seen.
        over(140, 40);
        let [to, down] = begin.clone();
        let reason = stage.fails_strictly(json!([to, down, short(step("click", "#large"))])).await;
        assert!(reason.contains("the frame is covered by <p id=\"over\">"), "{engine}: {reason}");
        let [to, down] = begin;
        let reason = stage
            .fails_strictly(json!([to, down, short(step("hover", "#large")), short(step("click", "#large"))]))
            .await;
        assert!(reason.starts_with("step 4"), "the middle is free: {reason}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_frame_of_another_site_hears_the_pointer() {
    let inner = "<button id=it>It</button><button id=twice>Twice</button>
        <div id=from style='width:80px;height:40px'>From</div><div id=to style='width:80px;height:40px'>To</div>
        <script>
          it.onmouseover = () => log.push('over');
          it.onclick = () => log.push('clicked');
          twice.ondblclick = () => log.push('twice');
          from.onpointerdown = () => log.push('down');
          to.onpointerup = () => log.push('up');
        </script>";
    let drag = json!({ "selectors": ["#from"], "to": { "selectors": ["#to"] } });
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let elsewhere = stage.site.serve("/inner", inner).replace("127.0.0.1", "localhost");
        let url =
            stage.page(&format!("<h1>Around</h1><iframe src='{elsewhere}' width=300 height=200></iframe>"));
        let click = |selector: &str, kind: &str| json!({ "type": kind, "selectors": [selector], "offsetX": 3, "offsetY": 3, "frame": [0] });
        let heard = "log.join() === 'over,clicked,twice,down,up'";
        stage
            .passes_strictly(json!([
                { "type": "navigate", "url": url },
                { "type": "hover", "selectors": ["#it"], "frame": [0] },
                click("#it", "click"),
                click("#twice", "doubleClick"),
                { "type": "customStep", "name": "runners.drag", "parameters": drag, "frame": [0] },
                { "type": "waitForExpression", "expression": heard, "frame": [0] },
            ]))
            .await;
        stage.close().await;
    }
}
