//! Prints what a flow costs as ratios: replayed by us against the same written by hand and replayed by
//! others, from a shell to its exit, and as a job. `flows [section…]`, all of them unless said otherwise;
//! how often each is measured is in `ROUNDS`.

use anyhow::{Context as _, ensure};
use runners_benches::{
    bed::runtime,
    figures::Spread,
    flows::{
        by_hand::{self, Driver as HandDriver},
        grid::Grid,
        reference::{self, Reference},
        selenium,
        site::{self, Site},
        tree,
    },
    settings::{number, sections},
    stopwatch::Stopwatch,
};
use runners_core::{
    Conclusion, ControlPlane, JobResult as _, MemoryStore, Runner, SystemClock, Verdict, sleep,
};
use runners_exec_webdriver::{
    Browser as _, BrowserFlow, Driver, DriverOptions, FlowExecutor, Mode, Replay, ReplayOptions, Screenshots,
    Session,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const SECTIONS: [&str; 5] = ["warm", "selenium", "shell", "session", "cancel"];
/// How long a flow that is cancelled waits before, so that its page is there.
const SETTLING: Duration = Duration::from_millis(500);
/// How often the flow is repeated in a session of the runner of Selenium IDE, to tell it from its start.
const REPEATED: u32 = 10;

fn main() -> anyhow::Result<()> {
    let asked = sections(std::env::args().skip(1).collect(), &SECTIONS)?;
    let rounds = number("ROUNDS", 15)?;
    let measure = Measure { rounds, site: Site::serve()? };
    for section in asked {
        match section.as_str() {
            "warm" => measure.warm()?,
            "selenium" => measure.selenium()?,
            "shell" => measure.shell()?,
            "session" => measure.session()?,
            _ => measure.cancel()?,
        }
    }
    Ok(())
}

struct Measure {
    rounds: usize,
    site: Site,
}

/// What a side took in each round: milliseconds, and milliseconds of processor time.
struct Taken {
    name: &'static str,
    elapsed: Vec<f64>,
    used: Vec<f64>,
}

impl Taken {
    const fn new(name: &'static str) -> Self {
        Self { name, elapsed: Vec::new(), used: Vec::new() }
    }

    fn add(&mut self, elapsed: Duration, used: Duration) {
        self.elapsed.push(millis(elapsed));
        self.used.push(millis(used));
    }

    /// Says what it took, and how that compares with another side in the same rounds.
    fn tell(&self, others: &[&Self]) {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        println!(
            "  {:10} {} ms, {} ms of processor time",
            self.name,
            spread(&self.elapsed),
            spread(&self.used)
        );
        for other in others {
            let ratio = |ours: &[f64], theirs: &[f64]| {
                Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
            };
            println!(
                "    against {:10} {} of the time, {} of the processor time",
                other.name,
                ratio(&self.elapsed, &other.elapsed),
                ratio(&self.used, &other.used)
            );
        }
    }
}

impl Measure {
    /// One flow in a browser that is open.
    fn warm(&self) -> anyhow::Result<()> {
        println!("\n# warm: twelve steps in a browser that is open");
        let mut reference = Reference::start(&site::flow(&self.site.origin))?;
        let mut sides =
            [Taken::new("strict"), Taken::new("compat"), Taken::new("by hand"), Taken::new("reference")];
        runtime()?.block_on(async {
            let driver = Driver::new(DriverOptions::default());
            let session = driver.open().await?;
            let ours = driver.process_id().await.context("the driver runs")?;
            let hand = HandDriver::start()?;
            let client = by_hand::connect(&hand.url).await?;
            // The first of each is not counted.
            for round in 0..=self.rounds {
                for (number, side) in sides.iter_mut().enumerate() {
                    let root = [ours, ours, hand.id(), reference.id()][number];
                    let (watch, before) = (Stopwatch::start(), tree::used(root));
                    match number {
                        0 => self.replay(&*session, Mode::Strict).await?,
                        1 => self.replay(&*session, Mode::Compat).await?,
                        2 => by_hand::walk(&client, &self.site.origin).await?,
                        _ => reference.replay()?,
                    }
                    let (elapsed, own) = (watch.elapsed(), watch.used());
                    let below = tree::used(root).saturating_sub(before);
                    if round > 0 {
                        side.add(elapsed, if number < 3 { own + below } else { below });
                    }
                }
            }
            client.close().await?;
            session.close().await;
            driver.stop().await;
            anyhow::Ok(())
        })?;
        let [strict, compat, hand, theirs] = &sides;
        strict.tell(&[hand, theirs]);
        compat.tell(&[hand, theirs]);
        hand.tell(&[]);
        theirs.tell(&[]);
        Ok(())
    }

    async fn replay(&self, session: &dyn Session, mode: Mode) -> anyhow::Result<()> {
        let flow = BrowserFlow::parse(&site::flow(&self.site.origin).to_string())?.with_mode(mode);
        let mut options = ReplayOptions::default();
        options.screenshots = Screenshots::OfFailures;
        let result = Replay::new(flow, options).run(session, &(), std::future::pending()).await?;
        ensure!(result.verdict() == Verdict::Passed, "{:?}", result.failure());
        Ok(())
    }

    /// Flows in the session of the runner of Selenium IDE, timed where their pages are served: it waits for
    /// half a minute in all, whatever it runs.
    fn selenium(&self) -> anyhow::Result<()> {
        println!("\n# selenium: a flow among others in one session of selenium-side-runner");
        let directory = tempfile::tempdir()?;
        let (mut ours, mut theirs) = (Taken::new("strict"), Taken::new("selenium"));
        runtime()?.block_on(async {
            let driver = Driver::new(DriverOptions::default());
            let session = driver.open().await?;
            self.replay(&*session, Mode::Strict).await?;
            let root = driver.process_id().await.context("the driver runs")?;
            // The first is not counted: it may install the runner.
            for round in 0..=self.rounds.div_ceil(5) {
                let mut used = [Duration::ZERO; 2];
                for (times, used) in [1, 1 + REPEATED].into_iter().zip(&mut used) {
                    let file = directory.path().join(format!("{round}-{times}.side"));
                    std::fs::write(&file, selenium::project(&self.site.origin, times).to_string())?;
                    self.site.forget();
                    let before = tree::used(std::process::id());
                    selenium::execute(&file)?;
                    *used = tree::used(std::process::id()).saturating_sub(before);
                }
                let elapsed = self.site.time_of_one().context("it began all of them")?;
                let more_used = used[1].saturating_sub(used[0]) / REPEATED;
                self.site.forget();
                let (watch, before) = (Stopwatch::start(), tree::used(root));
                for _ in 0..=REPEATED {
                    self.replay(&*session, Mode::Strict).await?;
                }
                let own = watch.used() + tree::used(root).saturating_sub(before);
                let own_elapsed = self.site.time_of_one().context("it began all of them")?;
                if round > 0 {
                    theirs.add(elapsed, more_used);
                    ours.add(own_elapsed, own / (REPEATED + 1));
                }
            }
            session.close().await;
            driver.stop().await;
            anyhow::Ok(())
        })?;
        ours.tell(&[&theirs]);
        theirs.tell(&[]);
        Ok(())
    }

    /// The programs, from their start to their exit.
    fn shell(&self) -> anyhow::Result<()> {
        println!("\n# shell: `runners flow run` and the command line of the reference, from start to exit");
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("shop.json");
        std::fs::write(&file, site::flow(&self.site.origin).to_string())?;
        let program = program()?;
        let (mut ours, mut theirs) = (Taken::new("runners"), Taken::new("reference"));
        for round in 0..=self.rounds {
            let mut own = Command::new(&program);
            own.args(["flow", "run", "--screenshots", "failure"]).arg(&file).current_dir(directory.path());
            for (side, mut command) in [(&mut ours, own), (&mut theirs, reference::command(&file)?)] {
                let (watch, before) = (Stopwatch::start(), tree::used(std::process::id()));
                let output = command.output()?;
                let (elapsed, used) =
                    (watch.elapsed(), tree::used(std::process::id()).saturating_sub(before));
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                if round > 0 {
                    side.add(elapsed, used);
                }
            }
        }
        ours.tell(&[&theirs]);
        theirs.tell(&[]);
        Ok(())
    }

    /// A session, opened and closed.
    fn session(&self) -> anyhow::Result<()> {
        println!("\n# session: opened and closed, as a job and straight");
        let grid = Grid::start().map_err(|error| println!("  no grid: {error:#}")).ok();
        let hand = HandDriver::start()?;
        let names = ["straight", "with WebGL", "a driver's", "replayed", "as a job", "through Selenium Grid"];
        let mut sides = names.map(Taken::new);
        runtime()?.block_on(async {
            let parts = Parts::start().await?;
            for round in 0..=self.rounds {
                for (number, side) in sides.iter_mut().enumerate() {
                    let watch = Stopwatch::start();
                    match (number, &grid) {
                        (0, _) => by_hand::connect(&hand.url).await?.close().await?,
                        (1, _) => by_hand::connect_with(&hand.url, by_hand::WEBGL).await?.close().await?,
                        (2, _) => parts.driver.open().await?.close().await,
                        (3, _) => parts.replay().await?,
                        (4, _) => parts.job().await?,
                        (_, Some(grid)) => by_hand::connect(&grid.url).await?.close().await?,
                        (_, None) => {}
                    }
                    let elapsed = watch.elapsed();
                    // What a job leaves to be closed behind it is no burden of the next side.
                    parts.executor.settle().await;
                    if round > 0 {
                        side.add(elapsed, Duration::ZERO);
                    }
                }
            }
            parts.stop().await
        })?;
        let straight = &sides[0].elapsed;
        println!("  straight {} ms", Spread::of(straight.iter().copied()));
        for side in sides[1..].iter().filter(|side| grid.is_some() || !side.name.ends_with("Grid")) {
            let more = side.elapsed.iter().zip(straight).map(|(one, other)| one - other);
            println!("  {} {} ms more", side.name, Spread::of(more));
        }
        Ok(())
    }
}

impl Measure {
    /// A flow that waits in its browser, from the call that cancels it until its result is known.
    fn cancel(&self) -> anyhow::Result<()> {
        println!("\n# cancel: of a flow that waits, until its result is known");
        let flow = BrowserFlow::parse(&site::endless_flow(&self.site.origin).to_string())?;
        let mut taken = Vec::new();
        runtime()?.block_on(async {
            let parts = Parts::start().await?;
            for _ in 0..self.rounds {
                self.site.forget();
                let job = parts.control.local_client().submit(&flow).await?;
                self.site.another().await;
                sleep(&SystemClock::default(), SETTLING).await;
                let watch = Stopwatch::start();
                job.cancel().await?;
                let view = job.wait().await?;
                taken.push(millis(watch.elapsed()));
                ensure!(view.conclusion() == Some(Conclusion::Cancelled), "{view:?}");
                parts.executor.settle().await;
            }
            parts.stop().await
        })?;
        println!("  {} ms", Spread::of(taken));
        Ok(())
    }
}

/// What a session as a job is made of.
struct Parts {
    driver: Driver,
    executor: FlowExecutor,
    control: ControlPlane,
    runner: Runner,
    flow: BrowserFlow,
}

impl Parts {
    async fn start() -> anyhow::Result<Self> {
        let driver = Driver::new(DriverOptions::default());
        let mut options = ReplayOptions::default();
        options.screenshots = Screenshots::OfFailures;
        let executor = FlowExecutor::new(driver.clone()).with_options(options);
        let control = ControlPlane::builder(MemoryStore::default()).start().await?;
        let runner = control.local_runner("default").executor(executor.clone()).start();
        let page = serde_json::json!({ "title": "nothing", "steps": [] });
        Ok(Self { driver, executor, control, runner, flow: BrowserFlow::parse(&page.to_string())? })
    }

    async fn replay(&self) -> anyhow::Result<()> {
        let ended = self.executor.replay(self.flow.clone(), &(), std::future::pending()).await?;
        ensure!(ended.verdict() == Verdict::Passed, "{:?}", ended.failure());
        Ok(())
    }

    async fn job(&self) -> anyhow::Result<()> {
        let view = self.control.local_client().submit(&self.flow).await?.wait().await?;
        ensure!(view.conclusion() == Some(Conclusion::Passed), "{view:?}");
        Ok(())
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.runner.drain().await?;
        self.control.stop().await?;
        self.driver.stop().await;
        Ok(())
    }
}

/// The program `runners`, built as this one is.
fn program() -> anyhow::Result<PathBuf> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--package", "runners-cli", "--quiet"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ensure!(build.current_dir(root).status()?.success(), "runners-cli cannot be built");
    let beside = std::env::current_exe()?;
    Ok(beside.parent().context("a program is in a directory")?.join("runners"))
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
