from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterhub.people.roles import Permission, Permissions, Rule, covers, decide, narrowed
from meterhub.people.user import User

SEGMENTS = st.text(st.sampled_from("ab/ %_"), min_size=1, max_size=3).map(lambda text: text.replace("/", "-"))
SCOPES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
RULES = st.builds(
    Rule, role=st.just("r"), permission=st.sampled_from(["x", "y", "*"]), scope=SCOPES, allow=st.booleans()
)


@given(SCOPES, SCOPES)
def test_a_scope_covers_by_whole_segments(outer: str, inner: str) -> None:
    parts = outer.split("/")
    assert covers(outer, inner) == (inner.split("/")[: len(parts)] == parts)


@given(SCOPES, SEGMENTS)
def test_a_name_that_only_begins_alike_is_another_place(scope: str, more: str) -> None:
    assert covers(scope, f"{scope}/{more}")
    assert not covers(scope, scope + more)
    assert not covers(f"{scope}/{more}", scope)


@given(st.lists(RULES, max_size=8), SCOPES)
def test_most_specific_rule_wins_and_deny_beats_allow_there(rules: list[Rule], scope: str) -> None:
    heard = [rule for rule in rules if rule.permission in ("x", "*") and covers(rule.scope, scope)]
    deepest = max((len(rule.scope.split("/")) for rule in heard), default=0)
    there = [rule for rule in heard if len(rule.scope.split("/")) == deepest]
    decision = decide(rules, "x", scope)
    assert decision.allow == (bool(there) and all(rule.allow for rule in there))
    assert decision.reason
    assert (decision.rule is None) == (not heard)


@given(RULES, SCOPES)
def test_a_role_never_reaches_out_of_where_it_is_held(rule: Rule, held_at: str) -> None:
    there = narrowed(rule, held_at)
    assert there is None or covers(held_at, there.scope)


def user(*rules: Rule) -> User:
    made = User("anna", "main")
    made.active = True
    made.put_rules(rules)
    return made


def test_nothing_is_allowed_by_default() -> None:
    decision = user().decide("device.view", "main")
    assert (decision.allow, decision.rule) == (False, None)


def test_a_deny_below_an_allow_and_an_allow_below_that() -> None:
    anna = user(
        Rule("a", "x", "main"), Rule("b", "x", "main/s", allow=False, reason="under repair"), Rule("c", "x", "main/s/1")
    )
    assert anna.may("x", "main")
    assert anna.may("x", "")
    assert not anna.may("x", "main/s/2")
    assert anna.may("x", "main/s/1/7")
    assert anna.decide("x", "main/s").reason == "under repair"
    assert not anna.may("x", "other")


def test_rights_are_asked_afresh_after_a_change() -> None:
    anna = user(Rule("a", "x", "main"))
    assert anna.may("x", "main/s")
    anna.put_rules([])
    assert not anna.may("x", "main/s")


def test_may_anywhere_sees_places_but_not_denied_ones() -> None:
    assert user(Rule("a", "x", "main/s")).may_anywhere("x")
    assert not user(Rule("a", "x", "main/s"), Rule("b", "x", "main/s", allow=False)).may_anywhere("x")
    assert not user().may_anywhere("x")


def test_memory_of_answers_is_bounded() -> None:
    anna = user(Rule("a", "x", "main"))
    for number in range(60_000):
        anna.may("x", f"main/{number}")
    assert len(anna._known) <= 50_000


def test_owner_holds_what_a_plugin_registers_later() -> None:
    permissions = Permissions()
    permissions.register(Permission("acme.fly", {"en": "Fly"}, ("viewer",)))
    [owner] = permissions.built_in_rules("owner")
    assert owner.about("acme.fly")
    assert "acme.fly" in [rule.permission for rule in permissions.built_in_rules("viewer")]
    assert "acme.fly" not in [rule.permission for rule in permissions.built_in_rules("manager")]


def test_every_permission_is_described_in_three_languages() -> None:
    assert all(set(one.description) == {"en", "zh", "ja"} for one in Permissions())


def test_a_manager_looks_after_the_money_and_a_viewer_does_not() -> None:
    permissions = Permissions()
    manager, viewer = (
        user(*(narrowed(rule, "main") or rule for rule in permissions.built_in_rules(role)))
        for role in ("manager", "viewer")
    )
    for permission in ("money.view", "money.sell", "money.decide"):
        assert manager.may(permission, "main/s")
        assert not viewer.may(permission, "main/s")
    assert not manager.may("meter.credit", "main/s")
