"""``meterhub check``: what it says of a site file, its plugins and its profiles."""

from __future__ import annotations

import pytest

from meterhub.cli import main

SITE = """\
hub: {name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
"""
PROFILE = """\
id: mine
protocol: dlt645-2007
name: {en: Mine, zh: 我的表, ja: 私の計器}
entities:
  voltage: {name: {en: Voltage, zh: 电压, ja: 電圧}, unit: V, scale: 1, point: {id: "02010100"}}
vectors:
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: "229.7"}
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: 22.97}
  - {entity: volts, frame: "68", value: "1"}
"""


@pytest.fixture
def check(tmp_path, capsys):
    def run(profile):
        (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "mine.yaml").write_text(profile, encoding="utf-8")
        code = main(["check", "-c", str(tmp_path / "site.yaml")])
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return run


def test_vectors_are_decoded_and_the_wrong_ones_named_with_file_and_line(check):
    code, _, errors = check(PROFILE)
    assert code == 1 and len(errors) == 2
    assert "profiles/mine.yaml:8: the frame means voltage = 229.7, not 22.97" in errors[0]
    assert "profiles/mine.yaml:9: there is no entity volts" in errors[1]


def test_a_profile_whose_vectors_are_right_passes(check):
    code, out, errors = check("".join(PROFILE.splitlines(keepends=True)[:-2]))
    assert (code, errors) == (0, []) and "right" in out
