-- name: declare_functions
INSERT INTO jobs.functions AS f (name, callable_by, max_attempts, declared_at)
SELECT name, string_to_array(roles, ','), max_attempts, now()
FROM unnest($1::text[], $2::text[], $3::integer[]) AS said (name, roles, max_attempts)
ORDER BY name
ON CONFLICT (name) DO UPDATE
SET callable_by = excluded.callable_by, max_attempts = excluded.max_attempts, declared_at = excluded.declared_at
WHERE (f.callable_by, f.max_attempts) IS DISTINCT FROM (excluded.callable_by, excluded.max_attempts)

-- name: find_function
SELECT name, callable_by, max_attempts FROM jobs.functions WHERE name = $1

-- name: insert_job
INSERT INTO jobs.jobs (name, payload, priority, max_attempts, scheduled_at, idempotency_key, user_id)
VALUES ($1, $2, $3, $4, coalesce($5, now()), $6, $7)
ON CONFLICT (name, user_id, schedule, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id, name, status, payload, result, progress, progress_message, priority, attempts, max_attempts, error,
          scheduled_at, started_at, completed_at, created_at, updated_at, cancel_requested_at, user_id

-- name: find_by_key
SELECT id, name, status, payload, result, progress, progress_message, priority, attempts, max_attempts, error,
       scheduled_at, started_at, completed_at, created_at, updated_at, cancel_requested_at, user_id
FROM jobs.jobs
WHERE name = $1 AND user_id IS NOT DISTINCT FROM $2 AND idempotency_key = $3 AND schedule IS NULL

-- name: has_more_pending
SELECT count(*) > $2::bigint FROM (
    SELECT FROM jobs.jobs WHERE user_id = $1 AND status = 'pending' LIMIT $2::bigint + 1
) AS pending

-- name: find_job
SELECT id, name, status, payload, result, progress, progress_message, priority, attempts, max_attempts, error,
       scheduled_at, started_at, completed_at, created_at, updated_at, cancel_requested_at, user_id
FROM jobs.jobs WHERE id = $1

-- name: job_internals
SELECT error_stack, worker_id, schedule, idempotency_key FROM jobs.jobs WHERE id = $1

-- name: list_jobs
SELECT id, name, status, payload, result, progress, progress_message, priority, attempts, max_attempts, error,
       scheduled_at, started_at, completed_at, created_at, updated_at, cancel_requested_at, user_id
FROM jobs.jobs
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR name = $2)
  AND ($3::uuid IS NULL OR (created_at, id) < (SELECT b.created_at, b.id FROM jobs.jobs b WHERE b.id = $3))
ORDER BY created_at DESC, id DESC
LIMIT $4

-- name: cancel_job
UPDATE jobs.jobs
SET status = CASE WHEN status = 'pending' THEN 'cancelled' ELSE status END,
    cancel_requested_at = coalesce(cancel_requested_at, now())
WHERE id = $1 AND status IN ('pending', 'running')
RETURNING id

-- name: retry_job
UPDATE jobs.jobs SET status = 'pending', attempts = 0, error = NULL, scheduled_at = now()
WHERE id = $1 AND status IN ('completed', 'failed', 'cancelled')
RETURNING id

