//! What became of everything that was promised: each job, each attempt, each log.

use super::{
    account::Account,
    clients::Submitted,
    deeds::Deeds,
    fleet::Fleet,
    journal::{self, Event, Trust},
    visit::{Visited, line},
};
use anyhow::{Context as _, Result, bail};
use runners_core::{
    Conclusion, JobId, Outcome, Retrying, Transport as _,
    protocol::{JobView, LogPage, ReadLogRequest, RefusalCode, Reply, Request},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) deeds: Deeds,
    pub(crate) jobs: usize,
    pub(crate) attempts_started: usize,
    pub(crate) attempts_lost: usize,
    /// Jobs that were accepted and have no conclusion, or none that counts.
    pub(crate) lost: usize,
    /// Jobs of which two attempts were trusted at once, started under one grant, or recorded.
    pub(crate) twice: usize,
    /// Finishes that came after their lease was over.
    pub(crate) stale_writes_refused: usize,
    /// How long it took from the death of a runner until what it ran was run again.
    #[serde(skip)]
    pub(crate) rescues: Vec<(Duration, JobId)>,
    /// What happened to the job for which it took longest.
    pub(crate) longest: Vec<Value>,
    pub(crate) bytes_logged: u64,
    pub(crate) bytes_missing: u64,
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    pub(crate) async fn find(fleet: &Fleet, deeds: Deeds, submitted: &Submitted) -> Result<Self> {
        let mut trusts: BTreeMap<JobId, Vec<Trust>> = BTreeMap::new();
        let mut verdict = Self { deeds, ..Self::default() };
        for (lines, died) in fleet.journals() {
            let refused = lines.iter().filter(|line| line.event == Event::Refused);
            verdict.stale_writes_refused += refused.count();
            for trust in journal::trusts(&lines, died) {
                trusts.entry(trust.job).or_default().push(trust);
            }
        }
        verdict.jobs = submitted.iter().map(|(_, jobs)| jobs.len()).sum();
        verdict.attempts_started = trusts.values().map(Vec::len).sum();
        for (job, trusts) in &mut trusts {
            verdict.look_at_trust(*job, trusts);
        }
        verdict.rescues.sort_unstable();
        verdict.look_at_longest(submitted).await?;
        for (account, jobs) in submitted {
            for (job, view) in jobs {
                let found = view.as_ref().and_then(|view| verdict.look_at(view, trusts.get(job)));
                match found {
                    Some(visited) => verdict.look_at_log(account, &visited).await?,
                    None => {
                        verdict.lost += 1;
                        verdict.problems.push(format!("{job} has not passed: {view:?}"));
                    }
                }
            }
        }
        verdict.look_at_tenants(submitted).await?;
        Ok(verdict)
    }

    /// Whether every promise was kept.
    pub(crate) const fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// No two attempts of a job are trusted at once, and none is started twice.
    fn look_at_trust(&mut self, job: JobId, trusts: &mut [Trust]) {
        trusts.sort_by_key(|trust| (trust.from, trust.grant));
        let mut grants = BTreeSet::new();
        for twice in trusts.iter().filter(|trust| !grants.insert(trust.grant)) {
            self.twice += 1;
            self.problems.push(format!("{job} was started twice: {twice:?}"));
        }
        for pair in trusts.windows(2) {
            if let Some(died) = pair[0].died.filter(|_| !pair[0].over) {
                self.rescues.push((pair[1].from.since(died), job));
            }
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

    async fn look_at_longest(&mut self, submitted: &Submitted) -> Result<()> {
        let Some((_, job)) = self.rescues.last() else { return Ok(()) };
        if let Some((account, _)) = submitted.iter().find(|(_, jobs)| jobs.contains_key(job)) {
            self.longest = account.management.events(&format!("/jobs/{job}/events")).await?;
        }
        Ok(())
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
    async fn look_at_log(&mut self, account: &Account, visited: &Visited) -> Result<()> {
        let wanted: String = (0..visited.lines).map(line).collect();
        let (mut at, mut wrong) = (0, None);
        loop {
            let page = read_log(account, visited, at).await?;
            let chunks =
                page.chunks.iter().map(|chunk| (chunk.offset, chunk.bytes.len() as u64, Some(&chunk.bytes)));
            let gaps = page.gaps.iter().map(|gap| (gap.offset, gap.bytes, None));
            let mut pieces: Vec<_> = chunks.chain(gaps).collect();
            pieces.sort_by_key(|(offset, ..)| *offset);
            for (offset, length, bytes) in pieces {
                let place = usize::try_from(offset)?..usize::try_from(offset + length)?;
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
        Ok(())
    }

    /// Each tenant sees its own jobs, all of them, and nobody else's.
    async fn look_at_tenants(&mut self, submitted: &Submitted) -> Result<()> {
        for (account, jobs) in submitted {
            let mut listed = BTreeSet::new();
            for job in account.management.list("/jobs").await? {
                listed.insert(job["id"].as_str().context("a job has no id")?.parse::<JobId>()?);
            }
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
        Ok(())
    }
}

async fn read_log(account: &Account, visited: &Visited, from: u64) -> Result<LogPage> {
    let (job, grant) = (visited.job, Some(visited.grant));
    let request = ReadLogRequest { job, grant, from, park_for: Duration::ZERO };
    match Retrying::new(account.transport.clone()).call(Request::ReadLog(request)).await? {
        Reply::Log(page) => Ok(page),
        other => bail!("a log was asked for, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::BootTime;

    const JOB: JobId = JobId::from_bytes([1; 16]);

    fn trust(grant: u64, from: u64, until: u64) -> Trust {
        let at = |seconds| BootTime::from_duration(Duration::from_secs(seconds));
        Trust { job: JOB, grant, from: at(from), until: at(until), ended: false, over: false, died: None }
    }

    fn judged(mut trusts: Vec<Trust>) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.look_at_trust(JOB, &mut trusts);
        verdict
    }

    #[test]
    fn attempts_that_trust_one_after_the_other_are_good() {
        assert!(judged(vec![trust(2, 5, 9), trust(1, 0, 5)]).is_good());
        // What was stopped before it looked trusted nothing.
        assert!(judged(vec![trust(1, 6, 5), trust(2, 5, 9)]).is_good());
    }

    #[test]
    fn attempts_that_trust_at_once_are_found() {
        let verdict = judged(vec![trust(1, 0, 6), trust(2, 5, 9)]);
        assert_eq!((verdict.twice, verdict.is_good()), (1, false));
    }

    #[test]
    fn a_grant_that_is_started_twice_is_found() {
        let verdict = judged(vec![trust(1, 0, 2), trust(1, 5, 9)]);
        assert_eq!((verdict.twice, verdict.is_good()), (1, false));
    }

    #[test]
    fn what_a_dead_runner_ran_is_rescued_after_its_death() {
        let dead = Trust { died: Some(BootTime::from_duration(Duration::from_secs(2))), ..trust(1, 0, 2) };
        assert_eq!(judged(vec![dead, trust(2, 7, 9)]).rescues, [(Duration::from_secs(5), JOB)]);
        let over = Trust { over: true, ..dead };
        assert!(judged(vec![over, trust(2, 7, 9)]).rescues.is_empty());
    }
}
