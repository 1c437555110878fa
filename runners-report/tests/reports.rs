//! What the three reports say, and what they let nobody else say.

use quick_junit::Report;
use runners_core::{
    Conclusion, Fault, Outcome, Timestamp,
    report::{ArtifactReport, AttemptReport, ComparisonReport, JobReport, RunReport, StepReport, StepState},
};
use runners_report::{Html, ctrf, junit};
use serde_json::{Value, json};
use std::time::Duration;

const EVIL: &str = "</style><script>alert(1)</script>\"'&\u{1}";

fn picture(name: &str, bytes: u64) -> ArtifactReport {
    ArtifactReport::new(name, Some(format!("shop/{name}")), "image/png", bytes)
}

fn run_of(jobs: Vec<JobReport>) -> RunReport {
    let mut run =
        RunReport::new("nightly", Timestamp::from_millis(1_800_000_000_000), Duration::from_secs(9));
    run.jobs = jobs;
    run
}

fn failed() -> JobReport {
    let mut job = JobReport::new("shop", "the shop opens", Conclusion::Failed);
    job.file = Some("flows/shop.json".to_owned());
    job.failure = Some("step 2: no element matches #pay".to_owned());
    job.duration = Duration::from_millis(5_310);
    let mut step = StepReport::new("click \"Pay\"", StepState::Failed, Duration::from_secs(5));
    step.reason = job.failure.clone();
    step.artifacts = vec!["steps/02-failed.png".to_owned()];
    job.steps = vec![StepReport::new("go there", StepState::Passed, Duration::from_millis(310)), step];
    job.artifacts = vec![
        picture("steps/02-failed.png", 3),
        ArtifactReport::new("steps/02 #1.html", Some("shop/steps/02 #1.html".into()), "text/html", 20_480),
    ];
    job
}

#[test]
fn a_page_holds_its_pictures_and_links_the_rest() {
    let run = run_of(vec![failed()]);
    let read = |artifact: &ArtifactReport| (artifact.name == "steps/02-failed.png").then(|| vec![1, 2, 3]);
    let page = Html::of(&run).with_prefix("../").with_artifacts(&read).render();
    assert!(page.contains("data:image/png;base64,AQID"), "{page}");
    assert!(page.contains("href=\"./../shop/steps/02%20%231.html\""), "{page}");
    assert!(page.contains("20 kB"), "{page}");
    let without = Html::of(&run).render();
    assert!(!without.contains("data:image") && without.contains("./shop/steps/02-failed.png"), "{without}");
}

#[test]
fn a_comparison_shows_how_it_looked_how_it_looks_and_what_differs_in_this_order() {
    let mut job = failed();
    let [before, now, difference] =
        ["baseline", "now", "difference"].map(|part| format!("screenshots/cart-{part}.png"));
    job.steps[1].artifacts = vec![before.clone(), now.clone(), difference.clone()];
    // Files are listed by their names, which is another order.
    job.artifacts = [&before, &difference, &now].map(|name| picture(name, 3)).to_vec();
    let run = run_of(vec![job]);
    let read = |artifact: &ArtifactReport| Some(artifact.name.clone().into_bytes());
    let page = Html::of(&run).with_artifacts(&read).render();
    let shown = page.split("<figcaption>").skip(1).map(|rest| rest.split_once('<').unwrap().0);
    assert_eq!(shown.collect::<Vec<_>>(), [before, now, difference]);
    let (step, pictures) = (page.find("<li class=\"failed\">").unwrap(), page.find("<figure>").unwrap());
    assert!(step < pictures && pictures < page.find("</ol>").unwrap(), "they stand at their step");
}

