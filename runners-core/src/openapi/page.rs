//! The page: the document as HTML that needs nothing from elsewhere.

use serde_json::Value;
use std::fmt::Write as _;

/// How the page looks.
pub(super) const STYLE: &[u8] = include_bytes!("page.css");
/// What lets calls be searched.
pub(super) const SCRIPT: &[u8] = include_bytes!("page.js");

/// How deep members of members are shown: a schema may lead back to itself.
const DEPTH_MAX: usize = 6;

/// Renders the document.
pub(super) fn render(document: &Value) -> String {
    let page = Page { document };
    let mut out = String::new();
    page.whole(&mut out).expect("invariant: a text takes whatever is written to it");
    out
}

struct Page<'a> {
    document: &'a Value,
}

/// One call: its method, its path, and what is said of it.
type Call<'a> = (&'a str, &'a str, &'a Value);

impl<'a> Page<'a> {
    fn whole(&self, out: &mut String) -> std::fmt::Result {
        let info = &self.document["info"];
        let (title, version) = (escaped(text(&info["title"])), escaped(text(&info["version"])));
        write!(
            out,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <link rel=\"stylesheet\" href=\"docs.css\"><script src=\"docs.js\" defer></script></head><body>\
             <nav aria-label=\"Calls\"><a class=\"title\" href=\"#top\">{title}</a>\
             <input id=\"search\" type=\"search\" placeholder=\"Search the calls\" aria-label=\"Search the calls\" hidden>"
        )?;
        self.for_each_tag(|tag, calls| {
            write!(out, "<section class=\"group\"><h2>{}</h2><ul>", escaped(text(&tag["name"])))?;
            for (method, path, call) in calls {
                write!(
                    out,
                    "<li><a href=\"#{}\"><b class=\"{method}\">{method}</b><span>{}</span></a></li>",
                    escaped(text(&call["operationId"])),
                    // A long path breaks between its segments, and not within a word.
                    escaped(path).replace('/', "<wbr>/")
                )?;
            }
            out.write_str("</ul></section>")
        })?;
        write!(
            out,
            "</nav><main id=\"top\"><header><h1>{title}</h1><p class=\"version\">{version}, OpenAPI "
        )?;
        write!(
            out,
            "{} <a href=\"openapi.json\">openapi.json</a></p>",
            escaped(text(&self.document["openapi"]))
        )?;
        paragraphs(out, text(&info["description"]))?;
        out.write_str("</header>")?;
        self.for_each_tag(|tag, calls| {
            let about = marked(text(&tag["description"]));
            write!(out, "<section class=\"group\"><h2>{}</h2><p>{about}</p>", escaped(text(&tag["name"])))?;
            calls.iter().try_for_each(|call| self.call(out, *call))?;
            out.write_str("</section>")
        })?;
        out.write_str("</main></body></html>\n")
    }