-- name: claim_jobs
WITH due AS MATERIALIZED (
    SELECT id FROM jobs.jobs
    WHERE status = 'pending' AND scheduled_at <= now() AND name = ANY($2::text[])
      AND EXISTS (SELECT FROM jobs.workers WHERE id = $1 AND status = 'active')
    ORDER BY priority DESC, scheduled_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs.jobs j
SET status = 'running', worker_id = $1, attempts = attempts + 1, claim = claim + 1, started_at = now(),
    progress = NULL, progress_message = NULL
FROM due WHERE j.id = due.id
RETURNING j.id, j.claim, j.name, j.payload, j.attempts AS attempt, j.max_attempts, j.scheduled_at, j.user_id,
          j.priority

-- name: next_due_seconds
SELECT extract(epoch FROM least(
    (SELECT min(scheduled_at) FROM jobs.jobs WHERE status = 'pending' AND scheduled_at > now() AND name = ANY($1::text[])),
    (SELECT min(next_run_at) FROM jobs.schedules WHERE enabled AND error IS NULL AND function = ANY($1::text[]))
) - now())::float8

-- name: tell_progress
UPDATE jobs.jobs SET progress = $3, progress_message = $4
WHERE id = $1 AND claim = $2 AND status = 'running'
RETURNING id

-- name: complete_job
UPDATE jobs.jobs
SET status = CASE WHEN cancel_requested_at IS NULL THEN 'completed' ELSE 'cancelled' END, result = $3,
    progress = CASE WHEN cancel_requested_at IS NULL THEN 1 ELSE progress END, error = NULL, error_stack = NULL
WHERE id = $1 AND claim = $2 AND status = 'running'
RETURNING status

-- name: fail_job
UPDATE jobs.jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN $5::float8 IS NULL THEN 'failed'
                  ELSE 'pending' END,
    scheduled_at = now() + make_interval(secs => coalesce($5, 0)), error = $3, error_stack = $4
WHERE id = $1 AND claim = $2 AND status = 'running'
RETURNING status

-- name: mark_cancelled
UPDATE jobs.jobs SET status = 'cancelled' WHERE id = $1 AND claim = $2 AND status = 'running' RETURNING status

-- name: hand_back
UPDATE jobs.jobs
SET status = CASE WHEN cancel_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END, attempts = attempts - 1,
    scheduled_at = now()
WHERE id = $1 AND claim = $2 AND status = 'running'
RETURNING status

-- name: lose_job
UPDATE jobs.jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN attempts < max_attempts THEN 'pending'
                  ELSE 'failed' END,
    error = CASE WHEN cancel_requested_at IS NULL THEN 'WorkerLost: its worker had to stop before it ended' END,
    error_stack = NULL, scheduled_at = now()
WHERE id = $1 AND claim = $2 AND status = 'running'
RETURNING status

-- name: hand_back_strays
UPDATE jobs.jobs j
SET status = CASE WHEN cancel_requested_at IS NULL THEN 'pending' ELSE 'cancelled' END, attempts = attempts - 1,
    scheduled_at = now()
WHERE worker_id = $1 AND status = 'running'
  AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::bigint[]) AS known (id, claim)
                  WHERE (known.id, known.claim) = (j.id, j.claim))
RETURNING id

-- name: register_worker
INSERT INTO jobs.workers (name, hostname, pid, concurrency, functions) VALUES ($1, $2, $3, $4, $5) RETURNING id

-- name: beat
UPDATE jobs.workers SET last_heartbeat_at = now() WHERE id = $1 AND status <> 'stopped' RETURNING id

-- name: mark_worker
UPDATE jobs.workers
SET status = $2, last_heartbeat_at = now(), stopped_at = CASE WHEN $2 = 'stopped' THEN now() END
WHERE id = $1 AND status <> 'stopped'

-- name: own_claims
SELECT id, claim, cancel_requested_at IS NOT NULL AS cancel_requested
FROM jobs.jobs WHERE worker_id = $1 AND status = 'running'

-- name: bury_workers
UPDATE jobs.workers SET status = 'stopped', stopped_at = now()
WHERE status <> 'stopped' AND last_heartbeat_at < now() - make_interval(secs => $1)
RETURNING id, name

