-- Columns that begin with search_ are only looked into; :found and the others are what office.money_search makes of the
-- words in the search box. Tables that a list does not need for itself are joined so that it costs nothing when unused.

-- name: money.list_accounts
-- The accounts of an operator.
select id, meter, holder, phone, mode, state, '/pay/' || link as link, opened_ms,
    case when :found_phone <> '' and phone in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(phone, -4) end as search_phone,
    case when meter in (select value from json_each(:found_meters)) then :found end as search_place
from money_accounts where operator = :operator;

-- name: money.list_orders
-- The orders of an operator.
select o.no as id, o.account, o.meter, a.holder, a.phone, o.amount_fen, o.state, o.created_ms, o.paid_ms, o.created_by,
    case when :found_phone <> '' and a.phone in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(a.phone, -4) end as search_phone,
    (select group_concat(no, ' ') from attempts where order_no = o.no) as attempts,
    (select group_concat(transaction_id, ' ') from payments where order_no = o.no) as transactions,
    case when o.meter in (select value from json_each(:found_meters)) then :found end as search_place,
    case when o.amount_fen = :found_fen then :found end as search_amount_fen,
    case when o.created_ms >= :found_from and o.created_ms < :found_to then :found end as search_created_ms
from orders o left join money_accounts a on a.id = o.account where o.operator = :operator;

-- name: money.list_payments
-- The payments of an operator.
select p.id, p.order_no, o.meter, a.holder, a.phone, p.provider, p.transaction_id, p.attempt, p.amount_fen, p.kind, p.source,
    p.paid_ms,
    case when :found_phone <> '' and a.phone in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(a.phone, -4) end as search_phone,
    case when o.meter in (select value from json_each(:found_meters)) then :found end as search_place,
    case when p.amount_fen = :found_fen then :found end as search_amount_fen,
    case when p.paid_ms >= :found_from and p.paid_ms < :found_to then :found end as search_paid_ms
from payments p left join orders o on o.no = p.order_no left join money_accounts a on a.id = o.account
where p.operator = :operator;

-- name: money.list_deliveries
-- The deliveries of an operator; below zero what was taken back out of a meter.
select d.id, d.order_no, d.meter, a.holder, a.phone, case when d.takes_back then -d.amount_fen else d.amount_fen end as amount_fen,
    d.number, d.state, d.needs_person, d.error, d.created_ms, d.confirmed_ms,
    case when :found_phone <> '' and a.phone in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(a.phone, -4) end as search_phone,
    case when d.meter in (select value from json_each(:found_meters)) then :found end as search_place,
    case when d.amount_fen = :found_fen then :found end as search_amount_fen,
    case when d.created_ms >= :found_from and d.created_ms < :found_to then :found end as search_created_ms
from deliveries d left join money_accounts a on a.id = d.account where d.operator = :operator;

-- name: money.list_cases
-- The cases of an operator that need, or needed, a person.
select id, kind, order_no, ref, detail, at_ms, solved_ms, solved_by, case when solved_ms is null then 'open' else 'closed' end
    as state from anomalies where operator = :operator;

-- name: money.list_refunds
-- The refunds of an operator.
select r.no as id, r.order_no, o.meter, a.holder, a.phone, r.amount_fen, r.state, r.reason, r.created_by, r.created_ms,
    case when :found_phone <> '' and a.phone in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(a.phone, -4) end as search_phone,
    (select transaction_id from payments where id = r.payment) as transactions,
    case when o.meter in (select value from json_each(:found_meters)) then :found end as search_place,
    case when r.amount_fen = :found_fen then :found end as search_amount_fen,
    case when r.created_ms >= :found_from and r.created_ms < :found_to then :found end as search_created_ms
from refunds r left join orders o on o.no = r.order_no left join money_accounts a on a.id = o.account
where r.operator = :operator;

-- name: money.today
-- What an operator's money has done since a time, and what of it waits.
select exists (select 1 from money_accounts where operator = :operator) as accounts,
    (select coalesce(sum(amount_fen), 0) from payments where operator = :operator and paid_ms >= :since_ms) as paid_fen,
    (select coalesce(sum(amount_fen), 0) from refunds
        where operator = :operator and created_ms >= :since_ms and state = 'done') as back_fen,
    (select count(*) from orders where operator = :operator and state = 'paid') as waiting,
    (select count(*) from anomalies where operator = :operator and solved_ms is null) as cases,
    (select count(*) from approvals where operator = :operator and state = 'waiting') as approvals,
    (select count(*) from messages where operator = :operator and created_ms >= :since_ms and state = 'failed') as untold;
