-- name: projects_of_repository
SELECT project_id FROM github_repositories
WHERE lower(full_name) = lower($1) AND project_id IS NOT NULL AND removed_at IS NULL
UNION
SELECT project_id FROM test_runs WHERE lower(repository) = lower($1)
ORDER BY 1

-- name: tests_in_scope
SELECT s.test_case_id FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
WHERE s.project_id = $1
  AND ($2::text[] IS NULL OR c.name LIKE ANY($2) OR c.class_name || '.' || c.name LIKE ANY($2))
  AND ($3::text[] IS NULL OR c.class_name LIKE ANY($3) OR c.test_group LIKE ANY($3))
  AND ($4::text[] IS NULL OR c.id::text = ANY($4) OR c.name = ANY($4) OR c.class_name || '.' || c.name = ANY($4))
  AND ($5::timestamptz IS NULL OR s.last_seen_at >= $5)
ORDER BY s.test_case_id

-- name: begin_recomputation
INSERT INTO recomputations (project_id, job_id, scope, tests, batches, created_at, finished_at)
VALUES ($1, $2, $3, $4, $5, $6::timestamptz, CASE WHEN $5::integer = 0 THEN $6::timestamptz END)
ON CONFLICT (project_id, job_id) WHERE finished_at IS NULL DO NOTHING
RETURNING id

-- name: count_batch
UPDATE recomputations SET tests_done = tests_done + $2, batches_done = batches_done + 1,
    finished_at = CASE WHEN batches_done + 1 >= batches THEN $3::timestamptz END,
    quarantine_proposed = quarantine_proposed + $4, quarantine_activated = quarantine_activated + $5,
    quarantine_expired = quarantine_expired + $6, quarantine_resolved = quarantine_resolved + $7
WHERE id = $1
RETURNING tests, tests_done, batches, batches_done, quarantine_proposed, quarantine_activated, quarantine_expired,
    quarantine_resolved

-- name: tests_of_project
SELECT test_case_id FROM flake_stats WHERE project_id = $1 AND test_case_id = ANY($2::bigint[]) ORDER BY test_case_id
