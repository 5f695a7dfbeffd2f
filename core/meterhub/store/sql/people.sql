-- name: people.users
-- All users.
SELECT id, operator, name, language, disabled, updated_ms FROM users;

-- name: people.user_roles
-- Which roles all users hold, and where.
SELECT user, role, scope FROM user_roles ORDER BY user, role, scope;

-- name: people.grants
-- The rules that operators added to the built-in roles, or made roles of their own from.
SELECT operator, role, permission, scope, allow, reason FROM grants;

-- name: people.owners
-- How many enabled users hold the role owner for the whole of an operator.
SELECT count(*) AS owners FROM user_roles AS r JOIN users AS u ON u.id = r.user
WHERE u.operator = :operator AND u.disabled = 0 AND r.role = 'owner' AND r.scope = u.operator;

-- name: people.forget_roles
-- Take all roles from a user.
DELETE FROM user_roles WHERE user = :user;

-- name: people.delete_user
-- The user alone: login history and audit keep the name.
DELETE FROM users WHERE id = :user;

-- name: people.login_state
-- What a login needs: the password hash, and the wrong passwords since the last good login or new password.
SELECT (SELECT password_hash FROM users WHERE id = :user) AS password_hash,
       count(*) AS failures, max(at_ms) AS last_ms
FROM login_history
WHERE user = :user AND method = 'password' AND outcome = 'failed' AND at_ms > :since_ms
  AND at_ms > coalesce((SELECT max(at_ms) FROM login_history WHERE user = :user AND outcome = 'ok'), 0)
  AND at_ms > coalesce((SELECT password_ms FROM users WHERE id = :user), 0);

-- name: people.has_password
-- Whether a user has set a password.
SELECT password_hash <> '' AS has_password FROM users WHERE id = :user;

-- name: people.session
-- The session with this token.
SELECT id, user, address, agent, created_ms, seen_ms, expires_ms, revoked_ms FROM sessions
WHERE token_hash = :token_hash;

-- name: people.sessions_of
-- The sessions of a user that are not over, newest first.
SELECT id, address, agent, created_ms, seen_ms, expires_ms FROM sessions
WHERE user = :user AND expires_ms > :now_ms AND seen_ms > :idle_ms AND (revoked_ms IS NULL OR revoked_ms > :now_ms)
ORDER BY seen_ms DESC;

-- name: people.replace_session
-- End a session that a new one takes the place of; changes nothing when it ended before.
UPDATE sessions SET revoked_ms = :ends_ms WHERE token_hash = :token_hash AND revoked_ms IS NULL;

-- name: people.revoke_session
-- End one session of an operator.
UPDATE sessions SET revoked_ms = :now_ms
WHERE id = :id AND operator = :operator AND (:user = '' OR user = :user) AND (revoked_ms IS NULL OR revoked_ms > :now_ms);

-- name: people.revoke_sessions
-- End all sessions of a user but one (0: none is kept).
UPDATE sessions SET revoked_ms = :now_ms
WHERE user = :user AND id <> :keep AND (revoked_ms IS NULL OR revoked_ms > :now_ms);

-- name: people.token
-- The token with this hash.
SELECT id, user, name, kind, used_ms, expires_ms, revoked_ms FROM tokens WHERE token_hash = :token_hash;

-- name: people.tokens_of
-- The API tokens of a user that were not revoked, newest first.
SELECT id, name, created_ms, used_ms FROM tokens
WHERE user = :user AND kind = 'api' AND revoked_ms IS NULL ORDER BY created_ms DESC;

-- name: people.use_link
-- Use a login link up; changes nothing when it was used before, is over, or never was.
UPDATE tokens SET used_ms = :now_ms, revoked_ms = :now_ms
WHERE token_hash = :token_hash AND kind = 'link' AND revoked_ms IS NULL AND expires_ms > :now_ms;

-- name: people.revoke_token
-- End one token of a user.
UPDATE tokens SET revoked_ms = :now_ms WHERE id = :id AND user = :user AND revoked_ms IS NULL;

-- name: people.revoke_tokens
-- End all tokens and login links of a user.
UPDATE tokens SET revoked_ms = :now_ms WHERE user = :user AND revoked_ms IS NULL;

-- name: people.changed_since
-- The newest audit row, and whether people's rights changed since one.
SELECT max(id) AS newest,
       sum(action LIKE 'user.%' OR action LIKE 'role.%' OR action LIKE 'session.%' OR action LIKE 'token.%') AS changes
FROM audit WHERE id > :seen;

-- name: people.prune_sessions
-- Sessions that ended long ago.
DELETE FROM sessions WHERE min(expires_ms, coalesce(revoked_ms, expires_ms)) < :before_ms;

-- name: people.prune_links
-- Login links that are over.
DELETE FROM tokens WHERE kind = 'link' AND expires_ms < :before_ms;

-- name: people.prune_logins
-- Logins of long ago.
DELETE FROM login_history WHERE at_ms < :before_ms;

-- name: people.list_users
-- The users of an operator, for the list.
SELECT u.id, u.name, u.language, CASE u.disabled WHEN 0 THEN 'active' ELSE 'disabled' END AS status, u.created_ms,
       (SELECT group_concat(role, ', ') FROM (SELECT DISTINCT role FROM user_roles WHERE user = u.id ORDER BY role))
           AS role,
       (SELECT group_concat(scope, ', ') FROM (SELECT DISTINCT scope FROM user_roles WHERE user = u.id ORDER BY scope))
           AS scope,
       (SELECT max(at_ms) FROM login_history WHERE user = u.id AND outcome = 'ok') AS last_login_ms
FROM users AS u WHERE u.operator = :operator;

-- name: people.list_sessions
-- The live sessions of an operator, or of one user of it, for the list.
SELECT id, user, agent, address, created_ms, seen_ms, expires_ms FROM sessions
WHERE operator = :operator AND (:user = '' OR user = :user)
  AND expires_ms > :now_ms AND seen_ms > :idle_ms AND (revoked_ms IS NULL OR revoked_ms > :now_ms);

-- name: people.list_logins
-- The logins of an operator, good and bad, for the list.
SELECT id, user, at_ms, outcome, detail, method, address, place, carrier, agent FROM login_history
WHERE operator = :operator;

-- name: audit.list
-- The audit of an operator, for the list.
SELECT id, at_ms, actor, action, target, before_json, after_json, cause, address FROM audit
WHERE operator = :operator;

-- name: audit.last
-- The newest row.
SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1;

-- name: audit.part
-- Some rows in their order.
SELECT id, operator, at_ms, actor, action, target, before_json, after_json, cause, address, prev_hash, hash
FROM audit WHERE id > :after ORDER BY id LIMIT :most;

-- name: audit.numbers
-- The highest number that was ever given to a row.
SELECT seq FROM sqlite_sequence WHERE name = 'audit';
