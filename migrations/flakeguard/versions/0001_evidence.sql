-- Organisations and projects, what arrives (ingestions, files, outbox), and what is known of each test.

CREATE SCHEMA IF NOT EXISTS flakeguard;
GRANT USAGE ON SCHEMA flakeguard TO anon, authenticated, service_role;

-- ── who ────────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE organizations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE memberships (
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id         uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    role            text NOT NULL CHECK (role IN ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_user_idx ON memberships (user_id);
CREATE TABLE invites (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    email           text NOT NULL,
    role            text NOT NULL CHECK (role IN ('ADMIN', 'MEMBER', 'VIEWER')),
    token_hash      bytea NOT NULL UNIQUE,
    invited_by      uuid REFERENCES auth.users ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    accepted_at     timestamptz,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX invites_pending_key ON invites (organization_id, lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE TABLE projects (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    slug            text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$'),
    default_branch  text NOT NULL DEFAULT 'main',
    created_at      timestamptz NOT NULL DEFAULT now(),
    aged_at         timestamptz NOT NULL DEFAULT now(),  -- when a worker last began to judge all of it again
    UNIQUE (organization_id, slug)
);
CREATE TABLE api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    prefix       text NOT NULL UNIQUE,     -- how a key is found and named; the hash is what it is compared with
    key_hash     bytea NOT NULL,
    scopes       text[] NOT NULL DEFAULT '{ingest:write,results:read}',
    created_by   uuid REFERENCES auth.users ON DELETE SET NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_project_idx ON api_keys (project_id);
CREATE TABLE audit_events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint REFERENCES organizations ON DELETE CASCADE,
    project_id      bigint REFERENCES projects ON DELETE SET NULL,
    actor_id        uuid,
    actor_email     text,
    action          text NOT NULL,
    metadata        jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_events_organization_idx ON audit_events (organization_id, id DESC);

-- ── what arrives ───────────────────────────────────────────────────────────────────────────────────────────────
-- One CI job's results for one commit. `key` is the digest of the run's identity (provider, repository, run id,
-- attempt, job, variant) and also breaks ties of executed_at, so that order never depends on arrival.
CREATE TABLE test_runs (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id      bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    key             bytea NOT NULL,
    provider        text,
    repository      text,
    external_run_id text,
    run_attempt     integer,
    run_number      bigint,
    workflow        text,
    job             text NOT NULL DEFAULT '',
    variant         text NOT NULL DEFAULT '',
    sha             text NOT NULL,
    branch          text NOT NULL DEFAULT '',
    event           text,
    pr_number       integer,
    run_url         text,
    executed_at     timestamptz NOT NULL,
    completed_at    timestamptz,
    tests           integer NOT NULL DEFAULT 0,      -- distinct tests that ran (skipped ones not counted)
    failed          integer NOT NULL DEFAULT 0,      -- of these, failed or errored and never passed
    skipped         integer NOT NULL DEFAULT 0,
    flaked          integer NOT NULL DEFAULT 0,      -- of these, failed and passed within the run
    outage          boolean NOT NULL DEFAULT false,
    mass_failures   text[] NOT NULL DEFAULT '{}',    -- groups of tests that failed together
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, key)
);
CREATE INDEX test_runs_project_time_idx ON test_runs (project_id, executed_at DESC);
CREATE INDEX test_runs_project_sha_idx ON test_runs (project_id, sha);

CREATE TABLE ingestions (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id           bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    api_key_id           bigint REFERENCES api_keys ON DELETE SET NULL,
    idempotency_key      bytea NOT NULL,
    state                text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'stored', 'analyzed', 'failed')),
    meta                 jsonb NOT NULL,
    run_id               integer REFERENCES test_runs ON DELETE SET NULL,
    junit_files          integer NOT NULL,
    test_results         integer,
    flake_events_created integer,
    error                text,
    correlation_id       text,
    created_at           timestamptz NOT NULL DEFAULT now(),
    stored_at            timestamptz,
    analyzed_at          timestamptz,
    UNIQUE (project_id, idempotency_key)
);
CREATE INDEX ingestions_project_idx ON ingestions (project_id, created_at DESC);

CREATE TABLE junit_files (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    ingestion_id uuid NOT NULL REFERENCES ingestions ON DELETE CASCADE,
    filename     text NOT NULL,
    size_bytes   bigint NOT NULL,
    sha256       bytea NOT NULL,
    encoding     text NOT NULL CHECK (encoding IN ('gzip', 'zip')),
    content      bytea,
    format       text,
    test_count   integer,
    warnings     jsonb NOT NULL DEFAULT '[]',
    error        text,
    created_at   timestamptz NOT NULL DEFAULT now()
);
-- Already compressed; kept out of line and uncompressed by PostgreSQL, so that slices can be read.
ALTER TABLE junit_files ALTER content SET STORAGE EXTERNAL;
CREATE INDEX idx_junit_files_created_at ON junit_files (created_at);
CREATE INDEX junit_files_ingestion_idx ON junit_files (ingestion_id);

-- A report is counted once in a run, however it came (alone, in an archive, again in a repeated job step).
-- report_key orders the reports of a run: seconds since 1970 of the report's first timestamp << 31 | 31 bits of its digest.
-- Reports that tell no time are below zero, by 63 bits of their digest.
CREATE TABLE run_reports (
    run_id       integer NOT NULL REFERENCES test_runs ON DELETE CASCADE,
    digest       bytea NOT NULL,
    ingestion_id uuid NOT NULL REFERENCES ingestions ON DELETE CASCADE,
    report_key   bigint NOT NULL,
    PRIMARY KEY (run_id, digest)
);

-- Work owed to a queue: written with the data it is about, deleted by the transaction that finishes it.
CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue          text NOT NULL,
    name           text NOT NULL,
    job_id         text NOT NULL UNIQUE,
    data           jsonb NOT NULL,
    correlation_id text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    enqueued_at    timestamptz,
    deliveries     integer NOT NULL DEFAULT 0, -- times a worker began with it: one that ends its worker cannot say so itself
    dead_at        timestamptz,
    error          text
);
CREATE INDEX outbox_due_idx ON outbox (enqueued_at NULLS FIRST, id) WHERE dead_at IS NULL;

