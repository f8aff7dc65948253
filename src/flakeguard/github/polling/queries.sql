-- name: under_way
SELECT count(*) FROM outbox WHERE queue = 'polling' AND name = 'poll-repository' AND dead_at IS NULL

-- name: due
SELECT r.id FROM github_repositories r JOIN github_installations i ON i.id = r.installation_id
WHERE r.project_id IS NOT NULL AND r.removed_at IS NULL
  AND i.organization_id IS NOT NULL AND i.suspended_at IS NULL AND i.deleted_at IS NULL
  AND (r.polled_at IS NULL OR r.polled_at <= $1) AND (r.poll_after IS NULL OR r.poll_after <= $2)
  AND NOT EXISTS (SELECT FROM outbox o WHERE o.job_id = 'poll-' || r.id AND (o.dead_at IS NULL OR o.dead_at > $4))
ORDER BY r.polled_at NULLS FIRST, r.id
LIMIT $3

-- name: repository
SELECT r.id, r.installation_id, r.full_name, r.default_branch, r.private, r.project_id, r.removed_at,
       r.poll_cursor, r.poll_failures, r.etags
FROM github_repositories r JOIN github_installations i ON i.id = r.installation_id
WHERE r.id = $1 AND r.project_id IS NOT NULL AND r.removed_at IS NULL
  AND i.organization_id IS NOT NULL AND i.suspended_at IS NULL AND i.deleted_at IS NULL

-- name: oldest_waiting
-- Of the newest: GitHub lists no more than 1,000 runs. While it runs after all it is in no list, and still waits here.
SELECT min(run_started_at) FROM (
    SELECT run_started_at, conclusion, state FROM github_runs WHERE repository_id = $1
    ORDER BY workflow_run_id DESC, run_attempt DESC LIMIT 2000
) newest
WHERE conclusion = 'action_required' AND state IS NULL AND run_started_at > $2

-- name: polled
UPDATE github_repositories SET poll_cursor = coalesce($2, poll_cursor), etags = $3, polled_at = $4, poll_after = NULL,
    poll_failures = 0
WHERE id = $1

-- name: put_off
UPDATE github_repositories SET polled_at = $2, poll_after = $3, poll_failures = poll_failures + 1 WHERE id = $1

-- name: rest_installation
UPDATE github_repositories SET poll_after = greatest(poll_after, $2) WHERE installation_id = $1

-- name: lock_discovery
SELECT pg_advisory_xact_lock(hashtextextended('flakeguard polling', 0))
