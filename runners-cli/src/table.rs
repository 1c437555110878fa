//! The table at the end: what became of each flow, and with `--steps` of each step.

use crate::{
    report::{FlowReport, Report},
    terminal,
};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table,
    TableStyle, Width, presets::NOTHING,
};
use runners_core::Conclusion;
use runners_exec_webdriver::StepState;

// The colours of a palette's dark half, which every terminal makes readable on its own ground; the bright ones are not on
// a light one, and yellow of neither half.
const GOOD: Color = Color::DarkGreen;
const DOUBTFUL: Color = Color::DarkMagenta;
const BAD: Color = Color::DarkRed;

/// A rule under the titles, and one below.
const RULED: TableStyle = NOTHING.header_separator(RULE).bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// The widest table where nobody says how wide the terminal is.
const WIDTH: u16 = 120;

/// The narrowest table.
const WIDTH_MIN: u16 = 60;

/// The blanks beside each cell.
const PADDING: usize = 2;

/// The blank between two columns.
const SEPARATOR: usize = 1;

/// Words that are no wider than this together are not put on several lines.
const TOGETHER_MAX: usize = 12;

/// A list is not made of fewer columns.
const COLUMNS_MIN: usize = 2;

/// Prints the flows of a report, and their steps if asked to.
pub(crate) fn print(report: &Report, with_steps: bool) {
    if with_steps {
        for flow in &report.flows {
            terminal::print(format!("\n{}", console::Style::new().bold().apply_to(&flow.title)));
            terminal::print(steps(flow).trim_fmt());
        }
        terminal::print("");
    }
    terminal::print(flows(report).trim_fmt());
}

/// Prints a list: a title for each column, and its rows.
pub(crate) fn list<const COLUMNS: usize>(
    titles: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return terminal::print("none");
    }
    terminal::print(listed(titles, rows, width()).trim_fmt());
}

