-- Records, streams and counters, and the one function that writes them. It is part of the schema, so
-- its name carries a number: a later release adds another one, and both releases write beside each other.

CREATE TABLE record (
    key bytea PRIMARY KEY,
    version bigint NOT NULL,
    format integer NOT NULL,
    body bytea NOT NULL,
    ready bytea,
    due bytea,
    owner bytea,
    parent bytea,
    listed bytea,
    mark bytea
) WITH (
    -- Room beside each row for its next version, and a vacuum that keeps up with a queue.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.2,
    autovacuum_vacuum_cost_limit = 2000,
    autovacuum_analyze_scale_factor = 0.05,
    -- Giving back the end of a table takes a lock that stops everybody.
    vacuum_truncate = off
);

CREATE INDEX record_ready ON record (ready) WHERE ready IS NOT NULL;
CREATE INDEX record_due ON record (due) WHERE due IS NOT NULL;
CREATE INDEX record_owner ON record (owner) WHERE owner IS NOT NULL;
CREATE INDEX record_parent ON record (parent) WHERE parent IS NOT NULL;
CREATE INDEX record_listed ON record (listed) WHERE listed IS NOT NULL;
CREATE INDEX record_mark ON record (mark) WHERE mark IS NOT NULL;

-- What is large, written once and stands in no index.
CREATE TABLE body (
    key bytea PRIMARY KEY,
    version bigint NOT NULL,
    format integer NOT NULL,
    body bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000, vacuum_truncate = off);

CREATE TABLE chunk (
    stream bytea NOT NULL,
    at bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (stream, at)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000, vacuum_truncate = off);

CREATE TABLE counter (
    key bytea PRIMARY KEY,
    value bigint NOT NULL
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_limit = 2000,
    vacuum_truncate = off
);

-- What was written lately, for the other control planes. It is worth nothing after a crash of the
-- server, so it is in no log: everybody's connection is cut then, and everybody reads again.
-- Its numbers are in the log: a standby that takes over has no sequence that is not.
CREATE SEQUENCE hint_number;
CREATE UNLOGGED TABLE hint (
    number bigint NOT NULL DEFAULT nextval('{schema}.hint_number'),
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    by bytea NOT NULL,
    keys bytea[] NOT NULL,
    lanes bytea[] NOT NULL,
    left_lanes bytea[] NOT NULL,
    owners bytea[] NOT NULL,
    left_owners bytea[] NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_limit = 2000,
    vacuum_truncate = off
);

CREATE INDEX hint_transaction ON hint (transaction);

-- Carries out a group of batches, numbered from 1: every check of all before the first write, and a
-- batch that is refused takes none of the others along. What a row is to become is in `act`: 0 stays
-- as expected, 1 is put, 2 is deleted. `steps` says which statements have anything to do.
CREATE FUNCTION commit_1(
    writer bytea,
    steps integer,
    r_key bytea[], r_expected bigint[], r_act integer[], r_batch integer[], r_format integer[], r_body bytea[],
    r_ready bytea[], r_due bytea[], r_owner bytea[], r_parent bytea[], r_listed bytea[], r_mark bytea[],
    m_key bytea[], m_batch integer[], m_format integer[], m_body bytea[],
    m_ready bytea[], m_due bytea[], m_owner bytea[], m_parent bytea[], m_listed bytea[], m_mark bytea[],
    b_key bytea[], b_expected bigint[], b_act integer[], b_batch integer[], b_format integer[], b_body bytea[],
    c_key bytea[], a_counter integer[], a_batch integer[], a_delta bigint[], a_max bigint[],
    s_key bytea[], s_at bigint[], s_batch integer[], s_bytes bytea[],
    l_key bytea[], l_first bigint[], l_batch integer[], l_bytes bytea[], l_count bigint[], l_part integer[],
    d_key bytea[], d_before bigint[], d_batch integer[],
    w_key bytea[], w_number bigint[], w_batch integer[], w_raises boolean[],
    OUT stale_records integer[], OUT stale_made integer[], OUT stale_bodies integer[], OUT exhausted integer[], OUT sums bigint[],
    OUT below integer[], OUT stand bigint[]
)
LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET lock_timeout = '{lock_timeout}'
AS $function$
#variable_conflict use_column
DECLARE
    refused integer[] := '{}';
    stale integer[];
    passed integer[] := '{}';
    old_lanes bytea[];
    old_owners bytea[];
    standing bigint[];
    totals bigint[];
    kept bigint[];
    next bigint;
    of_batch integer := 0;
