-- What old rows are deleted with.

-- Reports whose content is still there, by age: most of the table was cleared long ago, and must not be read each night.
CREATE INDEX junit_files_content_idx ON junit_files (created_at) WHERE content IS NOT NULL;

-- Only an owner may drop a partition; the runtime owns nothing. Uploads wait for whoever waits for the lock, so that wait
-- is short: who calls tries again later.
CREATE FUNCTION flakeguard.drop_event_months(before timestamptz, OUT months integer, OUT events bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    part regclass;
    rows bigint;
BEGIN
    -- A caller that means the future would lose what is known of the present.
    IF before > now() - interval '1 day' THEN
        RAISE EXCEPTION 'months are dropped that ended at least a day ago, not before %', before;
    END IF;
    months := 0;
    events := 0;
    -- Not while somebody makes partitions.
    PERFORM pg_advisory_xact_lock(hashtextextended('flakeguard partitions', 0));
    FOR part IN
        SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'flake_events'::regclass
          AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= before
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT count(*) FROM %s', part) INTO rows;
        EXECUTE format('DROP TABLE %s', part);
        months := months + 1;
        events := events + rows;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION flakeguard.drop_event_months(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION flakeguard.drop_event_months(timestamptz) TO service_role;