/// A list for a terminal of a width. What stands in no blanks is not broken: an id that is cut in two
/// cannot be copied. Where there is no room for that, an id goes below what it is the id of.
fn listed<const COLUMNS: usize>(
    titles: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
    width: u16,
) -> Table {
    let mut columns: Vec<Vec<String>> = titles.iter().map(|title| vec![(*title).to_owned()]).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
    }
    // What is said of nothing needs no column.
    columns.retain(|column| column.len() == 1 || column[1..].iter().any(|cell| !cell.is_empty()));
    while needed(&columns, longest_word) > usize::from(width) && columns.len() > COLUMNS_MIN {
        let id = columns.iter().position(|column| column.iter().any(|cell| is_id(cell)));
        // The id of what a row is about is its last one, unless it comes first.
        let Some(first) = id else { break };
        let last = columns.iter().rposition(|column| column.iter().any(|cell| is_id(cell))).unwrap_or(first);
        let below = columns.remove(if last == 0 { 1 } else { last });
        for (cell, below) in columns[0].iter_mut().zip(below).filter(|(_, below)| !below.is_empty()) {
            cell.push('\n');
            cell.push_str(&below);
        }
    }
    let mut table = table(RULED);
    table.set_width(width);
    let fits = needed(&columns, longest_piece) <= usize::from(width);
    let longest = if fits { longest_piece } else { longest_word };
    let at_least: Vec<_> = columns.iter().map(|column| longest(column) + PADDING).collect();
    let are_figures: Vec<_> =
        columns.iter().map(|column| column[1..].iter().all(|cell| is_figure(cell))).collect();
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let mut line = || columns.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>();
    let header = line().unwrap_or_default();
    table.set_header(header.into_iter().map(|title| styled(Cell::new(title), None, true)));
    while let Some(row) = line().filter(|row| !row.is_empty()) {
        table.add_row(row.into_iter().map(|text| {
            let colour = meaning(&text);
            styled(Cell::new(text), colour, false)
        }));
    }
    for (at, _) in are_figures.into_iter().enumerate().filter(|(_, are_figures)| *are_figures) {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for (at, width) in at_least.into_iter().enumerate() {
        if let (Some(column), Ok(width)) = (table.column_mut(at), u16::try_from(width)) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    table
}

/// Whether a text is a number, as those that stand below each other at their right edge.
fn is_figure(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The colour of a word that says how something is or what it came to, where it stands alone.
fn meaning(text: &str) -> Option<Color> {
    match text {
        "passed" | "online" | "active" => Some(GOOD),
        "flaky" | "cancelled" | "draining" | "inactive" | "suspended" => Some(DOUBTFUL),
        "failed" | "errored" | "timed out" | "offline" | "expired" | "revoked" => Some(BAD),
        _ => None,
    }
}

/// How wide a list is, if each column is as wide as `longest` says.
fn needed(columns: &[Vec<String>], longest: fn(&[String]) -> usize) -> usize {
    columns.iter().map(|column| longest(column) + PADDING + SEPARATOR).sum()
}

/// How wide the longest word of a column is.
fn longest_word(column: &[String]) -> usize {
    let words = column.iter().flat_map(|cell| cell.split([' ', '\n']));
    words.map(console::measure_text_width).max().unwrap_or_default()
}

/// The same, where a few short words stay together.
fn longest_piece(column: &[String]) -> usize {
    let lines = column.iter().flat_map(|cell| cell.split('\n'));
    let lines = lines.map(console::measure_text_width).max().unwrap_or_default();
    if lines <= TOGETHER_MAX { lines } else { longest_word(column) }
}

/// Whether a text is an id: a word, and 32 hex digits.
fn is_id(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let digits = word.rsplit_once('_').map(|(_, digits)| digits);
        digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// What stands in a cell, and whether it is good.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    text: String,
    colour: Option<Color>,
}

impl Told {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: None }
    }

    pub(crate) const fn good(text: String) -> Self {
        Self { text, colour: Some(GOOD) }
    }

    pub(crate) const fn doubtful(text: String) -> Self {
        Self { text, colour: Some(DOUBTFUL) }
    }

    pub(crate) const fn bad(text: String) -> Self {
        Self { text, colour: Some(BAD) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Prints rows whose cells say whether they are good.
pub(crate) fn told(titles: &[&str], rows: impl Iterator<Item = Vec<Told>>) {
    let mut table = table(RULED);
    table.set_header(titles.iter().map(|title| styled(Cell::new(title), None, true)));
    for row in rows {
        table.add_row(row.into_iter().map(|told| styled(Cell::new(told.text), told.colour, false)));
    }
    terminal::print(table.trim_fmt());
}

fn flows(report: &Report) -> Table {
    let mut table = table(RULED);
    let header = ["flow", "conclusion", "steps", "time", "first failure"];
    table.set_header(header.map(|title| styled(Cell::new(title), None, true)));
    for flow in &report.flows {
        let (passed, steps) = flow.passed_steps();
        let steps = if steps == 0 { String::new() } else { format!("{passed}/{steps}") };
        table.add_row(vec![
            styled(Cell::new(&flow.name), None, true),
            styled(
                Cell::new(format!("{} {}", terminal::mark(flow.conclusion), flow.conclusion)),
                Some(colour(flow.conclusion)),
                false,
            ),
            Cell::new(steps).set_alignment(CellAlignment::Right),
            Cell::new(terminal::span(flow.duration())).set_alignment(CellAlignment::Right),
            Cell::new(flow.failure.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn steps(flow: &FlowReport) -> Table {
    let mut table = table(NOTHING);
    for step in &flow.steps {
        let (mark, colour) = match step.state {
            StepState::Passed => ("✓", Some(GOOD)),
            StepState::Failed | StepState::CutShort => ("✗", Some(BAD)),
            _ => ("–", None),
        };
        let ran = matches!(step.state, StepState::Passed | StepState::Failed);
        let time = if ran { format!("{} ms", step.duration_ms) } else { step.state.to_string() };
        table.add_row(vec![
            Cell::new(step.index + 1).set_alignment(CellAlignment::Right),
            styled(Cell::new(mark), colour, false),
            Cell::new(time).set_alignment(CellAlignment::Right),
            Cell::new(&step.kind),
            Cell::new(step.reason.as_deref().unwrap_or(&step.description)),
        ]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(10)));
    }
    table
}

fn table(style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    if console::colors_enabled() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_width(width());
    table
}

fn width() -> u16 {
    console::Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns).max(WIDTH_MIN)
}

fn styled(cell: Cell, colour: Option<Color>, strong: bool) -> Cell {
    let cell = if strong { cell.add_attribute(Attribute::Bold) } else { cell };
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

const fn colour(conclusion: Conclusion) -> Color {
    match conclusion {
        Conclusion::Passed => GOOD,
        Conclusion::Flaky | Conclusion::Cancelled => DOUBTFUL,
        _ => BAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "runner_0192f0c18e7a7c0e9d3b5a6f1e2d3c4b";

    fn shown(width: u16) -> String {
        let row = ["rack-7", "draining", "1 of 2", "12 s ago", "a new disk, drained", ID];
        let row = row.map(str::to_owned);
        listed(["runner", "state", "free", "spoke", "", "id"], [row], width).trim_fmt()
    }

    #[test]
    fn an_id_is_whole_whatever_the_width_and_nothing_is_wider() {
        for width in [60, 80, 100, 120] {
            let table = shown(width);
            assert!(table.contains(ID), "{width}: {table}");
            for line in table.lines() {
                assert!(console::measure_text_width(line) <= usize::from(width), "{width}: {table}");
            }
        }
        assert!(
            shown(120).lines().any(|line| line.contains("rack-7") && line.contains(ID)),
            "{}",
            shown(120)
        );
        let narrow = shown(80);
        assert!(narrow.contains("draining") && narrow.contains("12 s "), "{narrow}");
    }

    #[test]
    fn figures_stand_below_each_other_at_their_right_edge() {
        let rows = ["7", "1204"].map(|count| ["a".to_owned(), count.to_owned()]);
        let table = listed(["pool", "jobs"], rows, 60).trim_fmt();
        assert!(table.lines().any(|line| line.trim_end().ends_with("   7")), "{table}");
    }

    #[test]
    fn an_id_that_comes_first_has_what_it_is_of_below() {
        let row = [format!("job_{}", "0".repeat(32)), "browser.flow".to_owned(), "default".to_owned()];
        let table = listed(["job", "kind", "pool"], [row.clone()], 60).trim_fmt();
        assert!(table.contains(&row[0]) && table.contains("browser.flow"), "{table}");
    }
}
