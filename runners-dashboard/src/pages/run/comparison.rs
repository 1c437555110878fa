//! A run beside an earlier one: what came to something else, and what takes longer than it did.

use super::{
    matrix,
    sheet::{Cell, Sheet},
};
use crate::{
    failure::Failure,
    form::Form,
    parts::{ROWS, empty, table},
    visitor::Visitor,
    words,
};
use maud::{Markup, html};
use runners_core::{Paging, RunId, RunLine, Timestamp};
use std::{cmp::Reverse, time::Duration};

/// How much longer or shorter something takes, by half at least, before that is told.
const DIFFERENCE_MIN: Duration = Duration::from_secs(1);
/// How many differences are shown.
const DIFFERENCES_MAX: usize = 200;

/// The runs that one can be compared with, and the one that it is.
#[derive(Debug)]
pub(super) struct Comparison {
    earlier: Vec<RunLine>,
    with: Option<(RunLine, Sheet)>,
}

/// How much a difference matters, what matters most last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Slower,
    Other,
    Better,
    Worse,
}

/// How much it matters, the check, the pool, and what differs in words.
type Difference<'s> = (Weight, &'s str, &'s str, String);

impl Comparison {
    /// Looks for runs before one; compares it with the one that the page names, or with the last of them that
    /// is most likely the same work.
    pub(super) async fn of(visitor: &Visitor, line: &RunLine, form: &Form) -> Result<Self, Failure> {
        let page = visitor.management.runs(&Paging { after: None, limit: ROWS }).await?;
        let is_before = |one: &RunLine| one.run != line.run && one.submitted_at <= line.submitted_at;
        let mut earlier: Vec<RunLine> = page.items.into_iter().filter(is_before).collect();
        earlier.sort_by_key(|one| (!are_alike(one, line), Reverse(one.submitted_at)));
        let chosen = match form.parsed::<RunId>("with", "run")? {
            Some(run) => Some(visitor.management.run(run).await?),
            None => earlier.first().filter(|one| are_alike(one, line)).cloned(),
        };
        let with = match chosen {
            Some(chosen) => {
                let sheet = Sheet::of(visitor, chosen.run).await?;
                Some((chosen, sheet))
            }
            None => None,
        };
        Ok(Self { earlier, with })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.earlier.is_empty() && self.with.is_none()
    }

    pub(super) fn show(&self, visitor: &Visitor, now: Timestamp, run: RunId, sheet: &Sheet) -> Markup {
        html! {
            (self.choice(visitor, now, run))
            @if let Some((_, before)) = &self.with {
                @let all = differences(before, sheet);
                @if all.is_empty() { (empty("Every check that is in both came to the same, in about the same time.")) }
                @else { (told(visitor, before, sheet, &all)) }
            }
        }
    }

    fn choice(&self, visitor: &Visitor, now: Timestamp, run: RunId) -> Markup {
        let chosen = self.with.as_ref().map(|(line, _)| line.run);
        html! {
            form.filters method="get" action=(visitor.place.to(format_args!("runs/{run}"))) {
                label.long { "With the run" select name="with" {
                    @if chosen.is_none() { option value="" selected { "–" } }
                    @for one in &self.earlier {
                        option value=(one.run) selected[chosen == Some(one.run)] {
                            (words::short(one.run)) ", " (words::rough(now.since(one.submitted_at))) " ago"
                            @if let Some(title) = &one.title { ": " (title) }
                        }
                    }
                } }
                button type="submit" { "Compare" }
            }
        }
    }
}

/// Whether two runs are most likely the same work: they begin with the same, or have as many jobs. Which of
/// the jobs that were submitted at once is the first is by chance.
fn are_alike(one: &RunLine, other: &RunLine) -> bool {
    one.title == other.title || (one.jobs == other.jobs && one.jobs > 1)
}

