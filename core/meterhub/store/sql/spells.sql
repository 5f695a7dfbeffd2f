-- name: end_spell
-- A collector changed its state: its open spell ends.
update spells set until_ms = max(since_ms, :now_ms) where device = :device and until_ms is null;

-- name: begin_spell
-- A spell of a collector begins; :until_ms is null unless it has ended meanwhile.
insert into spells (device, state, since_ms, until_ms, cause) values (:device, :state, :since_ms, :until_ms, :cause);

-- name: end_all_spells
-- The hub stopped: every open spell ends.
update spells set until_ms = max(since_ms, :now_ms) where until_ms is null;

-- name: spells_of
-- The spells of one collector that touch a time, oldest first.
select state, since_ms, until_ms, cause from spells
where device = :device and since_ms < :to_ms and (until_ms is null or until_ms > :from_ms)
order by since_ms, id;

-- name: hub_alive
-- When the hub last noted that it lives, in epoch ms.
select value_json from settings where operator = 'main' and key = 'hub_alive';

-- name: note_hub_alive
-- The hub lives.
insert into settings (operator, key, value_json, updated_ms) values ('main', 'hub_alive', :now_ms, :now_ms)
on conflict (operator, key) do update set value_json = excluded.value_json, updated_ms = excluded.updated_ms;

-- name: pairings
-- Which registration was given to which collector, as rows of settings.
select key, value_json from settings where operator = 'main' and key like :prefix;

-- name: keep_pairing
-- Give a registration to a collector.
insert into settings (operator, key, value_json, updated_ms) values ('main', :key, :value, :now_ms)
on conflict (operator, key) do update set value_json = excluded.value_json, updated_ms = excluded.updated_ms;
