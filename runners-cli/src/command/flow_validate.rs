//! `runners flow validate`: everything that is wrong with flows, without a browser.

use crate::{
    args::FlowValidateArgs,
    documents::{Choices, Findings},
    exit::Exit,
    terminal,
};
use serde_json::json;

pub(super) fn execute(arguments: &FlowValidateArgs) -> Exit {
    let (parameters, engine) = (arguments.parameters.by_name(), arguments.engine);
    let choices = Choices { parameters, engine, ..Choices::default() };
    let findings: Vec<_> = arguments.flows.iter().map(|path| Findings::of(path, &choices)).collect();
    if arguments.json {
        terminal::print_json(&json!({ "version": 1, "flows": findings }));
    } else {
        findings.iter().for_each(tell);
    }
    if findings.iter().all(Findings::is_good) { Exit::Passed } else { Exit::CouldNotRun }
}

fn tell(findings: &Findings) {
    findings.tell();
    if let (true, Some(title), Some(steps)) = (findings.is_good(), &findings.title, findings.steps) {
        let steps = terminal::count(steps, "step");
        let valid = console::Style::new().green().apply_to("valid:");
        terminal::print(format!("{valid} {}: {title:?}, {steps}", findings.file.display()));
    }
}
