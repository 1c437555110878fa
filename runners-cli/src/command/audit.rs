//! `runners audit`: who changed what on the server.

use super::{flows::Author, pools::shown};
use crate::{
    args::{Asked, PageArgs},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::Result;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    at_utc: String,
    author: Author,
    deed: String,
    subject: String,
    subject_id: String,
    note: Option<String>,
}

pub(super) async fn execute(Asked { what: PageArgs { limit }, fleet }: Asked<PageArgs>) -> Result<Exit> {
    let page = Management::new(&fleet)?.get(&format!("/audit?limit={limit}")).await?;
    shown(&fleet, page, |mut page| {
        let changes: Vec<Change> = read(page["items"].take())?;
        let rows = changes.into_iter().map(|change| {
            let Change { at_utc, author, deed, subject, subject_id, note } = change;
            let what = format!("{deed} {subject}");
            [terminal::ago(&at_utc), author.words(), what, subject_id, note.unwrap_or_default()]
        });
        table::list(["when", "who", "did", "to", "about it"], rows);
        if !page["next"].is_null() {
            terminal::note("there are more: raise --limit");
        }
        Ok(())
    })
}
