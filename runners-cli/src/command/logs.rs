//! `runners logs`: what the attempts at a job have logged, as it stands or as it grows.

use crate::{args::JobLogArgs, connection::Connection, exit::Exit, interrupts::Interrupts, terminal};
use anyhow::{Result, bail};
use runners_core::{
    SystemClock, Transport as _,
    protocol::{LogPage, ReadLogRequest, Reply, Request},
    sleep,
};
use serde_json::json;
use std::{io::Write as _, time::Duration};

/// How long the server may hold an answer back while nothing is added.
const PARK_FOR: Duration = Duration::from_secs(20);

/// The wait after a call that failed, and how many of them in a row are borne.
const TRY_EVERY: Duration = Duration::from_secs(2);
const FAILURES_MAX: u32 = 15;

pub(super) async fn execute(arguments: JobLogArgs) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let connection = Connection::new(&arguments.api)?;
    tokio::select! {
        read = read(&connection, &arguments) => read.map(|()| Exit::Passed),
        () = interrupts.next() => Ok(Exit::Passed),
    }
}

async fn read(connection: &Connection, arguments: &JobLogArgs) -> Result<()> {
    let (mut grant, mut from, mut failures) = (arguments.grant, 0, 0);
    loop {
        let park_for = if arguments.follow { PARK_FOR } else { Duration::ZERO };
        let asked = ReadLogRequest { job: arguments.job, grant, from, park_for };
        let page = match connection.transport.call(Request::ReadLog(asked)).await {
            Ok(Reply::Log(page)) => page,
            Ok(Reply::Refused(refused)) => return Err(refused.into()),
            Ok(_) => bail!("{} has answered with a reply of another kind", connection.server),
            Err(error) if arguments.follow && error.is_transient() && failures < FAILURES_MAX => {
                failures += 1;
                sleep(&SystemClock::default(), TRY_EVERY).await;
                continue;
            }
            Err(error) if error.is_transient() => {
                return Err(connection.explain(runners_core::Error::Unreachable(error)));
            }
            Err(error) => return Err(connection.explain(runners_core::Error::Rejected(error))),
        };
        failures = 0;
        if !print(&page, arguments.json) {
            return Ok(());
        }
        let added = page.next > from;
        from = page.next;
        // A grant that nothing was logged for may be followed by another one.
        grant = grant.or((from > 0).then_some(page.grant));
        if !added && (page.ended || !arguments.follow) {
            return Ok(());
        }
    }
}

/// Prints chunks and gaps in the order of their offsets. Whether anybody still reads.
fn print(page: &LogPage, as_json: bool) -> bool {
    let chunks = page.chunks.iter().map(|chunk| (chunk.offset, Ok(&**chunk.bytes.as_bytes())));
    let gaps = page.gaps.iter().map(|gap| (gap.offset, Err(gap.bytes)));
    let mut pieces: Vec<(u64, Result<&[u8], u64>)> = chunks.chain(gaps).collect();
    pieces.sort_by_key(|(offset, _)| *offset);
    let mut stdout = std::io::stdout().lock();
    let mut write = |text: &[u8]| stdout.write_all(text).and_then(|()| stdout.flush()).is_ok();
    pieces.into_iter().all(|(offset, piece)| match (piece, as_json) {
        (Ok(bytes), false) => write(bytes),
        (Ok(bytes), true) => {
            let text = String::from_utf8_lossy(bytes);
            write(format!("{}\n", json!({ "grant": page.grant, "offset": offset, "text": text })).as_bytes())
        }
        (Err(missing), false) => {
            terminal::note(format!("[{missing} bytes are missing]"));
            true
        }
        (Err(missing), true) => {
            let event = json!({ "grant": page.grant, "offset": offset, "bytesMissing": missing });
            write(format!("{event}\n").as_bytes())
        }
    })
}
