-- name: claim_due
-- One row per occasion; changes nothing when the occasion was claimed before.
insert into due (schedule, due_at, state, claimed_ms) values (:schedule, :due_at, 'running', :now_ms)
on conflict (schedule, due_at) do nothing;

-- name: finish_due
-- How an occasion ended.
update due set state = 'finished', finished_ms = :now_ms, detail = :detail
where schedule = :schedule and due_at = :due_at;

-- name: last_due
-- The latest occasion of a schedule that was claimed.
select max(due_at) as due_at from due where schedule = :schedule;
