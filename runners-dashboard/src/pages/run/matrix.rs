//! The checks of a run by the pools where they ran: a row for each, and what each of its jobs came to.

use super::sheet::{Cell, Sheet};
use crate::{
    parts::{facts, pill, table},
    visitor::Place,
    words,
};
use maud::{Markup, html};
use runners_core::Conclusion;

/// How many rows and columns are shown; the list of jobs has all of them.
const ROWS_MAX: usize = 200;
const COLUMNS_MAX: usize = 12;
/// How many jobs of one check in one pool are shown.
const CELLS_MAX: usize = 4;

/// What it came to, in figures.
pub(super) fn summary(sheet: &Sheet) -> Markup {
    let passed = sheet.ended(Conclusion::is_passed);
    let failed = sheet.ended(|one| matches!(one, Conclusion::Failed | Conclusion::TimedOut));
    let flaky = sheet.ended(|one| one == Conclusion::Flaky);
    let verdicts = passed + failed;
    let count = |count: u64| html! { (words::number(count)) };
    let mut pairs = vec![
        ("Jobs", html! { @if sheet.has_more { "at least " } (words::number(sheet.all)) }),
        (
            "Passed",
            html! { (words::number(passed)) @if flaky > 0 { span.faint { ", " (flaky) " of them flaky" } } },
        ),
        ("Failed", count(failed)),
        ("Without a verdict", count(sheet.all - sheet.open - verdicts)),
    ];
    if sheet.open > 0 {
        pairs.push(("Not ended", count(sheet.open)));
    }
    if let Some(rate) = (passed * 100).checked_div(verdicts) {
        pairs.push(("Pass rate", html! { (rate) " %" }));
    }
    if let Some(took) = sheet.took() {
        pairs.push(("Took", html! { (words::span(took)) }));
    }
    facts(&pairs)
}

/// The checks by pool.
pub(super) fn show(place: &Place, sheet: &Sheet) -> Markup {
    let pools: Vec<&str> = sheet.pools.iter().take(COLUMNS_MAX).map(String::as_str).collect();
    let heads: Vec<&str> = std::iter::once("Check").chain(pools.iter().copied()).collect();
    let rows = html! {
        @for (title, by_pool) in sheet.rows.iter().take(ROWS_MAX) {
            tr {
                td data-label="Check" { b.break { (title) } }
                @for pool in &pools {
                    td.told data-label=(pool) {
                        @match by_pool.get(*pool) {
                            Some(cells) => { (several(place, cells)) }
                            None => { span.faint { "–" } }
                        }
                    }
                }
            }
        }
    };
    html! {
        (table("Checks by pool", &heads, &rows))
        @if sheet.rows.len() > ROWS_MAX || sheet.pools.len() > COLUMNS_MAX {
            p.faint {
                "The first of " (words::count(sheet.rows.len() as u64, "check")) " in "
                (words::count(sheet.pools.len() as u64, "pool")) ". The list below has all jobs."
            }
        }
    }
}

fn several(place: &Place, cells: &[Cell]) -> Markup {
    let hidden = cells.len().saturating_sub(CELLS_MAX);
    html! {
        @if hidden > 0 { span.faint { (hidden) " before … " } }
        @for cell in &cells[hidden..] { (one(place, cell)) " " }
    }
}

/// A job, by what it came to. It leads to its page.
pub(super) fn one(place: &Place, cell: &Cell) -> Markup {
    html! {
        span.cell {
            a.plain href=(place.to(format_args!("jobs/{}", cell.job))) title=(cell.job) { (pill(words::state(&cell.state))) }
            @if let Some(took) = cell.took { " " span.span { (words::span(took)) } }
            @if cell.attempts > 1 { " " span.faint { (words::count(u64::from(cell.attempts), "attempt")) } }
        }
    }
}
