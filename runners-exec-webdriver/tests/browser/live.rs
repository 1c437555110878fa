//! Live views: pictures of what a session shows, and a hand on its page.

use crate::stage::{Stage, engine_options, flow};
use runners_core::{
    Egress, Verdict,
    live::{Frame, FrameError, FrameFormat, FrameSource as _, FrameWish, Frames, Input},
};
use runners_exec_webdriver::{
    Browser as _, Call, Capture, Driver, Engine, LiveView, Method, Replay, Session, WarmBrowsers, WarmOptions,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A session with a page, and a view of it.
struct Scene {
    session: Arc<dyn Session>,
    view: LiveView,
    driver: Driver,
    site: crate::stage::Site,
    options: runners_exec_webdriver::ReplayOptions,
    _state: tempfile::TempDir,
}

impl Scene {
    async fn open(engine: Engine, body: &str) -> Option<Self> {
        Self::held_to(engine, Egress::browsing(), body).await
    }

    async fn held_to(engine: Engine, egress: Egress, body: &str) -> Option<Self> {
        let stage = Stage::open_held_to(engine, egress).await?;
        let url = stage.page(body);
        stage.passes(json!([{ "type": "navigate", "url": url }])).await;
        let (driver, session, site, options, state) = stage.into_parts();
        let session: Arc<dyn Session> = session.into();
        let view = LiveView::of(&session);
        Some(Self { session, view, driver, site, options, _state: state })
    }

    async fn js(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.session.call(Call::new(Method::Post, "execute/sync", body)).await.unwrap()
    }

    /// Waits until a script answers what is wanted. In WebKit nobody does for a page that went meanwhile.
    async fn until(&self, script: &str, wanted: Value) {
        let mut last = Value::Null;
        for _ in 0..LOOKS_MAX {
            let body = json!({ "script": script, "args": [] });
            match self.session.call(Call::new(Method::Post, "execute/sync", body)).await {
                Ok(answer) if answer == wanted => return,
                Ok(answer) => last = answer,
                Err(error) => assert!(error.to_string().starts_with("script timeout"), "{script}: {error}"),
            }
        }
        panic!("{script} answers {last}, not {wanted}");
    }

    async fn does(&self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            self.view.input(input.clone()).await.unwrap_or_else(|error| panic!("{input:?}: {error:?}"));
        }
    }

    async fn close(self) {
        self.view.end();
        self.session.close().await;
        self.driver.stop().await;
    }
}

/// How often it is looked whether a page is as it should be.
const LOOKS_MAX: usize = 5_000;

/// Begins to look; a machine that is busy may need more than one try.
pub(crate) async fn look(view: &LiveView, wish: FrameWish) -> Box<dyn Frames> {
    for _ in 0..5 {
        match view.open(wish).await {
            Err(FrameError::Unavailable(_)) => {}
            other => return other.unwrap(),
        }
    }
    panic!("it shows nothing");
}

pub(crate) async fn next(frames: &mut Box<dyn Frames>) -> Frame {
    frames.next().await.unwrap().expect("the source is not over")
}

/// The first picture that is not this one.
async fn other_than(frames: &mut Box<dyn Frames>, before: &Frame) -> Frame {
    loop {
        let frame = next(frames).await;
        if frame.bytes != before.bytes {
            return frame;
        }
    }
}

const COLOURED: &str = "<style>body { background: red; height: 100vh }</style>";
const BLUE: &str = "document.body.style.background = 'blue'";

async fn shows(engine: Engine) {
    let Some(scene) = Scene::open(engine, COLOURED).await else { return };
    let mut frames = look(&scene.view, FrameWish::default()).await;
    let first = next(&mut frames).await;
    let magic: &[u8] = if first.format == FrameFormat::Jpeg { b"\xFF\xD8\xFF" } else { b"\x89PNG" };
    assert!(first.bytes.starts_with(magic) && first.bytes.len() <= Frame::BYTES_MAX);
    let size = scene.js("return [innerWidth, innerHeight]").await;
    assert_eq!(json!([first.viewport.0, first.viewport.1]), size, "{engine}");
    scene.js(BLUE).await;
    let changed = other_than(&mut frames, &first).await;
    assert!(changed.at >= first.at);
    // Who comes later gets the last picture, although the page rests.
    let mut late = look(&scene.view, FrameWish::default()).await;
    assert_eq!(next(&mut late).await.viewport, changed.viewport);
    drop(frames);
    drop(late);
    // Who comes when nobody is left gets one too.
    let mut again = look(&scene.view, FrameWish::default()).await;
    next(&mut again).await;
    scene.close().await;
}

