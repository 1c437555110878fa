//! Checks over pages: what a page does for them, how it fails, and how they travel as jobs.

use crate::stage::{REPLAYS_MAX, SHORT_MILLIS, Site, Stage, driver_options};
use futures::StreamExt as _;
use runners_core::{CheckError, CheckResult, CheckState, Checks, Conclusion, Followed, RunCheck};
use runners_exec_webdriver::{CheckFleet, Driver, Page, PageError, UploadedFile, expect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

const SHOP: &str = "<h1>Shop</h1><form onsubmit='event.preventDefault(); done()'>
  <label>Name <input id=name></label>
  <label>Colour <select id=colour><option value=r>Red<option value=b>Blue</select></label>
  <label><input type=checkbox id=gift> Gift</label>
  <button id=submit data-testid=order>Order now</button></form>
  <p id=said hidden></p>
<script>
  const the = id => document.getElementById(id);
  function done() {
    setTimeout(() => {
      the('said').textContent = `${the('name').value},   ${the('colour').value}, ${the('gift').checked}`;
      the('said').hidden = false;
      document.title = 'Ordered';
      history.pushState({}, '', '/ordered');
    }, 300);
  }
</script>";

const SHORT: Duration = Duration::from_millis(SHORT_MILLIS);

/// Why it failed. On a busy machine a page may not be looked at even once within a short limit; then it is tried
/// again.
async fn message(tried: impl AsyncFn() -> Result<(), PageError>) -> String {
    let mut told = String::new();
    for _ in 0..REPLAYS_MAX {
        told = match tried().await.unwrap_err() {
            PageError::Failed { message } => message,
            other => panic!("{other:?}"),
        };
        if !told.contains("the page did not answer") {
            break;
        }
    }
    told
}

#[tokio::test]
async fn a_page_is_acted_on_and_expected_of() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(SHOP);
    let page = Page::new(stage.session);
    page.goto(&url).await.unwrap();
    page.by_label("Name").fill("Ada").await.unwrap();
    page.locator("#colour").select("b").await.unwrap();
    page.locator("form").locator("aria/Gift").check().await.unwrap();
    expect(&page.locator("#gift")).to_be_checked().await.unwrap();
    expect(&page.locator("#said")).to_be_hidden().await.unwrap();
    assert!(!page.locator("#said").is_visible().await.unwrap());
    page.by_role("button", "Order now").click().await.unwrap();
    expect(&page.locator("#said")).to_have_text("Ada, b, true").await.unwrap();
    expect(&page.locator("#said")).to_contain_text("Ada").await.unwrap();
    expect(&page).to_have_title("Ordered").await.unwrap();
    expect(&page).to_have_url_containing("/ordered").await.unwrap();
    expect(&page.locator("label")).to_have_count(3).await.unwrap();
    expect(&page.by_test_id("order")).to_have_attribute("id", "submit").await.unwrap();

    page.locator("#name").press("Control+a").await.unwrap();
    page.press("Delete").await.unwrap();
    page.locator("#name").press("x").await.unwrap();
    expect(&page.locator("#name")).to_have_value("x").await.unwrap();
    page.locator("#name").press("Enter").await.unwrap();
    expect(&page.locator("#said")).to_have_text("x, b, true").await.unwrap();

    let sum: i64 =
        page.evaluate("return args.one + await Promise.resolve(2)", &json!({ "one": 1 })).await.unwrap();
    assert_eq!(sum, 3);
    let thrown = page.evaluate::<()>("throw new Error('no')", &()).await.unwrap_err();
    assert!(thrown.to_string().contains("evaluate: javascript error: no"), "{thrown}");
    assert!(page.screenshot("shop.png").await.unwrap().starts_with(b"\x89PNG"));
    page.close().await;
    stage.driver.stop().await;
}

#[tokio::test]
async fn one_of_several_is_dragged_dropped_and_given_files() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<ul><li>One <button>Take</button><li>Two <button>Take</button></ul><div id=bin>Bin</div>
        <input type=file hidden onchange='log.push(this.files[0].name)'>
        <script>
          for (const [at, item] of document.querySelectorAll('li').entries()) {
            item.onmousedown = () => { window.held = at };
            item.querySelector('button').onclick = () => log.push(`take ${at}`);
          }
          bin.onmouseup = () => log.push(`drop ${held}`);
        </script>",
    );
    let page = Page::new(stage.session);
    page.goto(&url).await.unwrap();
    let items = page.locator("li");
    assert_eq!(items.nth(1).text().await.unwrap(), "Two Take");
    items.nth(1).locator("button").click().await.unwrap();
    items.nth(0).drag_to(&page.locator("#bin")).await.unwrap();
    page.locator("[type=file]").upload([UploadedFile::new("a.txt", "text/plain", "Hi")]).await.unwrap();
    let log: Vec<String> = page.evaluate("return log", &()).await.unwrap();
    assert_eq!(log, ["take 1", "drop 0", "a.txt"]);
    let short = page.with_timeout(SHORT);
    let told = message(async || short.locator("li").nth(2).click().await).await;
    assert!(told.contains("no element matches li >> nth/2"), "{told}");
    let told = message(async || items.nth(0).drag_to(&short.locator("#none")).await).await;
    assert!(told.contains("drop on #none: no element matches #none"), "{told}");
    page.close().await;
    stage.driver.stop().await;
}

