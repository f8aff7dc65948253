-- Buckets and objects.
SELECT 1;
