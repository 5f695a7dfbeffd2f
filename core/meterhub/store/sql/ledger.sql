-- name: ledger.line
-- The line of an event.
select * from ledger where operator = :operator and kind = :kind and ref = :ref;

-- name: ledger.balance
-- What a book holds.
select fen from book_balances where operator = :operator and book = :book;

-- name: ledger.add
-- A line, unless its event has one.
insert into ledger (operator, kind, ref, source, target, fen, order_no, at_ms, cause)
values (:operator, :kind, :ref, :source, :target, :fen, :order_no, :at_ms, :cause)
on conflict (operator, kind, ref) do nothing;

-- name: ledger.take
-- A book that may not go below zero holds this much less, if it holds so much.
update book_balances set fen = fen - :fen where operator = :operator and book = :book and fen >= :fen;

-- name: ledger.give
-- A book holds this much more (or, below zero, less).
insert into book_balances (operator, book, fen, guarded) values (:operator, :book, :fen, :guarded)
on conflict (operator, book) do update set fen = fen + excluded.fen;

-- name: ledger.charge
-- The lines of a charge: what credit covered, and what is owed. Older lines do not name the account in their ref.
select * from ledger where operator = :operator and kind in ('charge', 'charge_owed')
and ref in (:ref, :account || '/' || :ref) and +source in (:prepaid, :receivable);

-- name: ledger.of_order
-- All lines that an order caused, oldest first.
select * from ledger where order_no = :order_no order by id;

-- name: ledger.books
-- All books of an operator with what they hold.
select book, fen from book_balances where operator = :operator order by book;

-- name: ledger.unequal
-- Books whose kept balance is not the sum of their lines; all lines are gone through once, however many books there are.
select book, sum(kept) as kept, sum(line) as summed from (
    select book, fen as kept, 0 as line from book_balances where operator = :operator
    union all select target, 0, sum(fen) from ledger where operator = :operator group by target
    union all select source, 0, -sum(fen) from ledger where operator = :operator group by source
) group by book having sum(kept) <> sum(line) limit 100;

-- name: ledger.of_account_between
-- What moved in the books of an account that its tenant sees, in a time.
select * from ledger where id in (
    select id from ledger where operator = :operator and source in (:prepaid, :receivable)
    union select id from ledger where operator = :operator and target in (:prepaid, :receivable))
and at_ms >= :from_ms and at_ms < :to_ms order by id;

-- name: ledger.of_account
-- What moved in the books of an account, newest first.
select * from ledger where id in (
    select id from ledger where operator = :operator and source in (:prepaid, :in_flight, :on_meter, :receivable)
    union select id from ledger where operator = :operator and target in (:prepaid, :in_flight, :on_meter, :receivable))
order by id desc limit :most;
