-- name: owe
INSERT INTO outbox (queue, name, job_id, data, correlation_id, priority) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (job_id) DO NOTHING

-- name: wake_relay
SELECT pg_notify('flakeguard_outbox', '')

-- name: claim_due
WITH due AS (
    SELECT id FROM outbox
    WHERE dead_at IS NULL AND (enqueued_at IS NULL OR enqueued_at < $1) AND queue = ANY($3::text[])
      AND (delayed_until IS NULL OR delayed_until <= $4)
    ORDER BY enqueued_at NULLS FIRST, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET enqueued_at = now() FROM due WHERE o.id = due.id
RETURNING o.id, o.queue, o.name, o.job_id, o.data, o.priority

-- name: put_back
UPDATE outbox SET enqueued_at = NULL WHERE id = ANY($1::bigint[])

-- name: count_delivery
UPDATE outbox SET deliveries = deliveries + 1 WHERE job_id = $1 RETURNING deliveries

-- name: settle
DELETE FROM outbox WHERE job_id = $1 RETURNING id

-- name: note_failure
UPDATE outbox SET tries = $2, error = $3, stack = $4, failed_at = $5, first_failed_at = coalesce(first_failed_at, $5),
    delayed_until = $6
WHERE job_id = $1 AND foreign_id IS NULL

-- name: bury_owed
UPDATE outbox SET dead_at = $6, failed_at = $6, first_failed_at = coalesce(first_failed_at, $6), error = $3, stack = $4,
    tries = $5
WHERE job_id = $1 AND queue = $2 RETURNING id

-- name: bury_foreign
INSERT INTO outbox (queue, name, job_id, foreign_id, data, correlation_id, priority, error, stack, tries, dead_at,
    failed_at, first_failed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11)
ON CONFLICT (job_id) DO UPDATE SET dead_at = excluded.dead_at, error = excluded.error, stack = excluded.stack

-- name: dead_letters
SELECT job_id, queue, name, data, priority, error, stack, tries, created_at, first_failed_at, dead_at, correlation_id,
    foreign_id
FROM outbox
WHERE dead_at IS NOT NULL AND ($1::text IS NULL OR queue = $1)
ORDER BY dead_at DESC, id DESC OFFSET $2 LIMIT $3

-- name: dead_letter_counts
SELECT queue, count(*) AS jobs FROM outbox WHERE dead_at IS NOT NULL GROUP BY queue

-- name: dead_jobs
SELECT job_id, queue, name, error, dead_at FROM outbox WHERE dead_at IS NOT NULL ORDER BY dead_at

-- name: revive
UPDATE outbox SET dead_at = NULL, error = NULL, stack = NULL, enqueued_at = NULL, delayed_until = NULL, deliveries = 0,
    tries = 0, first_failed_at = NULL, failed_at = NULL, foreign_id = NULL
WHERE dead_at IS NOT NULL AND job_id = $1
RETURNING data ->> 'ingestionId' AS ingestion_id

-- name: lock_dead
SELECT job_id, queue, name, data, error FROM outbox
WHERE dead_at IS NOT NULL AND ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR job_id = $2 OR foreign_id = $2)
ORDER BY dead_at FOR UPDATE

-- name: foreign_ids
SELECT foreign_id FROM outbox
WHERE dead_at IS NOT NULL AND foreign_id IS NOT NULL AND queue = $1 AND (job_id = $2 OR foreign_id = $2)

-- name: record_act
INSERT INTO dead_letter_acts (job_id, queue, name, data, error, act, actor, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: reopen_ingestion
UPDATE ingestions SET state = CASE WHEN stored_at IS NULL THEN 'accepted' ELSE 'stored' END, error = NULL
WHERE id = $1 AND state = 'failed'

-- name: ensure_partitions
SELECT flakeguard.ensure_event_partitions()

-- name: mark_failed
UPDATE ingestions SET state = 'failed', error = $2 WHERE id = $1 AND state <> 'analyzed'
