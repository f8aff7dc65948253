-- Lists of projects ask each for the newest runs of its default branch, and that must not read through all others.
CREATE INDEX test_runs_project_branch_idx ON test_runs (project_id, branch, executed_at DESC);
