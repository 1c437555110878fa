//! Flows are recorded without a server, and what cannot be is told before a browser starts.

use crate::stage::{Stage, has_browser, page};

#[test]
fn a_recording_that_cannot_be_says_why_before_a_browser_starts() {
    let stage = Stage::new();
    let mut command = stage.command(&["flow", "record", "https://shop.example/"]);
    let ended = command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    if cfg!(all(unix, not(target_os = "macos"))) {
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.contains("neither DISPLAY nor WAYLAND_DISPLAY is set"), "{told}");
        assert!(told.contains("--headless"), "{told}");
    }
    stage.write("flow.json", "mine");
    stage.run(&["flow", "record", "https://shop.example/", "--headless"]).expect(2, "--force");
    assert_eq!(stage.read("flow.json"), "mine");
    let lost = ["flow", "record", "https://a.example/", "-o", "nowhere/b.json", "--headless"];
    stage.run(&lost).expect(2, "nowhere/b.json: choose another --output");
    for verb in [&["flow", "run", "none.json"][..], &["run", "-t", "x"], &["dev"]] {
        stage.flow("none.json", "http://localhost/", "x");
        let mut command = stage.command(&[verb, &["--headed"]].concat());
        let ended = command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
        if cfg!(all(unix, not(target_os = "macos"))) {
            let told = String::from_utf8_lossy(&ended.stderr);
            assert!(told.contains("--headed needs a display"), "{verb:?}: {told}");
        }
    }
    let webkit = ["flow", "record", "https://a.example/", "-o", "b.json", "--headless", "--engine", "webkit"];
    assert_eq!(stage.run(&webkit).code(), Some(2));
    stage.run(&["flow", "record", "https://a.example/", "--viewport", "wide"]).expect(2, "1280x800");
}

#[test]
fn a_recording_whose_time_is_over_is_a_flow_that_replays() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let url = page("<h1>Shop</h1>");
    let arguments = [
        "flow",
        "record",
        &url,
        "--headless",
        "-o",
        "shop.json",
        "--viewport",
        "800x600",
        "--time-limit",
        "2s",
    ];
    let ended = stage.run(&arguments);
    ended.expect(0, "recording in chromium");
    let told = ended.stdout();
    assert!(told.contains("1  set the viewport to 800 x 600"), "{told}");
    assert!(
        told.contains("2 steps, its time is over") && told.contains("runners flow run shop.json"),
        "{told}"
    );
    stage.run(&["flow", "validate", "shop.json"]).expect(0, "");
    assert!(stage.read("shop.json").contains(&url));
}