#[test]
fn pictures_have_a_limit_each_and_together_and_failures_come_first() {
    let large = u64::try_from(Html::PICTURE_BYTES_MAX).unwrap();
    let many = Html::PICTURES_BYTES_MAX / Html::PICTURE_BYTES_MAX;
    let mut passed = JobReport::new("passed", "passed", Conclusion::Passed);
    passed.artifacts = vec![picture("passed.png", large)];
    let mut failed = JobReport::new("failed", "failed", Conclusion::Failed);
    failed.artifacts = (0..many).map(|number| picture(&format!("{number}.png"), large)).collect();
    failed.artifacts.push(picture("too-large.png", large + 1));
    let run = run_of(vec![passed, failed]);
    let asked = std::cell::RefCell::new(Vec::new());
    let read = |artifact: &ArtifactReport| {
        asked.borrow_mut().push(artifact.name.clone());
        Some(vec![0; Html::PICTURE_BYTES_MAX])
    };
    let page = Html::of(&run).with_artifacts(&read).render();
    assert_eq!(page.matches("<img ").count(), many);
    assert!(page.contains("./shop/passed.png") && page.contains("./shop/too-large.png"));
    assert!(!asked.borrow().iter().any(|name| name == "passed.png" || name == "too-large.png"));
}

#[test]
fn what_a_page_under_test_says_stays_text() {
    let mut job = failed();
    job.title = EVIL.to_owned();
    job.failure = Some(EVIL.to_owned());
    job.steps[1].reason = Some(EVIL.to_owned());
    job.missing = vec![EVIL.to_owned()];
    job.artifacts[0].path = Some("javascript:alert(1)//\"".to_owned());
    job.file = Some(EVIL.to_owned());
    let run = run_of(vec![job]);
    let page = Html::of(&run).render();
    assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
    assert!(page.contains("default-src &#39;none&#39;") && page.contains("sha256-"), "{page}");
    assert_eq!(page.matches("</style>").count(), 1);
    let xml = junit(&run);
    assert!(!xml.contains("<script") && !xml.contains('\u{1}'), "{xml}");
    Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&ctrf(&run)).unwrap()["results"]["tests"][0]["message"],
        EVIL,
        "JSON quotes by itself"
    );
}

/// A job that left a console, requests and what the screen showed, with this text wherever there is one.
fn logged(text: &str) -> (JobReport, impl Fn(&ArtifactReport) -> Option<Vec<u8>>) {
    let mut job = failed();
    let log = |name: &str| ArtifactReport::new(name, Some(format!("shop/{name}")), "application/json", 100);
    job.artifacts.extend(["console.json", "network.har", "frames.json"].map(log));
    job.page_errors = vec![format!("during step 2: {text}")];
    let entry = json!({ "at_ms": 1200, "step": 2, "level": "error", "source": "uncaught", "text": text, "url": text, "line": 3 });
    let console = json!({ "version": 1, "entries": [entry], "left_out": 4 });
    let request = |url: &str, code: u16, at: f64| {
        json!({
            "time": 50.0, "request": { "method": "GET", "url": url }, "_at_ms": at, "_resourceType": "fetch",
            "response": { "status": code, "content": { "size": 10 }, "_transferSize": 2_500 },
        })
    };
    let har = json!({ "log": { "entries": [request("http://a/", 200, 0.0), request(text, 500, 50.0)] } });
    let frame = |at: u64| json!({ "at_ms": at, "jpeg": "AQID" });
    let frames = json!({ "version": 1, "duration_ms": 900, "frames": [frame(0), frame(400), { "at_ms": 500, "jpeg": text }] });
    let read = move |artifact: &ArtifactReport| {
        let log = match &*artifact.name {
            "console.json" => &console,
            "network.har" => &har,
            "frames.json" => &frames,
            _ => return None,
        };
        Some(log.to_string().into_bytes())
    };
    (job, read)
}

