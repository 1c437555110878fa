//! What happens to what was made where the engine does not do as it is told at once.

use super::*;
use crate::fake::{Answer, FakeEngine};

const BROKEN: Answer = Answer::Say(500, r#"{"message":"broken"}"#);
const GONE: Answer = Answer::Say(204, "");
fn owner() -> Owner {
    Owner { runner: "rack".to_owned(), start: "now".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_keeps_no_sweep_from_the_rest() {
    let mut fake = FakeEngine::start(|asked| match asked {
        "GET /containers/json" => Answer::Say(200, r#"[{"Id":"a"},{"Id":"b"}]"#),
        "GET /networks" => Answer::Say(200, r#"[{"Id":"c"},{"Id":"d"}]"#),
        "DELETE /containers/a" => BROKEN,
        "DELETE /networks/c" => Answer::Say(403, r#"{"message":"in use"}"#),
        _ => GONE,
    });
    let error = sweep(&fake.engine, &owner()).await.unwrap_err();
    assert_eq!(error.to_string(), "the container engine refuses to remove a container: broken");
    let asked = fake.all_asked();
    for removed in ["/containers/a", "/containers/b", "/networks/c", "/networks/d"] {
        assert!(asked.contains(&format!("DELETE {removed}")), "{removed}: {asked:?}");
    }
}
