"""The command line: wrong use is said at once and gives the exit code 2."""

from __future__ import annotations

import pytest

from meterhub.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--port", "70000"],
        ["demo", "--port", "0"],
        ["demo", "--meters", "-1"],
        ["demo", "--meters", "many"],
        ["demo", "--speed", "0"],
        ["demo", "--speed", "nan"],
        ["simulate", "-c", "site.yaml", "--speed", "inf"],
        ["run"],
        [],
    ],
)
def test_numbers_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2 and "Traceback" not in capsys.readouterr().err
