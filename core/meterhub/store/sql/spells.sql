-- name: spell_start
-- A collector went online or offline: its open spell ends and the next begins.
insert into spells (collector, state, since_ms, cause) values (:collector, :state, :now_ms, :cause);

-- name: spell_end
-- Ends the open spell of a collector.
update spells set until_ms = :now_ms where collector = :collector and until_ms is null;

-- name: spells_of
-- The spells of one collector that touch a time, oldest first.
select state, since_ms, until_ms, cause from spells
where collector = :collector and since_ms < :to_ms and (until_ms is null or until_ms > :from_ms) order by since_ms;

-- name: open_spells_at_start
-- The hub was down: what was online until the last sign of life is unknown since then.
update spells set until_ms = :last_ms where until_ms is null;
