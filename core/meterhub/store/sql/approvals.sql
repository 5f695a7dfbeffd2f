-- name: approvals.one
-- One deed that waits, or waited, for a second person.
select * from approvals where id = :id;

-- name: approvals.by_key
-- The deed that holds a key.
select * from approvals where key = :key;

-- name: approvals.waiting
-- What waits for a second person, oldest first.
select * from approvals where operator = :operator and state = 'waiting' order by id limit :most;
