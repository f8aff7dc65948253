-- name: store_delivery
INSERT INTO github_deliveries AS old (guid, event, action, installation_id, repository_id, body, received_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'received')
ON CONFLICT (guid) DO UPDATE SET attempts = old.attempts + 1
RETURNING state, job_id, attempts

-- name: keep_body
UPDATE github_deliveries SET body = $2, action = $3, installation_id = $4, repository_id = $5 WHERE guid = $1

-- name: set_outcome
UPDATE github_deliveries SET state = $2, job_id = $3, error = $4 WHERE guid = $1

-- name: find_delivery
SELECT guid, event, installation_id, body, state, job_id FROM github_deliveries WHERE guid = $1 FOR UPDATE

-- name: next_unbound
SELECT guid, event, installation_id, body, state, job_id FROM github_deliveries
WHERE state = 'unbound' AND installation_id = $1
ORDER BY received_at, guid
LIMIT $2
FOR UPDATE

-- name: list_deliveries
SELECT d.guid, d.event, d.action, d.repository_id, d.received_at, d.state, d.job_id, d.error, d.attempts, r.full_name
FROM github_deliveries d
JOIN github_installations i ON i.id = d.installation_id
LEFT JOIN github_repositories r ON r.id = d.repository_id AND r.installation_id = d.installation_id
WHERE i.organization_id = $1
ORDER BY d.received_at DESC, d.guid
LIMIT $2 OFFSET $3

-- name: count_deliveries
SELECT count(*) FROM github_deliveries d JOIN github_installations i ON i.id = d.installation_id
WHERE i.organization_id = $1

-- name: delivery_organization
SELECT i.organization_id FROM github_deliveries d JOIN github_installations i ON i.id = d.installation_id
WHERE d.guid = $1

-- name: jobs_of_deliveries
SELECT job_id, dead_at IS NOT NULL AS dead, error FROM outbox WHERE job_id = ANY($1::text[])

-- name: note_run
INSERT INTO github_runs AS old (repository_id, workflow_run_id, run_attempt, head_sha, head_branch, event, pr_numbers,
    workflow_name, run_number, html_url, status, conclusion, run_started_at)
VALUES ($1, $2, $3, $4, $5, $6,
    ARRAY(SELECT n FROM unnest($7::integer[]) n
          UNION SELECT pr_number FROM github_pulls WHERE repository_id = $1 AND head_sha = $4 ORDER BY 1),
    $8, $9, $10, $11, $12, $13)
ON CONFLICT (repository_id, workflow_run_id, run_attempt) DO UPDATE SET
    head_branch = coalesce(excluded.head_branch, old.head_branch),
    event = coalesce(excluded.event, old.event),
    pr_numbers = ARRAY(SELECT unnest(old.pr_numbers) UNION SELECT unnest(excluded.pr_numbers) ORDER BY 1),
    workflow_name = coalesce(excluded.workflow_name, old.workflow_name),
    run_number = coalesce(excluded.run_number, old.run_number),
    html_url = coalesce(excluded.html_url, old.html_url),
    -- Events come in any order: what is completed stays so.
    status = CASE WHEN old.status = 'completed' THEN old.status ELSE excluded.status END,
    -- A run that waits for approval has that for its conclusion, and another when it has run.
    conclusion = coalesce(nullif(excluded.conclusion, 'action_required'), old.conclusion, excluded.conclusion),
    run_started_at = coalesce(excluded.run_started_at, old.run_started_at),
    updated_at = now()
RETURNING state

-- name: set_run_state
UPDATE github_runs SET state = $4, updated_at = now()
WHERE repository_id = $1 AND workflow_run_id = $2 AND run_attempt = $3

-- name: runs_of_commit
SELECT DISTINCT ON (workflow_run_id) workflow_run_id, run_attempt, conclusion
FROM github_runs WHERE repository_id = $1 AND head_sha = $2 AND state IS NOT NULL
ORDER BY workflow_run_id, run_attempt DESC

-- name: has_check_run
SELECT EXISTS (SELECT 1 FROM github_check_runs WHERE repository_id = $1 AND head_sha = $2)

-- name: put_pull
INSERT INTO github_pulls AS old (repository_id, pr_number, head_sha, open, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (repository_id, pr_number) DO UPDATE
SET head_sha = excluded.head_sha, open = excluded.open, updated_at = excluded.updated_at
WHERE excluded.updated_at >= old.updated_at

-- name: tell_runs_of_pull
UPDATE github_runs SET pr_numbers = ARRAY(SELECT unnest(pr_numbers) UNION SELECT $3::integer ORDER BY 1), updated_at = now()
WHERE repository_id = $1 AND head_sha = $2 AND NOT $3::integer = ANY(pr_numbers)

-- name: forget_deliveries
DELETE FROM github_deliveries WHERE guid IN (
    SELECT d.guid FROM github_deliveries d
    WHERE d.received_at < $1 AND NOT EXISTS (SELECT FROM outbox o WHERE o.job_id = d.job_id)
    LIMIT $2)