#[tokio::test]
async fn a_frame_is_acted_on_as_a_page_is_and_so_are_frames_in_it() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<h1>Around</h1><iframe src=/other></iframe><div style='height:2000px'></div>
        <iframe id=pay src=/outer width=400 height=300></iframe>",
    );
    stage.site.serve("/other", "<h1>Other</h1>");
    stage.site.serve("/outer", "<h1>Outer</h1><iframe title=Card src=/inner></iframe>");
    stage.site.serve(
        "/inner",
        "<label>Number <input id=number></label> <button id=go>Pay</button><p id=said></p>
        <script>go.onclick = () => { said.textContent = `paid ${number.value}`; document.title = 'Paid' }</script>",
    );
    let page = Page::new(stage.session);
    page.goto(&url).await.unwrap();
    let outer = page.frame("#pay");
    let card = outer.frame("iframe[title=Card]");
    card.by_label("Number").fill("4711").await.unwrap();
    card.by_role("button", "Pay").click().await.unwrap();
    expect(&card.locator("#said")).to_have_text("paid 4711").await.unwrap();
    expect(&card).to_have_title("Paid").await.unwrap();
    expect(&outer.locator("h1")).to_have_text("Outer").await.unwrap();
    let heading: String =
        outer.evaluate("return document.querySelector('h1').textContent", &()).await.unwrap();
    assert_eq!(heading, "Outer");
    let heading: String =
        page.evaluate("return document.querySelector('h1').textContent", &()).await.unwrap();
    assert_eq!(heading, "Around", "the page itself is where it was");
    assert!(card.source().await.unwrap().contains("id=\"number\""));
    expect(&page.locator("h1")).to_have_text("Around").await.unwrap();

    let short = page.with_timeout(SHORT);
    let told = message(async || short.frame("#none").locator("#go").click().await).await;
    assert!(told.contains("no element matches #none, for 1500 ms"), "{told}");
    let told = message(async || short.frame("h1").locator("#go").click().await).await;
    assert!(told.contains("h1 is no frame"), "{told}");
    page.close().await;
    stage.driver.stop().await;
}

#[tokio::test]
async fn a_failure_says_what_was_there_instead_and_what_is_like_it() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(SHOP);
    let page = Page::new(stage.session).with_timeout(SHORT);
    page.with_timeout(Page::TIMEOUT).goto(&url).await.unwrap();
    let missed = message(async || page.locator("#sumbit").click().await).await;
    let begins = format!(
        "click #sumbit: no element matches #sumbit, for 1500 ms; nearest are \"#submit\"; \
         the page is \"Test page\" at {url} and has \"Shop\", \"Name\","
    );
    assert!(missed.starts_with(&begins), "{missed}");
    let missed = message(async || page.by_role("button", "Order").click().await).await;
    assert!(missed.contains("nearest are \"Order now\""), "{missed}");
    let missed = message(async || page.by_test_id("ordr").click().await).await;
    assert!(missed.contains("nearest are \"order\""), "{missed}");
    let wrong = message(async || expect(&page.locator("h1")).to_have_text("Cart").await).await;
    assert!(wrong.starts_with("expected of h1: wanted \"Cart\", and it is \"Shop\", for 1500 ms"), "{wrong}");
    let wrong = message(async || expect(&page).to_have_title("Cart").await).await;
    assert!(
        wrong.starts_with("expected of the title of the page: wanted \"Cart\", and it is \"Test page\""),
        "{wrong}"
    );
    let wrong = message(async || page.locator("#colour").select("g").await).await;
    assert!(wrong.contains("it has \"r\", \"b\""), "{wrong}");
    let broken = message(async || page.locator("[[").click().await).await;
    assert!(broken.contains("no valid selector"), "{broken}");
    let broken = message(async || page.locator("aria/[colour=\"x\"]").click().await).await;
    assert!(broken.contains("unknown attribute"), "{broken}");
    page.close().await;
    stage.driver.stop().await;
}

