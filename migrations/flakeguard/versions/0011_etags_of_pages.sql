-- Each page of a repository's list of runs is asked for conditionally, not the first alone; in the order of the pages.
ALTER TABLE github_repositories ADD COLUMN etags text[] NOT NULL DEFAULT '{}';
UPDATE github_repositories SET etags = ARRAY[etag] WHERE etag IS NOT NULL;
ALTER TABLE github_repositories DROP COLUMN etag;