    /// Visits the groups of calls in the order of their tags.
    fn for_each_tag(
        &self,
        mut visit: impl FnMut(&'a Value, &[Call<'a>]) -> std::fmt::Result,
    ) -> std::fmt::Result {
        for tag in self.document["tags"].as_array().into_iter().flatten() {
            let mut calls: Vec<Call<'a>> = Vec::new();
            for (path, item) in self.document["paths"].as_object().into_iter().flatten() {
                for method in ["get", "head", "post", "put", "patch", "delete"] {
                    let call = &item[method];
                    if call["tags"].as_array().is_some_and(|tags| tags.contains(&tag["name"])) {
                        calls.push((method, path, call));
                    }
                }
            }
            visit(tag, &calls)?;
        }
        Ok(())
    }

    fn call(&self, out: &mut String, (method, path, call): Call<'_>) -> std::fmt::Result {
        let id = escaped(text(&call["operationId"]));
        write!(
            out,
            "<article id=\"{id}\" data-words=\"{method} {path} {summary}\"><h3><b class=\"{method}\">{method}</b>\
             <code>{path}</code><a class=\"anchor\" href=\"#{id}\" aria-label=\"Link\">#</a></h3>\
             <p class=\"summary\">{marked}</p>",
            summary = escaped(text(&call["summary"])),
            marked = marked(text(&call["summary"])),
            path = escaped(path),
        )?;
        paragraphs(out, text(&call["description"]))?;
        self.parameters(out, call)?;
        let body = &call["requestBody"]["content"];
        if let Some((media_type, content)) = body.as_object().and_then(|content| content.iter().next()) {
            write!(out, "<h4>Body <small>{}</small></h4>", escaped(media_type))?;
            self.schema(out, &content["schema"])?;
        }
        self.responses(out, call)?;
        out.write_str("</article>")
    }

    fn parameters(&self, out: &mut String, call: &Value) -> std::fmt::Result {
        let Some(parameters) = call["parameters"].as_array().filter(|all| !all.is_empty()) else {
            return Ok(());
        };
        out.write_str("<h4>Parameters</h4><dl>")?;
        for parameter in parameters {
            let required = parameter["required"].as_bool().unwrap_or_default();
            let place = text(&parameter["in"]);
            let schema = &parameter["schema"];
            write!(out, "<dt><code>{}</code>", escaped(text(&parameter["name"])))?;
            write!(
                out,
                " <span class=\"type\">{}, in {place}{}</span></dt>",
                escaped(&self.kind(schema)),
                needed(required && place != "path")
            )?;
            write!(out, "<dd>{}{}</dd>", marked(text(&parameter["description"])), limits(schema))?;
        }
        out.write_str("</dl>")
    }

    fn responses(&self, out: &mut String, call: &Value) -> std::fmt::Result {
        out.write_str("<h4>Answers</h4>")?;
        let (good, bad): (Vec<_>, Vec<_>) = call["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(code, response)| (code, self.resolved(response)))
            .partition(|(code, _)| code.starts_with(['1', '2', '3']));
        for (code, response) in good {
            write!(out, "<p><b class=\"code\">{code}</b> {}", marked(text(&response["description"])))?;
            let content = response["content"].as_object().and_then(|content| content.iter().next());
            let Some((media_type, content)) = content else {
                out.write_str("</p>")?;
                continue;
            };
            write!(out, " <small>{}</small></p>", escaped(media_type))?;
            self.schema(out, &content["schema"])?;
        }
        out.write_str("<details><summary>Problems</summary><dl class=\"problems\">")?;
        for (code, response) in bad {
            let about = marked(text(&response["description"]));
            write!(out, "<dt><b class=\"code bad\">{code}</b></dt><dd>{about}</dd>")?;
        }
        out.write_str("</dl></details>")
    }

    fn schema(&self, out: &mut String, schema: &Value) -> std::fmt::Result {
        let kind = self.kind(schema);
        if !kind.is_empty() {
            write!(out, "<p class=\"type\">{}</p>", escaped(&kind))?;
        }
        self.members(out, schema, 0)
    }

    /// The members of an object, or of what a list is made of.
    fn members(&self, out: &mut String, schema: &Value, depth: usize) -> std::fmt::Result {
        let schema = self.resolved(schema);
        if depth >= DEPTH_MAX {
            return Ok(());
        }
        if schema["type"] == "array" {
            return self.members(out, &schema["items"], depth);
        }
        for part in variants(schema) {
            self.members(out, part, depth)?;
        }
        let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
        let required = schema["required"].as_array();
        out.write_str("<dl>")?;
        for (name, member) in properties {
            let required = required.is_some_and(|names| names.iter().any(|one| one == name.as_str()));
            let about = match text(&member["description"]) {
                "" => text(&self.resolved(member)["description"]),
                about => about,
            };
            write!(out, "<dt><code>{}</code>", escaped(name))?;
            write!(
                out,
                " <span class=\"type\">{}{}</span></dt>",
                escaped(&self.kind(member)),
                needed(required)
            )?;
            write!(out, "<dd>{}{}", marked(about), limits(member))?;
            self.members(out, member, depth + 1)?;
            out.write_str("</dd>")?;
        }
        out.write_str("</dl>")
    }

    /// What a value is, in a few words.
    fn kind(&self, schema: &Value) -> String {
        let reference = text(&schema["$ref"]).rsplit('/').next().unwrap_or_default().to_owned();
        let schema = self.resolved(schema);
        if !schema["const"].is_null() {
            return schema["const"].to_string();
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            return values.join(" | ");
        }
        if schema["type"] == "array" {
            return format!("list of {}", self.kind(&schema["items"]));
        }
        let variants: Vec<String> = variants(schema).map(|part| self.kind(part)).collect();
        if !variants.is_empty() && variants.iter().any(|kind| !kind.is_empty()) {
            return variants.join(" | ");
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" | "),
            kind => text(kind).to_owned(),
        };
        match text(&schema["format"]) {
            _ if kind == "object" && !reference.is_empty() => reference,
            "date-time" => kind.replace("string", "time"),
            _ => kind,
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(schema),
            None => schema,
        }
    }
}

fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten()
}

fn needed(required: bool) -> &'static str {
    if required { ", required" } else { "" }
}

/// The limits that a schema names.
fn limits(schema: &Value) -> String {
    let words = [
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("minLength", "characters: at least "),
        ("maxLength", "characters: at most "),
        ("maxItems", "items: at most "),
    ];
    let found: Vec<String> = words
        .iter()
        .filter(|(name, _)| schema[*name].is_number() && !says_nothing(&schema[*name]))
        .map(|(name, word)| format!("{word}{}", schema[*name]))
        .collect();
    if found.is_empty() {
        String::new()
    } else {
        format!(" <span class=\"limit\">{}</span>", found.join(", "))
    }
}

/// Whether a number is where its kind begins or ends anyway.
fn says_nothing(limit: &Value) -> bool {
    matches!(limit.as_u64(), Some(0 | 65_535 | 4_294_967_295 | u64::MAX))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn paragraphs(out: &mut String, text: &str) -> std::fmt::Result {
    text.split("\n\n")
        .filter(|part| !part.trim().is_empty())
        .try_for_each(|part| write!(out, "<p>{}</p>", marked(part)))
}

/// Text with what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = escaped(text);
    let mut out = String::new();
    for (at, part) in parts.split('`').enumerate() {
        match at % 2 {
            0 => out.push_str(part),
            _ => out.extend(["<code>", part, "</code>"]),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