#[tokio::test]
async fn the_first_picture_comes_at_once_and_a_change_is_seen() {
    shows(Engine::Chromium).await;
}

#[tokio::test]
async fn firefox_shows_its_page() {
    shows(Engine::Firefox).await;
}

#[tokio::test]
async fn webkit_shows_its_page() {
    shows(Engine::Webkit).await;
}

const LISTENING: &str = "<input id=it style='position:absolute;left:10px;top:10px;width:200px;height:20px'>
<div style='height:3000px'></div><script>
    logEvents(document, e => `${e.type} ${e.clientX},${e.clientY} ${e.button} ${e.buttons} ${e.detail}`, 'mousedown', 'mouseup', 'dblclick');
    logEvents(document, e => `${e.type} ${e.key} ${e.code}${e.shiftKey ? ' shift' : ''}${e.ctrlKey ? ' control' : ''}`, 'keydown', 'keyup');
    logEvents(document, e => `${e.type} ${e.data}`, 'beforeinput');
    logEvents(document, e => `${e.type} ${e.deltaX},${e.deltaY}`, 'wheel');
</script>";

fn at(kind: &str, x: f64, y: f64, clicks: u8) -> Input {
    serde_json::from_value(json!({ "type": kind, "x": x, "y": y, "button": 0, "clicks": clicks })).unwrap()
}

fn key(key: &str) -> [Input; 2] {
    let key = key.to_owned();
    [Input::KeyDown { key: key.clone() }, Input::KeyUp { key }]
}

async fn acts(engine: Engine) {
    let Some(scene) = Scene::open(engine, LISTENING).await else { return };
    assert!(scene.view.takes_input());
    // A press and its release, then the second of a double click.
    scene.does([at("pointer_down", 60.0, 20.0, 1), at("pointer_up", 60.0, 20.0, 1)]).await;
    scene.until("return document.activeElement.id", json!("it")).await;
    scene.until("return log", json!(["mousedown 60,20 0 1 1", "mouseup 60,20 0 0 1"])).await;
    scene.js("log.length = 0").await;
    scene.does([Input::KeyDown { key: "Shift".to_owned() }]).await;
    scene.does(key("A")).await;
    scene.does([Input::KeyUp { key: "Shift".to_owned() }]).await;
    scene.does([key("b"), key("Backspace")].concat()).await;
    scene.until("return it.value", json!("A")).await;
    let log = scene.js("return log.filter(line => line.startsWith('key'))").await;
    assert_eq!(
        log,
        json!([
            "keydown Shift ShiftLeft shift",
            "keydown A KeyA shift",
            "keyup A KeyA shift",
            "keyup Shift ShiftLeft",
            "keydown b KeyB",
            "keyup b KeyB",
            "keydown Backspace Backspace",
            "keyup Backspace Backspace",
        ]),
        "{engine}"
    );
    scene.does([Input::Text { text: "grün & gut".to_owned() }]).await;
    scene.until("return it.value", json!("Agrün & gut")).await;
    scene.does([Input::KeyDown { key: "Control".to_owned() }]).await;
    let up = Input::KeyUp { key: "Control".to_owned() };
    scene.does([key("a").to_vec(), vec![up], key("Delete").to_vec()].concat()).await;
    scene.until("return it.value", json!("")).await;
    let unknown = scene.view.input(Input::KeyDown { key: "Entr".to_owned() }).await;
    assert!(matches!(unknown, Err(FrameError::Unsupported(_))), "{unknown:?}");
    let long = scene.view.input(Input::Text { text: "a".repeat(Input::TEXT_BYTES_MAX + 1) }).await;
    assert!(matches!(long, Err(FrameError::Unsupported(_))), "{long:?}");
    let metadata = Input::Navigate { url: "http://169.254.169.254/latest".to_owned() };
    let forbidden = scene.view.input(metadata).await.unwrap_err();
    assert!(forbidden.to_string().contains("not allowed"), "{forbidden}");
    let forbidden = scene.view.input(Input::Navigate { url: "file:///etc/passwd".to_owned() }).await;
    assert!(matches!(forbidden, Err(FrameError::Unsupported(_))), "{forbidden:?}");
    if engine != Engine::Webkit {
        scene.does([Input::Wheel { x: 50.0, y: 200.0, delta_x: 0.0, delta_y: 400.0 }]).await;
        scene.until("return scrollY > 0 && log.at(-1)", json!("wheel 0,400")).await;
    }
    history(&scene).await;
    scene.close().await;
}