#[tokio::test]
async fn an_element_is_acted_on_once_it_is_visible_and_enabled() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=late disabled hidden onclick='this.textContent = \"clicked\"'>Late</button>
         <button id=never disabled>Never</button><button id=unseen style='visibility:hidden'>Unseen</button>
         <script>setTimeout(() => late.hidden = false, 200); setTimeout(() => late.disabled = false, 500)</script>",
    );
    let page = Page::new(stage.session);
    page.goto(&url).await.unwrap();
    page.locator("#late").click().await.unwrap();
    expect(&page.locator("#late")).to_have_text("clicked").await.unwrap();
    let page = page.with_timeout(SHORT);
    assert!(
        message(async || page.locator("#never").click().await)
            .await
            .contains("#never is disabled, for 1500 ms")
    );
    assert!(
        message(async || page.locator("#unseen").click().await)
            .await
            .contains("#unseen is not visible, for 1500 ms")
    );
    page.close().await;
    stage.driver.stop().await;
}

#[derive(Serialize, Deserialize, runners_core::checks::schemars::JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Greeting {
    url: String,
    #[serde(default = "shop")]
    heading: String,
}

fn shop() -> String {
    "Shop".to_owned()
}

async fn greets(page: Page, wanted: Greeting) -> Result<String, CheckError> {
    page.goto(&wanted.url).await?;
    page.screenshot("there.png").await?;
    expect(&page.locator("h1")).within(Duration::from_secs(5)).to_have_text(&wanted.heading).await?;
    Ok(page.title().await?)
}

async fn breaks(_: Page, (): ()) -> Result<(), CheckError> {
    panic!("by mistake")
}

async fn dies(page: Page, (): ()) -> Result<(), CheckError> {
    page.close().await;
    page.goto("about:blank").await?;
    Ok(())
}

async fn opens(page: Page, wanted: Greeting) -> Result<(), CheckError> {
    page.goto(&wanted.url).await?;
    page.locator("#one").click().await?;
    expect(&page.locator("h1")).to_have_text(&wanted.heading).await?;
    Ok(())
}

#[tokio::test]
async fn a_popup_that_asks_while_it_loads_is_not_in_the_way_of_a_check_and_told() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let checks = Checks::new().with("opens", opens);
    let fleet = CheckFleet::builder(checks).driver(Driver::new(options)).start().await.unwrap();
    let site = Site::open();
    let popup = site.serve(
        "/popup",
        "<script>opener.document.querySelector('h1').textContent = confirm('Sure?')</script>",
    );
    let url = site.serve("/page", "<h1>Asks</h1><button id=one onclick=\"window.open('/popup')\">1</button>");
    let asked = Greeting { url, heading: "false".to_owned() };
    let job = fleet.submit(&RunCheck::new("opens", &asked).unwrap()).await.unwrap();
    let result = job.result().await.unwrap();
    assert_eq!(result.state, CheckState::Passed, "{result}");
    let logged = |event| match event {
        Ok(Followed::Log { bytes, .. }) => Some(String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
        _ => None,
    };
    let log: String = job.follow().filter_map(async |event| logged(event)).collect().await;
    let told = format!("{popup}: its dialog was dismissed, since nothing answers it: \"Sure?\"");
    assert!(log.contains(&told), "{log}");
    fleet.stop().await.unwrap();
}

#[tokio::test]
async fn checks_travel_as_jobs_and_leave_what_they_kept() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let checks = Checks::new().with("greets", greets).with("breaks", breaks).with("dies", dies);
    let fleet = CheckFleet::builder(checks).driver(Driver::new(options)).start().await.unwrap();
    let site = Site::open();
    let url = site.serve("/shop", SHOP);

    let passed = fleet.run("greets", &json!({ "url": url })).await.unwrap();
    assert_eq!(
        (passed.state, passed.details_as::<serde_json::Value>().unwrap()),
        (CheckState::Passed, json!({ "value": "Test page" }))
    );
    assert_eq!(passed.artifacts, ["console.json", "network.har", "there.png"]);

    let command = RunCheck::new("greets", &Greeting { url, heading: "Cart".to_owned() }).unwrap();
    let job = fleet.submit(&command).await.unwrap();
    let failed: CheckResult = job.result().await.unwrap();
    assert_eq!((failed.name.as_str(), failed.state), ("greets", CheckState::Failed));
    assert!(failed.message.unwrap().contains("wanted \"Cart\", and it is \"Shop\""));
    assert_eq!(failed.artifacts, ["console.json", "failed.html", "failed.png", "network.har", "there.png"]);
    let view = job.wait().await.unwrap();
    assert_eq!((view.conclusion(), view.artifacts.len()), (Some(Conclusion::Failed), 5));

    let broken = fleet.run("breaks", &()).await.unwrap();
    assert_eq!((broken.name.as_str(), broken.state), ("breaks", CheckState::Errored));
    assert_eq!(broken.message.as_deref(), Some("the check panicked: by mistake"));

    let lost = fleet.run("dies", &()).await.unwrap_err();
    assert!(format!("{lost:?}").contains("browser_lost"), "{lost:?}");
    let unknown = fleet.run("greats", &()).await.unwrap_err();
    assert!(format!("{unknown:?}").contains("breaks, dies, greets"), "{unknown:?}");
    fleet.stop().await.unwrap();
}
