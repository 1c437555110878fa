//! What became of everything that was promised: each job, each attempt, each log.

use crate::{
    account::Account,
    clients::Submitted,
    fleet::{Deeds, Fleet},
    journal::Trust,
    visit::{Visited, line},
};
use runners_core::{
    Conclusion, JobId, Outcome, Transport as _,
    protocol::{JobView, LogPage, ReadLogRequest, RefusalCode, Reply, Request},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// What was found.
#[derive(Debug)]
pub(crate) struct Verdict {
    deeds: Deeds,
    jobs: usize,
    attempts_started: usize,
    attempts_lost: usize,
    /// Jobs that were accepted and have no conclusion, or none that counts.
    lost: usize,
    /// Jobs of which two attempts were trusted at once, started under one grant, or recorded.
    twice: usize,
    bytes_logged: u64,
    bytes_missing: u64,
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    pub(crate) async fn find(fleet: &Fleet, submitted: &Submitted) -> Self {
        let mut trusts: BTreeMap<JobId, Vec<Trust>> = BTreeMap::new();
        for trust in fleet.trusts() {
            trusts.entry(trust.job).or_default().push(trust);
        }
        let mut verdict = Self {
            deeds: fleet.deeds,
            jobs: submitted.iter().map(|(_, jobs)| jobs.len()).sum(),
            attempts_started: trusts.values().map(Vec::len).sum(),
            attempts_lost: 0,
            lost: 0,
            twice: 0,
            bytes_logged: 0,
            bytes_missing: 0,
            problems: Vec::new(),
        };
        for (job, trusts) in &mut trusts {
            verdict.look_at_trust(*job, trusts);
        }
        for (account, jobs) in submitted {
            for (job, view) in jobs {
                let found = view.as_ref().and_then(|view| verdict.look_at(view, trusts.get(job)));
                match found {
                    Some(visited) => verdict.look_at_log(account, &visited).await,
                    None => {
                        verdict.lost += 1;
                        verdict.problems.push(format!("{job} has not passed: {view:?}"));
                    }
                }
            }
        }
        verdict.look_at_tenants(submitted).await;
        verdict
    }

    /// No two attempts of a job are trusted at once, and none is started twice.
    fn look_at_trust(&mut self, job: JobId, trusts: &mut [Trust]) {
        trusts.sort_by_key(|trust| (trust.from, trust.grant));
        let mut grants = BTreeSet::new();
        for twice in trusts.iter().filter(|trust| !grants.insert(trust.grant)) {
            self.twice += 1;
            self.problems.push(format!("{job} was started twice: {twice:?}"));
        }
        // One that was stopped before it looked has begun when its lease was gone, and trusted nothing.
        let trusting: Vec<&Trust> = trusts.iter().filter(|trust| trust.from < trust.until).collect();
        for pair in trusting.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            if earlier.until > later.from {
                self.twice += 1;
                self.problems.push(format!("{job} was trusted twice at once: {earlier:?} and {later:?}"));
            }
        }
    }

    /// The record of a job agrees with what its attempts wrote down. What it says was the result.
    fn look_at(&mut self, view: &JobView, trusts: Option<&Vec<Trust>>) -> Option<Visited> {
        let lost = |outcome: &Outcome| matches!(outcome, Outcome::Lost | Outcome::Lapsed);
        self.attempts_lost += view.attempts.iter().filter(|attempt| lost(&attempt.outcome)).count();
        if view.conclusion() != Some(Conclusion::Passed) {
            return None;
        }
        let passed: Vec<_> =
            view.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Passed).collect();
        let result: Visited = serde_json::from_slice(view.result.as_ref()?.as_bytes()).ok()?;
        let in_order = view.attempts.windows(2).all(|pair| pair[0].grant < pair[1].grant);
        if passed.len() != 1
            || !in_order
            || view.attempts.last()?.grant != result.grant
            || result.job != view.job
        {
            self.twice += 1;
            self.problems.push(format!("{} is not recorded once: {view:?}", view.job));
        }
        let ended = trusts?.iter().filter(|trust| trust.grant == result.grant && trust.ended).count();
        let newest = trusts?.iter().map(|trust| trust.grant).max();
        if ended != 1 || newest != Some(result.grant) {
            self.twice += 1;
            self.problems.push(format!(
                "{} was recorded from grant {}, and its attempts say {trusts:?}",
                view.job, result.grant
            ));
        }
        Some(result)
    }

    /// A log is what was logged, in order, and what is missing of it is marked.
    async fn look_at_log(&mut self, account: &Account, visited: &Visited) {
        let wanted: String = (0..visited.lines).map(line).collect();
        let (mut at, mut wrong) = (0, None);
        loop {
            let page = read_log(account, visited, at).await;
            let chunks =
                page.chunks.iter().map(|chunk| (chunk.offset, chunk.bytes.len() as u64, Some(&chunk.bytes)));
            let gaps = page.gaps.iter().map(|gap| (gap.offset, gap.bytes, None));
            let mut pieces: Vec<_> = chunks.chain(gaps).collect();
            pieces.sort_by_key(|(offset, ..)| *offset);
            for (offset, length, bytes) in pieces {
                let place = usize::try_from(offset).unwrap()..usize::try_from(offset + length).unwrap();
                let told = bytes.is_none_or(|bytes| wanted.as_bytes().get(place) == Some(bytes.as_bytes()));
                if offset != at || !told {
                    wrong = Some(offset);
                }
                self.bytes_missing += if bytes.is_none() { length } else { 0 };
                at = offset + length;
            }
            if page.ended || wrong.is_some() {
                break;
            }
        }
        self.bytes_logged += at;
        if wrong.is_some() || at != wanted.len() as u64 {
            let told = format!("the log of {visited:?} is {at} bytes long, and wrong at {wrong:?}");
            self.problems.push(told);
        }
    }

    /// Each tenant sees its own jobs, all of them, and nobody else's.
    async fn look_at_tenants(&mut self, submitted: &Submitted) {
        for (account, jobs) in submitted {
            let listed = account.management.list("/jobs").await;
            let listed: BTreeSet<JobId> =
                listed.iter().map(|job| job["id"].as_str().unwrap().parse().unwrap()).collect();
            let own: BTreeSet<JobId> = jobs.keys().copied().collect();
            if listed != own {
                let strange: Vec<_> = listed.symmetric_difference(&own).collect();
                self.problems
                    .push(format!("{} sees others' jobs, or not its own: {strange:?}", account.name));
            }
            let others = submitted.iter().filter(|(other, _)| other.name != account.name);
            for job in others.flat_map(|(_, jobs)| jobs.keys()) {
                match account.client.inspect(*job).await {
                    Err(runners_core::Error::Refused(refused)) if refused.code == RefusalCode::NotFound => {}
                    seen => self.problems.push(format!("{} sees {job}: {seen:?}", account.name)),
                }
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.deeds)?;
        writeln!(f, "jobs accepted                 {:>6}", self.jobs)?;
        writeln!(f, "attempts started              {:>6}", self.attempts_started)?;
        writeln!(f, "attempts lost                 {:>6}", self.attempts_lost)?;
        writeln!(f, "bytes logged                  {:>6}", self.bytes_logged)?;
        writeln!(f, "of them missing, and marked   {:>6}", self.bytes_missing)?;
        writeln!(f, "jobs lost                     {:>6}", self.lost)?;
        write!(f, "jobs executed twice           {:>6}", self.twice)
    }
}

async fn read_log(account: &Account, visited: &Visited, from: u64) -> LogPage {
    let (job, grant) = (visited.job, Some(visited.grant));
    let request = ReadLogRequest { job, grant, from, park_for: Duration::ZERO };
    match account.transport.call(Request::ReadLog(request)).await.unwrap() {
        Reply::Log(page) => page,
        other => panic!("a log was asked for, not {other:?}"),
    }
}
