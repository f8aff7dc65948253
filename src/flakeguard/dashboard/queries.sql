-- name: places
SELECT o.id AS organization_id, o.name AS organization_name, o.slug AS organization_slug, m.role,
       p.id AS project_id, p.name AS project_name
FROM memberships m
JOIN organizations o ON o.id = m.organization_id
LEFT JOIN projects p ON p.organization_id = o.id
WHERE m.user_id = $1
ORDER BY lower(o.name), o.id, lower(p.name), p.id

-- name: verdict_counts
SELECT verdict, count(*) AS tests FROM flake_stats WHERE project_id = $1 GROUP BY verdict

-- name: project_pulse
SELECT (SELECT max(created_at) FROM test_runs WHERE project_id = $1) AS last_upload_at,
       (SELECT count(*) FROM ingestions WHERE project_id = $1 AND state IN ('accepted', 'stored')) AS pending

-- name: trend
SELECT date_trunc('day', executed_at AT TIME ZONE 'utc')::date AS day,
       count(*) AS runs,
       count(*) FILTER (WHERE flaked > 0) AS flaked,
       count(*) FILTER (WHERE failed > 0) AS failed
FROM test_runs
WHERE project_id = $1 AND executed_at >= $2 AND ($3::text IS NULL OR branch = $3)
GROUP BY 1 ORDER BY 1

-- name: find_tests
WITH found AS (
    SELECT c.id, c.suite, c.file, c.class_name, c.name, c.variant, s.verdict, s.severity, s.score, s.flake_rate_low,
           s.flake_rate, s.flake_rate_high, s.runs, s.failures, s.broken_branches, s.duration_ms, s.last_failed_at,
           s.last_seen_at, s.window_all, count(*) OVER () AS total,
           CASE $8::text
               WHEN 'score' THEN s.score
               WHEN 'rate' THEN s.flake_rate
               WHEN 'failures' THEN s.failures
               WHEN 'duration' THEN s.duration_ms
               WHEN 'failed' THEN extract(epoch FROM s.last_failed_at)
               WHEN 'verdict' THEN array_position(ARRAY['unproven', 'stable', 'recovering', 'suspected', 'flaky', 'broken'], s.verdict)
           END AS sort_number,
           CASE WHEN $8::text = 'name' THEN lower(c.name) END AS sort_text
    FROM flake_stats s
    JOIN test_cases c ON c.id = s.test_case_id
    WHERE s.project_id = $1
      AND s.verdict = ANY ($2::text[])
      AND ($3::text IS NULL
           OR (coalesce(c.file, '') || ' ' || c.suite || ' ' || c.class_name || ' ' || c.name) ILIKE $3)
      AND ($4::text IS NULL OR c.suite = $4)
      AND ($5::text IS NULL OR c.variant = $5)
      AND ($6::timestamptz IS NULL OR s.last_failed_at >= $6)
      AND ($7::text IS NULL OR EXISTS (
           SELECT FROM flake_events e
           JOIN test_runs r ON r.id = e.run_id
           WHERE e.project_id = $1 AND e.test_case_id = c.id AND e.outcome IN (1, 2) AND r.branch = $7
             AND ($6::timestamptz IS NULL OR e.executed_at >= $6)))
)
SELECT * FROM found
ORDER BY CASE WHEN $9::boolean THEN -sort_number ELSE sort_number END NULLS LAST,
         CASE WHEN $9::boolean THEN sort_text END DESC, CASE WHEN NOT $9::boolean THEN sort_text END ASC,
         score DESC, id
LIMIT $10 OFFSET $11

-- name: test_choices
SELECT array(SELECT DISTINCT c.suite FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
             WHERE s.project_id = $1 AND s.verdict NOT IN ('stable', 'unproven') AND c.suite <> '' ORDER BY 1 LIMIT 200) AS suites,
       array(SELECT DISTINCT c.variant FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id
             WHERE s.project_id = $1 AND s.verdict NOT IN ('stable', 'unproven') AND c.variant <> '' ORDER BY 1 LIMIT 200) AS variants

-- name: branches
SELECT branch FROM test_runs
WHERE project_id = $1 AND executed_at >= $2 AND branch <> ''
GROUP BY branch ORDER BY max(executed_at) DESC LIMIT 100

-- name: find_runs
SELECT id, sha, branch, job, variant, pr_number, event, run_url, executed_at, completed_at, tests, failed, skipped,
       flaked, outage, run_number, count(*) OVER () AS total
FROM test_runs
WHERE project_id = $1
  AND ($2::text IS NULL OR branch = $2)
  AND ($3::text IS NULL OR starts_with(sha, $3))
  AND CASE $4::text WHEN 'failed' THEN failed > 0 AND NOT outage WHEN 'passed' THEN failed = 0
                    WHEN 'flaky' THEN flaked > 0 WHEN 'outage' THEN outage ELSE true END