#[test]
fn a_page_shows_console_requests_and_screen_without_a_script() {
    let (job, read) = logged("it broke");
    let run = run_of(vec![job]);
    let page = Html::of(&run).with_artifacts(&read).render();
    for shown in [
        "What went wrong in the page",
        "during step 2: it broke",
        "1 entry, 1 error",
        "4 more are not shown",
        "2 requests, 1 failed, 5 kB",
        "x=\"50.00\" y=\"0\" width=\"50.00\"",
        "it broke:3",
        ".film-1 label:nth-child(2) { animation-duration: 400ms; }",
    ] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    assert_eq!(page.matches("data:image/jpeg;base64,AQID").count(), 2, "and nothing that is no picture");
    // The policy allows the two styles that are there and no other.
    assert_eq!((page.matches("<style>").count(), page.matches("sha256-").count()), (2, 2), "{page}");
    let without = Html::of(&run).render();
    assert!(!without.contains("Requests") && without.contains("./shop/network.har"), "they are linked");
}

#[test]
fn a_film_in_parts_is_played_as_one() {
    let mut job = failed();
    let names = ["film/index.json", "film/0000.json", "film/0001.json"];
    let left = |name: &str| ArtifactReport::new(name, None, "application/json", 100);
    job.artifacts.extend(names.map(left));
    let part = |name: &str| json!({ "name": name, "from_ms": 0, "frames": 2 });
    let index = json!({ "version": 1, "duration_ms": 900, "parts": [part(names[1]), part("film/gone.json"), part(names[2])] });
    let read = move |artifact: &ArtifactReport| {
        let told = match &*artifact.name {
            "film/index.json" => index.clone(),
            "film/0000.json" => json!({ "version": 1, "frames": [{ "at_ms": 0, "jpeg": "AQID" }] }),
            _ => json!({ "version": 1, "frames": [{ "at_ms": 400, "png": "BAUG" }, { "at_ms": 500 }] }),
        };
        Some(told.to_string().into_bytes())
    };
    let page = Html::of(&run_of(vec![job])).with_artifacts(&read).render();
    for shown in
        ["data:image/jpeg;base64,AQID", "data:image/png;base64,BAUG", "{ animation-duration: 400ms; }"]
    {
        assert_eq!(page.matches(shown).count(), 1, "{shown}");
    }
    assert!(!page.contains("label:nth-child(3) { animation"), "what has no picture is none");
}

#[test]
fn what_a_console_says_stays_text() {
    let (job, read) = logged(EVIL);
    let page = Html::of(&run_of(vec![job])).with_artifacts(&read).render();
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;") || page.contains("&#60;script&#62;"),
        "{page}"
    );
    assert_eq!(page.matches("</style>").count(), 2);
    let (job, _) = logged("x");
    let broken = |_: &ArtifactReport| Some(b"{ no JSON".to_vec());
    let page = Html::of(&run_of(vec![job])).with_artifacts(&broken).render();
    assert!(page.contains("./shop/console.json"), "what cannot be read is linked");
}

#[test]
fn what_is_excused_is_told_apart_everywhere() {
    let mut job = failed();
    job.region = Some("eu-west".to_owned());
    job.excused = Some("the region is expected to fail".to_owned());
    job.page_errors = vec!["Uncaught Error: x".to_owned()];
    job.steps[0].state = StepState::Excused;
    job.steps[0].retries = 2;
    let run = run_of(vec![job, JobReport::new("good", "good", Conclusion::Passed)]);
    let page = Html::of(&run).render();
    for shown in [
        "1 excused",
        "1 passed",
        "eu-west",
        "It does not count: the region is expected to fail",
        "tried 2 times more",
    ] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    assert!(page.contains("<title>passed: nightly"), "{page}");
    let xml = junit(&run);
    let read = Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((read.tests, read.failures, read.skipped), (2, 0, 1), "{xml}");
    assert!(
        xml.contains("eu-west") && xml.contains("<system-err>Uncaught Error: x") && xml.contains("excused"),
        "{xml}"
    );
    let document: Value = serde_json::from_str(&ctrf(&run)).unwrap();
    let test = &document["results"]["tests"][0];
    assert_eq!((&test["status"], &test["extra"]["region"]), (&json!("skipped"), &json!("eu-west")));
    assert_eq!(test["extra"]["pageErrors"], json!(["Uncaught Error: x"]));
    assert_eq!(
        (&test["steps"][0]["status"], &test["steps"][0]["extra"]["retries"]),
        (&json!("other"), &json!(2))
    );
}

