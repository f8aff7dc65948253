-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: repository
SELECT r.id, r.full_name, r.installation_id, r.organization_id
FROM github_repositories r JOIN github_installations i ON i.id = r.installation_id
WHERE r.id = $1 AND r.removed_at IS NULL AND i.organization_id IS NOT NULL AND i.suspended_at IS NULL AND i.deleted_at IS NULL

-- name: commit_of_workflow_run
SELECT g.repository_id, g.head_sha
FROM github_runs g JOIN github_repositories r ON r.id = g.repository_id
WHERE g.workflow_run_id = $1 AND r.installation_id = $2
  AND CASE WHEN $4::bigint IS NULL THEN lower(r.full_name) = lower($3) ELSE r.id = $4 END
ORDER BY g.run_attempt DESC LIMIT 1

-- name: commit_of_ingestion
-- By the artifact that it came in; else by what the upload says, if its organisation is that of a repository of that name.
SELECT r.id AS repository_id, r.full_name, r.installation_id, coalesce(g.head_sha, t.sha) AS head_sha,
       g.workflow_run_id, coalesce(g.run_attempt, t.run_attempt, 1) AS run_attempt, t.external_run_id, i.correlation_id
FROM ingestions i
JOIN test_runs t ON t.id = i.run_id
JOIN projects p ON p.id = i.project_id
LEFT JOIN github_run_ingestions gi ON gi.ingestion_id = i.id
LEFT JOIN github_runs g ON (g.repository_id, g.workflow_run_id, g.run_attempt)
                         = (gi.repository_id, gi.workflow_run_id, gi.run_attempt)
JOIN github_repositories r ON r.id = gi.repository_id
     OR (gi.repository_id IS NULL AND lower(r.full_name) = lower(t.repository)
         AND coalesce(t.provider, 'github') NOT IN ('gitlab', 'bitbucket', 'azure'))
WHERE i.id = $1 AND r.organization_id = p.organization_id AND r.removed_at IS NULL
ORDER BY gi.repository_id NULLS LAST, g.run_attempt DESC LIMIT 1

-- name: runs_of_commit
WITH of_commit AS (
    SELECT t.id FROM projects p JOIN test_runs t ON t.project_id = p.id
    WHERE p.organization_id = $1 AND t.sha = $4 AND lower(t.repository) = lower($3)
    UNION
    SELECT i.run_id FROM github_runs g
    JOIN github_run_ingestions gi USING (repository_id, workflow_run_id, run_attempt)
    JOIN ingestions i ON i.id = gi.ingestion_id
    WHERE g.repository_id = $2 AND g.head_sha = $4
)
SELECT t.id, t.project_id, t.provider, t.external_run_id, t.run_attempt, t.workflow, t.job, t.variant, t.executed_at, t.tests,
       t.failed, t.skipped, t.flaked, t.outage, t.pr_number
FROM of_commit JOIN test_runs t USING (id) JOIN projects p ON p.id = t.project_id
WHERE p.organization_id = $1 AND EXISTS (SELECT 1 FROM ingestions i WHERE i.run_id = t.id AND i.state = 'analyzed')
ORDER BY t.executed_at DESC, t.id DESC LIMIT $5

-- name: last_outcomes
SELECT test_case_id, run_id,
       (array_agg(outcome ORDER BY report_key DESC, position DESC) FILTER (WHERE outcome <> 3))[1] AS outcome
FROM flake_events
WHERE run_id = ANY($1::integer[]) AND test_case_id = ANY($2::bigint[])
GROUP BY test_case_id, run_id HAVING bool_or(outcome <> 3)

-- name: windows
SELECT test_case_id, window_all FROM flake_stats WHERE test_case_id = ANY($1::bigint[])

-- name: runs_of_workflow_run
SELECT DISTINCT i.project_id, i.run_id
FROM github_run_ingestions gi JOIN ingestions i ON i.id = gi.ingestion_id
WHERE gi.repository_id = $1 AND gi.workflow_run_id = $2 AND i.state = 'analyzed'
ORDER BY i.project_id, i.run_id

-- name: counted_reports
SELECT r.report_key FROM run_reports r JOIN ingestions i ON i.id = r.ingestion_id
WHERE r.run_id = $1 AND i.state = 'analyzed'

-- name: pulls_of_commit
SELECT pr_number FROM github_pulls WHERE repository_id = $1 AND head_sha = $2 AND open ORDER BY pr_number

-- name: known_pulls
SELECT pr_number FROM github_pulls WHERE repository_id = $1 AND pr_number = ANY($2::integer[])

-- name: pulls_of_runs
SELECT DISTINCT unnest(pr_numbers) AS pr_number FROM github_runs WHERE repository_id = $1 AND head_sha = $2

-- name: pull_moved_on
SELECT EXISTS (
    SELECT 1 FROM github_pulls WHERE repository_id = $1 AND pr_number = $2 AND (head_sha <> $3 OR NOT open)
)

-- name: check_run
SELECT check_run_id, digest, annotations FROM github_check_runs WHERE repository_id = $1 AND head_sha = $2

-- name: save_check_run
INSERT INTO github_check_runs (repository_id, head_sha, check_run_id, conclusion, digest, annotations, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (repository_id, head_sha) DO UPDATE SET
    check_run_id = excluded.check_run_id, conclusion = excluded.conclusion, digest = excluded.digest,
    annotations = excluded.annotations, updated_at = excluded.updated_at

-- name: comment
SELECT comment_id, digest FROM github_comments WHERE repository_id = $1 AND pr_number = $2

-- name: save_comment
INSERT INTO github_comments (repository_id, pr_number, comment_id, digest, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (repository_id, pr_number) DO UPDATE SET
    comment_id = excluded.comment_id, digest = excluded.digest, updated_at = excluded.updated_at
