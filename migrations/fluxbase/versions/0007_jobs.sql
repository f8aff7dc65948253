-- Jobs, workers, schedules.
SELECT 1;