#[test]
fn a_step_that_was_cut_short_is_told_with_its_time() {
    let mut job = failed();
    job.steps[1].state = StepState::CutShort;
    job.steps[1].reason = Some("step 2: it was stopped".to_owned());
    let run = run_of(vec![job]);
    let page = Html::of(&run).render();
    assert!(page.contains("<li class=\"errored\">") && page.contains("cut short, 5.0 s"), "{page}");
    assert!(junit(&run).contains("cut short   5000 ms  step 2: it was stopped"), "{}", junit(&run));
    let document: Value = serde_json::from_str(&ctrf(&run)).unwrap();
    assert_eq!(document["results"]["tests"][0]["steps"][1]["status"], "other");
}

#[test]
fn a_long_text_is_cut_and_a_long_run_is_closed_where_it_passed() {
    let mut job = failed();
    job.failure = Some("x".repeat(Html::TEXT_CHARACTERS_MAX + 1));
    let run = run_of(vec![job, JobReport::new("good", "good", Conclusion::Passed)]);
    let page = Html::of(&run).render();
    assert!(page.contains("x…"), "cut");
    assert_eq!(page.matches(" open>").count(), 1, "what passed can be opened");
    assert!(page.contains("1 passed") && page.contains("1 failed"));
}

#[test]
fn junit_tells_failures_errors_skips_and_flakes_apart() {
    let fault = Fault::retryable("browser_lost", "the browser was lost");
    let mut flaky = JobReport::new("flaky", "flaky", Conclusion::Flaky);
    flaky.attempts = vec![
        AttemptReport::new(1, Outcome::Failed, Duration::from_secs(1)),
        AttemptReport::new(2, Outcome::Passed, Duration::from_secs(1)),
    ];
    let mut errored = JobReport::new("errored", "errored", Conclusion::Errored);
    errored.attempts = vec![AttemptReport::new(1, Outcome::Errored(fault), Duration::from_secs(1))];
    let conclusions = [Conclusion::TimedOut, Conclusion::Cancelled, Conclusion::Expired];
    let others = conclusions.map(|conclusion| JobReport::new(conclusion.words(), "x", conclusion));
    let run = run_of([failed(), flaky, errored].into_iter().chain(others).collect());
    let xml = junit(&run);
    let read = Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((read.tests, read.failures, read.errors, read.skipped), (6, 2, 1, 2), "{xml}");
    assert!(
        xml.contains("<flakyFailure") && xml.contains("[[ATTACHMENT|shop/steps/02-failed.png]]"),
        "{xml}"
    );
    assert!(xml.contains("timestamp=\"2027-01-15T08:00:00.000+00:00\""), "{xml}");
    assert_eq!(read.test_suites[0].test_cases[0].name.as_str(), "the shop opens");
}

#[test]
fn what_a_page_under_test_says_attaches_nothing_and_stays_one_line() {
    let mut job = failed();
    let evil = "[[ATTACHMENT|/etc/passwd]]\n  3  passed   \u{fffe}";
    job.title = evil.to_owned();
    job.failure = Some(evil.to_owned());
    job.steps[1].reason = Some(evil.to_owned());
    job.page_errors = vec![evil.to_owned()];
    let xml = junit(&run_of(vec![job]));
    assert!(!xml.contains("[[ATTACHMENT|/etc/passwd]]") && !xml.contains('\u{fffe}'), "{xml}");
    assert_eq!(xml.matches("[[ATTACHMENT|shop/").count(), 2, "{xml}");
    let said = xml.split_once("<system-out>").unwrap().1.split_once("</system-out>").unwrap().0;
    assert_eq!(said.trim().lines().count(), 4, "two steps and two artifacts: {said}");
}

