-- What was proposed and decided of a test's quarantine. Rows are kept: an ended decision is the test's history.
CREATE TABLE quarantine_decisions (
    project_id   bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    test_case_id bigint NOT NULL REFERENCES test_cases ON DELETE CASCADE,
    state        text NOT NULL CHECK (state IN ('PROPOSED', 'ACTIVE', 'EXPIRED', 'DISMISSED', 'RESOLVED')),
    score        real NOT NULL CHECK (score BETWEEN 0 AND 1),        -- when the decision was made
    confidence   real NOT NULL CHECK (confidence BETWEEN 0 AND 1),   -- odds that the newest failure then was a flake
    rationale    text NOT NULL,
    until        timestamptz NOT NULL,               -- no decision is for ever; a dismissed test is not proposed before
    proposed_at  timestamptz,                        -- NULL where nothing was proposed before somebody decided
    decided_at   timestamptz,
    decided_by   uuid REFERENCES auth.users ON DELETE SET NULL, -- NULL for who pressed at GitHub, and for the policy
    decider      text,                               -- e-mail address, @login of GitHub, or the policy
    ended_at     timestamptz,
    ended_by     uuid REFERENCES auth.users ON DELETE SET NULL,
    ender        text,
    end_reason   text,
    PRIMARY KEY (project_id, id),
    CHECK (proposed_at IS NOT NULL OR decided_at IS NOT NULL),
    CHECK (state <> 'ACTIVE' OR (decided_at IS NOT NULL AND decider IS NOT NULL)),
    CHECK ((state IN ('PROPOSED', 'ACTIVE')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX quarantine_decisions_open_key ON quarantine_decisions (project_id, test_case_id)
    WHERE state IN ('PROPOSED', 'ACTIVE');
CREATE INDEX quarantine_decisions_test_idx ON quarantine_decisions (test_case_id, id DESC);
CREATE INDEX quarantine_decisions_ended_idx ON quarantine_decisions (project_id, ended_at DESC, id DESC)
    WHERE state NOT IN ('PROPOSED', 'ACTIVE');

-- What a recomputation did to the decisions of its tests, when it was asked to.
ALTER TABLE recomputations
    ADD COLUMN quarantine_proposed  integer NOT NULL DEFAULT 0,
    ADD COLUMN quarantine_activated integer NOT NULL DEFAULT 0,
    ADD COLUMN quarantine_expired   integer NOT NULL DEFAULT 0,
    ADD COLUMN quarantine_resolved  integer NOT NULL DEFAULT 0,
    DROP COLUMN notes; -- said of every recomputation alone that there is no quarantine

ALTER TABLE quarantine_decisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON quarantine_decisions TO service_role USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON quarantine_decisions TO service_role;
CREATE POLICY members_read ON quarantine_decisions FOR SELECT TO authenticated
    USING (project_id IN (SELECT flakeguard.visible_projects()));
GRANT SELECT ON quarantine_decisions TO authenticated;
