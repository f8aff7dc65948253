-- Keys of machines.
SELECT 1;
