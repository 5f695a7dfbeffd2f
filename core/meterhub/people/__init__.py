"""People: users, roles with scopes, sessions, tokens, logins and the audit."""
