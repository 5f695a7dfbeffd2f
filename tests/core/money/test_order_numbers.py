"""Numbers of orders: short enough for every company, in the order of time, and not to be guessed."""

from __future__ import annotations

import re
from random import Random

from meterhub.money.orders import new_number

DAY_MS = 86_400_000
MIDNIGHT_MS = 1_795_478_400_000  # 2026-11-24


def test_a_number_says_its_day_and_leaves_two_of_the_32_characters_of_wechat_pay_to_its_attempts():
    for at_ms in (MIDNIGHT_MS, MIDNIGHT_MS + 1, MIDNIGHT_MS + DAY_MS - 1):
        for seed in range(50):
            assert re.fullmatch(r"E20261124[0-9a-f]{21}", new_number("E", Random(seed), at_ms))


def test_numbers_follow_each_other_in_time():
    moments = range(MIDNIGHT_MS - 1000, MIDNIGHT_MS + DAY_MS + 1000, 250_000)
    numbers = [new_number("E", Random(seed), at_ms) for seed, at_ms in enumerate(moments)]
    assert numbers == sorted(numbers)


def test_numbers_of_one_moment_share_nothing_but_the_moment():
    random = Random(1)
    numbers = {new_number("E", random, MIDNIGHT_MS) for _ in range(1000)}
    assert len({number[:14] for number in numbers}) == 1
    assert len({number[14:] for number in numbers}) == 1000
    assert all(len({number[place] for number in numbers}) == 16 for place in range(14, 30))
