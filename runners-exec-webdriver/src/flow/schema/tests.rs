//! The schema and the reader say the same: what is published, what is required, and which members
//! there are, each way round.

use super::*;
use crate::BrowserFlow;
use std::collections::BTreeSet;

/// The file that is published beside the crate.
const PUBLISHED: &str = include_str!("../../../schema/flow.schema.json");

/// Where members are read.
const READERS: &[&str] = &[
    include_str!("../parse.rs"),
    include_str!("../emulation.rs"),
    include_str!("../extension.rs"),
    include_str!("../parameters.rs"),
    include_str!("../include.rs"),
];

/// Members of which the format drops what it does not understand, or does not look at all.
const NOT_REFUSED: &[&str] = &[
    "/$schema",
    "/selectorAttribute",
    "/steps/0/screenshot",
    "/steps/0/target",
    "/steps/0/timeout",
    "/steps/0/parameters",
];

fn problems(document: &Value) -> Vec<String> {
    match BrowserFlow::parse(&document.to_string()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.pointer.clone()).collect(),
    }
}

#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let written = format!("{:#}\n", Flow::schema());
    if written != PUBLISHED {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/flow.schema.json");
        if std::env::var_os("RUNNERS_WRITE_SCHEMA").is_some() {
            std::fs::write(path, &written).unwrap();
        }
        panic!("{path} is of another time: run this test with RUNNERS_WRITE_SCHEMA=1, and look at it");
    }
}

#[test]
fn what_the_schema_requires_the_reader_misses() {
    for schema in Flow::schema()["$defs"]["step"]["oneOf"].as_array().unwrap() {
        let name = schema["properties"]["type"]["const"].as_str().unwrap();
        let missed = problems(&json!({ "title": "t", "steps": [{ "type": name }] }));
        let required = schema["required"].as_array().unwrap();
        assert_eq!(missed.len(), required.len(), "{name}: {missed:?}");
        for member in required {
            let pointer = format!("/steps/0/{}", member.as_str().unwrap());
            assert!(missed.contains(&pointer), "{name}: {pointer} is not in {missed:?}");
        }
    }
    for (name, parameters) in custom_steps() {
        let step = json!({ "type": "customStep", "name": name, "parameters": {} });
        let missed = problems(&json!({ "title": "t", "steps": [step] }));
        let wanted = parameters["required"].as_array().unwrap();
        let mut wanted: Vec<_> =
            wanted.iter().map(|one| format!("/steps/0/parameters/{}", one.as_str().unwrap())).collect();
        if name == "runners.cookies" {
            // Either member will do.
            wanted.push("/steps/0/parameters/set".to_owned());
        }
        assert_eq!(BTreeSet::from_iter(missed), BTreeSet::from_iter(wanted), "{name}");
    }
}

#[test]
fn every_member_of_the_schema_is_read() {
    let wrong = json!([[[0]]]);
    let mut tried = 0;
    let mut refuses = |pointer: String, document: Value| {
        let told = problems(&document);
        let is_refused = told.iter().any(|problem| problem.starts_with(&pointer));
        let may_be = NOT_REFUSED.contains(&&*pointer);
        assert!(is_refused != may_be, "{pointer} of {document}: {told:?}");
        tried += 1;
    };
    let schema = Flow::schema();
    for name in schema["properties"].as_object().unwrap().keys() {
        let mut document = json!({ "title": "t", "steps": [] });
        document[name] = if name == "steps" { json!("") } else { wrong.clone() };
        refuses(format!("/{name}"), document);
    }
    for name in schema["properties"]["runners"]["properties"].as_object().unwrap().keys() {
        let step = json!({ "type": "customStep", "name": "runners.use", "parameters": { "flow": "x" } });
        let document = json!({ "title": "t", "steps": [step], "runners": { name: wrong } });
        let pointer = if name == "flows" { "/steps/0/parameters/flow" } else { &format!("/runners/{name}") };
        refuses(pointer.to_owned(), document);
    }
    for name in schema["$defs"]["parameter"]["properties"].as_object().unwrap().keys() {
        let document =
            json!({ "title": "t", "steps": [], "runners": { "params": { "p": { name: wrong } } } });
        refuses(format!("/runners/params/p/{name}"), document);
    }
    let step = &schema["$defs"]["step"];
    let shared = [&step["properties"], &schema["$defs"]["additions"]["properties"]];
    for kind in step["oneOf"].as_array().unwrap() {
        let own = kind["properties"].as_object().unwrap();
        let shared = shared.iter().flat_map(|shared| shared.as_object().unwrap());
        for name in own.iter().chain(shared).map(|(name, _)| name) {
            let mut written = json!({ "type": own["type"]["const"] });
            written[name] = wrong.clone();
            refuses(format!("/steps/0/{name}"), json!({ "title": "t", "steps": [written] }));
        }
    }
    for (name, parameters) in custom_steps() {
        for member in parameters["properties"].as_object().unwrap().keys() {
            let parameters = json!({ member: if member == "flow" { json!(0) } else { wrong.clone() } });
            let step = json!({ "type": "customStep", "name": name, "parameters": parameters });
            refuses(format!("/steps/0/parameters/{member}"), json!({ "title": "t", "steps": [step] }));
        }
    }
    let ours = |name: &str, parameters: Value| {
        let step = json!({ "type": "customStep", "name": name, "parameters": parameters });
        json!({ "title": "t", "steps": [step] })
    };
    let whole = json!({ "name": "n", "value": "v", "text": "t", "origin": "http://a" });
    for (definition, name, at) in [
        ("cookie", "runners.cookies", "set"),
        ("file", "runners.upload", "files"),
        ("origin", "runners.storageState", "origins"),
    ] {
        for member in schema["$defs"][definition]["properties"].as_object().unwrap().keys() {
            let mut one = whole.clone();
            one[member] = wrong.clone();
            refuses(format!("/steps/0/parameters/{at}/0/{member}"), ours(name, json!({ at: [one] })));
        }
    }
    assert!(tried > 100, "only {tried} were tried");
}

