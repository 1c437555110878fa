//! `runners flows`: the library of flows, over the management API. What is run is fetched, and then
//! goes the way of `submit`.

use super::{
    pools::{done, segment, shown},
    submit,
};
use crate::{
    args::{
        Asked, FleetArgs, FlowsCommand, GetFlowArgs, ListFlowsArgs, NamedArgs, PutFlowArgs, RunFlowsArgs,
    },
    documents::{Choices, Findings},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;
use std::{fs, path::PathBuf};

#[derive(Debug, Deserialize)]
struct Flow {
    name: String,
    title: Option<String>,
    steps: Option<u32>,
    description: Option<String>,
    tags: Vec<String>,
    newest: Version,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: u32,
    length: u64,
    created_at_utc: String,
    author: Author,
}

/// Who made a change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Author {
    credential_id: Option<String>,
    name: Option<String>,
    is_operator: bool,
}

impl Author {
    /// What they are called.
    pub(super) fn words(self) -> String {
        let whoever = if self.is_operator { "the operator" } else { "the host" };
        self.name.or(self.credential_id).unwrap_or_else(|| whoever.to_owned())
    }
}

pub(super) async fn flows(command: FlowsCommand) -> Result<Exit> {
    match command {
        FlowsCommand::List(arguments) => list(arguments).await,
        FlowsCommand::Get(arguments) => get(arguments).await,
        FlowsCommand::Put(arguments) => put(arguments).await,
        FlowsCommand::Versions(arguments) => versions(arguments).await,
        FlowsCommand::Run(arguments) => run(*arguments).await,
        FlowsCommand::Delete(Asked { what: NamedArgs { name }, fleet }) => {
            Management::new(&fleet)?.delete(&path(&name)).await?;
            done(&fleet, &json!({ "deleted": name }), &format!("{name} is deleted"))
        }
    }
}

async fn list(arguments: Asked<ListFlowsArgs>) -> Result<Exit> {
    let mut query = Vec::new();
    for (name, value) in [("text", &arguments.search), ("tag", &arguments.tag)] {
        query.extend(value.as_ref().map(|value| format!("{name}={}", segment(value))));
    }
    let path = if query.is_empty() { "/flows".to_owned() } else { format!("/flows?{}", query.join("&")) };
    let all = Management::new(&arguments.fleet)?.all(&path).await?;
    shown(&arguments.fleet, all.into(), |answer| {
        let flows: Vec<Flow> = read(answer)?;
        let rows = flows.into_iter().map(|flow| {
            let steps = flow.steps.map(|steps| steps.to_string()).unwrap_or_default();
            let about = flow.description.or(flow.title).unwrap_or_default();
            let changed = terminal::ago(&flow.newest.created_at_utc);
            let version = flow.newest.version.to_string();
            [flow.name, version, steps, changed, flow.tags.join(", "), about]
        });
        table::list(["flow", "version", "steps", "changed", "tags", "about"], rows);
        Ok(())
    })
}

async fn versions(Asked { what: NamedArgs { name }, fleet }: Asked<NamedArgs>) -> Result<Exit> {
    let mut flow = Management::new(&fleet)?.get(&path(&name)).await?;
    shown(&fleet, flow["versions"].take(), |answer| {
        let versions: Vec<Version> = read(answer)?;
        let rows = versions.into_iter().map(|version| {
            let made = terminal::ago(&version.created_at_utc);
            [version.version.to_string(), version.length.to_string(), made, version.author.words()]
        });
        table::list(["version", "bytes", "made", "by"], rows);
        Ok(())
    })
}

async fn get(Asked { what: arguments, fleet }: Asked<GetFlowArgs>) -> Result<Exit> {
    let name = &arguments.name;
    let document = document(&Management::new(&fleet)?, name, arguments.version).await?;
    match &arguments.output {
        Some(file) => {
            fs::write(file, &document).with_context(|| format!("could not write {}", file.display()))?;
            let text = format!("{name} is written to {}", file.display());
            done(&fleet, &json!({ "flow": name, "file": file }), &text)
        }
        None => {
            let text = String::from_utf8(document).context("the document is no text: write it with -o")?;
            terminal::print(text.trim_end());
            Ok(Exit::Passed)
        }
    }
}

async fn put(Asked { what: arguments, fleet }: Asked<PutFlowArgs>) -> Result<Exit> {
    let file = &arguments.file;
    let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let name = arguments.name.or(stem).context("the file has no name in UTF-8: give one with --name")?;
    let management = Management::new(&fleet)?;
    let mut asked = json!({ "document": text });
    if arguments.description.is_none() || arguments.tags.is_empty() {
        // What is not said stays as it is.
        let known = management.all(&format!("/flows?text={}", segment(&name))).await?;
        if let Some(known) = known.into_iter().find(|flow| flow["name"] == name.as_str()) {
            asked["description"] = known["description"].clone();
            asked["tags"] = known["tags"].clone();
        }
    }
    if let Some(description) = arguments.description {
        asked["description"] = description.into();
    }
    if !arguments.tags.is_empty() {
        asked["tags"] = arguments.tags.into();
    }
    if let Some(over) = arguments.over {
        asked["expectedVersion"] = over.into();
    }
    let flow = management.put(&path(&name), asked).await?;
    let version = &flow["newest"]["version"];
    done(&fleet, &flow, &format!("{name} is at version {version}: runners flows run {name}"))
}

async fn run(RunFlowsArgs { names, queue }: RunFlowsArgs) -> Result<Exit> {
    let fleet = FleetArgs { api: queue.api.clone(), json: queue.output.json };
    let management = Management::new(&fleet)?;
    let choices = Choices { parameters: queue.parameters.by_name(), ..Choices::default() };
    let mut findings = Vec::new();
    for name in &names {
        let document = document(&management, name, None).await?;
        let Ok(text) = String::from_utf8(document) else {
            bail!("{name} is not a flow that this command knows: its document is no text")
        };
        findings.push(Findings::of_text(PathBuf::from(name), &text, &choices));
    }
    submit::queue(&queue, findings).await
}

/// The document of a flow, byte by byte.
async fn document(management: &Management, name: &str, version: Option<u32>) -> Result<Vec<u8>> {
    let version = version.map(|version| format!("?version={version}")).unwrap_or_default();
    management.bytes(&format!("{}/document{version}", path(name))).await
}

fn path(name: &str) -> String {
    format!("/flows/{}", segment(name))
}
