//! Who has signed in: kept in memory, a bounded number, each for a bounded time. The browser holds a
//! text drawn at random, and only its digest is known here.

use runners_core::{BootTime, Digest, TenantId, Token};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many people are signed in at most. One more ends the session that ends first.
const SESSIONS_MAX: usize = 10_000;

/// Everybody who has signed in.
pub(crate) struct Sessions {
    life: Duration,
    open: Mutex<HashMap<Digest, Session>>,
}

/// Somebody who has signed in.
#[derive(Clone)]
pub(crate) struct Session {
    /// What they signed in with. It is looked up again for every request.
    pub(crate) credential: Token,
    /// What every form of theirs holds, and no other site knows.
    pub(crate) form_token: String,
    /// The tenant that the operator works for, if it is not its own.
    pub(crate) tenant: Option<TenantId>,
    ends_at: BootTime,
}

impl Sessions {
    /// How long a session lasts, unless said otherwise: twelve hours.
    pub(crate) const LIFE: Duration = Duration::from_secs(12 * 3600);

    pub(crate) fn new(life: Duration) -> Self {
        Self { life, open: Mutex::default() }
    }

    /// Opens one under `text`, which the browser is given.
    pub(crate) fn open(&self, text: &str, credential: Token, form_token: String, now: BootTime) {
        let session = Session { credential, form_token, tenant: None, ends_at: now + self.life };
        let mut open = self.lock();
        open.retain(|_, session| session.ends_at > now);
        if open.len() >= SESSIONS_MAX {
            let first = open.iter().min_by_key(|(_, session)| session.ends_at).map(|(digest, _)| *digest);
            first.and_then(|digest| open.remove(&digest));
        }
        open.insert(Digest::of(text.as_bytes()), session);
    }

    /// The session that a browser names.
    pub(crate) fn find(&self, text: &str, now: BootTime) -> Option<Session> {
        let found = self.lock().get(&Digest::of(text.as_bytes())).cloned();
        found.filter(|session| session.ends_at > now)
    }

    /// Has a session work for a tenant.
    pub(crate) fn work_for(&self, text: &str, tenant: Option<TenantId>) {
        if let Some(session) = self.lock().get_mut(&Digest::of(text.as_bytes())) {
            session.tenant = tenant;
        }
    }

    /// Ends a session.
    pub(crate) fn end(&self, text: &str) {
        self.lock().remove(&Digest::of(text.as_bytes()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        // It is whole after every statement.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(seconds))
    }

    fn open(sessions: &Sessions, text: &str, now: BootTime) {
        sessions.open(text, Token::from_text("t"), "f".into(), now);
    }

    #[test]
    fn a_session_ends_with_its_time_and_when_it_is_ended() {
        let sessions = Sessions::new(LIFE);
        open(&sessions, "a", at(0));
        assert!(sessions.find("a", at(59)).is_some());
        assert!(sessions.find("a", at(60)).is_none());
        assert!(sessions.find("b", at(0)).is_none());
        open(&sessions, "b", at(0));
        sessions.end("b");
        assert!(sessions.find("b", at(0)).is_none());
    }

    #[test]
    fn one_session_too_many_ends_the_one_that_ends_first() {
        let sessions = Sessions::new(LIFE);
        open(&sessions, "first", at(0));
        for number in 1..=SESSIONS_MAX {
            open(&sessions, &number.to_string(), at(1));
        }
        assert!(sessions.find("first", at(2)).is_none());
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
    }
}