/// Reads the source, because what a reader asks for stands nowhere else.
#[test]
fn every_member_that_is_read_is_in_the_schema() {
    let mut known = BTreeSet::new();
    collect(&Flow::schema(), &mut known);
    let mut read = BTreeSet::new();
    for source in READERS {
        let source = source.split("#[cfg(test)]").next().unwrap();
        let pieces: Vec<&str> = source.split('"').collect();
        // Every second piece is a text; those count that are asked for by a method of a reader.
        for asked in pieces.chunks(2) {
            let [before, text] = asked else { continue };
            let asks = [
                "get(",
                "string(",
                "number(",
                "bool(",
                "choice(",
                "text(",
                "flag(",
                "list(given, ",
                "object(step, ",
            ];
            if asks.iter().any(|ask| before.ends_with(ask)) {
                read.insert((*text).to_owned());
            }
        }
    }
    assert!(read.len() > 50, "only {} were found: {read:?}", read.len());
    let unknown: Vec<_> = read.difference(&known).collect();
    assert!(unknown.is_empty(), "write these into the schema: {unknown:?}");
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = jsonschema::validator_for(&Flow::schema()).unwrap();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let read = |path: std::path::PathBuf| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut documents: Vec<Value> = documents.map(read).collect();
    assert!(documents.len() > 10, "{}", documents.len());
    let cookie = json!({ "name": "a", "value": "b", "sameSite": "Lax", "expires": -1 });
    let ours = |name: &str, parameters: Value| json!({ "type": "customStep", "name": name, "parameters": parameters });
    documents.push(json!({
        "$schema": "flow.schema.json", "title": "t",
        "runners": {
            "mode": "compat", "params": { "one": { "default": 1, "type": "number" }, "two": { "secret": true } },
            "flows": { "more": { "steps": [{ "type": "close", "id": "x", "retries": 2, "optional": true }] } },
        },
        "steps": [
            ours("runners.use", json!({ "flow": "more" })),
            ours("runners.cookies", json!({ "set": [cookie] })),
            ours("runners.upload", json!({ "selectors": ["a"], "files": [{ "name": "f", "text": "" }] })),
            ours("runners.storageState", json!({ "origins": [{ "origin": "http://a", "localStorage": [] }] })),
            { "type": "customStep", "name": "other", "parameters": [1] },
        ],
    }));
    for document in &documents {
        assert_eq!(problems(document), [""; 0], "{document}");
        let told: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(told.is_empty(), "{document}: {told:?}");
    }
    for step in [
        json!({ "type": "close", "retries": 11 }),
        json!({ "type": "close", "id": "" }),
        ours("runners.assertText", json!({ "selectors": ["a"] })),
        ours("runners.screenshot", json!({ "name": "a b" })),
        ours("runners.upload", json!({ "selectors": ["a"], "files": [{ "name": "f" }] })),
        json!({ "type": "customStep", "name": "runners.use", "parameters": { "flow": "more" }, "optional": true }),
    ] {
        let document = json!({ "title": "t", "steps": [step] });
        assert!(!validator.is_valid(&document) && !problems(&document).is_empty(), "{document}");
    }
}

/// Our custom steps and the schemas of their parameters.
fn custom_steps() -> Vec<(String, Value)> {
    let schema = Flow::schema();
    let kinds = schema["$defs"]["step"]["oneOf"].as_array().unwrap();
    let custom = kinds.iter().find(|kind| kind["properties"]["type"]["const"] == "customStep").unwrap();
    let one = |rule: &Value| {
        let name = rule["if"]["properties"]["name"]["const"].as_str().unwrap().to_owned();
        (name, rule["then"]["properties"]["parameters"].clone())
    };
    custom["allOf"].as_array().unwrap().iter().map(one).collect()
}

/// The names of all properties, at any depth.
fn collect(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|value| collect(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}