-- ── what is known ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE test_cases (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    identity_hash bytea NOT NULL,
    suite         text NOT NULL,
    file          text,
    class_name    text NOT NULL,
    name          text NOT NULL,
    variant       text NOT NULL DEFAULT '',
    test_group    text NOT NULL GENERATED ALWAYS AS (coalesce(nullif(class_name, ''), nullif(file, ''), suite)) STORED,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, identity_hash)
);
CREATE INDEX test_cases_search_idx ON test_cases USING gin (
    (coalesce(file, '') || ' ' || suite || ' ' || class_name || ' ' || name) gin_trgm_ops);

-- A failure text once, however often it happened. `fingerprint` masks numbers, ids, addresses and times.
CREATE TABLE failures (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    digest       bytea NOT NULL,
    fingerprint  bytea NOT NULL,
    failure_type text,
    message      text,
    details      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, digest)
);
CREATE INDEX failures_fingerprint_idx ON failures (project_id, fingerprint);

-- Every attempt. No foreign keys: this is the table that COPY fills and old months are dropped from.
CREATE TABLE flake_events (
    project_id   bigint NOT NULL,
    test_case_id bigint NOT NULL,
    run_id       integer NOT NULL,
    report_key   bigint NOT NULL,      -- which report of the run: with `position`, an order that does not depend on arrival
    position     integer NOT NULL,     -- place in the report; attempts of one test stand in order of execution
    outcome      smallint NOT NULL CHECK (outcome BETWEEN 0 AND 3),  -- passed, failed, error, skipped
    duration_ms  real,
    failure_id   bigint,
    executed_at  timestamptz NOT NULL, -- the run's own time
    created_at   timestamptz NOT NULL  -- arrival
) PARTITION BY RANGE (created_at);
CREATE TABLE flake_events_default PARTITION OF flake_events DEFAULT;
CREATE INDEX idx_flake_events_created_at ON flake_events USING brin (created_at);
CREATE INDEX flake_events_test_idx ON flake_events (test_case_id, executed_at DESC);
CREATE INDEX flake_events_run_idx ON flake_events (run_id);

