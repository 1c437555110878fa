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

/// A rule under the titles, and one below.
const RULED: TableStyle = NOTHING.header_separator(RULE).bottom_border(RULE);
const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// The widest table where nobody says how wide the terminal is.
const WIDTH: u16 = 120;

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
    let mut table = table(RULED);
    table.set_header(titles.map(|title| styled(Cell::new(title), None, true)));
    for row in rows {
        table.add_row(row);
    }
    terminal::print(table.trim_fmt());
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
        Self { text, colour: Some(Color::Green) }
    }

    pub(crate) const fn doubtful(text: String) -> Self {
        Self { text, colour: Some(Color::Yellow) }
    }

    pub(crate) const fn bad(text: String) -> Self {
        Self { text, colour: Some(Color::Red) }
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
            StepState::Passed => ("✓", Some(Color::Green)),
            StepState::Failed => ("✗", Some(Color::Red)),
            _ => ("–", Some(Color::DarkGrey)),
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
    let width = console::Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns);
    table.set_width(width.max(60));
    table
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
        Conclusion::Passed => Color::Green,
        Conclusion::Flaky | Conclusion::Cancelled => Color::Yellow,
        _ => Color::Red,
    }
}
