-- name: lock_project
SELECT pg_advisory_xact_lock(hashtextextended('flakeguard analysis', $1))

-- name: lock_project_of_ingestion
SELECT pg_advisory_xact_lock(hashtextextended('flakeguard analysis', project_id)) FROM ingestions WHERE id = $1

-- name: run
SELECT r.id, r.project_id, r.executed_at, r.key, r.sha, r.branch, r.job, r.variant, r.outage, r.mass_failures, p.default_branch
FROM test_runs r JOIN projects p ON p.id = r.project_id
WHERE r.id = $1

-- name: runs
SELECT id, executed_at, key, sha, branch, job, variant, outage, mass_failures FROM test_runs WHERE id = ANY($1::integer[])

-- name: run_groups
SELECT c.test_group,
       count(*) FILTER (WHERE NOT e.only_skipped) AS tests,
       count(*) FILTER (WHERE e.any_failed AND NOT e.any_passed) AS failed,
       count(*) FILTER (WHERE e.any_failed) AS ever_failed,
       count(*) FILTER (WHERE e.any_failed AND e.any_passed) AS flaked,
       count(*) FILTER (WHERE e.only_skipped) AS skipped
FROM (
    SELECT test_case_id, bool_or(outcome IN (1, 2)) AS any_failed, bool_or(outcome = 0) AS any_passed,
           bool_and(outcome = 3) AS only_skipped
    FROM flake_events WHERE run_id = $1 GROUP BY test_case_id
) e JOIN test_cases c ON c.id = e.test_case_id
GROUP BY c.test_group

-- name: describe_run
UPDATE test_runs SET tests = $2, failed = $3, skipped = $4, flaked = $5, outage = $6, mass_failures = $7 WHERE id = $1

-- name: new_reports
SELECT report_key FROM run_reports WHERE run_id = $1 AND ingestion_id = $2

-- name: counted_reports
SELECT r.report_key FROM run_reports r JOIN ingestions i ON i.id = r.ingestion_id
WHERE r.run_id = $1 AND i.state = 'analyzed'

-- name: touched_tests
-- Outcomes are digits, one for each attempt: arrays of them cost the driver four times as much.
SELECT e.test_case_id,
       string_agg(e.outcome::text, '' ORDER BY e.report_key, e.position) AS outcomes,
       coalesce(string_agg(e.outcome::text, '') FILTER (WHERE e.report_key = ANY($4::bigint[])), '') AS known_outcomes,
       coalesce(string_agg(e.outcome::text, '') FILTER (WHERE e.report_key = ANY($2::bigint[])), '') AS new_outcomes,
       sum(e.duration_ms)::real AS duration_ms
FROM flake_events e
WHERE e.run_id = $1
GROUP BY e.test_case_id
HAVING $3 OR bool_or(e.report_key = ANY($2::bigint[]))
ORDER BY e.test_case_id

-- name: states
SELECT s.test_case_id, s.window_all, s.window_default, s.verdict, s.score, s.failures, c.test_group
FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
WHERE s.test_case_id = ANY($1::bigint[])

-- name: advance
-- Most tests have the windows of many others: these are sent once, each with the places of its tests in $9 and $10.
UPDATE flake_stats s SET
    window_all = w.window_all, window_default = w.window_default, runs = w.runs,
    lifetime_runs = s.lifetime_runs + w.new_runs, duration_ms = coalesce(n.duration_ms, s.duration_ms),
    first_seen_at = least(s.first_seen_at, $1), last_seen_at = greatest(s.last_seen_at, $1), analyzed_at = $2
FROM unnest($3::bytea[], $4::bytea[], $5::integer[], $6::integer[], $7::integer[], $8::integer[])
     AS w (window_all, window_default, runs, new_runs, first, last)
CROSS JOIN LATERAL unnest(($9::bigint[])[w.first:w.last], ($10::real[])[w.first:w.last]) AS n (test_case_id, duration_ms)
WHERE s.test_case_id = n.test_case_id

-- name: save
UPDATE flake_stats s SET
    window_all = n.window_all, window_default = n.window_default, verdict = n.verdict, severity = n.severity, score = n.score,
    failure_rate = n.failure_rate, inconsistency = n.inconsistency, recency = n.recency,
    branch_diversity = n.branch_diversity, flake_rate_low = n.flake_rate_low, flake_rate = n.flake_rate,
    flake_rate_high = n.flake_rate_high, runs = n.runs, failures = n.failures, findings = n.findings,
    broken_branches = ARRAY(SELECT jsonb_array_elements_text(n.broken_branches -> 'names')),
    lifetime_runs = s.lifetime_runs + n.new_runs, lifetime_failures = s.lifetime_failures + n.new_failures,
    lifetime_flakes = s.lifetime_flakes + n.new_flakes, duration_ms = coalesce(n.duration_ms, s.duration_ms),
    first_seen_at = least(s.first_seen_at, coalesce($1, s.first_seen_at)),
    last_seen_at = greatest(s.last_seen_at, coalesce($1, s.last_seen_at)),
    last_failed_at = CASE WHEN n.failed_now THEN greatest(s.last_failed_at, $1) ELSE s.last_failed_at END,
    analyzed_at = $2
FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::real[], $9::real[], $10::real[], $11::real[],
            $12::real[], $13::real[], $14::real[], $15::real[], $16::integer[], $17::integer[], $18::jsonb[], $19::jsonb[],
            $20::integer[], $21::integer[], $22::integer[], $23::real[], $24::boolean[])
     AS n (test_case_id, window_all, window_default, verdict, severity, score, failure_rate, inconsistency, recency,
           branch_diversity, flake_rate_low, flake_rate, flake_rate_high, runs, failures, findings, broken_branches,
           new_runs, new_failures, new_flakes, duration_ms, failed_now)