/// Goes to other pages, and back and forward.
async fn history(scene: &Scene) {
    let other = scene.site.serve("/other", "<h1>Other</h1>");
    let title = "return document.querySelector('h1')?.textContent ?? ''";
    scene.does([Input::Navigate { url: other }]).await;
    scene.until(title, json!("Other")).await;
    scene.js("document.querySelector('h1').textContent = 'Changed'").await;
    scene.does([Input::Reload]).await;
    scene.until(title, json!("Other")).await;
    scene.does([Input::Back]).await;
    scene.until("return !!document.querySelector('#it')", json!(true)).await;
    scene.does([Input::Forward]).await;
    scene.until(title, json!("Other")).await;
}

#[tokio::test]
async fn what_a_person_does_arrives_at_the_page() {
    acts(Engine::Chromium).await;
}

#[tokio::test]
async fn what_a_person_does_arrives_at_a_page_in_firefox() {
    acts(Engine::Firefox).await;
}

#[tokio::test]
async fn what_a_person_does_arrives_at_a_page_in_webkit() {
    acts(Engine::Webkit).await;
}

#[tokio::test]
async fn a_double_click_is_told_by_its_clicks() {
    let Some(scene) = Scene::open(Engine::Chromium, LISTENING).await else { return };
    for clicks in [1, 2] {
        scene.does([at("pointer_down", 60.0, 120.0, clicks), at("pointer_up", 60.0, 120.0, clicks)]).await;
    }
    scene.until("return log.at(-1)", json!("dblclick 60,120 0 0 2")).await;
    scene.close().await;
}

#[tokio::test]
async fn a_popup_is_shown_and_acted_on_until_it_is_closed() {
    let opener = "<style>body { background: red; height: 100vh }</style><script>onclick = () => {
        log.push('opener'); window.popup = open('/popup', 'popup', 'width=400,height=300') }</script>";
    let Some(scene) = Scene::open(Engine::Chromium, opener).await else { return };
    let closing = "<style>body { background: green; height: 100vh }</style><script>onclick = () => {
        opener.log.push('popup'); close() }</script>";
    scene.site.serve("/popup", closing);
    let mut frames = look(&scene.view, FrameWish::default()).await;
    let first = next(&mut frames).await;
    scene.does([at("pointer_down", 60.0, 60.0, 1), at("pointer_up", 60.0, 60.0, 1)]).await;
    while next(&mut frames).await.viewport == first.viewport {}
    scene
        .until("return popup.document?.readyState === 'complete' && popup.location.pathname", json!("/popup"))
        .await;
    scene.does([at("pointer_down", 60.0, 60.0, 1)]).await;
    // The release closes it, and is not answered by a page that is gone.
    let _ = scene.view.input(at("pointer_up", 60.0, 60.0, 1)).await;
    scene.until("return log", json!(["opener", "popup"])).await;
    while next(&mut frames).await.viewport != first.viewport {}
    scene.does([at("pointer_down", 60.0, 60.0, 1), at("pointer_up", 60.0, 60.0, 1)]).await;
    scene.until("return log", json!(["opener", "popup", "opener"])).await;
    scene.close().await;
}

async fn closes(engine: Engine) {
    let Some(scene) = Scene::open(engine, COLOURED).await else { return };
    let mut frames = look(&scene.view, FrameWish::default()).await;
    next(&mut frames).await;
    scene.session.close().await;
    // Those who look when it is closed may be told that it broke; whoever tries again knows.
    while let Ok(Some(_)) = frames.next().await {}
    let again = scene.view.open(FrameWish::default()).await.map(drop);
    assert!(matches!(again, Err(FrameError::Closed)), "{engine}: {again:?}");
    let input = scene.view.input(Input::Reload).await;
    assert!(matches!(input, Err(FrameError::Closed | FrameError::Unavailable(_))), "{engine}: {input:?}");
    scene.view.end();
    assert!(matches!(frames.next().await, Ok(None)));
    let ended = scene.view.input(Input::Reload).await;
    assert!(matches!(ended, Err(FrameError::Closed)), "{ended:?}");
    scene.close().await;
}

#[tokio::test]
async fn a_view_of_a_closed_session_is_closed() {
    for engine in Engine::ALL {
        closes(*engine).await;
    }
}

