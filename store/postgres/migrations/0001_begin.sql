-- {schema} becomes the quoted name of the schema. A file that was released is never changed: what is to
-- be different goes into the next one.

-- body is json and not jsonb: jsonb sorts keys, drops doubled ones and spaces, and refuses \u0000 and
-- 1e400, while a document has to come back byte for byte. json keeps the text, checks that it is JSON, and
-- can be looked into all the same: SELECT id, body->>'disabled' FROM docs WHERE tbl = 'credstate'.
-- Times are milliseconds since 1970, as exact as the gateway has them: to_timestamp(expires / 1000.0).
CREATE TABLE {schema}.docs (
	tbl     text   COLLATE "C" NOT NULL,
	id      text   COLLATE "C" NOT NULL,
	rev     bigint NOT NULL,
	expires bigint,
	body    json   NOT NULL,
	PRIMARY KEY (tbl, id)
);
CREATE INDEX docs_expires ON {schema}.docs (expires) WHERE expires IS NOT NULL;

-- The revision of everything is the sum of n. Each write of a document adds one to one row in its own
-- transaction, so the sum that a reader sees counts exactly the writes that it sees; a sequence would not,
-- because its numbers are seen before what they count. There are several rows because one would let only
-- one transaction commit at a time.
CREATE TABLE {schema}.revision (
	part integer PRIMARY KEY,
	n    bigint  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO {schema}.revision SELECT part, 0 FROM generate_series(0, 31) AS part;

-- Rows that change all the time: room on the page lets a new version lie beside the old one.
CREATE TABLE {schema}.counters (
	name  text   COLLATE "C" PRIMARY KEY,
	value bigint NOT NULL CHECK (value >= 0)
) WITH (fillfactor = 70);

CREATE TABLE {schema}.batches (
	id    text   COLLATE "C" PRIMARY KEY,
	until bigint NOT NULL
);
CREATE INDEX batches_until ON {schema}.batches (until);

CREATE TABLE {schema}.leases (
	name  text   COLLATE "C" PRIMARY KEY,
	owner text   COLLATE "C" NOT NULL,
	until bigint NOT NULL
);

-- The time that decides is the server's, and that of the moment: now() is that of the transaction's begin.
CREATE FUNCTION {schema}.ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

CREATE FUNCTION {schema}.count_write(p_id text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	UPDATE {schema}.revision SET n = n + 1 WHERE part = hashtext(p_id) & 31;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'table revision has lost a row' USING ERRCODE = 'data_corrupted';
	END IF;
END $$;

-- get is a function because the plans in functions stay with the connection: without prepared statements
-- the server would make the plan of a SELECT each time, which takes longer than the rest of it.
CREATE FUNCTION {schema}.get(p_tbl text, p_id text, OUT rev bigint, OUT expires bigint, OUT body text)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	SELECT d.rev, d.expires, d.body::text INTO rev, expires, body FROM {schema}.docs AS d
	WHERE d.tbl = p_tbl AND d.id = p_id AND (d.expires IS NULL OR d.expires > {schema}.ms());
END $$;

-- put gives the new revision of the document, or none if it is not as p_when says: 0 there is none,
-- -1 whatever there is, else its revision.
CREATE FUNCTION {schema}.put(p_tbl text, p_id text, p_expires bigint, p_body text, p_when bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_rev bigint;
BEGIN
	IF p_when = -1 OR p_when = 0 THEN
		INSERT INTO {schema}.docs AS d (tbl, id, rev, expires, body)
		VALUES (p_tbl, p_id, 1, p_expires, p_body::json)
		ON CONFLICT (tbl, id) DO UPDATE
			SET rev = CASE WHEN d.expires <= {schema}.ms() THEN 1 ELSE d.rev + 1 END, expires = excluded.expires, body = excluded.body
			WHERE p_when = -1 OR d.expires <= {schema}.ms()
		RETURNING d.rev INTO v_rev;
	ELSE
		UPDATE {schema}.docs AS d SET rev = d.rev + 1, expires = p_expires, body = p_body::json
		WHERE d.tbl = p_tbl AND d.id = p_id AND d.rev = p_when AND (d.expires IS NULL OR d.expires > {schema}.ms())
		RETURNING d.rev INTO v_rev;
	END IF;
	IF v_rev IS NOT NULL THEN
		PERFORM {schema}.count_write(p_id);
	END IF;
	RETURN v_rev;
END $$;

-- del tells whether the document was there, and whether it is gone.
CREATE FUNCTION {schema}.del(p_tbl text, p_id text, p_when bigint, OUT was boolean, OUT done boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_rev bigint;
BEGIN
	SELECT d.rev INTO v_rev FROM {schema}.docs AS d
	WHERE d.tbl = p_tbl AND d.id = p_id AND (d.expires IS NULL OR d.expires > {schema}.ms())
	FOR UPDATE;
	was := FOUND;
	done := was AND (p_when = -1 OR p_when = v_rev);
	IF done THEN
		DELETE FROM {schema}.docs AS d WHERE d.tbl = p_tbl AND d.id = p_id;
		PERFORM {schema}.count_write(p_id);
	END IF;
END $$;

-- take adds p_n to a counter if the sum stays within p_limit. The first look costs no lock and no write, so
-- one who has nothing left does not hold up others; what counts is the condition of the write, which is
-- checked again when the row was locked by somebody else meanwhile.
CREATE FUNCTION {schema}.take(p_name text, p_n bigint, p_limit bigint, OUT done boolean, OUT rest bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_used bigint;
BEGIN
	SELECT c.value INTO v_used FROM {schema}.counters AS c WHERE c.name = p_name;
	v_used := coalesce(v_used, 0);
	done := p_limit >= 0 AND p_n <= p_limit AND v_used <= p_limit - p_n;
	IF done AND p_n > 0 THEN
		INSERT INTO {schema}.counters AS c (name, value) VALUES (p_name, p_n)
		ON CONFLICT (name) DO UPDATE SET value = c.value + p_n WHERE c.value <= p_limit - p_n
		RETURNING c.value INTO v_used;
		done := FOUND;
		IF NOT done THEN -- the row is locked now: this is the value that did not let it fit
			SELECT c.value INTO v_used FROM {schema}.counters AS c WHERE c.name = p_name;
		END IF;
	END IF;
	rest := CASE WHEN v_used >= p_limit THEN 0 ELSE p_limit - v_used END;
END $$;

-- shift is what a row of differences makes of a value: the sum, between two bounds.
CREATE FUNCTION {schema}.shift(p_value bigint, p_n bigint, p_low bigint, p_high bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT least(greatest(CASE WHEN p_n > 0 AND p_value > 9223372036854775807 - p_n THEN 9223372036854775807 ELSE p_value + p_n END, p_low), p_high)
$$;

-- add applies p_n[i] to the counter p_names[i], within the bounds. The names are in order and different, so
-- that two calls lock what they share in the same order and never wait for each other. Counters at zero
-- have no row: days and keys come and go, and their names with them.
CREATE FUNCTION {schema}.add(p_names text[], p_n bigint[], p_low bigint[], p_high bigint[], p_plain boolean)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_value bigint;
	i integer;
BEGIN
	IF p_plain THEN -- nothing but additions, which is nearly always: one statement
		INSERT INTO {schema}.counters AS c (name, value)
		SELECT u.name, u.n FROM unnest(p_names, p_n) WITH ORDINALITY AS u (name, n, place) ORDER BY u.place
		ON CONFLICT (name) DO UPDATE SET value = {schema}.shift(c.value, excluded.value, 0, 9223372036854775807);
		RETURN;
	END IF;
	FOR i IN 1 .. coalesce(array_length(p_names, 1), 0) LOOP
		UPDATE {schema}.counters AS c SET value = {schema}.shift(c.value, p_n[i], p_low[i], p_high[i])
		WHERE c.name = p_names[i] RETURNING c.value INTO v_value;
		IF NOT FOUND THEN
			v_value := {schema}.shift(0, p_n[i], p_low[i], p_high[i]);
			CONTINUE WHEN v_value = 0;
			INSERT INTO {schema}.counters AS c (name, value) VALUES (p_names[i], v_value)
			ON CONFLICT (name) DO UPDATE SET value = {schema}.shift(c.value, p_n[i], p_low[i], p_high[i])
			RETURNING c.value INTO v_value;
		END IF;
		IF v_value = 0 THEN
			DELETE FROM {schema}.counters AS c WHERE c.name = p_names[i];
		END IF;
	END LOOP;
END $$;

-- add_once is add, unless the id is known. A call with the same id that is under way is waited for.
CREATE FUNCTION {schema}.add_once(p_id text, p_for bigint, p_names text[], p_n bigint[], p_low bigint[], p_high bigint[], p_plain boolean)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO {schema}.batches (id, until) VALUES (p_id, {schema}.ms() + p_for) ON CONFLICT (id) DO NOTHING;
	IF FOUND THEN
		PERFORM {schema}.add(p_names, p_n, p_low, p_high, p_plain);
	END IF;
END $$;

-- claim takes, renews or gives up a lease. Others than the owner get their answer without a lock.
CREATE FUNCTION {schema}.claim(p_name text, p_owner text, p_for bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF p_for <= 0 THEN
		DELETE FROM {schema}.leases AS l WHERE l.name = p_name AND l.owner = p_owner;
		RETURN false;
	END IF;
	PERFORM 1 FROM {schema}.leases AS l WHERE l.name = p_name AND l.owner <> p_owner AND l.until > {schema}.ms();
	IF FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO {schema}.leases AS l (name, owner, until) VALUES (p_name, p_owner, {schema}.ms() + p_for)
	ON CONFLICT (name) DO UPDATE SET owner = p_owner, until = {schema}.ms() + p_for
	WHERE l.owner = p_owner OR l.until <= {schema}.ms();
	RETURN FOUND;
END $$;

-- sweep removes some of what has run out and tells how much it was. Only one node does it at a time: the
-- lock is that transaction's, and goes with it.
CREATE FUNCTION {schema}.sweep(p_lock bigint, p_most integer)
RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	v_now bigint := {schema}.ms();
	v_all integer := 0;
	v_some integer;
BEGIN
	IF NOT pg_try_advisory_xact_lock(p_lock) THEN
		RETURN 0;
	END IF;
	DELETE FROM {schema}.docs AS d USING (
		SELECT tbl, id FROM {schema}.docs WHERE expires <= v_now LIMIT p_most FOR UPDATE SKIP LOCKED
	) AS old WHERE d.tbl = old.tbl AND d.id = old.id;
	GET DIAGNOSTICS v_some = ROW_COUNT;
	v_all := v_all + v_some;
	DELETE FROM {schema}.batches AS b USING (
		SELECT id FROM {schema}.batches WHERE until <= v_now LIMIT p_most FOR UPDATE SKIP LOCKED
	) AS old WHERE b.id = old.id;
	GET DIAGNOSTICS v_some = ROW_COUNT;
	v_all := v_all + v_some;
	DELETE FROM {schema}.leases AS l USING (
		SELECT name FROM {schema}.leases WHERE until <= v_now LIMIT p_most FOR UPDATE SKIP LOCKED
	) AS old WHERE l.name = old.name;
	GET DIAGNOSTICS v_some = ROW_COUNT;
	RETURN v_all + v_some;
END $$;
