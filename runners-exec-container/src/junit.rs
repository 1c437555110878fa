//! JUnit files as test suites of many languages write them: counted by their cases, since what they say of
//! their counts differs.

use crate::result::{TestCase, TestState, TestSummary};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use std::time::Duration;

/// The most events of a file that are looked at.
const EVENTS_MAX: usize = 2_000_000;

/// Takes out of a text what is not to be told. What escapes stood for is known here only.
type Hide<'a> = &'a dyn Fn(&str) -> String;

/// Reads a file. `None` if it is no XML, or has no suite.
pub(crate) fn read(text: &str, hide: Hide<'_>) -> Option<TestSummary> {
    let mut reader = Reader::from_str(text);
    let mut summary = TestSummary::default();
    let (mut case, mut is_suite): (Option<TestCase>, bool) = (None, false);
    for _ in 0..EVENTS_MAX {
        match reader.read_event().ok()? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"testsuite" | b"testsuites" => is_suite = true,
                b"testcase" => case = Some(read_case(&tag, hide)),
                name => case.iter_mut().for_each(|case| end(case, name, &tag, hide)),
            },
            Event::Empty(tag) => match tag.local_name().as_ref() {
                b"testsuite" | b"testsuites" => is_suite = true,
                b"testcase" => count(&mut summary, read_case(&tag, hide)),
                name => case.iter_mut().for_each(|case| end(case, name, &tag, hide)),
            },
            Event::End(tag) if tag.local_name().as_ref() == b"testcase" => {
                case.take().into_iter().for_each(|case| count(&mut summary, case));
            }
            Event::Eof => return is_suite.then_some(summary),
            _ => {}
        }
    }
    None
}

fn read_case(tag: &BytesStart<'_>, hide: Hide<'_>) -> TestCase {
    // Seconds, with a comma for the thousands as some write them.
    let seconds = attribute(tag, "time", hide).replace(',', "").parse::<f64>().ok();
    let seconds = seconds.filter(|seconds| (0.0..1e9).contains(seconds));
    TestCase {
        class: attribute(tag, "classname", hide),
        name: attribute(tag, "name", hide),
        duration_ms: seconds.map(|seconds| Duration::from_secs_f64(seconds).as_millis() as u64),
        ..TestCase::default()
    }
}

/// Takes what an element in a test says of its end; the worst counts.
fn end(case: &mut TestCase, name: &[u8], tag: &BytesStart<'_>, hide: Hide<'_>) {
    let state = match name {
        b"skipped" => TestState::Skipped,
        b"failure" => TestState::Failed,
        b"error" => TestState::Errored,
        _ => return,
    };
    if state > case.state {
        case.state = state;
        case.message = attribute(tag, "message", hide);
    }
}

fn count(summary: &mut TestSummary, case: TestCase) {
    summary.total += 1;
    match case.state {
        TestState::Passed => {}
        TestState::Skipped => summary.skipped += 1,
        TestState::Failed => summary.failed += 1,
        TestState::Errored => summary.errored += 1,
    }
    let is_failure = case.state.is_failure();
    let most = if is_failure { TestSummary::FAILED_MAX } else { TestSummary::OTHERS_MAX };
    if summary.cases.iter().filter(|told| told.state.is_failure() == is_failure).count() < most {
        summary.cases.push(case);
    }
}

/// The value of an attribute, cut; empty if there is none.
fn attribute(tag: &BytesStart<'_>, name: &str, hide: Hide<'_>) -> String {
    let found = tag.try_get_attribute(name).ok().flatten();
    let value =
        found.and_then(|found| Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned()));
    let mut value = hide(&value.unwrap_or_default());
    let mut end = value.len().min(TestCase::MESSAGE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.truncate(end);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<TestSummary> {
        super::read(text, &|text| text.to_owned())
    }

    #[test]
    fn cases_are_counted_and_failures_told() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="s" tests="9">
            <testcase classname="shop" name="buys" time="1,002.5"/>
            <testcase classname="shop" name="pays"><failure message="1 &lt; 2">trace</failure></testcase>
            <testcase name="sends"><error message="no server"/><system-out>x</system-out></testcase>
            <testcase name="later"><skipped/></testcase>
        </testsuite></testsuites>"#;
        let summary = read(text).unwrap();
        assert_eq!((summary.total, summary.failed, summary.errored, summary.skipped), (4, 1, 1, 1));
        let told: Vec<_> = summary.failures().map(|test| (&*test.name, &*test.message)).collect();
        assert_eq!(told, [("pays", "1 < 2"), ("sends", "no server")]);
        let states: Vec<_> = summary.cases.iter().map(|test| test.state).collect();
        use TestState::{Errored, Failed, Passed, Skipped};
        assert_eq!(states, [Passed, Failed, Errored, Skipped]);
        assert_eq!(summary.cases[0].duration_ms, Some(1_002_500));
    }

    #[test]
    fn a_lone_suite_is_read_and_other_files_are_not() {
        assert_eq!(read(r#"<testsuite><testcase name="a"/></testsuite>"#).unwrap().total, 1);
        for bad in ["", "{}", "<html></html>", "<testsuite><testcase></testsuite>"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_told_is_bounded() {
        let failed = format!(r#"<testcase name="a"><failure message="{}"/></testcase>"#, "é".repeat(1000));
        let passed = r#"<testcase name="b" time="x"/>"#.repeat(250);
        let summary = read(&format!("<testsuite>{passed}{}</testsuite>", failed.repeat(110))).unwrap();
        let told = (summary.failures().count(), summary.cases.len());
        assert_eq!((summary.total, summary.failed), (360, 110));
        assert_eq!(told, (TestSummary::FAILED_MAX, TestSummary::FAILED_MAX + TestSummary::OTHERS_MAX));
        assert_eq!(summary.failures().next().unwrap().message.len(), TestCase::MESSAGE_BYTES_MAX);
    }
}
