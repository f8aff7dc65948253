-- name: glance
-- All that follows a project's name is found by an index, and is of a size that no history changes: of the default
-- branch the newest commits, of the tests those that are neither stable nor unproven.
WITH named AS (
    SELECT id, organization_id, name, default_branch FROM projects
    WHERE organization_id = ANY ($1::bigint[]) AND ($2::text IS NULL OR name ILIKE $2)
), standing AS (
    SELECT p.*, t.flaky, t.broken, t.suspected, newest.executed_at AS last_result_at, head.failed AS head_failed,
           head.outage AS head_outage
    FROM named p
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE verdict = 'flaky') AS flaky, count(*) FILTER (WHERE verdict = 'broken') AS broken,
               count(*) FILTER (WHERE verdict = 'suspected') AS suspected
        FROM flake_stats WHERE project_id = p.id AND verdict NOT IN ('stable', 'unproven')) t
    LEFT JOIN LATERAL (
        SELECT executed_at FROM test_runs WHERE project_id = p.id ORDER BY executed_at DESC LIMIT 1) newest ON true
    LEFT JOIN LATERAL (
        SELECT sha FROM test_runs WHERE project_id = p.id AND branch = p.default_branch
        ORDER BY executed_at DESC LIMIT 1) latest ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(failed > 0 AND NOT outage), false) AS failed, coalesce(bool_or(outage), false) AS outage
        FROM (SELECT DISTINCT ON (workflow, job, variant) failed, outage FROM test_runs
              WHERE project_id = p.id AND sha = latest.sha AND branch = p.default_branch
              ORDER BY workflow, job, variant, executed_at DESC, id DESC) jobs) head
), ranked AS (
    SELECT *, count(*) OVER () AS total, count(*) FILTER (WHERE trouble > 2) OVER () AS troubled
    FROM (SELECT *, CASE WHEN last_result_at IS NULL THEN 0
                         WHEN last_result_at < $3::timestamptz THEN 1
                         WHEN head_failed THEN 7 WHEN broken > 0 THEN 6 WHEN head_outage THEN 5
                         WHEN flaky > 0 THEN 4 WHEN suspected > 0 THEN 3 ELSE 2 END AS trouble
          FROM standing) judged
), ordered AS (
    SELECT *, row_number() OVER (
        ORDER BY CASE WHEN $5::boolean THEN -sort_number ELSE sort_number END NULLS LAST,
                 CASE WHEN $5::boolean THEN sort_text END DESC, CASE WHEN NOT $5::boolean THEN sort_text END,
                 trouble DESC, broken DESC, flaky DESC, suspected DESC, lower(name), id) AS place
    FROM (SELECT *, CASE $4::text WHEN 'trouble' THEN trouble WHEN 'broken' THEN broken WHEN 'flaky' THEN flaky
                                  WHEN 'suspected' THEN suspected
                                  WHEN 'latest' THEN extract(epoch FROM last_result_at) END AS sort_number,
                    CASE WHEN $4::text = 'name' THEN lower(name) END AS sort_text
          FROM ranked) keyed
    ORDER BY place LIMIT $7 OFFSET $8
)
SELECT o.id, o.organization_id, o.name, o.default_branch, o.flaky, o.broken, o.suspected, o.last_result_at,
       coalesce(history.commits, '[]') AS commits, arrived.state AS upload_state, connected.repository,
       o.total, o.troubled
FROM ordered o
LEFT JOIN LATERAL (
    SELECT jsonb_agg(to_jsonb(c) ORDER BY c.at DESC) AS commits
    FROM (SELECT head.sha, head.at, count(*) AS jobs, count(*) FILTER (WHERE failed > 0 AND NOT outage) AS failed,
                 count(*) FILTER (WHERE outage) AS outages,
                 count(*) FILTER (WHERE failed = 0 AND NOT outage AND (flaked > 0 OR failed_before)) AS flaked,
                 (array_agg(id ORDER BY (failed > 0 AND NOT outage) DESC, outage DESC, (flaked > 0 OR failed_before) DESC, executed_at DESC))[1] AS run_id
          FROM (SELECT sha, max(executed_at) AS at
                FROM (SELECT sha, executed_at FROM test_runs WHERE project_id = o.id AND branch = o.default_branch
                      ORDER BY executed_at DESC LIMIT 240) newest
                GROUP BY sha ORDER BY at DESC LIMIT $6) head
          CROSS JOIN LATERAL (
              SELECT DISTINCT ON (workflow, job, variant) id, failed, outage, flaked, executed_at,
                     bool_or(failed > 0 AND NOT outage) OVER (PARTITION BY workflow, job, variant) AS failed_before
              FROM test_runs WHERE project_id = o.id AND sha = head.sha AND branch = o.default_branch
              ORDER BY workflow, job, variant, executed_at DESC, id DESC) jobs
          GROUP BY head.sha, head.at) c) history ON true
LEFT JOIN LATERAL (
    SELECT state FROM ingestions WHERE project_id = o.id AND o.last_result_at IS NULL
    ORDER BY created_at DESC LIMIT 1) arrived ON true
LEFT JOIN LATERAL (
    SELECT full_name AS repository FROM github_repositories
    WHERE project_id = o.id AND o.last_result_at IS NULL AND removed_at IS NULL ORDER BY id LIMIT 1) connected ON true
ORDER BY o.place
