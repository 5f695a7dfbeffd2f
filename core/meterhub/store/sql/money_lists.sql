-- name: money.list_accounts
-- The accounts of an operator.
select id, meter, holder, mode, state, '/pay/' || link as link, opened_ms from money_accounts
where operator = :operator;

-- name: money.list_orders
-- The orders of an operator.
select no as id, account, meter, amount_fen, state, created_ms, paid_ms, created_by from orders
where operator = :operator;

-- name: money.list_payments
-- The payments of an operator.
select id, order_no, provider, transaction_id, amount_fen, kind, source, paid_ms from payments
where operator = :operator;

-- name: money.list_deliveries
-- The deliveries of an operator; below zero what was taken back out of a meter.
select id, order_no, meter, case when takes_back then -amount_fen else amount_fen end as amount_fen, number, state,
    needs_person, error, confirmed_ms from deliveries where operator = :operator;

-- name: money.list_cases
-- The cases of an operator that need, or needed, a person.
select id, kind, order_no, ref, detail, at_ms, solved_ms, solved_by, case when solved_ms is null then 'open' else 'closed' end
    as state from anomalies where operator = :operator;

-- name: money.list_refunds
-- The refunds of an operator.
select no as id, order_no, amount_fen, state, reason, created_by, created_ms from refunds where operator = :operator;
