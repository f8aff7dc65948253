-- The changes of `topics`, and of all channels, that the snapshot `since` did not see and `upto` does; that is the one of now
-- when it is NULL. Ids begin behind `after`, and end with `most_rows` or where `most_characters` are reached: rows become
-- text only as they are fetched. The last row has no id; it says up to which snapshot was looked, and whether there may be more.
-- One round trip. It runs with the rights of whoever calls it, so it is the service role's.
CREATE FUNCTION realtime.changes_since(
    since pg_snapshot, upto pg_snapshot, after bigint, topics text[], most_rows integer, most_characters bigint
) RETURNS TABLE (
    snapshot text, id bigint, topic text, type text, at timestamptz, record text, old_record text, details text,
    more boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    visible pg_catalog.pg_snapshot := coalesce(upto, pg_catalog.pg_current_snapshot());
    characters bigint := 0;
    rows integer := 0;
BEGIN
    FOR id, topic, type, at, record, old_record, details IN
        SELECT page.id, page.topic, page.type, page.at, page.record::text, page.old_record::text, page.details::text
        FROM (
            SELECT * FROM realtime.changes AS c
            WHERE (c.transaction >= pg_catalog.pg_snapshot_xmax(since)
                   OR c.transaction = ANY (ARRAY(SELECT pg_catalog.pg_snapshot_xip(since))))
              AND pg_catalog.pg_visible_in_snapshot(c.transaction, visible)
              AND c.id > after
              AND (c.topic = ANY (topics) OR c.type = 'BROADCAST')
            ORDER BY c.id
            LIMIT most_rows
        ) AS page
        ORDER BY page.id
    LOOP
        RETURN NEXT;
        rows := rows + 1;
        characters := characters + coalesce(length(record), 0) + coalesce(length(old_record), 0)
                      + coalesce(length(details), 0);
        EXIT WHEN characters > most_characters;
    END LOOP;
    more := rows = most_rows OR characters > most_characters;
    snapshot := visible::text;
    id := NULL; topic := NULL; type := NULL; at := NULL; record := NULL; old_record := NULL; details := NULL;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION realtime.changes_since FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.changes_since TO service_role;

DROP FUNCTION realtime.visible_records(regclass, jsonb, jsonb);

-- Which of `records` each of `requests` ({"claims": "…", "records": [positions from 0]}) may see, judged by the policies
-- on the rows as they were recorded: what a row has become since, or that it is gone, says nothing of who might see it.
-- Runs as the role that listens, whose rights the policies' own queries have. One call serves any number of claims.
-- With `keep_plan` the question is planned once for a session and not for each claims, which is most of its time. Text is
-- then read for each claims, so it must be short.
CREATE FUNCTION realtime.visible_records(relation regclass, records jsonb, requests jsonb, keep_plan boolean)
RETURNS TABLE (request integer, place integer) LANGUAGE plpgsql AS $$
DECLARE
    probe text;
    plan text;
    kept text[];
    old text;
BEGIN
    -- Policies must not be asked under made-up claims by whoever reaches this function by SQL.
    IF pg_catalog.current_setting('realtime.checking', true) IS DISTINCT FROM 'on' THEN
        RAISE insufficient_privilege USING MESSAGE = 'only the realtime server asks this';
    END IF;
    SELECT pg_catalog.format(
               'SELECT c.place::integer FROM pg_catalog.jsonb_array_elements_text($1) AS c (place) WHERE EXISTS ('
               'SELECT FROM pg_catalog.jsonb_populate_record(NULL::%1$I.%2$I, $2 -> c.place::integer) AS %2$I WHERE %3$s)',
               n.nspname, t.relname, realtime.select_condition(relation))
    INTO probe
    FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = relation;
    IF keep_plan AND pg_catalog.length(records::text) <= 2000 THEN
        plan := 'realtime_' || pg_catalog.md5(current_user || ' ' || probe);
        kept := ARRAY(SELECT name FROM pg_catalog.pg_prepared_statements WHERE pg_catalog.starts_with(name, 'realtime_'));
        IF plan <> ALL (kept) THEN
            IF pg_catalog.cardinality(kept) >= 50 THEN
                FOREACH old IN ARRAY kept LOOP
                    EXECUTE pg_catalog.format('DEALLOCATE %I', old);
                END LOOP;
            END IF;
            EXECUTE pg_catalog.format('PREPARE %I (jsonb, jsonb) AS %s', plan, probe);
        END IF;
        PERFORM pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true);
    END IF;
    FOR number IN 0 .. pg_catalog.jsonb_array_length(requests) - 1 LOOP
        request := number;
        PERFORM pg_catalog.set_config('request.jwt.claims', requests -> request ->> 'claims', true);
        IF plan IS NOT NULL THEN
            FOR place IN EXECUTE pg_catalog.format('EXECUTE %I (%L, %L)', plan, requests -> request -> 'records', records)
            LOOP
                RETURN NEXT;
            END LOOP;
        ELSE
            FOR place IN EXECUTE probe USING requests -> request -> 'records', records LOOP
                RETURN NEXT;
            END LOOP;
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION realtime.visible_records FROM PUBLIC;
GRANT EXECUTE ON FUNCTION realtime.visible_records TO anon, authenticated, service_role;
