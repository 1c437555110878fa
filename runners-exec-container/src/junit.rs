//! JUnit files as test suites of many languages write them: counted by their cases, since what they say of
//! their counts differs.

use crate::result::{FailedTest, TestSummary};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// The most events of a file that are looked at.
const EVENTS_MAX: usize = 2_000_000;

/// Reads a file. `None` if it is no XML, or has no suite.
pub(crate) fn read(text: &str) -> Option<TestSummary> {
    let mut reader = Reader::from_str(text);
    let mut summary = TestSummary::default();
    let (mut case, mut is_suite): (Option<Case>, bool) = (None, false);
    for _ in 0..EVENTS_MAX {
        match reader.read_event().ok()? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                b"testsuite" | b"testsuites" => is_suite = true,
                b"testcase" => case = Some(Case::of(&tag)),
                name => case.iter_mut().for_each(|case| case.ends(name, &tag)),
            },
            Event::Empty(tag) => match tag.local_name().as_ref() {
                b"testsuite" | b"testsuites" => is_suite = true,
                b"testcase" => Case::of(&tag).count(&mut summary),
                name => case.iter_mut().for_each(|case| case.ends(name, &tag)),
            },
            Event::End(tag) if tag.local_name().as_ref() == b"testcase" => {
                case.take().into_iter().for_each(|case| case.count(&mut summary));
            }
            Event::Eof => return is_suite.then_some(summary),
            _ => {}
        }
    }
    None
}

/// A test while it is read.
struct Case {
    test: FailedTest,
    end: End,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Passed,
    Skipped,
    Failed,
    Errored,
}

impl Case {
    fn of(tag: &BytesStart<'_>) -> Self {
        let test = FailedTest {
            class: attribute(tag, "classname"),
            name: attribute(tag, "name"),
            message: String::new(),
        };
        Self { test, end: End::Passed }
    }

    fn ends(&mut self, name: &[u8], tag: &BytesStart<'_>) {
        let end = match name {
            b"skipped" => End::Skipped,
            b"failure" => End::Failed,
            b"error" => End::Errored,
            _ => return,
        };
        if end > self.end {
            self.end = end;
            self.test.message = attribute(tag, "message");
        }
    }

    fn count(self, summary: &mut TestSummary) {
        summary.total += 1;
        match self.end {
            End::Passed => return,
            End::Skipped => {
                summary.skipped += 1;
                return;
            }
            End::Failed => summary.failed += 1,
            End::Errored => summary.errored += 1,
        }
        if summary.failures.len() < TestSummary::FAILED_MAX {
            summary.failures.push(self.test);
        }
    }
}

/// The value of an attribute, cut; empty if there is none.
fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = tag.try_get_attribute(name).ok().flatten();
    let value =
        found.and_then(|found| Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned()));
    let mut value = value.unwrap_or_default();
    let mut end = value.len().min(FailedTest::MESSAGE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    value.truncate(end);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_and_failures_told() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="s" tests="9">
            <testcase classname="shop" name="buys"/>
            <testcase classname="shop" name="pays"><failure message="1 &lt; 2">trace</failure></testcase>
            <testcase name="sends"><error message="no server"/><system-out>x</system-out></testcase>
            <testcase name="later"><skipped/></testcase>
        </testsuite></testsuites>"#;
        let summary = read(text).unwrap();
        assert_eq!((summary.total, summary.failed, summary.errored, summary.skipped), (4, 1, 1, 1));
        let told: Vec<_> = summary.failures.iter().map(|test| (&*test.name, &*test.message)).collect();
        assert_eq!(told, [("pays", "1 < 2"), ("sends", "no server")]);
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
        let summary = read(&format!("<testsuite>{}</testsuite>", failed.repeat(60))).unwrap();
        assert_eq!((summary.failed, summary.failures.len()), (60, TestSummary::FAILED_MAX));
        assert_eq!(summary.failures[0].message.len(), FailedTest::MESSAGE_BYTES_MAX);
    }
}
