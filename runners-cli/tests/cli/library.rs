//! The library of flows, runs and the audit, against a real server.

use crate::{
    stage::Stage,
    verbs::{json, run},
};

#[test]
fn a_flow_is_put_shown_queued_from_the_library_and_deleted() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let file = stage.flow("shop.json", "http://localhost/", "x");
    let put = json(&stage, &url, &["flows", "put", &file, "--tag", "paid"]);
    assert_eq!((&put["name"], &put["newest"]["version"]), (&"shop".into(), &1.into()), "{put}");
    let text = stage.read("shop.json");
    assert_eq!(run(&stage, &url, &["flows", "get", "shop"]).trim_end(), text.trim_end());

    // Another version keeps its tags, and is refused over one that it was not read at.
    let other = stage.write("other.json", text.replace("http://localhost/", "http://localhost/b"));
    let other = other.to_str().unwrap();
    run(&stage, &url, &["flows", "put", other, "--name", "shop", "--over", "1"]);
    stage.run(&["flows", "put", &file, "--name", "shop", "--over", "1", "-s", &url]).expect(2, "version");
    let listed = run(&stage, &url, &["flows", "list", "--tag", "paid"]);
    assert!(listed.contains("shop") && listed.contains("paid"), "{listed}");
    assert_eq!(json(&stage, &url, &["flows", "versions", "shop"]).as_array().unwrap().len(), 2);
    run(&stage, &url, &["flows", "get", "shop", "--version", "1", "-o", "first.json"]);
    assert_eq!(stage.read("first.json"), text);
    let bad = stage.write("bad.json", "{}");
    stage.run(&["flows", "put", bad.to_str().unwrap(), "-s", &url]).expect(2, "document: ");

    let queued = json(&stage, &url, &["flows", "run", "shop", "shop"]);
    assert_eq!(queued["jobs"].as_array().unwrap().len(), 2, "{queued}");
    stage.run(&["flows", "run", "ship", "-s", &url]).expect(2, "there is no flow \"ship\"");
    let runs = json(&stage, &url, &["runs", "list"]);
    let line = &runs["items"][0];
    assert_eq!((&line["id"], &line["open"]), (&queued["run"], &2.into()), "{runs}");
    assert!(run(&stage, &url, &["runs", "list"]).contains("2 open"));
    let title = line["title"].as_str().unwrap();
    assert!(run(&stage, &url, &["jobs", "list"]).contains(title), "{title}");

    run(&stage, &url, &["flows", "delete", "shop"]);
    let told = run(&stage, &url, &["audit"]);
    for deed in ["created flow", "changed flow", "deleted flow"] {
        assert!(told.contains(deed), "{deed}: {told}");
    }
}
