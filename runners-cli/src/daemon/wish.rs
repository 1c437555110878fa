//! What whoever owns this machine wants of the runner in the background: a small file, and a signal
//! that says that it has changed. It is for one process: another start serves.

use super::{Home, home};
use crate::tokens;
use anyhow::{Context as _, Result};
use runners_core::{Mode, Timestamp};
use serde::{Deserialize, Serialize};

/// A note of the greatest length takes less.
const BYTES_MAX: u64 = 64 << 10;

/// What is wanted of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// Of which one.
    pub(crate) pid: u32,
    pub(crate) mode: Mode,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// When what still runs is given up, and tried elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Timestamp>,
}

impl Wish {
    /// What is wanted of a process, if anything was said.
    pub(crate) fn read(home: &Home, pid: u32) -> Result<Option<Self>> {
        let path = home.wish();
        let Some(text) = home::read(&path, BYTES_MAX)? else { return Ok(None) };
        let wish: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(wish).filter(|wish| wish.pid == pid))
    }

    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        let text = serde_json::to_string(self).expect("invariant: it is plain data");
        let path = home.wish();
        tokens::write_private(&path, &text).with_context(|| format!("could not write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_for_one_process() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(Some(directory.path())).unwrap();
        assert_eq!(Wish::read(&home, 7).unwrap(), None);
        let wish = Wish { pid: 7, mode: Mode::Drain, note: Some("a new disk".to_owned()), by: None };
        wish.write(&home).unwrap();
        assert_eq!(Wish::read(&home, 7).unwrap(), Some(wish));
        assert_eq!(Wish::read(&home, 8).unwrap(), None);
    }
}
