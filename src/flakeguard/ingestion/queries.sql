-- name: accept
INSERT INTO ingestions (project_id, api_key_id, idempotency_key, meta, junit_files, correlation_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (project_id, idempotency_key) DO NOTHING
RETURNING id

-- name: known
SELECT id FROM ingestions WHERE project_id = $1 AND idempotency_key = $2

-- name: add_file
INSERT INTO junit_files (project_id, ingestion_id, filename, size_bytes, sha256, encoding, content)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: find
SELECT i.id, i.project_id, i.state, i.meta, i.run_id, i.junit_files, i.test_results, i.flake_events_created, i.error,
       i.created_at, i.stored_at, i.analyzed_at
FROM ingestions i WHERE i.id = $1

-- name: find_files
SELECT filename, size_bytes, format, test_count, warnings, error
FROM junit_files WHERE ingestion_id = $1 ORDER BY id

-- name: verdicts
SELECT s.verdict, count(*) AS tests FROM flake_stats s
WHERE s.test_case_id IN (SELECT test_case_id FROM flake_events WHERE run_id = $1)
GROUP BY s.verdict

-- name: lock_for_processing
SELECT id, project_id, state, meta, idempotency_key, correlation_id, created_at
FROM ingestions WHERE id = $1 FOR UPDATE

-- name: files_to_read
SELECT id, filename, encoding, sha256 FROM junit_files WHERE ingestion_id = $1 ORDER BY sha256, id

-- name: file_content
SELECT content FROM junit_files WHERE id = $1

-- name: describe_file
UPDATE junit_files SET format = $2, test_count = $3, warnings = $4, error = $5 WHERE id = $1

-- name: upsert_run
INSERT INTO test_runs (project_id, key, provider, repository, external_run_id, run_attempt, run_number, workflow, job, variant,
                       sha, branch, event, pr_number, run_url, executed_at, completed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (project_id, key) DO UPDATE SET completed_at = greatest(test_runs.completed_at, excluded.completed_at)
RETURNING id, executed_at, NOT row_security_active('flake_events') AS may_copy

-- name: lock_naming
SELECT pg_advisory_xact_lock(hashtextextended('flakeguard naming', $1))

-- name: known_cases
SELECT id, identity_hash FROM test_cases WHERE project_id = $1 AND identity_hash = ANY($2::bytea[])

-- name: add_cases
INSERT INTO test_cases (project_id, identity_hash, suite, file, class_name, name, variant)
SELECT $1, n.identity_hash, n.suite, n.file, n.class_name, n.name, $2
FROM unnest($3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[]) AS n (identity_hash, suite, file, class_name, name)
ORDER BY n.identity_hash
ON CONFLICT (project_id, identity_hash) DO NOTHING
RETURNING id, identity_hash

-- name: add_stats
INSERT INTO flake_stats (test_case_id, project_id, first_seen_at, last_seen_at)
SELECT id, $1, $3, $3 FROM unnest($2::bigint[]) AS id
ON CONFLICT (test_case_id) DO NOTHING

-- name: known_failures
SELECT id, digest FROM failures WHERE project_id = $1 AND digest = ANY($2::bytea[])

-- name: add_failures
INSERT INTO failures (project_id, digest, fingerprint, failure_type, message, details)
SELECT $1, * FROM unnest($2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[]) AS n (digest, fingerprint, kind, message, details)
ORDER BY 2
ON CONFLICT (project_id, digest) DO NOTHING
RETURNING id, digest

-- name: add_report
INSERT INTO run_reports (run_id, digest, ingestion_id, report_key) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING report_key

-- name: add_events
INSERT INTO flake_events (project_id, test_case_id, run_id, report_key, position, outcome, duration_ms, failure_id,
                          executed_at, created_at)
SELECT $1, n.test_case_id, $2, $3, n.position, n.outcome, n.duration_ms, n.failure_id, $4, $5
FROM unnest($6::bigint[], $7::integer[], $8::smallint[], $9::real[], $10::bigint[])
     AS n (test_case_id, position, outcome, duration_ms, failure_id)

-- name: mark_stored
UPDATE ingestions SET state = 'stored', run_id = $2, test_results = $3, stored_at = $4 WHERE id = $1
