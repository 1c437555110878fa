//! What a person does with every kind of control is recorded, and replayed the page sees the same.

mod beyond;
mod job;
mod person;
mod steered;

use crate::stage::{LIMIT_MILLIS, Stage};
pub(crate) use person::Person;
use person::{Shared, Told, Watcher};
use runners_core::{Secret, Verdict};
use runners_exec_webdriver::{
    Browser as _, BrowserFlow, Ended, Engine, FlowRecorder, Method, RecordFlow, RecordedFlow, Session,
    SteerRecording, Steered,
};
use serde_json::{Value, json};
use std::{future::pending, sync::Arc};
use tokio::sync::mpsc;

const PAGE: &str = "

<label>Name <input id=name data-testid=name></label>
<label>Password <input id=pass type=password name=secret-word></label>
<input id=agreed type=checkbox aria-label=Agreed>
<label><input id=small type=radio name=size value=s> Small</label><label><input type=radio name=size value=l> Large</label>
<select id=colour aria-label=Colour><option value=r>Red<option value=g>Green<option value=b>Blue</select>
<input id=volume type=range min=0 max=10 value=5 aria-label=Volume>
<div id=note contenteditable aria-label=Note style='width:200px;height:20px;border:1px solid'></div>
<textarea id=words aria-label=Words></textarea>
<input id=file type=file>
<button id=buy>Buy</button><button id=twice>Twice</button><button id=menu>Menu</button>
<div id=host></div>
<iframe id=inner src=/inner style='width:200px;height:60px'></iframe>
<iframe id=foreign style='width:200px;height:60px'></iframe>
<p><a id=pop href=/popup target=_blank>Popup</a> <a id=next href=/next>Next</a></p>
<div style='height:3000px'></div>
<script>
  const see = text => { localStorage.seen = `${localStorage.seen ?? ''}${text};`; };
  const at = id => document.getElementById(id);
  at('host').attachShadow({ mode: 'open' }).innerHTML = '<div><button>Deep</button></div>';
  at('host').shadowRoot.querySelector('button').onclick = () => see('deep');
  for (const id of ['name', 'pass', 'agreed', 'colour', 'volume', 'words']) {
    at(id).addEventListener('change', e => see(`${id}=${e.target.type === 'checkbox' ? e.target.checked : e.target.value}`));
  }
  for (const radio of document.querySelectorAll('[name=size]')) radio.addEventListener('change', e => see(`size=${e.target.value}`));
  at('note').addEventListener('blur', e => see(`note=${e.target.innerText.trim()}`));
  at('file').addEventListener('change', async e => see(`file=${e.target.files[0].name}:${await e.target.files[0].text()}`));
  at('buy').onclick = e => see(`buy ${e.isTrusted}`);
  at('twice').ondblclick = () => see('twice');
  at('menu').oncontextmenu = e => { e.preventDefault(); see('menu'); };
  addEventListener('keydown', e => { if (e.key === 'Escape' || (e.ctrlKey && e.key === 'k')) { e.preventDefault(); see(`${e.ctrlKey ? 'ctrl ' : ''}${e.key}`); } });
  addEventListener('message', e => see(e.data));
</script>";

const INNER: &str = "<button>In</button><script>document.querySelector('button').onclick = () => parent.postMessage('TEXT', '*')</script>";
const POPUP: &str = "<button>There</button>
<script>document.querySelector('button').onclick = () => { localStorage.seen += 'there;'; }</script>";
const NEXT: &str = "<form action=/done><input name=q aria-label=Query></form>";
const DONE: &str = "<h1>Done</h1>";

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E006}";
const ESCAPE: &str = "\u{E00C}";
const RIGHT: &str = "\u{E014}";
const CONTROL: char = '\u{E009}';

fn serve(stage: &Stage) -> String {
    let inner = |text| INNER.replace("TEXT", text);
    stage.site.serve("/inner", &inner("in a frame"));
    stage.site.serve("/foreign", &inner("in a foreign frame"));
    stage.site.serve("/popup", POPUP);
    stage.site.serve("/next", NEXT);
    stage.site.serve("/done", DONE);
    let foreign = format!("{}/foreign", stage.site.origin.replace("127.0.0.1", "localhost"));
    stage.page(&PAGE.replace("id=foreign", &format!("id=foreign src={foreign}")))
}

/// Records what somebody does; answers the flow.
async fn recorded<F: Future<Output = Person>>(
    stage: &Stage,
    engine: Engine,
    url: &str,
    does: impl FnOnce(Person, mpsc::UnboundedSender<Steered>) -> F,
) -> (RecordedFlow, Person) {
    recorded_in(Arc::from(stage.driver.open().await.unwrap()), engine, url, does).await
}

