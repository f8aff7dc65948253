-- name: owe
INSERT INTO outbox (queue, name, job_id, data, correlation_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (job_id) DO NOTHING

-- name: wake_relay
SELECT pg_notify('flakeguard_outbox', '')

-- name: claim_due
WITH due AS (
    SELECT id FROM outbox
    WHERE dead_at IS NULL AND (enqueued_at IS NULL OR enqueued_at < $1) AND queue = ANY($3::text[])
    ORDER BY enqueued_at NULLS FIRST, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET enqueued_at = now() FROM due WHERE o.id = due.id
RETURNING o.id, o.queue, o.name, o.job_id, o.data

-- name: put_back
UPDATE outbox SET enqueued_at = NULL WHERE id = ANY($1::bigint[])

-- name: count_delivery
UPDATE outbox SET deliveries = deliveries + 1 WHERE job_id = $1 RETURNING deliveries

-- name: settle
DELETE FROM outbox WHERE job_id = $1 RETURNING id

-- name: bury
UPDATE outbox SET dead_at = now(), error = $2 WHERE job_id = $1

-- name: dead_jobs
SELECT job_id, queue, name, error, dead_at FROM outbox WHERE dead_at IS NOT NULL ORDER BY dead_at

-- name: revive
UPDATE outbox SET dead_at = NULL, error = NULL, enqueued_at = NULL, deliveries = 0
WHERE dead_at IS NOT NULL AND ($1::text IS NULL OR job_id = $1)
RETURNING job_id, data ->> 'ingestionId' AS ingestion_id, queue

-- name: reopen_ingestion
UPDATE ingestions SET state = CASE WHEN stored_at IS NULL THEN 'accepted' ELSE 'stored' END, error = NULL
WHERE id = $1 AND state = 'failed'

-- name: ensure_partitions
SELECT flakeguard.ensure_event_partitions()

-- name: mark_failed
UPDATE ingestions SET state = 'failed', error = $2 WHERE id = $1 AND state <> 'analyzed'
