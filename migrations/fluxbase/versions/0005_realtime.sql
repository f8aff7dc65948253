-- The change table, its triggers and who may listen.
SELECT 1;
