"""Templates are compiled ahead, once for all languages."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from meterhub.texts import LANGUAGES
from meterhub.web.render import COMPILED, TEMPLATES, Look, compile_templates


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_the_start_no_visitor_waits_for_a_compiler(language, monkeypatch):
    compile_templates()
    monkeypatch.setattr(COMPILED, "dump_bytecode", lambda bucket: pytest.fail(f"{bucket.key} was compiled"))
    environment = Look("Hub", ZoneInfo("Asia/Shanghai"))._environment(language)
    names = [path.name for path in TEMPLATES.glob("*.html")]
    assert names and all(environment.get_template(name) for name in names)
