-- name: claim_due
-- One row per occasion; changes nothing when the occasion was claimed before.
insert into due (schedule, due_ms, state, claimed_ms) values (:schedule, :due_ms, 'running', :now_ms)
on conflict (schedule, due_ms) do nothing;

-- name: finish_due
-- How an occasion ended.
update due set state = 'finished', finished_ms = :now_ms, detail = :detail
where schedule = :schedule and due_ms = :due_ms;

-- name: last_due
-- The latest occasion of a schedule that was claimed.
select due_ms, state, detail from due where schedule = :schedule order by due_ms desc limit 1;
