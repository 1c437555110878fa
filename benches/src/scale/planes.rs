//! Control planes that share a database, each a process of its own: what they carry together, what they
//! use, and how often they meet.

use super::{burned::share_of, meetings::Counting, share::Share};
use crate::{
    bed::Bed,
    journey::Traveller,
    sample::{Sample, Travelled},
    stopwatch::now,
};
use anyhow::{Context as _, ensure};
use runners_core::Caller;
use runners_store_postgres::{PostgresOptions, testing::TestServer};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::sync::mpsc;

/// The first argument of a process that is one of the control planes.
pub const ROLE: &str = "--plane";

/// How long jobs travel before anything counts: the control planes come to know each other meanwhile.
const WARM_FOR: Duration = Duration::from_secs(2);

/// How jobs come.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the bench goes over both")]
pub enum Jobs {
    /// So many wait before anything counts, submitted at one of the control planes.
    Queued(u64),
    /// For so long the next is submitted where one has ended.
    Paced(Duration),
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the bench says all of it")]
pub struct Setting {
    /// How many control planes there are.
    pub planes: usize,
    /// How many slots each of them has.
    pub slots: usize,
    /// How jobs come.
    pub jobs: Jobs,
    /// How many hundredths of a core each has at most, if it is held to any.
    pub hundredths: Option<u64>,
}

/// What came of one control plane, or of several.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Carried {
    /// How many jobs have come to their end.
    pub lifecycles: u64,
    /// How long that took.
    pub seconds: f64,
    /// How much processor time it took, in seconds.
    pub used: f64,
    /// Batches that offer a job which others can offer too.
    pub claims: u64,
    /// Of those, how many met another control plane's.
    pub conflicts: u64,
}

impl Carried {
    /// Lifecycles in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.lifecycles) / self.seconds
    }

    /// Microseconds of processor time for a lifecycle.
    #[must_use]
    pub fn micros_used(&self) -> f64 {
        self.used * 1e6 / count(self.lifecycles)
    }

    /// How many claims of a hundred met another's.
    #[must_use]
    pub fn conflicts_percent(&self) -> f64 {
        count(self.conflicts) * 100.0 / count(self.claims.max(1))
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

/// Has control planes carry jobs on an empty schema, and says how each was held to its share.
///
/// # Errors
/// If one of them fails, or none can be held to its share.
pub fn carry(server: &TestServer, setting: Setting) -> anyhow::Result<(Carried, Option<&'static str>)> {
    let (url, schema) = (server.url(), server.fresh_schema());
    let mut members = Vec::new();
    for number in 0..setting.planes {
        let first = number * setting.slots;
        let post = Post { url: url.clone(), schema: schema.clone(), first, slots: setting.slots };
        members.push(Member::start(&post, setting.hundredths)?);
    }
    // Every one is ready before any begins.
    members.iter_mut().try_for_each(|member| member.answer().map(drop))?;
    order(&mut members, Order::Travel { span: WARM_FOR })?;
    let order_of_all = match setting.jobs {
        Jobs::Paced(span) => Order::Travel { span },
        Jobs::Queued(jobs) => {
            let each = share_of(jobs, setting.planes * setting.slots);
            let all = each * (setting.planes * setting.slots) as u64;
            order(&mut members[..1], Order::Queue { jobs: all })?;
            Order::Drain { each }
        }
    };
    let mut together = Carried::default();
    for one in order(&mut members, order_of_all)? {
        together.lifecycles += one.lifecycles;
        together.seconds = together.seconds.max(one.seconds);
        together.used += one.used;
        together.claims += one.claims;
        together.conflicts += one.conflicts;
    }
    let told = members.first().and_then(|member| member.share.as_ref()).map(Share::told);
    members.into_iter().try_for_each(Member::end)?;
    Ok((together, told))
}

/// Has all of them do something at once.
fn order(members: &mut [Member], order: Order) -> anyhow::Result<Vec<Carried>> {
    let order = serde_json::to_string(&order)?;
    members.iter_mut().try_for_each(|member| member.order(&order))?;
    members.iter_mut().map(Member::answer).collect()
}

/// Where one control plane stands.
#[derive(Debug, Serialize, Deserialize)]
struct Post {
    url: String,
    schema: String,
    /// The number of the first runner that it has for itself.
    first: usize,
    slots: usize,
}

/// What one control plane is to do next.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Order {
    Queue { jobs: u64 },
    Travel { span: Duration },
    Drain { each: u64 },
}

/// Is one of the control planes, until nobody orders anything.
///
/// # Errors
/// If the store has trouble, or a job is refused, fenced or lost.
pub async fn serve(post: &str) -> anyhow::Result<()> {
    let post: Post = serde_json::from_str(post)?;
    let store = Arc::new(PostgresOptions::new(post.url).schema(post.schema).open().await?);
    let counting = Arc::new(Counting::over(Arc::clone(&store) as _));
    let bed = Bed::start_on(Arc::clone(&counting) as _, None).await?;
    let mut slots = bed.travellers_from(post.first, post.slots).await?;
    let mut orders = orders();
    answer(&Carried::default())?;
    while let Some(order) = orders.recv().await {
        let _ = counting.take();
        let carried = carry_out(&bed, &mut slots, serde_json::from_str(&order)?).await?;
        let (claims, conflicts) = counting.take();
        answer(&Carried { claims, conflicts, ..carried })?;
    }
    bed.control.stop().await?;
    store.close().await;
    Ok(())
}

/// The lines of the input. Whoever waits for one does not stop the control plane.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, orders) = mpsc::unbounded_channel();
    thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    orders
}

fn answer(carried: &Carried) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(carried)?)?;
    Ok(output.flush()?)
}

type Slots = Vec<Traveller<Caller, Caller>>;

async fn carry_out(bed: &Bed, slots: &mut Slots, order: Order) -> anyhow::Result<Carried> {
    if let Order::Queue { jobs } = order {
        bed.queue(usize::try_from(jobs)?).await?;
        return Ok(Carried::default());
    }
    let until = now();
    let carrying = slots.drain(..).map(|mut slot| async move {
        let travelled = match order {
            Order::Drain { each } => slot.drain(each).await?,
            Order::Travel { span } => slot.travel_until(until + span).await?,
            Order::Queue { .. } => Travelled::default(),
        };
        Ok((travelled, slot))
    });
    let (sample, returned) = Sample::together_with(carrying).await?;
    *slots = returned;
    Ok(Carried {
        lifecycles: sample.lifecycles,
        seconds: sample.elapsed.as_secs_f64(),
        used: sample.used.as_secs_f64(),
        ..Carried::default()
    })
}

/// A control plane as a process.
struct Member {
    child: Child,
    /// None once nobody orders anything more.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    share: Option<Share>,
}

impl Member {
    fn start(post: &Post, hundredths: Option<u64>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(serde_json::to_string(post)?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("it has an output")?);
        let mut member = Self { child, input, output, share: None };
        if let Some(hundredths) = hundredths {
            member.share = Some(Share::of_core(member.child.id(), hundredths)?);
        }
        Ok(member)
    }

    fn order(&mut self, order: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("nobody orders anything more")?;
        Ok(writeln!(input, "{order}")?)
    }

    fn answer(&mut self) -> anyhow::Result<Carried> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("a control plane failed")
    }

    fn end(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let ended = self.child.wait()?;
        ensure!(ended.success(), "a control plane failed: {ended}");
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
