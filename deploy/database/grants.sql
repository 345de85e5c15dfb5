-- After every migration, as novaops_owner.
GRANT USAGE, CREATE ON SCHEMA public TO novaops;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO novaops;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO novaops;

-- The audit chain is read and appended to. Its owner is somebody else, so that no trigger can be taken off either.
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM novaops;

-- The worker makes and drops partitions of samples, which only their owner may.
DO $$
DECLARE found regclass;
BEGIN
    FOR found IN
        SELECT oid FROM pg_class
        WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            AND relname ~ '^dashboard_(sample|fiveminutes|hour)(_\d+)?$'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO novaops', found);
    END LOOP;
END $$;
