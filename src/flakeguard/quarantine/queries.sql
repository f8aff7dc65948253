-- name: to_review
-- Tests that may be proposed, and those with an open decision; each with its latest decision.
SELECT s.test_case_id, s.verdict, s.score, s.window_all, s.window_default, c.test_group, p.default_branch, d.id, d.state, d.until
FROM flake_stats s
JOIN test_cases c ON c.id = s.test_case_id
JOIN projects p ON p.id = s.project_id
LEFT JOIN LATERAL (
    SELECT q.id, q.state, q.until FROM quarantine_decisions q WHERE q.test_case_id = s.test_case_id ORDER BY q.id DESC LIMIT 1
) d ON true
WHERE s.project_id = $1 AND s.test_case_id = ANY($2::bigint[])
  AND (s.verdict = ANY($3::text[]) OR d.state IN ('PROPOSED', 'ACTIVE'))
ORDER BY s.test_case_id

-- name: open_tests
SELECT test_case_id FROM quarantine_decisions
WHERE project_id = $1 AND state IN ('PROPOSED', 'ACTIVE') ORDER BY test_case_id

-- name: projects_with_open
SELECT DISTINCT project_id FROM quarantine_decisions WHERE state IN ('PROPOSED', 'ACTIVE') ORDER BY project_id

-- name: propose
INSERT INTO quarantine_decisions (project_id, test_case_id, state, score, confidence, rationale, until, proposed_at)
SELECT $1, n.test_case_id, 'PROPOSED', n.score, n.confidence, n.rationale, $2::timestamptz, $3::timestamptz
FROM unnest($4::bigint[], $5::real[], $6::real[], $7::text[]) AS n (test_case_id, score, confidence, rationale)
ON CONFLICT (project_id, test_case_id) WHERE state IN ('PROPOSED', 'ACTIVE') DO NOTHING
RETURNING test_case_id

-- name: activate
-- What is proposed is decided, for the decider's reasons; what is active stays as it is, unless its day is over.
INSERT INTO quarantine_decisions AS q
    (project_id, test_case_id, state, score, confidence, rationale, until, decided_at, decided_by, decider)
SELECT $1, n.test_case_id, 'ACTIVE', n.score, n.confidence, n.rationale, $2::timestamptz, $3::timestamptz, $8::uuid, $9::text
FROM unnest($4::bigint[], $5::real[], $6::real[], $7::text[]) AS n (test_case_id, score, confidence, rationale)
ON CONFLICT (project_id, test_case_id) WHERE state IN ('PROPOSED', 'ACTIVE') DO UPDATE SET
    state = 'ACTIVE', until = excluded.until, decided_at = excluded.decided_at, decided_by = excluded.decided_by,
    decider = excluded.decider, score = excluded.score, confidence = excluded.confidence, rationale = excluded.rationale
WHERE q.state = 'PROPOSED' OR q.until <= excluded.decided_at
RETURNING test_case_id

-- name: dismiss
UPDATE quarantine_decisions SET
    state = 'DISMISSED', until = $3, decided_at = $4, decided_by = $5, decider = $6, ended_at = $4, ended_by = $5, ender = $6,
    end_reason = 'Somebody said no.'
WHERE project_id = $1 AND test_case_id = ANY($2::bigint[]) AND state = 'PROPOSED'
RETURNING test_case_id

-- name: end
UPDATE quarantine_decisions SET state = 'RESOLVED', ended_at = $3, ended_by = $4, ender = $5, end_reason = 'Somebody ended it.'
WHERE project_id = $1 AND test_case_id = ANY($2::bigint[]) AND state = 'ACTIVE'
RETURNING test_case_id

-- name: list_decisions
SELECT q.id, q.test_case_id, q.state, q.score, q.confidence, q.rationale, q.until, q.proposed_at, q.decided_at, q.decider,
       q.ended_at, q.ender, q.end_reason, c.suite, c.file, c.class_name, c.name, c.variant, s.verdict, s.last_failed_at,
       count(*) OVER () AS total
FROM quarantine_decisions q
JOIN test_cases c ON c.id = q.test_case_id
JOIN flake_stats s ON s.test_case_id = q.test_case_id
WHERE q.project_id = $1 AND q.state IN ('PROPOSED', 'ACTIVE') = $2::boolean
ORDER BY q.ended_at DESC NULLS FIRST, q.state = 'PROPOSED' DESC, q.until, q.id
LIMIT $3 OFFSET $4

-- name: decisions_of_test
SELECT id, test_case_id, state, score, confidence, rationale, until, proposed_at, decided_at, decider, ended_at, ender, end_reason
FROM quarantine_decisions WHERE project_id = $1 AND test_case_id = $2 ORDER BY id DESC LIMIT $3

-- name: test_exists
SELECT EXISTS (SELECT 1 FROM flake_stats WHERE project_id = $1 AND test_case_id = $2)

-- name: open_of_tests
SELECT test_case_id, state, until FROM quarantine_decisions
WHERE test_case_id = ANY($1::bigint[]) AND state IN ('PROPOSED', 'ACTIVE') AND until > $2

-- name: scores
SELECT test_case_id, score FROM flake_stats WHERE project_id = $1 AND test_case_id = ANY($2::bigint[])

-- name: close
-- What was prolonged since it was looked at has not expired.
UPDATE quarantine_decisions q SET state = n.state, ended_at = $2, end_reason = n.reason
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) AS n (id, was, state, reason)
WHERE q.project_id = $1 AND q.id = n.id AND q.state = n.was AND (n.state <> 'EXPIRED' OR q.until <= $2)
RETURNING q.state

-- name: organization_of_project
SELECT organization_id FROM projects WHERE id = $1
