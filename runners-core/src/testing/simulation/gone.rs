//! What a control plane still knows of runners that have left: nothing, after a while.

use super::world::World;
use crate::seams::clock::sleep;
use std::time::Duration;

/// How often it is looked whether a control plane has forgotten them.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl World {
    /// Every runner has left: within some terms no control plane keeps anything of them in memory.
    pub(super) async fn check_gone(&self) {
        // What the network has kept may yet come, and is forgotten a term later.
        let looks = (self.spans.term * 4).as_secs() / LOOK_EVERY.as_secs();
        for plane in 0..self.planes.len() {
            let Some(control) = self.planes.control(plane) else { continue };
            let kept = || control.plane.sessions.all().len() as u64;
            let before = kept();
            for _ in 0..looks {
                if kept() == 0 {
                    break;
                }
                sleep(&self.clock, LOOK_EVERY).await;
            }
            let left = kept();
            self.checker.count(|count| count.sessions_let_go += before.saturating_sub(left));
            if left > 0 {
                let kept: Vec<String> =
                    control.plane.sessions.all().iter().map(|kept| kept.described()).collect();
                let detail =
                    format!("plane {plane} keeps {left} of {before} sessions of runners that left: {kept:?}");
                self.checker.violate("runners that are gone leave nothing in memory", None, detail);
            }
        }
    }
}
