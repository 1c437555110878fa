//! Every statement that is sent, with the name of the schema in it.

use crate::group::Group;
use runners_core::Index;

/// The statements for one schema.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) commit: String,
    pub(crate) load_records: String,
    pub(crate) load_bodies: String,
    pub(crate) load_both: String,
    pub(crate) chunks: String,
    pub(crate) counters_below: String,
    pub(crate) counters: String,
    /// One for each index, direction, and whether there is an upper bound.
    ranges: Vec<String>,
    pub(crate) hints: String,
    pub(crate) snapshot: String,
    pub(crate) forget_hints: String,
    /// What control planes on this schema tell each other on.
    pub(crate) channel: String,
}

impl Statements {
    pub(crate) fn new(schema: &str) -> Self {
        let places: Vec<String> = (1..=Group::PARAMETERS).map(|place| format!("${place}")).collect();
        let load = |table: &str, place: u8| {
            format!("SELECT key, version, format, body FROM \"{schema}\".{table} WHERE key = ANY (${place})")
        };
        let counters = |bound: &str| {
            format!(
                "SELECT key, value FROM \"{schema}\".counter WHERE key >= $1 {bound} AND value <> 0
                ORDER BY key LIMIT $2"
            )
        };
        Self {
            commit: format!(
                "SELECT stale_records, stale_made, stale_bodies, exhausted, sums, below, stand
                FROM \"{schema}\".commit_1({})",
                places.join(", ")
            ),
            load_records: load("record", 1),
            load_bodies: load("body", 1),
            load_both: format!("{} UNION ALL {}", load("record", 1), load("body", 2)),
            chunks: chunks(schema),
            counters_below: counters("AND key < $3"),
            counters: counters(""),
            ranges: ranges(schema),
            hints: hints(schema),
            snapshot: "SELECT pg_current_snapshot()::text".to_owned(),
            forget_hints: format!(
                "DELETE FROM \"{schema}\".hint
                WHERE transaction < pg_snapshot_xmax($1::text::pg_snapshot)::text::bigint
                    AND pg_visible_in_snapshot(transaction::text::xid8, $1::text::pg_snapshot)"
            ),
            channel: format!("{schema}_hints"),
        }
    }

    pub(crate) fn range(&self, index: Index, newest_first: bool, is_bounded: bool) -> &str {
        // The order of `Index::ALL` is that of its variants.
        &self.ranges[index as usize * 4 + usize::from(newest_first) * 2 + usize::from(is_bounded)]
    }
}

/// The rows of others whose transactions an earlier snapshot did not show, and the snapshot that shows them. A
/// transaction that it did not show was open then or had not begun, so nothing that stands there since longer is
/// looked at.
fn hints(schema: &str) -> String {
    format!(
        "SELECT pg_current_snapshot()::text AS snapshot, h.number, h.keys, h.lanes, h.left_lanes, h.owners,
            h.left_owners
        FROM (SELECT) AS always LEFT JOIN (
            SELECT * FROM (
                SELECT * FROM \"{schema}\".hint
                WHERE transaction >= pg_snapshot_xmax($1::text::pg_snapshot)::text::bigint
                UNION ALL
                SELECT * FROM \"{schema}\".hint WHERE transaction = ANY (ARRAY(
                    SELECT open::text::bigint FROM pg_snapshot_xip($1::text::pg_snapshot) AS open))
            ) AS news WHERE by <> $2 ORDER BY transaction, number LIMIT $3
        ) AS h ON true ORDER BY h.transaction, h.number"
    )
}

fn ranges(schema: &str) -> Vec<String> {
    let sql = |question: usize| {
        let index = column(Index::ALL[question / 4]);
        let order = if question & 2 == 2 { "DESC" } else { "ASC" };
        let below = if question & 1 == 1 { format!("AND {index} < $3") } else { String::new() };
        format!(
            "SELECT {index}, key, version, format, body FROM \"{schema}\".record
            WHERE {index} >= $1 {below} ORDER BY {index} {order} LIMIT $2"
        )
    };
    (0..Index::ALL.len() * 4).map(sql).collect()
}

/// A page of a stream from an offset on. If it is the first page, the last chunk that begins at or before it counts only if it
/// reaches beyond it; the bytes of those behind the limit stay where they are.
fn chunks(schema: &str) -> String {
    format!(
        "SELECT at, CASE WHEN place = 1 OR before < $3 THEN bytes END FROM (
            SELECT at, bytes, row_number() OVER w AS place,
                sum(length(bytes)) OVER w - length(bytes) AS before
            FROM (
                SELECT at, bytes FROM \"{schema}\".chunk WHERE stream = $1 AND at >= coalesce(CASE WHEN $5 THEN (
                    SELECT CASE WHEN at = $2 OR at + length(bytes) > $2 THEN at END
                    FROM \"{schema}\".chunk WHERE stream = $1 AND at <= $2 ORDER BY at DESC LIMIT 1) END, $2)
                ORDER BY at LIMIT $4
            ) AS page WINDOW w AS (ORDER BY at ROWS UNBOUNDED PRECEDING)
        ) AS counted ORDER BY at"
    )
}

/// The name of the column that holds an index.
const fn column(index: Index) -> &'static str {
    match index {
        Index::Ready => "ready",
        Index::Due => "due",
        Index::Owner => "owner",
        Index::Parent => "parent",
        Index::Listed => "listed",
        Index::Mark => "mark",
    }
}
