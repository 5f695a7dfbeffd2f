-- name: money.account
-- One account.
select * from money_accounts where id = :id;

-- name: money.account_of_meter
-- The account that is not closed, by its meter or by the link on its sticker.
select * from money_accounts where meter = :name and state <> 'closed' or link = :name and state <> 'closed' limit 1;

-- name: money.accounts_like
-- How many accounts a meter has had.
select count(*) as n from money_accounts where meter = :meter;

-- name: money.order
-- One order.
select * from orders where no = :no;

-- name: money.account_for_order
-- What a new order needs of its account, the order that holds a client's key, and how many orders that one kind of
-- visitor made for it wait to be paid.
select operator, scope, meter, state,
    (select no from orders where account = a.id and client_key = :client_key) as known_no,
    (select count(*) from orders where account = a.id and state in ('created', 'paying') and expires_ms > :now_ms
        and created_by = :by) as unpaid
from money_accounts a where a.id = :account;

-- name: money.expire
-- End orders whose time is over and of which no attempt may still be paid, or was.
update orders set state = 'expired', done_ms = :now_ms where no in (
    select no from orders o where state in ('created', 'paying') and expires_ms < :to_ms and not exists (
        select 1 from attempts where order_no = o.no and state in ('new', 'pending', 'unknown', 'success'))
    limit :most);

-- name: money.not_expired
-- An order whose time is over and that may still be paid.
select no from orders where state in ('created', 'paying') and expires_ms >= :from_ms and expires_ms < :to_ms limit 1;

-- name: money.balance_told
-- What the meter of an account said after its last credit or refund.
select balance_after, confirmed_ms from deliveries indexed by deliveries_number
where account = :account and state = 'confirmed' and balance_after is not null order by confirmed_ms desc limit 1;

-- name: money.orders_of_account
-- The newest orders of an account.
select o.*, d.state as delivery_state, d.number, d.confirmed_ms, d.needs_person from orders o
left join deliveries d on d.order_no = o.no and d.takes_back = 0 where o.account = :account order by o.created_ms desc limit :most;

-- name: money.orders_open
-- Orders of an account whose end is not known yet.
select no, state from orders where account = :account and state in ('created', 'paying', 'paid', 'refunding')
and not (state = 'paid' and exists (select 1 from deliveries d where d.order_no = no and d.takes_back = 0
    and d.state = 'not_delivered'))
limit 10;

-- name: money.attempt
-- One attempt to pay.
select * from attempts where no = :no;

-- name: money.note_attempt
-- What came of opening an attempt, unless a notice was faster. What the payer was shown once stays known.
update attempts set state = :state, error = :error, checkout_json = coalesce(:checkout_json, checkout_json)
where no = :no and state in ('new', 'pending', 'unknown');

-- name: money.attempts_of_order
-- The attempts of an order, oldest first.
select * from attempts where order_no = :order_no order by created_ms, no;

-- name: money.payment_by_transaction
-- The payment that a company's transaction is.
select * from payments where provider = :provider and merchant = :merchant and transaction_id = :transaction_id;

-- name: money.payment
-- One payment.
select * from payments where id = :id;

-- name: money.payments_of_order
-- The payments of an order, oldest first.
select * from payments where order_no = :order_no order by id;

-- name: money.refund
-- One refund.
select * from refunds where no = :no;

-- name: money.refunds_of_order
-- The refunds of an order, oldest first.
select * from refunds where order_no = :order_no order by created_ms, no;

-- name: money.refunded
-- How much of a payment was given back, or is about to be.
select coalesce(sum(amount_fen), 0) as fen, count(*) as n from refunds where payment = :payment and state <> 'closed';

-- name: money.delivery
-- One delivery.
select * from deliveries where id = :id;

-- name: money.highest_number
-- The highest purchase number that the meter of an account has confirmed.
select max(number) as number from deliveries where account = :account and state = 'confirmed' and counted = 1;

-- name: money.delivery_of_order
-- The delivery of an order to its meter.
select * from deliveries where order_no = :order_no and takes_back = 0;

-- name: money.delivery_to_decide
-- The delivery or withdrawal of an order that waits for a person; without one, the delivery.
select * from deliveries where order_no = :order_no order by needs_person desc, takes_back limit 1;

-- name: money.withdrawals_of_order
-- Credit of an order that was, or is being, taken back out of its meter; oldest first.
select * from deliveries where order_no = :order_no and takes_back = 1 order by id;

-- name: money.deliveries_open
-- Deliveries of an account that are under way.
select id, state from deliveries where account = :account and state in ('planned', 'sending', 'unknown') limit 10;

-- name: money.decisions_of
-- The newest decisions on the supply of an account.
select * from policy_decisions where account = :account order by id desc limit :most;

-- name: money.paying_now
-- How many orders of an account are being paid just now.
select count(*) as n from orders 
where account = :account and state = 'paying' and state in ('created', 'paying') and expires_ms > :now_ms;

-- name: money.cuts_since
-- How many other accounts were cut off since a time.
select count(distinct account) as n from policy_decisions
where operator = :operator and account <> :account and wanted = 'off' and allow = 1 and at_ms > :since_ms;

-- name: cases.flag
-- A case that needs a person.
insert into anomalies (operator, kind, ref, order_no, detail, at_ms)
values (:operator, :kind, :ref, :order_no, :detail, :at_ms) on conflict (kind, ref) do nothing;

-- name: cases.solve
-- Somebody has solved a case.
update anomalies set solved_ms = :at_ms, solved_by = :by where kind = :kind and ref = :ref and solved_ms is null;

-- name: cases.open
-- Open cases, oldest first.
select * from anomalies where operator = :operator and solved_ms is null order by id limit :most;

-- name: cases.lately
-- What was solved last.
select * from anomalies where operator = :operator and solved_ms is not null order by solved_ms desc, id desc limit :most;

-- name: cases.of_order
-- All cases of an order.
select * from anomalies where order_no = :order_no order by id;

-- name: cases.one
-- One case.
select * from anomalies where id = :id;

-- name: money.refund_asked
-- When a refund of a payment, other than this one, was last asked for at the company.
select max(asked_ms) as asked_ms from refunds where payment = :payment and no <> :no;

-- name: money.refund_parts
-- How many refunds of a payment there were, those not carried out included: their numbers are used up.
select count(*) as n from refunds where payment = :payment;