CREATE FUNCTION flakeguard.ensure_event_partitions(months integer DEFAULT 3) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'utc')::date;
    part text;
    first timestamptz;
    last timestamptz;
BEGIN
    IF months NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'partitions are made for 0 to 24 months ahead, not %', months;
    END IF;
    -- Every worker sees to it, all at the same hour.
    PERFORM pg_advisory_xact_lock(hashtextextended('flakeguard partitions', 0));
    FOR ahead IN 0..months LOOP
        part := 'flake_events_' || to_char(month, 'YYYY_MM');
        first := month::timestamp AT TIME ZONE 'utc';
        last := (month + interval '1 month') AT TIME ZONE 'utc';
        IF to_regclass('public.' || part) IS NULL THEN
            -- Made beside the table and attached, so that uploads wait as briefly as can be.
            EXECUTE format('CREATE TABLE %I (LIKE flake_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
            -- Rows that came while nobody made partitions lie in the default one, which would refuse the new one.
            IF EXISTS (SELECT FROM flake_events_default WHERE created_at >= first AND created_at < last) THEN
                LOCK TABLE flake_events_default IN ACCESS EXCLUSIVE MODE;
                EXECUTE format('WITH moved AS (DELETE FROM flake_events_default WHERE created_at >= %L AND created_at < %L
                                RETURNING *) INSERT INTO %I SELECT * FROM moved', first, last, part);
            END IF;
            EXECUTE format('ALTER TABLE flake_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
                           first, last);
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION flakeguard.ensure_event_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flakeguard.ensure_event_partitions(integer) TO service_role;
SELECT flakeguard.ensure_event_partitions();

-- One row a test, kept for ever. The windows are packed observations, newest first (flakeguard.analysis.window);
-- window_default is null while every observation is of the default branch.
CREATE TABLE flake_stats (
    test_case_id       bigint PRIMARY KEY REFERENCES test_cases ON DELETE CASCADE,
    project_id         bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    window_all         bytea NOT NULL DEFAULT '',
    window_default     bytea,
    verdict            text NOT NULL DEFAULT 'unproven'
                       CHECK (verdict IN ('flaky', 'suspected', 'broken', 'recovering', 'stable', 'unproven')),
    severity           text NOT NULL DEFAULT 'low',
    score              real NOT NULL DEFAULT 0 CHECK (score BETWEEN 0 AND 1),
    failure_rate       real NOT NULL DEFAULT 0,
    inconsistency      real NOT NULL DEFAULT 0,
    recency            real NOT NULL DEFAULT 0,
    branch_diversity   real NOT NULL DEFAULT 0,
    flake_rate_low     real,                         -- posterior of the flake rate; null where no flake is known
    flake_rate         real,
    flake_rate_high    real,
    runs               integer NOT NULL DEFAULT 0,   -- in the window
    failures           integer NOT NULL DEFAULT 0,   -- failed attempts in the window
    broken_branches    text[] NOT NULL DEFAULT '{}',
    findings           jsonb NOT NULL DEFAULT '{}',  -- reason, evidence and counts (flakeguard.analysis.findings)
    lifetime_runs      bigint NOT NULL DEFAULT 0,
    lifetime_failures  bigint NOT NULL DEFAULT 0,
    lifetime_flakes    bigint NOT NULL DEFAULT 0,    -- runs in which it failed and passed
    duration_ms        real,                         -- of the latest run
    first_seen_at      timestamptz NOT NULL,
    last_seen_at       timestamptz NOT NULL,
    last_failed_at     timestamptz,
    analyzed_at        timestamptz
) WITH (fillfactor = 70);
-- Most tests are stable and stay so: what people look at is a small part, and the index holds only that.
CREATE INDEX flake_stats_verdict_idx ON flake_stats (project_id, verdict, score DESC) WHERE verdict NOT IN ('stable', 'unproven');
CREATE INDEX flake_stats_project_idx ON flake_stats (project_id);

CREATE TABLE verdict_changes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    test_case_id bigint NOT NULL REFERENCES test_cases ON DELETE CASCADE,
    run_id       integer,
    from_verdict text,
    to_verdict   text NOT NULL,
    score        real NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verdict_changes_project_idx ON verdict_changes (project_id, created_at DESC);
CREATE INDEX verdict_changes_test_idx ON verdict_changes (test_case_id, created_at DESC);

-- ── who sees what ──────────────────────────────────────────────────────────────────────────────────────────────
-- Evaluated once a query (a hashed subplan), never once a row: a tenant that owns half of the rows costs no more.
CREATE FUNCTION flakeguard.visible_organizations() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT organization_id FROM memberships WHERE user_id = auth.uid() $$;
CREATE FUNCTION flakeguard.managed_organizations() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT organization_id FROM memberships WHERE user_id = auth.uid() AND role IN ('OWNER', 'ADMIN') $$;
CREATE FUNCTION flakeguard.visible_projects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT p.id FROM projects p JOIN memberships m USING (organization_id) WHERE m.user_id = auth.uid()
    UNION ALL
    SELECT (auth.jwt() ->> 'project_id')::bigint WHERE auth.jwt() ? 'project_id'
$$;
CREATE FUNCTION flakeguard.managed_projects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT p.id FROM projects p JOIN memberships m USING (organization_id)
    WHERE m.user_id = auth.uid() AND m.role IN ('OWNER', 'ADMIN')
$$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['organizations', 'memberships', 'invites', 'projects', 'api_keys', 'audit_events', 'test_runs',
        'ingestions', 'junit_files', 'run_reports', 'outbox', 'test_cases', 'failures', 'flake_events', 'flake_stats',
        'verdict_changes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY service ON %I TO service_role USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['test_runs', 'ingestions', 'junit_files', 'test_cases', 'failures', 'flake_events', 'flake_stats',
        'verdict_changes'] LOOP
        EXECUTE format('CREATE POLICY members_read ON %I FOR SELECT TO authenticated
                        USING (project_id IN (SELECT flakeguard.visible_projects()))', t);
        EXECUTE format('GRANT SELECT ON %I TO authenticated', t);
    END LOOP;
    -- Nobody writes here but service_role: the services check the role, say what is wrong, and leave an audit event.
    FOREACH t IN ARRAY ARRAY['memberships', 'projects', 'audit_events'] LOOP
        EXECUTE format('CREATE POLICY members_read ON %I FOR SELECT TO authenticated
                        USING (organization_id IN (SELECT flakeguard.visible_organizations()))', t);
        EXECUTE format('GRANT SELECT ON %I TO authenticated', t);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON audit_events FROM service_role;
CREATE POLICY members_read ON organizations FOR SELECT TO authenticated
    USING (id IN (SELECT flakeguard.visible_organizations()));
GRANT SELECT ON organizations TO authenticated;
CREATE POLICY key_reads_own_project ON projects FOR SELECT TO authenticated
    USING (id IN (SELECT flakeguard.visible_projects()));
-- Invites and keys are for those who manage them, and their hashes for nobody.
CREATE POLICY managers_read ON invites FOR SELECT TO authenticated
    USING (organization_id IN (SELECT flakeguard.managed_organizations()));
GRANT SELECT (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at)
    ON invites TO authenticated;
CREATE POLICY managers_read ON api_keys FOR SELECT TO authenticated
    USING (project_id IN (SELECT flakeguard.managed_projects()));
GRANT SELECT (id, project_id, name, prefix, scopes, created_by, created_at, expires_at, revoked_at, last_used_at)
    ON api_keys TO authenticated;
-- auth.users is closed to everybody; members of an organisation know each other's addresses.
CREATE FUNCTION flakeguard.visible_people() RETURNS TABLE (user_id uuid, email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT DISTINCT u.id, u.email FROM memberships m JOIN auth.users u ON u.id = m.user_id
    WHERE m.organization_id IN (SELECT flakeguard.visible_organizations())
$$;