BEGIN
    stale_records := '{}';
    stale_made := '{}';
    stale_bodies := '{}';
    exhausted := '{}';
    sums := '{}';
    below := '{}';
    stand := '{}';

    -- Watermarks of this schema have one lock. Those who are to be above one share it until what they wrote is
    -- seen, and look where it stands once they have it, in a statement of its own that sees all that was
    -- committed before. Who raises one has the lock alone: all who were let through are seen by then, and who
    -- comes later finds it raised. It is the first lock that a group takes. What stands already was raised so.
    IF steps & 6144 <> 0 THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'watermarks need the isolation level READ COMMITTED'
                USING ERRCODE = 'invalid_transaction_state';
        END IF;
        IF steps & 4096 <> 0 AND EXISTS (
            SELECT FROM unnest(w_key, w_number, w_raises) AS w(key, number, raises)
            WHERE w.raises AND w.number > coalesce((SELECT c.value FROM counter c WHERE c.key = w.key), 0)
        ) THEN
            PERFORM set_config('lock_timeout', '{raise_timeout}', true);
            PERFORM pg_advisory_xact_lock(hashtextextended('runners watermarks: {schema}', 0));
        ELSIF steps & 2048 <> 0 THEN
            PERFORM pg_advisory_xact_lock_shared(hashtextextended('runners watermarks: {schema}', 0));
        END IF;
    END IF;
    IF steps & 2048 <> 0 THEN
        SELECT
            coalesce(array_agg(w.place::integer ORDER BY w.place), '{}'),
            coalesce(array_agg(w.batch ORDER BY w.place), '{}'),
            coalesce(array_agg(w.value ORDER BY w.place), '{}')
        INTO below, passed, stand
        FROM (
            SELECT w.place, w.batch, w.number, coalesce(c.value, 0) AS value
            FROM unnest(w_key, w_number, w_batch, w_raises) WITH ORDINALITY AS w(key, number, batch, raises, place)
            LEFT JOIN counter c ON c.key = w.key
            WHERE NOT w.raises
        ) AS w
        WHERE w.value >= w.number;
    END IF;

    -- Locked in the order of their keys, so that two groups wait for each other in one direction.
    IF cardinality(r_key) > 0 THEN
        WITH locked AS MATERIALIZED (
            SELECT r.key, r.version, substring(r.ready FROM 1 FOR 16) AS lane,
                substring(r.owner FROM 1 FOR 16) AS owner
            FROM record r WHERE r.key = ANY (r_key) ORDER BY r.key FOR NO KEY UPDATE
        )
        SELECT
            coalesce(array_agg(w.place::integer) FILTER (WHERE coalesce(l.version, 0) <> w.expected), '{}'),
            coalesce(array_agg(w.batch) FILTER (WHERE coalesce(l.version, 0) <> w.expected), '{}'),
            array_agg(l.lane ORDER BY w.place),
            array_agg(l.owner ORDER BY w.place)
        INTO stale_records, refused, old_lanes, old_owners
        FROM unnest(r_key, r_expected, r_batch) WITH ORDINALITY AS w(key, expected, batch, place)
        LEFT JOIN locked l ON l.key = w.key;
    END IF;
    IF steps & 2 <> 0 THEN
        SELECT coalesce(array_agg(w.place::integer), '{}'), coalesce(array_agg(w.batch), '{}')
        INTO stale_made, stale
        FROM unnest(m_key, m_batch) WITH ORDINALITY AS w(key, batch, place) JOIN record r ON r.key = w.key;
        refused := refused || stale;
    END IF;
    IF cardinality(b_key) > 0 THEN
        WITH locked AS MATERIALIZED (
            SELECT b.key, b.version FROM body b WHERE b.key = ANY (b_key) ORDER BY b.key FOR NO KEY UPDATE
        )
        SELECT
            coalesce(array_agg(w.place::integer) FILTER (WHERE coalesce(l.version, 0) <> w.expected), '{}'),
            coalesce(array_agg(w.batch) FILTER (WHERE coalesce(l.version, 0) <> w.expected), '{}')
        INTO stale_bodies, stale
        FROM unnest(b_key, b_expected, b_batch) WITH ORDINALITY AS w(key, expected, batch, place)
        LEFT JOIN locked l ON l.key = w.key;
        refused := refused || stale;
    END IF;

    refused := refused || passed;

    IF steps & 256 <> 0 THEN
        WITH locked AS MATERIALIZED (
            SELECT c.key, c.value FROM counter c WHERE c.key = ANY (c_key) ORDER BY c.key FOR NO KEY UPDATE
        )
        SELECT array_agg(l.value ORDER BY w.place), array_agg(coalesce(l.value, 0) ORDER BY w.place)
        INTO standing, totals
        FROM unnest(c_key) WITH ORDINALITY AS w(key, place) LEFT JOIN locked l ON l.key = w.key;
        sums := array_fill(0::bigint, ARRAY[cardinality(a_counter)]);
        FOR i IN 1 .. cardinality(a_counter) LOOP
            CONTINUE WHEN a_batch[i] = ANY (refused);
            IF a_batch[i] <> of_batch THEN
                of_batch := a_batch[i];
                kept := totals;
            END IF;
            next := totals[a_counter[i]];
            IF a_delta[i] > 0 AND next > 9223372036854775807 - a_delta[i] THEN
                next := -1;
            ELSE
                next := next + a_delta[i];
            END IF;
            IF next < 0 OR next > a_max[i] THEN
                exhausted := exhausted || i;
                refused := refused || a_batch[i];
                totals := kept;
            ELSE
                totals[a_counter[i]] := next;
                sums[i] := next;
            END IF;
        END LOOP;
        UPDATE counter c SET value = w.value
        FROM unnest(c_key, standing, totals) AS w(key, stood, value)
        WHERE c.key = w.key AND w.stood <> w.value AND w.value <> 0;
        INSERT INTO counter (key, value)
        SELECT w.key, w.value FROM unnest(c_key, standing, totals) AS w(key, stood, value)
        WHERE w.stood IS NULL AND w.value <> 0 ORDER BY w.key;
        DELETE FROM counter c USING unnest(c_key, standing, totals) AS w(key, stood, value)
        WHERE c.key = w.key AND w.stood <> 0 AND w.value = 0;
    END IF;

    IF steps & 4096 <> 0 THEN
        INSERT INTO counter AS c (key, value)
        SELECT w.key, w.number FROM unnest(w_key, w_number, w_batch, w_raises) AS w(key, number, batch, raises)
        WHERE w.raises AND w.number > 0 AND w.batch <> ALL (refused) ORDER BY w.key
        ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE c.value < excluded.value;
    END IF;

    IF steps & 1 <> 0 THEN
        UPDATE record r SET version = r.version + 1, format = w.format, body = w.body, ready = w.ready,
            due = w.due, owner = w.owner, parent = w.parent, listed = w.listed, mark = w.mark
        FROM unnest(r_key, r_expected, r_act, r_batch, r_format, r_body,
                r_ready, r_due, r_owner, r_parent, r_listed, r_mark)
            AS w(key, expected, act, batch, format, body, ready, due, owner, parent, listed, mark)
        WHERE r.key = w.key AND w.act = 1 AND w.expected > 0 AND w.batch <> ALL (refused);
    END IF;
    IF steps & 2 <> 0 THEN
        INSERT INTO record (key, version, format, body, ready, due, owner, parent, listed, mark)
        SELECT w.key, 1, w.format, w.body, w.ready, w.due, w.owner, w.parent, w.listed, w.mark
        FROM unnest(m_key, m_batch, m_format, m_body, m_ready, m_due, m_owner, m_parent, m_listed, m_mark)
            AS w(key, batch, format, body, ready, due, owner, parent, listed, mark)
        WHERE w.batch <> ALL (refused) ORDER BY w.key;
    END IF;
    -- What must not be there is put and deleted again, so that nobody else can put it meanwhile.
    IF steps & 8 <> 0 THEN
        INSERT INTO record (key, version, format, body)
        SELECT w.key, 1, 0, '' FROM unnest(r_key, r_expected, r_act, r_batch) AS w(key, expected, act, batch)
        WHERE w.act = 0 AND w.expected = 0 AND w.batch <> ALL (refused) ORDER BY w.key;
    END IF;
    IF steps & 12 <> 0 THEN
        DELETE FROM record r USING unnest(r_key, r_expected, r_act, r_batch) AS w(key, expected, act, batch)
        WHERE r.key = w.key AND (w.act = 2 OR w.act = 0 AND w.expected = 0) AND w.batch <> ALL (refused);
    END IF;
    IF steps & 16 <> 0 THEN
        UPDATE body b SET version = b.version + 1, format = w.format, body = w.body
        FROM unnest(b_key, b_expected, b_act, b_batch, b_format, b_body)
            AS w(key, expected, act, batch, format, body)
        WHERE b.key = w.key AND w.act = 1 AND w.expected > 0 AND w.batch <> ALL (refused);
    END IF;
    IF steps & 160 <> 0 THEN
        INSERT INTO body (key, version, format, body)
        SELECT w.key, 1, w.format, w.body
        FROM unnest(b_key, b_expected, b_act, b_batch, b_format, b_body)
            AS w(key, expected, act, batch, format, body)
        WHERE w.expected = 0 AND w.batch <> ALL (refused) ORDER BY w.key;
    END IF;
    IF steps & 192 <> 0 THEN
        DELETE FROM body b USING unnest(b_key, b_expected, b_act, b_batch) AS w(key, expected, act, batch)
        WHERE b.key = w.key AND (w.act = 2 OR w.act = 0 AND w.expected = 0) AND w.batch <> ALL (refused);
    END IF;

    IF steps & 512 <> 0 THEN
        DELETE FROM chunk c USING unnest(d_key, d_before, d_batch) AS w(stream, before, batch)
        WHERE c.stream = w.stream AND c.at < w.before AND w.batch <> ALL (refused);
    END IF;
    IF steps & 1024 <> 0 THEN
        -- What is there already was repeated, which is rare: to expect it costs every row a second entry in the log.
        BEGIN
            INSERT INTO chunk (stream, at, bytes)
            SELECT w.stream, w.at, w.bytes
            FROM unnest(s_key, s_at, s_batch, s_bytes) AS w(stream, at, batch, bytes)
            WHERE w.batch <> ALL (refused);
        EXCEPTION WHEN unique_violation THEN
            INSERT INTO chunk (stream, at, bytes)
            SELECT w.stream, w.at, w.bytes
            FROM unnest(s_key, s_at, s_batch, s_bytes) AS w(stream, at, batch, bytes)
            WHERE w.batch <> ALL (refused)
            ON CONFLICT DO NOTHING;
        END;
    END IF;

    -- Lines that follow each other without a gap stand in one chunk: they have the same number behind their
    -- last one, less what stands before.
    IF steps & 8192 <> 0 THEN
        INSERT INTO chunk (stream, at, bytes)
        SELECT w.stream, min(w.first), string_agg(w.bytes, ''::bytea ORDER BY w.first)
        FROM (
            SELECT w.stream, w.first, w.bytes, w.part,
                w.first + w.count - sum(w.count) OVER (PARTITION BY w.stream, w.part ORDER BY w.first) AS run
            FROM unnest(l_key, l_first, l_batch, l_bytes, l_count, l_part)
                AS w(stream, first, batch, bytes, count, part)
            WHERE w.batch <> ALL (refused)
        ) AS w
        GROUP BY w.stream, w.part, w.run
        ON CONFLICT DO NOTHING;
    END IF;

    IF steps & 9223 <> 0 THEN
        INSERT INTO hint (by, keys, lanes, left_lanes, owners, left_owners)
        SELECT writer, array_agg(w.key), array_agg(w.lane), array_agg(w.left_lane), array_agg(w.owner),
            array_agg(w.left_owner)
        FROM (
            SELECT w.key, substring(w.ready FROM 1 FOR 16) AS lane, w.left_lane,
                substring(w.owner FROM 1 FOR 16) AS owner, w.left_owner
            FROM unnest(r_key, r_act, r_batch, r_ready, r_owner, old_lanes, old_owners)
                AS w(key, act, batch, ready, owner, left_lane, left_owner)
            WHERE w.act <> 0 AND w.batch <> ALL (refused)
            UNION ALL
            SELECT w.key, substring(w.ready FROM 1 FOR 16), NULL::bytea, substring(w.owner FROM 1 FOR 16),
                NULL::bytea
            FROM unnest(m_key, m_batch, m_ready, m_owner) AS w(key, batch, ready, owner)
            WHERE w.batch <> ALL (refused)
            UNION ALL
            SELECT DISTINCT w.stream, NULL::bytea, NULL::bytea, NULL::bytea, NULL::bytea
            FROM (SELECT * FROM unnest(s_key, s_batch) UNION ALL SELECT * FROM unnest(l_key, l_batch))
                AS w(stream, batch)
            WHERE w.batch <> ALL (refused)
        ) AS w
        HAVING count(*) > 0;
    END IF;
END
$function$;
