-- name: outbox.put
-- A thing to do after this commit; the same kind and key is one row.
insert into outbox (operator, kind, key, lane, payload_json, state, next_ms, created_ms)
values (:operator, :kind, :key, :lane, :payload_json,
    :state, :due_ms, :now_ms) on conflict (kind, key) do nothing;

-- name: outbox.put_again
-- A row that is done is to be carried out once more.
update outbox set state = 'waiting', next_ms = :due_ms, done_ms = null, tries = 0, failures = 0
where kind = :kind and key = :key and state = 'done';

-- name: outbox.kinds
-- The kinds of the rows that wait.
select distinct kind from outbox where state = 'waiting';

-- name: outbox.heads
-- Of one kind the first waiting row of each lane that is due, soonest first, and the first of those that are not due yet;
-- ``more`` says whether others wait behind it in its lane.
select * from (select o.*, exists (select 1 from outbox e where e.state = 'waiting' and e.lane = o.lane and e.id > o.id) as more
    from outbox o where o.state = 'waiting' and o.kind = :kind and o.next_ms <= :now_ms
    and not exists (select 1 from outbox e where e.state = 'waiting' and e.lane = o.lane and e.id < o.id)
    order by o.next_ms limit :most)
union all
select * from (select o.*, 0 from outbox o where o.state = 'waiting' and o.kind = :kind and o.next_ms > :now_ms
    and not exists (select 1 from outbox e where e.state = 'waiting' and e.lane = o.lane and e.id < o.id)
    order by o.next_ms limit 1);

-- name: outbox.finish
-- A row that waits is done, and so are those whose keys go on after a slash.
update outbox set state = 'done', done_ms = :now_ms, error = '' where kind = :kind and state = 'waiting'
and (key = :key or key > :key || '/' and key < :key || '0');

-- name: outbox.hurry
-- A waiting row is due now, and so are those whose keys go on after a slash. Its time always changes, so that whoever
-- carries it out sees that it was wanted again.
update outbox set next_ms = case when next_ms > :now_ms then :now_ms else next_ms - 1 end
where kind = :kind and state = 'waiting' and (key = :key or key > :key || '/' and key < :key || '0');

-- name: outbox.of_order
-- The messages that were put out for an order; ``told`` is how far one is, null before it was looked at, ``reason`` why it failed.
select *, (select state from messages where messages.key = outbox.key) as told,
    (select no from messages where messages.key = outbox.key) as message_no,
    (select reason from messages where messages.key = outbox.key) as reason
from outbox where kind = 'message' and (key = :order_no or key > :order_no || '/' and key < :order_no || '0') order by id;

-- name: outbox.from_the_future
-- Whether a row that waits was put in by a clock that was ahead of the present one.
select 1 from outbox where state = 'waiting' and created_ms > :future_ms limit 1;

-- name: outbox.bring_forward
-- The clock was set back: what waits is due by as much earlier, a row of a clock that was ahead by what it was ahead.
update outbox set
    next_ms = max(:now_ms, next_ms - max(:back_ms, created_ms - :now_ms)),
    created_ms = min(created_ms, :now_ms)
where state = 'waiting' and next_ms > :now_ms and next_ms < :parked_ms;
