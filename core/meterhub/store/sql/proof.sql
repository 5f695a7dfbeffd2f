-- name: bills.add_row
-- A row of a bill, once.
insert into bill_rows (payment_account, day, kind, ref, amount_fen, fee_fen)
values (:payment_account, :day, :kind, :ref, :amount_fen, :fee_fen) on conflict do nothing;

-- name: bills.add
-- A bill was taken in.
insert into bills (payment_account, day, operator, rows, imported_ms)
values (:payment_account, :day, :operator, :rows, :now_ms)
on conflict (payment_account, day) do update set rows = excluded.rows, imported_ms = excluded.imported_ms;

-- name: proof.sum
-- What all books hold together: always zero.
select coalesce(sum(fen), 0) as fen from book_balances where operator = :operator;

-- name: proof.clearing
-- Per company and merchant: what came in by its payments, went back by refunds, and what the clearing book says.
select p.provider, p.merchant, sum(p.amount_fen) as paid,
    (select coalesce(sum(r.amount_fen), 0) from refunds r join payments q on q.id = r.payment
        where q.operator = :operator and q.provider = p.provider and q.merchant = p.merchant and r.state = 'done')
        as refunded,
    (select coalesce(sum(case when source = 'fees/' || p.provider then fen else -fen end), 0) from ledger
        where operator = :operator and kind = 'fee'
        and 'clearing/' || p.provider || '/' || p.merchant in (source, target)) as fees,
    (select coalesce(sum(case when source = 'discounts/' || p.provider then fen else -fen end), 0) from ledger
        where operator = :operator and kind = 'discount'
        and 'clearing/' || p.provider || '/' || p.merchant in (source, target)) as discounts,
    (select coalesce(-fen, 0) from book_balances
        where operator = :operator and book = 'clearing/' || p.provider || '/' || p.merchant) as held
from payments p where p.operator = :operator group by p.provider, p.merchant;

-- name: proof.unpaid_orders
-- Orders that count as paid without a payment that is booked for them.
select no, state from orders o where operator = :operator and state in ('paid', 'fulfilled', 'refunding', 'refunded')
and not exists (select 1 from payments p join ledger l on l.operator = p.operator and l.ref = cast(p.id as text)
    and l.kind in ('payment', 'applied') and l.target <> 'suspense' where p.order_no = o.no) limit 100;

-- name: proof.undelivered_orders
-- Orders that count as done although their delivery is not confirmed.
select o.no, d.state from orders o join deliveries d on d.order_no = o.no and d.takes_back = 0
where o.operator = :operator and o.state = 'fulfilled' and d.state <> 'confirmed' limit 100;

-- name: proof.meters
-- Per account: what was confirmed to (less: from) the meter, what its book took in, and the numbers of the purchases.
-- Each table is gone through once, however many accounts there are.
with done as (
    select account, sum(case when takes_back then -amount_fen else amount_fen end) as confirmed,
        count(number) as purchases, min(number) as first, max(number) as last
    from deliveries where state = 'confirmed' and counted = 1 group by account
), moves as (
    select target as book, fen from ledger where operator = :operator and kind = 'delivery_done'
    union all select 'meter/' || substr(source, length('in_flight/') + 1), -fen from ledger
    where operator = :operator and kind = 'withdrawal_done'
), books as (select book, sum(fen) as booked from moves group by book)
select a.id, a.meter, a.mode, a.state, a.purchase_count, coalesce(done.confirmed, 0) as confirmed,
    coalesce(done.purchases, 0) as purchases, done.first, done.last, coalesce(books.booked, 0) as booked
from money_accounts a left join done on done.account = a.id left join books on books.book = 'meter/' || a.id
where a.operator = :operator and a.mode = 'meter' order by a.id;

-- name: proof.adopted
-- A meter's count was read that a person let the books take over.
update count_adoptions set adopted = :count where account = :account and adopted is null;

-- name: proof.adoptions
-- The counts that were taken over from the meters, oldest first.
select c.*, a.meter from count_adoptions c join money_accounts a on a.id = c.account
where c.operator = :operator and c.adopted is not null order by c.id;

-- name: proof.paid
-- How many payments of a time are in the books.
select count(*) as n from payments where operator = :operator and paid_ms >= :from_ms and paid_ms < :to_ms;

-- name: proof.not_in_bill
-- Payments to an account in a time that the company's bill of that day, which was taken in, does not name.
select p.transaction_id, p.order_no, p.amount_fen from payments p join bills b
    on b.payment_account = p.payment_account and b.day = :day
where p.operator = :operator and p.payment_account = :payment_account
and p.paid_ms >= :from_ms and p.paid_ms < :to_ms and not exists (
    select 1 from bill_rows r where r.payment_account = p.payment_account and r.kind = 'payment'
    and r.ref = p.transaction_id) limit 100;

-- name: proof.stuck
-- What has waited in the outbox for more than a day.
select kind, key, error from outbox where operator = :operator and state = 'waiting' and kind not in ('proof', 'expire')
and created_ms < :before_ms order by id limit 100;

-- name: proof.keep
-- The proof of a day.
insert into proofs (day, operator, made_ms, differences, content_json, signature)
values (:day, :operator, :made_ms, :differences, :content_json, :signature)
on conflict (operator, day) do update set made_ms = excluded.made_ms, differences = excluded.differences,
    content_json = excluded.content_json, signature = excluded.signature;

-- name: proof.latest
-- The newest proofs.
select day, made_ms, differences from proofs where operator = :operator order by day desc limit :most;

-- name: proof.one
-- The proof of a day, as it was signed.
select * from proofs where operator = :operator and day = :day;
