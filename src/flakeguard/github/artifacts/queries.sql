-- name: find_repository
SELECT r.id, r.full_name, r.installation_id, r.project_id
FROM github_repositories r JOIN github_installations i ON i.id = r.installation_id
WHERE r.installation_id = $1 AND r.removed_at IS NULL
  AND CASE WHEN $3::bigint IS NULL THEN lower(r.full_name) = lower($2) ELSE r.id = $3 END
  AND i.organization_id IS NOT NULL AND i.suspended_at IS NULL AND i.deleted_at IS NULL

-- name: starts
SELECT run_attempt, run_started_at FROM github_runs
WHERE repository_id = $1 AND workflow_run_id = $2 AND run_started_at IS NOT NULL

-- name: find_run
SELECT run_attempt, head_sha, head_branch, event, pr_numbers, workflow_name, run_number, html_url, state
FROM github_runs WHERE repository_id = $1 AND workflow_run_id = $2 AND run_attempt = $3

-- name: is_completed
SELECT status = 'completed' FROM github_runs
WHERE repository_id = $1 AND workflow_run_id = $2 AND run_attempt = $3
FOR UPDATE

-- name: latest_attempt
SELECT max(run_attempt) FROM github_runs WHERE repository_id = $1 AND workflow_run_id = $2

-- name: link
INSERT INTO github_run_ingestions (repository_id, workflow_run_id, run_attempt, ingestion_id) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: finish_run
UPDATE github_runs SET updated_at = now(), state = CASE
    WHEN $4 = 'empty' AND EXISTS (SELECT FROM github_run_ingestions
                                  WHERE repository_id = $1 AND workflow_run_id = $2 AND run_attempt = $3)
    THEN 'stored' ELSE $4 END
WHERE repository_id = $1 AND workflow_run_id = $2 AND run_attempt = $3
RETURNING state