/// The same in a session that is open.
pub(crate) async fn recorded_in<F: Future<Output = Person>>(
    session: Arc<dyn Session>,
    engine: Engine,
    url: &str,
    does: impl FnOnce(Person, mpsc::UnboundedSender<Steered>) -> F,
) -> (RecordedFlow, Person) {
    let recorder = FlowRecorder::new(Shared(Arc::clone(&session), engine));
    let (watcher, told) = Watcher::new();
    let (sender, mut steering) = mpsc::unbounded_channel();
    let steering = futures::stream::poll_fn(move |context| steering.poll_recv(context));
    let command =
        RecordFlow { name: "all controls".into(), viewport: Some((1000, 700)), ..RecordFlow::at(url) };
    let recording = recorder.record(command, &watcher, steering, pending());
    let person = does(Person { session, told }, sender);
    let (recorded, person) = tokio::join!(recording, person);
    (recorded.unwrap(), person)
}

/// Ends a recording.
pub(crate) fn stop(sender: &mpsc::UnboundedSender<Steered>) {
    sender.send(Steered::new(SteerRecording::Stop, |answer| drop(answer.unwrap()))).unwrap();
}

/// Does something with every control.
async fn use_everything(mut person: Person, engine: Engine, file: &str) -> Person {
    person.see("document.readyState === 'complete' && document.querySelector('#next')").await;
    person.click("#name").await;
    person.keys("Ada Lovelace").await;
    person.keys(TAB).await;
    person.keys("hunter2!").await;
    person.click("#agreed").await;
    person.click_as("document.querySelectorAll('[name=size]')[1].parentElement", 0, 1).await;
    person.js("document.querySelector('#colour').focus()").await;
    person.keys("g").await;
    person.js("document.querySelector('#volume').focus()").await;
    person.keys(RIGHT).await;
    person.click("#note").await;
    person.keys("a note").await;
    person.click("#words").await;
    person.keys(&format!("one{ENTER}two")).await;
    person.choose_file("#file", file).await;
    person.see("localStorage.seen.includes('file=')").await;
    person.click("#buy").await;
    person.click_as("document.querySelector('#twice')", 0, 2).await;
    person.click_as("document.querySelector('#menu')", 2, 1).await;
    person.click_as("document.querySelector('#host').shadowRoot.querySelector('button')", 0, 1).await;
    person.keys(ESCAPE).await;
    person.chord(CONTROL, 'k').await;
    // Firefox gives the input of its driver to no frame of another process.
    let frames: &[&str] = if engine == Engine::Firefox { &["#inner"] } else { &["#inner", "#foreign"] };
    for frame in frames {
        person.click_in(frame, "button").await;
    }
    let last = if engine == Engine::Firefox { "in a frame" } else { "in a foreign frame" };
    person.see(&format!("localStorage.seen.includes('{last}')")).await;
    person.wheel(400).await;
    person.see("scrollY > 0").await;
    person.step("scroll").await;
    person.js("document.querySelector('#pop').scrollIntoView()").await;
    person.click("#pop").await;
    let main = person.popup().await;
    person.see("document.readyState === 'complete' && document.querySelector('button')").await;
    person.click("button").await;
    person.step("There").await;
    person.call(Method::Post, "window", json!({ "handle": main })).await;
    person.click("#next").await;
    person.see("location.pathname === '/next' && document.readyState === 'complete'").await;
    person.click("[name=q]").await;
    person.keys(&format!("teapot{ENTER}")).await;
    person.see("location.pathname === '/done' && document.readyState === 'complete'").await;
    person
}

/// The flow with limits that suit a busy machine, and its secrets.
fn patient(recorded: &RecordedFlow) -> BrowserFlow {
    let mut document: Value = serde_json::from_str(recorded.flow.document()).unwrap();
    document["timeout"] = json!(LIMIT_MILLIS);
    let flow = BrowserFlow::parse(&document.to_string()).unwrap();
    flow.with_secrets(|_| Some(Secret::from_text("hunter2!"))).unwrap()
}

async fn what_is_done_is_recorded_in(engine: Engine) {
    let Some(stage) = Stage::open_in(engine).await else { return };
    let url = serve(&stage);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("list.txt");
    std::fs::write(&path, "milk").unwrap();
    let (recorded, person) = recorded(&stage, engine, &url, async |person, sender| {
        let person = use_everything(person, engine, path.to_str().unwrap()).await;
        stop(&sender);
        person
    })
    .await;
    for step in &recorded.flow.flow().steps {
        println!("{}", step.description());
    }
    assert_eq!((recorded.ended, &recorded.notes[..]), (Ended::Stopped, &[][..]));
    assert_eq!(recorded.secrets, ["secret_word"]);
    assert!(!recorded.flow.document().contains("hunter2"), "{}", recorded.flow.document());
    let seen = person.js("return localStorage.seen").await;
    person.session.close().await;
    let (result, _) = stage.replay_flow(patient(&recorded)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?} in {}", result.failure(), recorded.flow.document());
    assert_eq!(stage.js("return localStorage.seen").await, seen);
    stage.close().await;
}

#[tokio::test]
async fn what_is_done_in_chromium_is_recorded_and_the_page_sees_the_same_when_it_is_replayed() {
    what_is_done_is_recorded_in(Engine::Chromium).await;
}

#[tokio::test]
async fn what_is_done_in_firefox_is_recorded_and_the_page_sees_the_same_when_it_is_replayed() {
    what_is_done_is_recorded_in(Engine::Firefox).await;
}
