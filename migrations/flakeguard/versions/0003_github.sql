-- What GitHub tells: installations, repositories, deliveries, runs; and what was published there. Ids are GitHub's own.

-- An installation belongs to nobody here until an administrator of its account binds it to an organisation.
CREATE TABLE github_installations (
    id              bigint PRIMARY KEY,
    api_url         text NOT NULL DEFAULT 'https://api.github.com',
    account_id      bigint NOT NULL,
    account_login   text NOT NULL,
    account_type    text NOT NULL DEFAULT 'Organization',
    organization_id bigint REFERENCES organizations ON DELETE SET NULL,
    bound_by        uuid REFERENCES auth.users ON DELETE SET NULL,
    bound_at        timestamptz,
    suspended_at    timestamptz,
    deleted_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id)
);
CREATE INDEX github_installations_organization_idx ON github_installations (organization_id);

CREATE UNIQUE INDEX projects_organization_key ON projects (id, organization_id);

-- organization_id follows the installation's. It is here so that PostgreSQL itself holds a repository to projects of the
-- organisation that its installation is bound to, whatever code and races come to.
CREATE TABLE github_repositories (
    id              bigint PRIMARY KEY,
    installation_id bigint NOT NULL REFERENCES github_installations ON DELETE CASCADE,
    organization_id bigint,
    full_name       text NOT NULL,
    default_branch  text,                            -- null until something tells: not every event does
    private         boolean NOT NULL DEFAULT true,
    project_id      bigint,
    removed_at      timestamptz,
    poll_cursor     timestamptz,
    polled_at       timestamptz,
    poll_after      timestamptz,
    poll_failures   integer NOT NULL DEFAULT 0,
    etag            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (installation_id, organization_id) REFERENCES github_installations (id, organization_id) ON UPDATE CASCADE,
    FOREIGN KEY (project_id, organization_id) REFERENCES projects (id, organization_id) ON DELETE SET NULL (project_id)
);
CREATE INDEX github_repositories_installation_idx ON github_repositories (installation_id);
CREATE INDEX github_repositories_project_idx ON github_repositories (project_id);
CREATE INDEX github_repositories_name_idx ON github_repositories (lower(full_name));

-- `received` owes the job job_id: it is done when the outbox no longer holds that, and failed when it holds it as dead.
CREATE TABLE github_deliveries (
    guid            text PRIMARY KEY,
    event           text NOT NULL,
    action          text,
    installation_id bigint,
    repository_id   bigint,
    body            bytea NOT NULL,                  -- gzip of the raw body
    received_at     timestamptz NOT NULL DEFAULT now(),
    state           text NOT NULL CHECK (state IN ('received', 'done', 'ignored', 'failed', 'unbound')),
    job_id          text,
    error           text,
    attempts        integer NOT NULL DEFAULT 1
);
ALTER TABLE github_deliveries ALTER body SET STORAGE EXTERNAL;
CREATE INDEX github_deliveries_installation_idx ON github_deliveries (installation_id, received_at DESC);
CREATE INDEX github_deliveries_received_idx ON github_deliveries (received_at);
CREATE INDEX github_deliveries_unbound_idx ON github_deliveries (installation_id, received_at) WHERE state = 'unbound';

-- One attempt of a workflow run. `state` is null while it is under way at GitHub: nothing is owed for it yet.
CREATE TABLE github_runs (
    repository_id   bigint NOT NULL REFERENCES github_repositories ON DELETE CASCADE,
    workflow_run_id bigint NOT NULL,
    run_attempt     integer NOT NULL DEFAULT 1,
    head_sha        text NOT NULL,
    head_branch     text,
    event           text,
    pr_numbers      integer[] NOT NULL DEFAULT '{}',
    workflow_name   text,
    run_number      bigint,
    html_url        text,
    status          text,
    conclusion      text,
    run_started_at  timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    state           text CHECK (state IN ('owed', 'stored', 'empty', 'failed')),
    PRIMARY KEY (repository_id, workflow_run_id, run_attempt)
);
CREATE INDEX github_runs_sha_idx ON github_runs (repository_id, head_sha);

CREATE TABLE github_run_ingestions (
    repository_id   bigint NOT NULL,
    workflow_run_id bigint NOT NULL,
    run_attempt     integer NOT NULL,
    ingestion_id    uuid NOT NULL REFERENCES ingestions ON DELETE CASCADE,
    PRIMARY KEY (repository_id, workflow_run_id, run_attempt, ingestion_id),
    FOREIGN KEY (repository_id, workflow_run_id, run_attempt) REFERENCES github_runs ON DELETE CASCADE
);
CREATE INDEX github_run_ingestions_ingestion_idx ON github_run_ingestions (ingestion_id);

-- Which pull requests a commit is the head of: a run of a fork's pull request does not say.
CREATE TABLE github_pulls (
    repository_id bigint NOT NULL REFERENCES github_repositories ON DELETE CASCADE,
    pr_number     integer NOT NULL,
    head_sha      text NOT NULL,
    open          boolean NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (repository_id, pr_number)
);
CREATE INDEX github_pulls_sha_idx ON github_pulls (repository_id, head_sha);

CREATE TABLE github_check_runs (
    repository_id bigint NOT NULL REFERENCES github_repositories ON DELETE CASCADE,
    head_sha      text NOT NULL,
    check_run_id  bigint,
    conclusion    text,
    digest        bytea,
    annotations   bytea[] NOT NULL DEFAULT '{}',     -- digests of those sent: GitHub adds, and takes none back
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, head_sha)
);
CREATE TABLE github_comments (
    repository_id bigint NOT NULL REFERENCES github_repositories ON DELETE CASCADE,
    pr_number     integer NOT NULL,
    comment_id    bigint,
    digest        bytea,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository_id, pr_number)
);

-- ── who sees what ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION flakeguard.visible_repositories() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT r.id FROM memberships m
    JOIN github_installations i USING (organization_id) JOIN github_repositories r ON r.installation_id = i.id
    WHERE m.user_id = auth.uid()
$$;
CREATE FUNCTION flakeguard.visible_installations() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
    SELECT i.id FROM memberships m JOIN github_installations i USING (organization_id) WHERE m.user_id = auth.uid()
$$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['github_installations', 'github_repositories', 'github_deliveries', 'github_runs',
        'github_run_ingestions', 'github_pulls', 'github_check_runs', 'github_comments'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY service ON %I TO service_role USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['github_runs', 'github_run_ingestions', 'github_pulls', 'github_check_runs',
        'github_comments'] LOOP
        EXECUTE format('CREATE POLICY members_read ON %I FOR SELECT TO authenticated
                        USING (repository_id IN (SELECT flakeguard.visible_repositories()))', t);
        EXECUTE format('GRANT SELECT ON %I TO authenticated', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['github_repositories', 'github_deliveries'] LOOP
        EXECUTE format('CREATE POLICY members_read ON %I FOR SELECT TO authenticated
                        USING (installation_id IN (SELECT flakeguard.visible_installations()))', t);
    END LOOP;
END $$;
CREATE POLICY members_read ON github_installations FOR SELECT TO authenticated
    USING (organization_id IN (SELECT flakeguard.visible_organizations()));
GRANT SELECT ON github_installations, github_repositories TO authenticated;
-- Bodies are what GitHub sent, for the services alone.
GRANT SELECT (guid, event, action, installation_id, repository_id, received_at, state, job_id, error, attempts)
    ON github_deliveries TO authenticated;
