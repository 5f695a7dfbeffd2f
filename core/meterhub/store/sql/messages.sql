-- name: messages.by_key
-- The message of a key.
select * from messages where key = :key;

-- name: messages.by_no
-- The message under the hub's own number.
select * from messages where no = :no;

-- name: messages.by_provider_id
-- The message under a company's number, to one recipient: companies may give one number to several.
select * from messages where notifier = :notifier and provider_id = :provider_id and recipient = :recipient;

-- name: messages.to_recipient
-- How many messages went, or may have gone, to a number since a time, and how many of them with one template. Those that a
-- company took and could not deliver count, as they do there.
select count(*) as n, coalesce(sum(template = :template), 0) as same from messages
where recipient = :recipient and created_ms > :since_ms and no <> :no
and (state in ('sending', 'sent', 'delivered', 'unknown') or provider_id <> '');

-- name: messages.since
-- How many messages went, or may have gone, to anybody since a time.
select count(*) as n from messages
where created_ms > :since_ms and no <> :no
and (state in ('sending', 'sent', 'delivered', 'unknown') or provider_id <> '');

-- name: messages.steps
-- What happened to a message, in order.
select * from message_steps where message = :no order by id;

-- name: messages.list
-- The messages of an operator with what may be shown of them.
select m.no as id, m.about, m.shown, o.meter, a.holder, o.amount_fen, m.template, m.notifier, m.provider_id, m.state,
    m.reason, m.created_ms, m.done_ms,
    case when :found_phone <> '' and m.recipient in ('+' || :found_phone, '+86' || :found_phone) then :found
        else substr(m.recipient, -4) end as search_shown,
    case when o.meter in (select value from json_each(:found_meters)) then :found end as search_place,
    case when o.amount_fen = :found_fen then :found end as search_amount_fen,
    case when m.created_ms >= :found_from and m.created_ms < :found_to then :found end as search_created_ms
from messages m left join orders o on o.no = m.about left join money_accounts a on a.id = o.account
where m.operator = :operator;

-- name: messages.account
-- Whom the messages of an account are for.
select id, scope, meter, phone from money_accounts where id = :id;
