-- name: book_meters
-- The meters that people took in, in the order in which they came.
select id, config_json from devices where operator = :operator and kind = 'meter' order by created_ms, id;

-- name: forget_book_meter
-- A meter of the book goes.
delete from devices where id = :id and operator = :operator and kind = 'meter';
