-- What deploy/citus.sql calls of Citus: each function only checks what Citus refuses.
CREATE TABLE distributed_tables (name regclass PRIMARY KEY, key text NOT NULL);

CREATE FUNCTION create_distributed_table(distributed regclass, key text, colocate_with text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = distributed AND NOT tgisinternal) THEN
        RAISE 'cannot distribute %, which has triggers', distributed;
    END IF;
    IF EXISTS (
        SELECT FROM pg_index WHERE indrelid = distributed AND indisunique AND NOT (
            SELECT attnum FROM pg_attribute WHERE attrelid = distributed AND attname = key
        ) = ANY (indkey)
    ) THEN
        RAISE 'cannot create constraint on %, it does not include %', distributed, key;
    END IF;
    IF colocate_with <> 'none' AND to_regclass(colocate_with) NOT IN (SELECT name FROM distributed_tables) THEN
        RAISE 'relation % is not distributed', colocate_with;
    END IF;
    INSERT INTO distributed_tables VALUES (distributed, key);
END $$;

CREATE FUNCTION create_reference_table(copied regclass) RETURNS void LANGUAGE sql AS '';

CREATE FUNCTION truncate_local_data_after_distributing_table(distributed regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF distributed NOT IN (SELECT name FROM distributed_tables) THEN
        RAISE 'supplied parameter is not a distributed relation';
    END IF;
END $$;
