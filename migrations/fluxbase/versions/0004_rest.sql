-- What the REST interface needs of the database.
SELECT 1;
