//! `runners flow import` and `runners flow export`: projects of Selenium IDE into flows, and flows
//! into what the Recorder panel opens.

use crate::{
    args::{FlowExportArgs, FlowImportArgs},
    documents::unique_names,
    exit::Exit,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_exec_webdriver::{BrowserFlow, ImportedFlow, LeftOut, SeleniumImport};
use serde_json::json;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Writes a flow for each test of each project.
pub(super) fn import(arguments: &FlowImportArgs) -> Result<Exit> {
    let read = |project: &PathBuf| -> Result<SeleniumImport> {
        let text = fs::read_to_string(project)
            .with_context(|| format!("{} could not be read", project.display()))?;
        SeleniumImport::parse(&text).with_context(|| project.display().to_string())
    };
    // A project that cannot be read leaves no directory behind.
    let imports: Vec<_> = arguments.projects.iter().map(read).collect::<Result<_>>()?;
    fs::create_dir_all(&arguments.output)
        .with_context(|| format!("could not make {}", arguments.output.display()))?;
    let (mut told, mut of_projects) = (Vec::new(), Vec::new());
    for (project, import) in arguments.projects.iter().zip(&imports) {
        if arguments.json {
            of_projects.push(json!({ "project": project, "left_out": import.left_out }));
        } else {
            import.left_out.iter().for_each(|left| tell_left_out(project, None, left));
        }
        let names = unique_names(import.flows.iter().map(|flow| flow.name.as_str()));
        for (flow, name) in import.flows.iter().zip(names) {
            let path = arguments.output.join(format!("{name}.json"));
            write_new(&path, &flow.document, arguments.force)?;
            if arguments.json {
                told.push(json!({ "project": project, "file": path, "flow": flow.name,
                    "carried": flow.carried, "left_out": flow.left_out }));
            } else {
                tell(project, &path, flow);
            }
        }
    }
    if arguments.json {
        terminal::print_json(&json!({ "version": 1, "flows": told, "projects": of_projects }));
    }
    Ok(Exit::Passed)
}

fn tell(project: &Path, path: &Path, flow: &ImportedFlow) {
    flow.left_out.iter().for_each(|left| tell_left_out(project, Some(flow), left));
    let left = flow.left_out.iter().filter(|left| !left.carried).count();
    let beside = if left == 0 { String::new() } else { format!(", {left} not imported") };
    terminal::print(format!(
        "{}: {:?}, {} carried over{beside}",
        path.display(),
        flow.name,
        terminal::count(flow.carried, "command")
    ));
}

/// Says what was not imported of a flow, or of the project.
fn tell_left_out(project: &Path, flow: Option<&ImportedFlow>, left: &LeftOut) {
    let LeftOut { line, number, command, reason, .. } = left;
    let word = if left.carried { "not quite" } else { "not imported" };
    let line = if *line == 0 { String::new() } else { format!(":{line}") };
    let whose = flow.map(|flow| format!("{:?}, command {number}: ", flow.name)).unwrap_or_default();
    terminal::note(format!("{}{line}: {word}: {whose}{command}: {reason}", project.display()));
}

/// Writes a flow as the Recorder panel opens it.
pub(super) fn export(arguments: &FlowExportArgs) -> Result<Exit> {
    let path = arguments.flow.display();
    let text = fs::read_to_string(&arguments.flow).with_context(|| format!("{path} could not be read"))?;
    let flow = match BrowserFlow::parse(&text) {
        Ok(flow) => flow,
        Err(problems) => {
            let error = terminal::error_style();
            problems.iter().for_each(|problem| {
                terminal::note(format!("{} {path}: {problem}", error.apply_to("error:")));
            });
            return Ok(Exit::CouldNotRun);
        }
    };
    let exported = flow.export();
    match &arguments.output {
        Some(path) => write_new(path, &exported.document, arguments.force)?,
        None => terminal::print(exported.document.trim_end()),
    }
    for loss in &exported.losses {
        terminal::note(format!("{}: {loss}", arguments.flow.display()));
    }
    Ok(Exit::Passed)
}

/// Writes a file that is not there yet, or may be replaced.
fn write_new(path: &PathBuf, text: &str, force: bool) -> Result<()> {
    if !force && path.exists() {
        bail!("{} is there already: move it, or say --force", path.display());
    }
    let file = if force { fs::File::create(path) } else { fs::File::create_new(path) };
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("could not write {}", path.display()))
}