#[tokio::test]
async fn a_view_keeps_no_session_open() {
    let Some(scene) = Scene::open(Engine::Chromium, COLOURED).await else { return };
    let mut frames = look(&scene.view, FrameWish::default()).await;
    next(&mut frames).await;
    let Scene { session, view, driver, .. } = scene;
    drop(session);
    while let Ok(Some(_)) = frames.next().await {}
    let late = view.open(FrameWish::default()).await.map(drop);
    assert!(matches!(late, Err(FrameError::Closed)), "{late:?}");
    driver.stop().await;
}

#[tokio::test]
async fn a_session_of_a_kept_browser_shows_its_own_page_and_nothing_once_it_is_closed() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let state = tempfile::tempdir().unwrap();
        let Some(options) = engine_options(engine, &state) else { continue };
        let warm = WarmBrowsers::new(Driver::new(options), WarmOptions::default());
        for round in 0..2 {
            let session: Arc<dyn Session> = warm.open().await.unwrap().into();
            let view = LiveView::of(&session);
            let mut frames = look(&view, FrameWish::default()).await;
            let first = next(&mut frames).await;
            let body = json!({ "script": BLUE, "args": [] });
            session.call(Call::new(Method::Post, "execute/sync", body)).await.unwrap();
            other_than(&mut frames, &first).await;
            view.end();
            session.close().await;
            let late = view.open(FrameWish::default()).await.map(drop);
            assert!(matches!(late, Err(FrameError::Closed)), "{engine} {round}: {late:?}");
        }
        warm.stop().await;
    }
}

/// A page that never rests.
const RESTLESS: &str = "<canvas id=c width=600 height=400></canvas><button id=it>X</button><script>
    let at = 0; const draw = () => { const to = c.getContext('2d'); to.fillStyle = `hsl(${at++ % 360} 90% 50%)`;
    to.fillRect(0, 0, 600, 400); requestAnimationFrame(draw) }; draw(); window.drawn = () => at;</script>";

#[tokio::test]
async fn no_more_pictures_come_than_are_wished_and_the_last_is_not_lost() {
    let Some(scene) = Scene::open(Engine::Chromium, RESTLESS).await else { return };
    let mut frames = look(&scene.view, FrameWish::default().per_second(5)).await;
    let began = scene.js("return performance.now()").await.as_f64().unwrap();
    next(&mut frames).await;
    for _ in 0..5 {
        next(&mut frames).await;
    }
    let took = scene.js("return performance.now()").await.as_f64().unwrap() - began;
    assert!(took >= 990.0, "five pictures after {took} ms");
    // It rests, and looks otherwise than in any picture that may be on its way.
    scene.js("requestAnimationFrame = () => {}; c.remove(); document.body.style.background = 'black'").await;
    let size = |frame: &Frame| frame.bytes.len();
    let mut last = next(&mut frames).await;
    let mut looked = 0;
    while looked < 50 && size(&last) > PLAIN_BYTES_MAX {
        last = next(&mut frames).await;
        looked += 1;
    }
    assert!(size(&last) <= PLAIN_BYTES_MAX, "the last picture has {} bytes", size(&last));
    scene.close().await;
}

/// More bytes than a picture of an even page has.
const PLAIN_BYTES_MAX: usize = 12_000;

#[tokio::test]
async fn a_flow_ends_alike_with_somebody_who_looks_and_a_film() {
    for engine in Engine::ALL {
        let Some(mut scene) = Scene::open(*engine, COLOURED).await else { continue };
        scene.options.capture = Capture::default();
        scene.options.capture.frames = true;
        let url =
            scene.site.serve("/page", "<button id=it onclick='log.push(1); window.ended = true'>X</button>");
        let steps = json!([
            { "type": "navigate", "url": url },
            { "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3 },
            { "type": "waitForExpression", "expression": "window.ended === true" },
        ]);
        let mut frames = look(&scene.view, FrameWish::default()).await;
        let replay = Replay::new(flow(steps), scene.options);
        let looking = async {
            let mut seen = 0_u32;
            while let Ok(Some(_)) = frames.next().await {
                seen += 1;
            }
            seen
        };
        let replaying = async {
            let result = replay.run(&*scene.session, &(), std::future::pending()).await.unwrap();
            let log = scene.js("return log").await;
            scene.view.end();
            (result, log)
        };
        let (seen, (result, log)) = futures::join!(looking, replaying);
        assert_eq!((result.verdict, log), (Verdict::Passed, json!([1])), "{engine}: {:?}", result.failure());
        assert!(seen > 0, "{engine}");
        let film = result.artifacts.contains(&"film/index.json".to_owned());
        assert_eq!(film, *engine == Engine::Chromium, "{engine}: {:?}", result.artifacts);
        scene.close().await;
    }
}