ORDER BY executed_at DESC, id DESC
LIMIT $5 OFFSET $6

-- name: find_run
SELECT id, sha, branch, job, variant, pr_number, event, run_url, executed_at, completed_at, tests, failed, skipped,
       flaked, outage, run_number, provider, repository, workflow, run_attempt, created_at
FROM test_runs WHERE project_id = $1 AND id = $2

-- name: runs_of_commit
SELECT id, job, variant, executed_at, failed, flaked, outage, run_attempt
FROM test_runs WHERE project_id = $1 AND sha = $2 ORDER BY executed_at DESC, id DESC LIMIT 20

-- name: slowest_of_run
SELECT c.id, c.suite, c.file, c.class_name, c.name, c.variant, max(e.duration_ms) AS duration_ms,
       s.duration_ms AS latest_duration_ms
FROM flake_events e
JOIN test_cases c ON c.id = e.test_case_id
LEFT JOIN flake_stats s ON s.test_case_id = e.test_case_id
WHERE e.project_id = $1 AND e.run_id = $2 AND e.duration_ms IS NOT NULL AND e.outcome <> 3
GROUP BY c.id, s.test_case_id ORDER BY max(e.duration_ms) DESC LIMIT $3

-- name: find_test
SELECT c.id, c.suite, c.file, c.class_name, c.name, c.variant, s.verdict, s.severity, s.score, s.failure_rate,
       s.inconsistency, s.recency, s.branch_diversity, s.flake_rate_low, s.flake_rate, s.flake_rate_high, s.runs,
       s.failures, s.broken_branches, s.lifetime_runs, s.lifetime_failures, s.lifetime_flakes, s.duration_ms,
       s.first_seen_at, s.last_seen_at, s.last_failed_at, s.analyzed_at, s.findings
FROM test_cases c
JOIN flake_stats s ON s.test_case_id = c.id
WHERE c.project_id = $1 AND c.id = $2

-- name: attempts_of_test
WITH recent AS (
    SELECT run_id FROM flake_events WHERE project_id = $1 AND test_case_id = $2
    GROUP BY run_id ORDER BY max(executed_at) DESC, run_id DESC LIMIT $3
)
SELECT e.run_id, e.outcome, e.duration_ms, r.sha, r.branch, r.job, r.variant, r.executed_at, r.outage,
       f.failure_type, f.message
FROM recent
JOIN flake_events e ON e.run_id = recent.run_id AND e.test_case_id = $2 AND e.project_id = $1
JOIN test_runs r ON r.id = e.run_id
LEFT JOIN failures f ON f.id = e.failure_id
ORDER BY r.executed_at DESC, r.key DESC, e.report_key, e.position

-- name: failures_of_test
WITH grouped AS (
    SELECT f.fingerprint, count(*) AS times, count(DISTINCT e.run_id) AS runs, max(e.executed_at) AS last_at,
           (array_agg(f.id ORDER BY e.executed_at DESC))[1] AS sample_id,
           (array_agg(e.run_id ORDER BY e.executed_at DESC))[1] AS last_run_id
    FROM flake_events e
    JOIN failures f ON f.id = e.failure_id
    WHERE e.project_id = $1 AND e.test_case_id = $2
    GROUP BY f.fingerprint ORDER BY max(e.executed_at) DESC LIMIT $3
)
SELECT g.times, g.runs, g.last_at, g.last_run_id, f.failure_type, f.message, f.details
FROM grouped g JOIN failures f ON f.id = g.sample_id
ORDER BY g.times DESC, g.last_at DESC

-- name: verdict_changes_of_test
SELECT v.from_verdict, v.to_verdict, v.score, v.created_at, r.id AS run_id, r.sha, r.branch
FROM verdict_changes v
LEFT JOIN test_runs r ON r.id = v.run_id
WHERE v.project_id = $1 AND v.test_case_id = $2 ORDER BY v.created_at DESC, v.id DESC LIMIT $3

-- name: find_uploads
SELECT i.id, i.state, i.meta, i.run_id, i.junit_files, i.test_results, i.flake_events_created, i.error, i.created_at,
       i.stored_at, i.analyzed_at, count(*) OVER () AS total
FROM ingestions i
WHERE i.project_id = $1 AND ($2::text IS NULL OR i.state = $2)
ORDER BY i.created_at DESC, i.id
LIMIT $3 OFFSET $4

-- name: files_of_uploads
SELECT ingestion_id, filename, size_bytes, format, test_count, warnings, error
FROM junit_files WHERE project_id = $1 AND ingestion_id = ANY ($2::uuid[]) ORDER BY id
