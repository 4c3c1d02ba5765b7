-- The ledger lives on short transactions: one left open stops pruning, and every admission becomes slower.
-- Each statement here is set for the whole database, so that it binds whoever connects.
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''5s''', current_database());
    EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''10s''', current_database());
    IF current_setting('server_version_num')::int >= 170000 THEN
        EXECUTE format('ALTER DATABASE %I SET transaction_timeout = ''30s''', current_database());
    END IF;
END $$;