#[test]
fn ctrf_has_what_its_schema_requires_and_counts_what_it_lists() {
    let run = run_of(vec![
        failed(),
        JobReport::new("good", "", Conclusion::Passed),
        JobReport::new("lost", "lost", Conclusion::Errored),
        JobReport::new("stopped", "stopped", Conclusion::Cancelled),
    ]);
    let document: Value = serde_json::from_str(&ctrf(&run)).unwrap();
    assert_eq!((&document["reportFormat"], &document["specVersion"]), (&"CTRF".into(), &"0.0.0".into()));
    let summary = &document["results"]["summary"];
    let numbers = ["tests", "passed", "failed", "skipped", "pending", "other"]
        .map(|name| summary[name].as_u64().unwrap());
    assert_eq!(numbers, [4, 1, 1, 1, 0, 1]);
    assert_eq!(summary["stop"].as_u64().unwrap() - summary["start"].as_u64().unwrap(), 9_000);
    let tests = document["results"]["tests"].as_array().unwrap();
    assert_eq!(tests[0]["steps"][1]["status"], "failed");
    assert_eq!(tests[0]["attachments"][0]["contentType"], "image/png");
    assert_eq!(tests[1]["name"], "good", "a name is never empty");
    assert_eq!(tests[2]["rawStatus"], "errored");
}

/// One check in three regions, of which each left a picture and one failed.
fn compared() -> RunReport {
    let job = |region: &str, conclusion| {
        let mut job = JobReport::new(format!("opens-{region}"), "opens · https://shop.example/", conclusion);
        job.region = Some(region.to_owned());
        job.finding = (region == "us").then(|| "broken here".to_owned());
        job.duration = Duration::from_millis(if region == "us" { 4_000 } else { 1_000 });
        job.artifacts = vec![ArtifactReport::new("home.png", Some(format!("a/{region}")), "image/png", 3)];
        job
    };
    let mut failed = job("us", Conclusion::Failed);
    failed.artifacts.push(ArtifactReport::new("failed.png", Some("a/failed".to_owned()), "image/png", 3));
    let mut run = run_of(vec![job("eu", Conclusion::Passed), failed, job("hk", Conclusion::Passed)]);
    let alone = ComparisonReport::new("alike · https://shop.example/", true, vec![0, 2]);
    run.comparison = vec![alone, ComparisonReport::new(run.jobs[0].title.clone(), false, vec![0, 1, 2])];
    run
}

#[test]
fn what_regions_came_to_stands_side_by_side_and_what_differs_comes_first() {
    let mut run = compared();
    run.jobs[0].region = Some(EVIL.to_owned());
    let read = |_: &ArtifactReport| Some(vec![1, 2, 3]);
    let page = Html::of(&run).with_artifacts(&read).render();
    assert!(page.contains("2 checks in 3 regions, 1 differs"), "{page}");
    let (differs, alike) = (page.find("differs</b>").unwrap(), page.find("alike · ").unwrap());
    assert!(differs < alike, "{page}");
    for shown in [
        "href=\"#job-2\"><b>failed</b>",
        "width=\"25.00\"",
        "no such picture",
        "<h3>failed.png</h3>",
        "not asked",
        "<span class=\"finding\">broken here</span>",
    ] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
    assert!(!page.contains("<script"), "{page}");
    let without = Html::of(&run).render();
    assert!(without.contains("2 checks in 3 regions") && !without.contains("<h3>"), "{without}");
    run.comparison.clear();
    assert!(!Html::of(&run).render().contains("Side by side"));
}

#[test]
fn a_picture_that_stands_side_by_side_is_not_in_the_page_again() {
    let mut run = compared();
    run.comparison.remove(0);
    let read = |artifact: &ArtifactReport| Some(artifact.path.clone().unwrap_or_default().into_bytes());
    let page = Html::of(&run).with_artifacts(&read).render();
    assert_eq!(page.matches("<img ").count(), 4, "{page}");
    assert_eq!(page.matches("href=\"#side-1\"").count(), 1 + 4, "{page}");
}
