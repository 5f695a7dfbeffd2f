-- name: book_meters
-- The meters that people took in, in the order in which they came.
select id, config_json from devices where operator = :operator and kind = 'meter' order by created_ms, id;

-- name: move_book_meter
-- A meter of the book hangs on another line.
update devices set config_json = json_set(config_json, '$.line', :line), updated_ms = :now_ms
where id = :id and operator = :operator and kind = 'meter';

-- name: forget_book_meter
-- A meter of the book goes.
delete from devices where id = :id and operator = :operator and kind = 'meter';

-- name: learned
-- What protocols learned of their meters, as rows of settings.
select key, value_json from settings where operator = 'main' and key like :prefix;

-- name: keep_learned
-- What is known of one meter now.
insert into settings (operator, key, value_json, updated_ms) values ('main', :key, :value, :now_ms)
on conflict (operator, key) do update set value_json = excluded.value_json, updated_ms = excluded.updated_ms;

-- name: forget_learned
-- Nothing is known of one meter any more.
delete from settings where operator = 'main' and key = :key;