WHERE s.test_case_id = n.test_case_id

-- name: add_changes
INSERT INTO verdict_changes (project_id, test_case_id, run_id, from_verdict, to_verdict, score, created_at)
SELECT $1, n.test_case_id, $2, n.from_verdict, n.to_verdict, n.score, $3
FROM unnest($4::bigint[], $5::text[], $6::text[], $7::real[]) AS n (test_case_id, from_verdict, to_verdict, score)

-- name: notify
SELECT realtime.send('internal:flakeguard', 'analyzed', to_jsonb($1::text))

-- name: ingestion_to_analyze
SELECT state, run_id FROM ingestions WHERE id = $1 FOR UPDATE

-- name: mark_analyzed
UPDATE ingestions SET state = 'analyzed', flake_events_created = $2, analyzed_at = $3 WHERE id = $1

-- name: project
SELECT id, default_branch FROM projects WHERE id = $1

-- name: page_of_tests
SELECT test_case_id FROM flake_stats WHERE project_id = $1 AND test_case_id > $2 ORDER BY test_case_id LIMIT $3

-- name: events_of_tests
SELECT test_case_id, run_id, string_agg(outcome::text, '' ORDER BY report_key, position) AS outcomes
FROM flake_events WHERE test_case_id = ANY($1::bigint[]) AND executed_at >= $2
GROUP BY test_case_id, run_id

-- name: try_ageing
SELECT pg_try_advisory_xact_lock(hashtextextended('flakeguard ageing', 0))

-- name: due_for_ageing
SELECT id FROM projects WHERE aged_at < $1 AND id <> ALL ($2::bigint[]) ORDER BY id LIMIT 1

-- name: aged
UPDATE projects SET aged_at = $2 WHERE id = $1

-- name: explained_run
SELECT r.id, r.project_id, r.sha, r.branch, r.job, r.variant, r.pr_number, r.run_url, r.workflow, r.executed_at, r.tests,
       r.failed, r.skipped, r.flaked, r.outage, p.default_branch
FROM test_runs r JOIN projects p ON p.id = r.project_id
WHERE r.id = $1 AND r.project_id = $2

-- name: failures_of_run
WITH failed AS (
    SELECT e.test_case_id,
           array_agg(e.outcome ORDER BY e.report_key, e.position) AS outcomes,
           (array_agg(e.failure_id ORDER BY e.report_key DESC, e.position DESC) FILTER (WHERE e.failure_id IS NOT NULL))[1]
               AS failure_id
    FROM flake_events e
    WHERE e.run_id = $1
    GROUP BY e.test_case_id
    HAVING bool_or(e.outcome IN (1, 2))
)
SELECT f.test_case_id, f.outcomes, c.suite, c.file, c.class_name, c.name, c.variant, c.test_group,
       x.failure_type, x.message, left(x.details, $3) AS details, s.verdict, s.window_all, s.window_default,
       count(*) OVER () AS total
FROM failed f
JOIN test_cases c ON c.id = f.test_case_id
JOIN flake_stats s ON s.test_case_id = f.test_case_id
LEFT JOIN failures x ON x.id = f.failure_id
ORDER BY c.file NULLS LAST, c.class_name, c.name, f.test_case_id
LIMIT $2

-- name: base_is_known
SELECT EXISTS (
    SELECT 1 FROM test_runs WHERE project_id = $1 AND branch = $2 AND executed_at <= $3 AND id <> $4 AND tests > 0 AND NOT outage
)

-- name: newest_run
SELECT id FROM test_runs
WHERE project_id = $1 AND ($2::text IS NULL OR sha LIKE $2 || '%') AND ($3::text IS NULL OR branch = $3)
ORDER BY executed_at DESC, key DESC LIMIT 1

-- name: flakes
SELECT s.test_case_id, c.suite, c.file, c.class_name, c.name, c.variant, s.verdict, s.severity, s.score, s.failure_rate,
       s.inconsistency, s.recency, s.branch_diversity, s.flake_rate, s.flake_rate_low, s.flake_rate_high, s.runs, s.failures,
       s.broken_branches, s.lifetime_runs, s.lifetime_failures, s.lifetime_flakes, s.first_seen_at, s.last_seen_at,
       s.last_failed_at, count(*) OVER () AS total
FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
WHERE s.project_id = $1
  AND CASE WHEN $2::text[] IS NULL THEN s.verdict NOT IN ('stable', 'unproven') ELSE s.verdict = ANY($2) END
  AND ($3::timestamptz IS NULL OR s.last_failed_at >= $3)
  AND (($4::text IS NULL AND $5::text IS NULL) OR EXISTS (
        SELECT 1 FROM flake_events e JOIN test_runs r ON r.id = e.run_id
        WHERE e.test_case_id = s.test_case_id AND e.outcome IN (1, 2)
          AND ($4::text IS NULL OR r.repository = $4) AND ($5::text IS NULL OR r.job = $5)))
ORDER BY s.score DESC, s.test_case_id
LIMIT $6 OFFSET $7

-- name: flake
SELECT s.*, c.suite, c.file, c.class_name, c.name, c.variant
FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
WHERE s.test_case_id = $1 AND s.project_id = $2

-- name: described_runs
SELECT id, sha, branch, job, variant, run_url, executed_at FROM test_runs WHERE id = ANY($1::integer[])

-- name: projects_to_analyze
SELECT p.id, p.slug, (SELECT count(*) FROM flake_stats s WHERE s.project_id = p.id)::integer AS tests
FROM projects p WHERE $1::text IS NULL OR p.slug = $1 OR p.id::text = $1 ORDER BY p.id
