//! Mutants that the simulation catches: rules that a whole fleet keeps, as its readers, its records and
//! its explanations tell.

use super::Mutant;

const EFFECTS: &str = "runners-core/src/actors/control_plane/effects.rs";
const RETENTION: &str = "runners-core/src/actors/control_plane/retention.rs";

/// What goes after its time.
const REMOVED: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "retention::"];

/// A whole fleet in simulated time.
const SEEDS: &[&str] = &[
    "--package",
    "runners-core",
    "--features",
    "testing",
    "--test",
    "simulation",
    "--",
    "--ignored",
    "seeds::a_few",
];

/// Many jobs at few slots.
const CROWD: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "simulation", "--", "crowd::"];

/// The control plane, driven by hand.
const PROTOCOL: &[&str] = &["--package", "runners-core", "--features", "testing", "--test", "protocol"];

/// Events and their feeds, driven by hand in simulated time.
const EVENTS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "events::"];

/// Following events at one of several control planes, driven by hand in simulated time.
const FOLLOWED: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "followed::"];

/// The numbers of what is told.
const FEED: &[&str] = &["--package", "runners-core", "--lib", "--", "actors::control_plane::feed::"];

/// Control planes on one store, driven by hand in simulated time.
const PLANES: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "planes::"];

/// The same, and what is explained.
const FREE: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "free::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "fleet: key passed over for long",
        file: "runners-core/src/rules/schedule/order.rs",
        search: "turn - last >= Fairness::PASSED_OVER_MAX",
        replacement: "turn - last >= Fairness::PASSED_OVER_MAX * 3",
        test: CROWD,
    },
    Mutant {
        name: "fleet: limit not given back",
        file: EFFECTS,
        search: "                    batch.add(counter, -1, None);",
        replacement: "                    batch.add(counter, 0, None);",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: wait for the preferred pool ignored",
        file: "runners-core/src/rules/job/terms.rs",
        search: "lane: lane[0].id, after: fallback.after }",
        replacement: "lane: lane[0].id, after: fallback.after / 1_000 }",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: unique key kept after its job has ended",
        file: EFFECTS,
        search: "batch.delete(UniqueRecord::job_key(self.after.tenant, unique), UNIQUE_VERSION);",
        replacement: "let _ = (unique, UNIQUE_VERSION, UniqueRecord::job_key);",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: removed job leaves its payload",
        file: RETENTION,
        search: "pieces.extend(payload.map(|found| (found.record.key(), found.version)));",
        replacement: "let _ = payload;",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: removed job leaves its history",
        file: RETENTION,
        search: "batch.drop_chunks(keys::events(tenant, record.id), END);",
        replacement: "",
        test: REMOVED,
    },
    Mutant {
        name: "fleet: artifact collected although a record names it",
        file: "runners-core/src/actors/control_plane/collect.rs",
        search: "Ok(!rows.is_empty())",
        replacement: "Ok(rows.len() > 1)",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: reader goes past a commit that is under way",
        file: "runners-core/src/actors/control_plane/feed.rs",
        search: "map_or(numbers.last + 1, |(first, _)| *first)",
        replacement: "map_or(numbers.last + 1, |_| numbers.last + 1)",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: reader goes past what others have under way",
        file: "runners-core/src/actors/control_plane/feed.rs",
        search: "return numbers.watermark + 1;",
        replacement: "return u64::MAX;",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: event told at a number that readers have passed",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "told.above(keys::feed_watermark(), first);",
        replacement: "let _ = keys::feed_watermark;",
        test: SEEDS,
    },
    Mutant {
        name: "event of another control plane passed by",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "told.above(keys::feed_watermark(), first);",
        replacement: "let _ = keys::feed_watermark;",
        test: FOLLOWED,
    },
    Mutant {
        name: "events ahead of the wall read only once it is there",
        file: "runners-core/src/actors/control_plane/feed.rs",
        search: "if boot.since(since) >= MARGIN { highest_seen } else { 0 }",
        replacement: "if boot.since(since) >= MARGIN { highest_seen.min(0) } else { 0 }",
        test: FEED,
    },
    Mutant {
        name: "watermark raised over what may be under way",
        file: "runners-core/src/actors/control_plane/feed.rs",
        search: "beyond.highest.min(last_of(wall - MARGIN))",
        replacement: "beyond.highest.min(last_of(wall))",
        test: FEED,
    },
    Mutant {
        name: "events told at numbers that were read before",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "self.feed.found(last);",
        replacement: "let _ = last;",
        test: PROTOCOL,
    },
    Mutant {
        name: "fleet: run tells nothing in its feed",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "self.feeds.entry(keys::run_feed(tenant, run)).or_default().push(line.clone());",
        replacement: "let _ = (run, keys::run_feed);",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: full runner explained as free",
        file: "runners-core/src/rules/eligibility.rs",
        search: "presence.room().map(drop)",
        replacement: "presence.room().map(drop).or(Ok(()))",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: session of a runner that is gone kept",
        file: "runners-core/src/actors/control_plane/sessions.rs",
        search: "                kept.remove(&place);\n",
        replacement: "",
        test: SEEDS,
    },
    Mutant {
        name: "fleet: hosted job told in another feed than its tenant's",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "lines.add(job.tenant, &event)",
        replacement: "lines.add(job.host(), &event)",
        test: SEEDS,
    },
    Mutant {
        name: "offer takes two slots",
        file: "runners-core/src/rules/eligibility.rs",
        search: "saturating_sub(self.offered)",
        replacement: "saturating_sub(self.offered * 2)",
        test: PROTOCOL,
    },
    Mutant {
        name: "tenants take no turns at a single slot",
        file: "runners-core/src/rules/schedule/order.rs",
        search: "class.change(&share.cloned(), |group| group.turn = turn);",
        replacement: "class.change(&share.cloned(), |group| group.turn = group.turn.min(turn));",
        test: PROTOCOL,
    },
    Mutant {
        name: "reader of a feed stays at a chunk that fills a page",
        file: "runners-core/src/actors/control_plane/events.rs",
        search: "self.records.chunks(stream, number + 1, BEYOND_A_CHUNK_BYTES).await",
        replacement: "self.records.chunks(stream, number + 1, EVENTS_PAGE_BYTES).await",
        test: EVENTS,
    },
    Mutant {
        name: "full runner explained as free",
        file: "runners-core/src/rules/eligibility.rs",
        search: "presence.room().map(drop)",
        replacement: "presence.room().map(drop).or(Ok(()))",
        test: FREE,
    },
    Mutant {
        name: "runner of another control plane explained as free",
        file: "runners-core/src/actors/control_plane/explain.rs",
        search: "return Ok(Some(Obstacle::Elsewhere));",
        replacement: "return Ok(None);",
        test: FREE,
    },
    Mutant {
        name: "runner that has moved explained as it was",
        file: "runners-core/src/actors/control_plane/explain.rs",
        search: "if session.take_doubt() || !live.loaded {",
        replacement: "if !live.loaded {",
        test: PLANES,
    },
];
