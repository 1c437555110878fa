//! Finds elements by accessible name and role, in the browser's own accessibility tree. The
//! finds are left in the page, where the next run of the script takes them up.

use crate::browser::{BrowserError, page::Page};
use serde::Deserialize;
use serde_json::{Value, json};

/// The most elements below which one selector of a chain is looked up.
pub(super) const ROOTS_MAX: usize = 50;
/// The most elements that one look takes up.
const MATCHES_MAX: usize = 200;
/// Remote objects are released by this name.
const GROUP: &str = "runners-replay";
/// Roles of nodes that are no elements.
const TEXT_ROLES: &[&str] = &["StaticText", "InlineTextBox"];

/// Which selector a script could not look up, and below how many roots it is to be.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct AriaWanted {
    pub(super) alternative: usize,
    pub(super) position: usize,
    roots: usize,
}

/// Looks a selector up below the roots that the script has left.
pub(super) async fn find(
    page: Page<'_>,
    token: &str,
    wanted: AriaWanted,
    name: Option<&str>,
    role: Option<&str>,
) -> Result<(), BrowserError> {
    let found = find_in_group(page, token, wanted, name, role).await;
    page.devtools_call("Runtime.releaseObjectGroup", json!({ "objectGroup": GROUP })).await?;
    found
}

async fn find_in_group(
    page: Page<'_>,
    token: &str,
    wanted: AriaWanted,
    name: Option<&str>,
    role: Option<&str>,
) -> Result<(), BrowserError> {
    let state = json!({ "expression": "window[Symbol.for('runners.replay')]", "objectGroup": GROUP });
    let state = object(&page.devtools_call("Runtime.evaluate", state).await?["result"])?;
    let mut matches = Vec::new();
    for root in 0..wanted.roots.min(ROOTS_MAX) {
        let root = json!({
            "objectId": state,
            "functionDeclaration": "function(index) { return this.roots[index]; }",
            "arguments": [{ "value": root }],
            "objectGroup": GROUP,
        });
        let root = object(&page.devtools_call("Runtime.callFunctionOn", root).await?["result"])?;
        for node in elements(page, &root, name, role).await? {
            let node = json!({ "backendNodeId": node, "objectGroup": GROUP });
            let node = page.devtools_call("DOM.resolveNode", node).await?;
            matches.push(json!({ "objectId": object(&node["object"])? }));
        }
        matches.truncate(MATCHES_MAX);
    }
    let key = format!("{token}/{}/{}", wanted.alternative, wanted.position);
    let mut arguments = vec![json!({ "value": token }), json!({ "value": key })];
    arguments.append(&mut matches);
    let keep = json!({
        "objectId": state,
        "functionDeclaration": "function(token, key, ...nodes) {
            if (this.foundFor !== token) Object.assign(this, { foundFor: token, found: {} });
            this.found[key] = nodes;
        }",
        "arguments": arguments,
    });
    page.devtools_call("Runtime.callFunctionOn", keep).await.map(drop)
}

/// The backend ids of the elements with this name and role.
async fn elements(
    page: Page<'_>,
    root: &str,
    name: Option<&str>,
    role: Option<&str>,
) -> Result<Vec<Value>, BrowserError> {
    let mut query = json!({ "objectId": root });
    name.inspect(|name| query["accessibleName"] = json!(name));
    role.inspect(|role| query["role"] = json!(role));
    let answer = page.devtools_call("Accessibility.queryAXTree", query).await?;
    let nodes = answer["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_element = |node: &&Value| {
        let role = node["role"]["value"].as_str();
        node["ignored"] != true && role.is_some_and(|role| !TEXT_ROLES.contains(&role))
    };
    let ids = nodes.iter().filter(is_element).map(|node| node["backendDOMNodeId"].clone());
    Ok(ids.filter(Value::is_number).take(MATCHES_MAX).collect())
}

fn object(remote: &Value) -> Result<String, BrowserError> {
    remote["objectId"].as_str().map(str::to_owned).ok_or_else(|| BrowserError::Refused {
        code: "stale element reference".to_owned(),
        message: "the page changed while its accessibility tree was read".to_owned(),
    })
}
