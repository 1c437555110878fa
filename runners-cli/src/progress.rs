//! Live progress on standard error: a line for each flow that is redrawn where somebody watches,
//! plain lines elsewhere, nothing where a program reads JSON.

use crate::terminal;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runners_core::Conclusion;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// More lines than this are not redrawn: a terminal has about as many.
const DRAWN_MAX: usize = 30;

const TICK: Duration = Duration::from_millis(100);

/// How progress is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    manner: Manner,
    width: usize,
}

#[derive(Debug)]
enum Manner {
    Drawn(MultiProgress),
    Plain,
    Silent,
}

/// The progress of one flow.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    label: String,
    bar: Option<ProgressBar>,
    silent: bool,
    last: Mutex<String>,
}

impl Progress {
    /// Progress of flows by these names.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>, silent: bool) -> Self {
        let (mut number, mut width) = (0, 0);
        for name in names {
            number += 1;
            width = width.max(console::measure_text_width(name));
        }
        let manner = match silent {
            true => Manner::Silent,
            false if terminal::is_watched() && number <= DRAWN_MAX => Manner::Drawn(MultiProgress::new()),
            false => Manner::Plain,
        };
        Self { manner, width: width.min(40) }
    }

    /// The line of one flow.
    pub(crate) fn line(&self, name: &str) -> Line {
        let label = console::pad_str(name, self.width, console::Alignment::Left, None).into_owned();
        let bar = match &self.manner {
            Manner::Drawn(lines) => {
                let bar =
                    lines.add(ProgressBar::new_spinner().with_style(spinner()).with_prefix(label.clone()));
                bar.enable_steady_tick(TICK);
                Some(bar)
            }
            Manner::Plain | Manner::Silent => None,
        };
        let silent = matches!(self.manner, Manner::Silent);
        Line { name: name.to_owned(), label, bar, silent, last: Mutex::default() }
    }

    /// Whether lines are redrawn, so that much may be said.
    pub(crate) const fn is_drawn(&self) -> bool {
        matches!(self.manner, Manner::Drawn(_))
    }

    /// Takes down the lines that were redrawn, where the table comes.
    pub(crate) fn finish(&self) {
        if let Manner::Drawn(lines) = &self.manner {
            // A terminal that has gone away shows nothing either way.
            let _ = lines.clear();
        }
    }

    /// Prints a line for people, above those that are redrawn.
    pub(crate) fn note(&self, text: &str) {
        match &self.manner {
            Manner::Drawn(lines) => {
                if lines.println(text).is_err() {
                    terminal::note(text);
                }
            }
            Manner::Plain | Manner::Silent => terminal::note(text),
        }
    }
}

impl Line {
    /// Says how far the flow is.
    pub(crate) fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.silent && *last != text {
            terminal::note(format!("{}: {text}", self.name));
            *last = text;
        }
    }

    /// Says how the flow ended.
    pub(crate) fn end(&self, conclusion: Conclusion, span: Duration) {
        let span = terminal::span(span);
        let Some(bar) = &self.bar else {
            return self.say(format!("{conclusion} ({span})"));
        };
        let style = terminal::conclusion_style(conclusion);
        let mark = style.apply_to(terminal::mark(conclusion));
        bar.set_style(ProgressStyle::with_template("{prefix}{wide_msg}").unwrap_or_else(|_| spinner()));
        bar.set_prefix("");
        let span = terminal::faint().apply_to(span);
        bar.finish_with_message(format!("{mark} {}  {}  {span}", self.label, style.apply_to(conclusion)));
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix}  {wide_msg} {elapsed:.dim}")
        .expect("invariant: the template is well-formed")
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "])
}
