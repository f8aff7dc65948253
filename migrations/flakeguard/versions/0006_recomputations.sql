-- A recomputation of a project's tests, done in batches that are jobs of their own.
CREATE TABLE recomputations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    job_id       text NOT NULL,
    scope        jsonb NOT NULL,
    tests        integer NOT NULL,
    tests_done   integer NOT NULL DEFAULT 0,
    batches      integer NOT NULL,
    batches_done integer NOT NULL DEFAULT 0,
    notes        text[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
-- The job that began it may run twice before it is done; its id may come again after Redis was emptied.
CREATE UNIQUE INDEX recomputations_running_key ON recomputations (project_id, job_id) WHERE finished_at IS NULL;
CREATE INDEX recomputations_project_idx ON recomputations (project_id, id DESC);

ALTER TABLE recomputations ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON recomputations TO service_role USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON recomputations TO service_role;
CREATE POLICY members_read ON recomputations FOR SELECT TO authenticated
    USING (project_id IN (SELECT flakeguard.visible_projects()));
GRANT SELECT ON recomputations TO authenticated;
