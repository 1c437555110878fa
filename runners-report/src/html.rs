//! One HTML page of a run or of a job that needs nothing beside it: styles and pictures are in it, it
//! runs no script, and a policy in its head forbids whatever else it might load. What it shows of a
//! job is in `view`, `log` and `film`; how it looks, in `templates`.

mod film;
mod log;
mod sides;
mod view;

use askama::Template;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use film::FilmView;
use runners_core::{
    Digest,
    report::{ArtifactReport, JobReport, RunReport},
};
use sides::SidesView;
use std::{cell::Cell, fmt};
use view::{CountView, JobView};

const STYLE: &str = include_str!("../templates/report.css");

/// Gives the bytes of an artifact, if they are at hand.
type Read<'r> = dyn Fn(&ArtifactReport) -> Option<Vec<u8>> + 'r;

/// A page about a run, or about a job if the run has only one.
pub struct Html<'r> {
    run: &'r RunReport,
    prefix: &'r str,
    read: Option<&'r Read<'r>>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    title: &'r str,
    policy: String,
    style: &'static str,
    film_style: String,
    class: &'static str,
    verdict: String,
    started_at: String,
    span: String,
    counts: Vec<CountView>,
    sides: Option<SidesView<'r>>,
    jobs: Vec<JobView<'r>>,
    alone: bool,
}

impl<'r> Html<'r> {
    /// The largest picture that is put into a page; a larger one is linked.
    pub const PICTURE_BYTES_MAX: usize = 2 * 1024 * 1024;
    /// How many bytes of pictures are put into a page. The pictures of failures come first.
    pub const PICTURES_BYTES_MAX: usize = 32 * 1024 * 1024;
    /// How many bytes of a film are put into a page; a longer one has fewer pictures.
    pub const FILM_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// The largest console, list of requests or film that is read.
    pub const LOG_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// The longest text of one place, in characters; a longer one is cut.
    pub const TEXT_CHARACTERS_MAX: usize = 4_000;

    /// A page without pictures, in the directory that the paths of artifacts start from.
    #[must_use]
    pub const fn of(run: &'r RunReport) -> Self {
        Self { run, prefix: "", read: None }
    }

    /// Puts this before the path of each artifact, such as `../` for a page in a directory of its own.
    #[must_use]
    pub const fn with_prefix(mut self, prefix: &'r str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Puts pictures into the page, as far as the limits allow. What `read` does not give is linked.
    #[must_use]
    pub const fn with_artifacts(mut self, read: &'r Read<'r>) -> Self {
        self.read = Some(read);
        self
    }

    /// Writes the page.
    #[must_use]
    pub fn render(&self) -> String {
        let shelf = Shelf { html: self, left: Cell::new(Self::PICTURES_BYTES_MAX), films: Cell::new(0) };
        let (sides, beside) = SidesView::new(self.run, &shelf);
        let mut order: Vec<usize> = (0..self.run.jobs.len()).collect();
        order.sort_by_key(|at| self.run.jobs[*at].conclusion.is_passed());
        let mut jobs: Vec<_> =
            order.into_iter().map(|at| (at, JobView::new(at, &self.run.jobs[at], &shelf, &beside))).collect();
        jobs.sort_by_key(|(at, _)| *at);
        let counts = view::counts(self.run.counts());
        let (class, verdict) = view::verdict(self.run);
        let films = jobs.iter().filter_map(|(_, job)| job.film.as_ref());
        let film_style: String = films.map(FilmView::style).collect();
        let page = Page {
            title: &self.run.title,
            policy: policy(&film_style),
            style: STYLE,
            film_style,
            class,
            verdict,
            started_at: self.run.started_at.to_string(),
            span: crate::words::span(self.run.duration),
            counts,
            sides,
            alone: jobs.len() == 1,
            jobs: jobs.into_iter().map(|(_, job)| job).collect(),
        };
        page.render().expect("invariant: text in memory takes every write")
    }
}

impl fmt::Debug for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Html").field("run", &self.run.title).field("prefix", &self.prefix).finish()
    }
}

/// Nothing but pictures in the page itself, and these very styles.
fn policy(film_style: &str) -> String {
    let hash = |style: &str| format!("'sha256-{}'", STANDARD.encode(Digest::of(style.as_bytes()).as_bytes()));
    let styles =
        if film_style.is_empty() { hash(STYLE) } else { format!("{} {}", hash(STYLE), hash(film_style)) };
    format!("default-src 'none'; img-src data:; style-src {styles}; base-uri 'none'; form-action 'none'")
}

/// Where pictures come from, until the page has enough of them.
struct Shelf<'h, 'r> {
    html: &'h Html<'r>,
    left: Cell<usize>,
    /// How many films are in the page.
    films: Cell<usize>,
}

impl Shelf<'_, '_> {
    /// The bytes of what the last attempt of a job left under this name, if they are at hand and
    /// not too many.
    fn log(&self, job: &JobReport, name: &str) -> Option<Vec<u8>> {
        let artifact = job.artifacts.iter().rfind(|artifact| artifact.name == name)?;
        let fits = |length: usize| length <= Html::LOG_BYTES_MAX;
        if !usize::try_from(artifact.bytes).is_ok_and(fits) {
            return None;
        }
        (self.html.read?)(artifact).filter(|bytes| fits(bytes.len()))
    }

    /// What the screen showed, as far as there is room.
    fn film(&self, job: &JobReport) -> Option<FilmView> {
        let bytes = self.log(job, "film/index.json").or_else(|| self.log(job, "frames.json"))?;
        let (number, bytes_max) = (self.films.get() + 1, self.left.get().min(Html::FILM_BYTES_MAX));
        let film = FilmView::read(&bytes, number, bytes_max, |part| self.log(job, part))?;
        self.films.set(film.number);
        self.left.set(self.left.get().saturating_sub(film.bytes()));
        Some(film)
    }

    /// A picture as an address that holds it.
    fn picture(&self, artifact: &ArtifactReport) -> Option<String> {
        let kind = ["image/png", "image/jpeg", "image/webp"]
            .into_iter()
            .find(|kind| artifact.media_type.eq_ignore_ascii_case(kind))?;
        let fits = |length: usize| length <= Html::PICTURE_BYTES_MAX && length <= self.left.get();
        if !usize::try_from(artifact.bytes).is_ok_and(fits) {
            return None;
        }
        let bytes = (self.html.read?)(artifact).filter(|bytes| fits(bytes.len()))?;
        self.left.set(self.left.get() - bytes.len());
        Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
    }

    /// Where an artifact is, as a relative address that cannot be anything else.
    fn address(&self, artifact: &ArtifactReport) -> Option<String> {
        let path = artifact.path.as_ref()?;
        let mut address = format!("./{}", self.html.prefix);
        for byte in path.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                address.push(char::from(byte));
            } else {
                address.push_str(&format!("%{byte:02X}"));
            }
        }
        Some(address)
    }
}