/// What differs, what matters most first.
fn differences<'s>(before: &'s Sheet, after: &'s Sheet) -> Vec<Difference<'s>> {
    let mut all = Vec::new();
    for (title, by_pool) in &after.rows {
        for pool in by_pool.keys() {
            let difference = difference(before.newest(title, pool), after.newest(title, pool));
            all.extend(difference.map(|(weight, words)| (weight, title.as_str(), pool.as_str(), words)));
        }
    }
    for (title, by_pool) in &before.rows {
        for pool in by_pool.keys().filter(|pool| after.newest(title, pool).is_none()) {
            all.push((Weight::Other, title.as_str(), pool.as_str(), "not in this run".to_owned()));
        }
    }
    all.sort_by_key(|(weight, ..)| Reverse(*weight));
    all
}

fn difference(before: Option<&Cell>, now: Option<&Cell>) -> Option<(Weight, String)> {
    let Some(before) = before else { return Some((Weight::Other, "new".to_owned())) };
    let (then, is) = (before.conclusion()?, now?.conclusion()?);
    match (then.is_passed(), is.is_passed()) {
        (true, false) => return Some((Weight::Worse, "does not pass any more".to_owned())),
        (false, true) => return Some((Weight::Better, "passes now".to_owned())),
        _ if then != is => return Some((Weight::Other, "came to something else".to_owned())),
        _ => {}
    }
    let (then, is) = (before.took?, now?.took?);
    let (less, more) = (then.min(is), then.max(is));
    (more - less >= DIFFERENCE_MIN && more >= less * 3 / 2).then(|| {
        let much = words::span(more - less);
        (
            Weight::Slower,
            if is > then { format!("takes {much} longer") } else { format!("takes {much} less") },
        )
    })
}

fn told(visitor: &Visitor, before: &Sheet, after: &Sheet, all: &[Difference<'_>]) -> Markup {
    let cell = |found: Option<&Cell>| {
        html! {
            @match found { Some(cell) => { (matrix::one(&visitor.place, cell)) } None => { span.faint { "–" } } }
        }
    };
    let rows = html! {
        @for (weight, title, pool, words) in all.iter().take(DIFFERENCES_MAX) {
            tr {
                td data-label="Check" { b.break { (title) } }
                td.told data-label="Pool" { (pool) }
                td data-label="" {
                    @match weight {
                        Weight::Worse => { span.tone.failed { (words) } }
                        Weight::Better => { span.tone.passed { (words) } }
                        _ => { (words) }
                    }
                }
                td.told data-label="Then" { (cell(before.newest(title, pool))) }
                td.told data-label="Now" { (cell(after.newest(title, pool))) }
            }
        }
    };
    html! {
        (table("Differences", &["Check", "Pool", "Difference", "Then", "Now"], &rows))
        @if all.len() > DIFFERENCES_MAX {
            p.faint { "The first " (DIFFERENCES_MAX) " of " (words::count(all.len() as u64, "difference")) "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Conclusion, JobId, protocol::StateView};

    fn cell(conclusion: Conclusion, seconds: u64) -> Cell {
        let state = StateView::Concluded { conclusion, at: Timestamp::from_millis(0) };
        Cell { job: JobId::from_bytes([1; 16]), state, attempts: 1, took: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn what_differs_is_told_and_what_is_about_the_same_is_not() {
        let words = |before: &Cell, now: &Cell| difference(Some(before), Some(now)).map(|(_, words)| words);
        let (passed, failed) = (cell(Conclusion::Passed, 4), cell(Conclusion::Failed, 4));
        assert_eq!(words(&passed, &failed).as_deref(), Some("does not pass any more"));
        assert_eq!(words(&failed, &passed).as_deref(), Some("passes now"));
        assert_eq!(words(&passed, &passed), None);
        assert_eq!(words(&passed, &cell(Conclusion::Passed, 5)), None, "a quarter longer");
        assert_eq!(words(&passed, &cell(Conclusion::Passed, 6)).as_deref(), Some("takes 2.0 s longer"));
        assert_eq!(words(&cell(Conclusion::Passed, 6), &passed).as_deref(), Some("takes 2.0 s less"));
        assert_eq!(words(&passed, &cell(Conclusion::Flaky, 4)).as_deref(), Some("came to something else"));
        assert_eq!(difference(None, Some(&passed)).unwrap().1, "new");
    }
}
