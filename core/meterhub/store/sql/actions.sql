-- name: run_by_key
-- The run that holds an idempotency key of this actor.
select * from action_runs where actor = :actor and key = :key;

-- name: run_by_id
-- One run.
select * from action_runs where id = :id;

-- name: runs_of_target
-- The latest commands of one device, newest first.
select * from action_runs where target = :target order by created_ms desc limit :most;

-- name: runs_of_keys
-- The commands to one device whose keys begin alike, newest first.
select id, action, state, created_ms from action_runs
where target = :target and created_ms >= :from_ms and key like :prefix order by created_ms desc limit :most;

-- name: close_open_runs
-- Runs that were under way when the hub stopped: nobody knows how they ended.
update action_runs set state = 'failed', error_json = :error, updated_ms = :now_ms
where state in ('queued', 'sent');