-- name: take_over
WITH orphans AS MATERIALIZED (
    SELECT j.id FROM jobs.jobs j
    WHERE j.status = 'running'
      AND NOT EXISTS (SELECT FROM jobs.workers w WHERE w.id = j.worker_id AND w.status <> 'stopped')
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs.jobs j
SET status = CASE WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN j.attempts < j.max_attempts THEN 'pending'
                  ELSE 'failed' END,
    error = CASE WHEN j.cancel_requested_at IS NULL THEN 'WorkerLost: its worker stopped before it ended' END,
    error_stack = NULL, scheduled_at = now()
FROM orphans o WHERE j.id = o.id
RETURNING j.id, j.name, j.status, j.attempts

-- name: declare_schedules
INSERT INTO jobs.schedules AS s (name, function, cron, time_zone, payload, next_run_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
ORDER BY 1
ON CONFLICT (name) DO UPDATE
SET function = excluded.function, cron = excluded.cron, time_zone = excluded.time_zone, payload = excluded.payload,
    updated_at = now(),
    next_run_at = CASE WHEN (s.cron, s.time_zone) = (excluded.cron, excluded.time_zone) THEN s.next_run_at
                       ELSE excluded.next_run_at END
WHERE (s.function, s.cron, s.time_zone, s.payload)
      IS DISTINCT FROM (excluded.function, excluded.cron, excluded.time_zone, excluded.payload)

-- name: due_schedules
SELECT name, function, cron, time_zone, payload, next_run_at, now() AS now
FROM jobs.schedules
WHERE enabled AND error IS NULL AND next_run_at <= now() AND function = ANY($1::text[])
ORDER BY next_run_at, name
FOR UPDATE SKIP LOCKED

-- name: submit_scheduled
INSERT INTO jobs.jobs (name, payload, max_attempts, scheduled_at, schedule, idempotency_key)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name, user_id, schedule, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING

-- name: advance_schedule
UPDATE jobs.schedules SET last_run_at = $2, next_run_at = $3, updated_at = now() WHERE name = $1

-- name: mark_schedule
UPDATE jobs.schedules SET error = $2, updated_at = now() WHERE name = $1

-- name: list_schedules
SELECT name, function, cron, time_zone, payload, enabled, next_run_at, last_run_at, error
FROM jobs.schedules ORDER BY name

-- name: enable_schedule
UPDATE jobs.schedules SET enabled = $2, next_run_at = coalesce($3, next_run_at), updated_at = now() WHERE name = $1
RETURNING name, function, cron, time_zone, payload, enabled, next_run_at, last_run_at, error

-- name: find_schedule
SELECT cron, time_zone, enabled, now() AS now FROM jobs.schedules WHERE name = $1 FOR UPDATE

-- name: queue_depths
SELECT status, count(*) AS jobs,
       count(*) FILTER (WHERE status = 'pending' AND scheduled_at <= now()) AS due,
       coalesce(extract(epoch FROM now() - min(scheduled_at) FILTER (WHERE status = 'pending' AND scheduled_at <= now())),
                0)::float8 AS oldest_due_seconds
FROM jobs.jobs WHERE status IN ('pending', 'running') GROUP BY status
UNION ALL
SELECT status, count(*), 0, 0 FROM jobs.jobs WHERE status IN ('completed', 'failed', 'cancelled') GROUP BY status

-- name: health
SELECT (SELECT count(*) FROM jobs.workers
        WHERE status = 'active' AND last_heartbeat_at > now() - make_interval(secs => $1)) AS active_workers,
       count(*) AS due, coalesce(extract(epoch FROM now() - min(scheduled_at)), 0)::float8 AS oldest_due_seconds
FROM jobs.jobs WHERE status = 'pending' AND scheduled_at <= now()

-- name: gauges
SELECT (SELECT count(*) FROM jobs.jobs WHERE status = 'pending') AS pending,
       (SELECT count(*) FROM jobs.jobs WHERE status = 'running') AS processing,
       (SELECT count(*) FROM jobs.workers
        WHERE status = 'active' AND last_heartbeat_at > now() - make_interval(secs => $1)) AS active_workers

-- name: list_workers
SELECT w.id, w.name, w.hostname, w.pid, w.status, w.concurrency, w.functions, w.started_at, w.last_heartbeat_at,
       (SELECT count(*) FROM jobs.jobs j WHERE j.worker_id = w.id AND j.status = 'running') AS running
FROM jobs.workers w
WHERE w.status <> 'stopped' OR w.stopped_at > now() - interval '1 hour'
ORDER BY w.status, w.started_at DESC
LIMIT 200

-- name: delete_finished
DELETE FROM jobs.jobs WHERE id IN (
    SELECT id FROM jobs.jobs
    WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at < now() - $1::interval
    LIMIT $2
)

-- name: delete_stopped_workers
DELETE FROM jobs.workers WHERE status = 'stopped' AND stopped_at < now() - $1::interval
