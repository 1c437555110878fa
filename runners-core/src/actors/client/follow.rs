//! Following a job: its states, its progress and its log as one stream.

use super::Client;
use crate::{
    actors::error::Error,
    values::{
        id::JobId,
        opaque::Opaque,
        reply::{JobView, LogChunk, LogGap, LogPage, Reply, StateView},
        request::{ReadLogRequest, Request, WaitRequest},
    },
};
use futures::{Stream, stream};
use std::{collections::VecDeque, time::Duration};

/// How long a question is held back while there is nothing new. States and progress are as fresh
/// as that.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed {
    /// It is in another state. States that last shorter than about half a second may be left out,
    /// except the last one.
    State(StateView),
    /// Its attempt says how far it is.
    Progress(String),
    /// Its attempt has logged.
    Log {
        /// The grant of the attempt.
        grant: u64,
        /// Where in the attempt's log the bytes stand.
        offset: u64,
        /// The bytes, which may end inside a character.
        bytes: Opaque,
    },
    /// Bytes of the log were lost.
    LogMissing {
        /// The grant of the attempt.
        grant: u64,
        /// How many.
        bytes: u64,
    },
}

/// Where a stream is.
struct Following {
    client: Client,
    job: JobId,
    state: Option<StateView>,
    progress: Option<String>,
    /// The grant whose log is read, and up to where.
    log: Option<(u64, u64)>,
    /// The newest grant whose log was read to its end.
    read: u64,
    ready: VecDeque<Followed>,
    over: bool,
}

pub(super) fn follow(client: Client, job: JobId) -> impl Stream<Item = Result<Followed, Error>> + Send {
    let following = Following {
        client,
        job,
        state: None,
        progress: None,
        log: None,
        read: 0,
        ready: VecDeque::new(),
        over: false,
    };
    stream::try_unfold(following, |mut following| async move {
        loop {
            if let Some(followed) = following.ready.pop_front() {
                return Ok(Some((followed, following)));
            }
            if following.over {
                return Ok(None);
            }
            following.look().await?;
        }
    })
}

impl Following {
    /// Asks once for whatever may be new.
    async fn look(&mut self) -> Result<(), Error> {
        let view = self.client.inspect(self.job).await?;
        // A conclusion is told after everything that was logged before it.
        let concluded = view.conclusion().is_some();
        if !concluded {
            self.tell_state(&view);
        }
        match self.next_log(&view) {
            Some((grant, from)) => self.read_log(grant, from).await,
            None if concluded => {
                self.tell_state(&view);
                self.over = true;
                Ok(())
            }
            None => self.wait().await,
        }
    }

    fn tell_state(&mut self, view: &JobView) {
        if self.state.as_ref() != Some(&view.state) {
            self.state = Some(view.state.clone());
            self.ready.push_back(Followed::State(view.state.clone()));
        }
        if let Some(progress) =
            view.progress.as_ref().filter(|progress| self.progress.as_ref() != Some(*progress))
        {
            self.progress = Some(progress.clone());
            self.ready.push_back(Followed::Progress(progress.clone()));
        }
    }

    /// Which log to read on, and from where: attempt by attempt, oldest first.
    fn next_log(&self, view: &JobView) -> Option<(u64, u64)> {
        if self.log.is_some() {
            return self.log;
        }
        let running = match view.state {
            StateView::Running { token, .. } => Some(token.grant),
            _ => None,
        };
        let grants = view.attempts.iter().map(|attempt| attempt.grant).chain(running);
        grants.filter(|grant| *grant > self.read).min().map(|grant| (grant, 0))
    }

    async fn read_log(&mut self, grant: u64, from: u64) -> Result<(), Error> {
        let request = ReadLogRequest { job: self.job, grant: Some(grant), from, park_for: LOOK_EVERY };
        let Reply::Log(page) = self.client.ask(Request::ReadLog(request)).await? else {
            return Err(Error::Unexpected("read-log"));
        };
        let ended = page.ended;
        let next = self.take(grant, from, page);
        if ended {
            (self.log, self.read) = (None, grant);
        } else {
            self.log = Some((grant, next));
        }
        Ok(())
    }

    fn take(&mut self, grant: u64, from: u64, page: LogPage) -> u64 {
        let missing = |gap: LogGap| (gap.offset, Followed::LogMissing { grant, bytes: gap.bytes });
        let logged = |chunk: LogChunk| {
            (chunk.offset, Followed::Log { grant, offset: chunk.offset, bytes: chunk.bytes })
        };
        let chunks = page.chunks.into_iter().map(logged);
        let mut pieces: Vec<_> = page.gaps.into_iter().map(missing).chain(chunks).collect();
        pieces.sort_by_key(|(offset, _)| *offset);
        self.ready.extend(pieces.into_iter().map(|(_, piece)| piece));
        page.next.max(from)
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let request = WaitRequest { job: self.job, park_for: LOOK_EVERY };
        self.client.ask(Request::Wait(request)).await.map(drop)
    }
}
