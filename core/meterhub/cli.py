"""The command line: ``meterhub demo | run | simulate | check | new | decode | user | token | backup | restore``.

Exit codes: 0 it worked, 1 the thing failed, 2 wrong use. Errors go to stderr, one per line. Imports are lazy, so that
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from meterhub import __version__
from meterhub.errors import ConfigErrors, MeterHubError

Command = Callable[[argparse.Namespace], int]
N = TypeVar("N", int, float)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    command: Command = arguments.command
    try:
        return command(arguments)
    except ConfigErrors as errors:
        return _failed(str(one) for one in errors.errors)
    except MeterHubError as error:
        return _failed([str(error)])
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        return 1


def _failed(lines: object) -> int:
    for line in lines:  # type: ignore[attr-defined]
        sys.stderr.write(f"{line}\n")
    return 1


def parser() -> argparse.ArgumentParser:
    """The commands and their options; the docs are made of this too."""
    root = argparse.ArgumentParser(prog="meterhub", description="Reads meters remotely and runs prepaid utilities.")
    root.add_argument("--version", action="version", version=f"meterhub {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    demo = _command(commands, "demo", "a living simulated estate in the browser", _demo)
    demo.add_argument("--port", type=_port, default=8645, help="of the web page; collectors dial in at the next one")
    demo.add_argument("--meters", type=_meters, default=60, help="how many simulated meters")
    demo.add_argument("--data", type=Path, default=Path("data/demo"), help="folder of the database")
    demo.add_argument("--seed", type=int, default=1, help="repeats the same estate")
    demo.add_argument("--speed", type=_speed, default=1.0, help="how fast time passes for the simulated meters")
    run = _command(commands, "run", "run a site", _run)
    run.add_argument("-c", dest="config", type=Path, required=True, metavar="site.yaml")
    simulate = _command(commands, "simulate", "twins of the collectors and meters of a site file", _simulate)
    simulate.add_argument("-c", dest="config", type=Path, required=True, metavar="site.yaml")
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--speed", type=_speed, default=1.0)
    simulate.add_argument(
        "--weather", choices=("calm", "fair", "foul"), default="calm", help="what goes wrong between hub and meters"
    )
    check = _command(commands, "check", "validate a site file without starting, or score a plugin", _check)
    what = check.add_mutually_exclusive_group(required=True)
    what.add_argument("-c", dest="config", type=Path, metavar="site.yaml")
    what.add_argument(
        "--plugin", type=Path, metavar="PATH", help="a plugin's file or folder, or a profile; its code is run"
    )
    check.add_argument("--tests", type=Path, metavar="PATH", help="where the plugin's tests stand, if not beside it")
    _new_options(_command(commands, "new", "write a plugin that works, with its tests, to be changed", _new))
    decode = _command(commands, "decode", "explain a frame, or one per line of stdin", _decode)
    decode.add_argument("protocol", metavar="PROTOCOL", help="dlt645-1997, dlt645-2007, …")
    decode.add_argument("hex", nargs="*", metavar="HEX", help="all arguments join into one frame")
    _people(commands)
    for name, text, todo in (
        ("backup", "copy the database into a file", _backup),
        ("restore", "put it back", _restore),
    ):
        one = _command(commands, name, text, todo)
        one.add_argument("file", type=Path, metavar="FILE")
        _data_options(one)
    return root


def _port(text: str) -> int:
    return _within(int(text), 1, 65534)


def _meters(text: str) -> int:
    return _within(int(text), 1, 20_000)


def _speed(text: str) -> float:
    return _within(float(text), 0.01, 1000)


def _within(number: N, least: float, most: float) -> N:
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{number} is not from {least} to {most}")
    return number


def _command(commands: object, name: str, text: str, todo: Command) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)  # type: ignore[attr-defined]
    one.set_defaults(command=todo)
    return one


def _new_options(new: argparse.ArgumentParser) -> None:
    new.add_argument("kind", choices=("protocol", "profile", "link", "payment"), help="what it brings")
    new.add_argument("name", metavar="NAME", help="lower-case letters, digits and -")
    new.add_argument("--package", action="store_true", help="as a project of its own, to be installed")
    new.add_argument("--into", type=Path, default=Path(), metavar="DIR", help="folder to write into, here if not given")
    new.add_argument("--model", default="", metavar="PROFILE", help="what a new profile is copied from")


def _people(commands: object) -> None:
    user = commands.add_parser("user", help="add a user").add_subparsers(metavar="add", required=True)  # type: ignore[attr-defined]
    add = _command(user, "add", "add a user; asks for the password, or takes it from stdin", _user_add)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", required=True, choices=("owner", "manager", "viewer"))
    _data_options(add)
    token = commands.add_parser("token", help="create an API token").add_subparsers(metavar="create", required=True)  # type: ignore[attr-defined]
    create = _command(token, "create", "create an API token for a user and print it once", _token_create)
    create.add_argument("user", metavar="USER")
    create.add_argument("--name", required=True, help="what it is for")
    _data_options(create)


def _data_options(one: argparse.ArgumentParser) -> None:
    where = one.add_mutually_exclusive_group(required=True)
    where.add_argument("-c", dest="config", type=Path, metavar="site.yaml")
    where.add_argument("--data", type=Path, metavar="DIR")


def _data_dir(arguments: argparse.Namespace) -> Path:
    if arguments.data is not None:
        return Path(arguments.data)
    from meterhub.config.site import load_site

    return load_site(arguments.config).hub.data


def _demo(arguments: argparse.Namespace) -> int:
    from meterhub.serve import demo

    return demo(arguments.data, arguments.meters, arguments.port, arguments.seed, arguments.speed)


def _run(arguments: argparse.Namespace) -> int:
    from meterhub.serve import run

    return run(arguments.config)


def _simulate(arguments: argparse.Namespace) -> int:
    from meterhub.serve import simulate

    return simulate(arguments.config, arguments.seed, arguments.speed, arguments.weather)


def _check(arguments: argparse.Namespace) -> int:
    if arguments.plugin is not None:
        from meterhub.plugin_score import score

        found = score(arguments.plugin, arguments.tests)
        sys.stdout.write("".join(f"{line}\n" for line in found.lines))
        return 0 if found.good else 1
    from meterhub.checking import check_site

    sys.stdout.write(check_site(arguments.config) + "\n")
    return 0


def _new(arguments: argparse.Namespace) -> int:
    from meterhub.scaffold import scaffold
    from meterhub.scaffold.models import find_model

    model = find_model(arguments.model) if arguments.kind == "profile" else None
    files = scaffold(arguments.kind, arguments.name, arguments.into, package=arguments.package, model=model)
    sys.stdout.write("".join(f"{file}\n" for file in files))
    return 0


def _decode(arguments: argparse.Namespace) -> int:
    from meterhub.clock import Clock
    from meterhub.decode import explain_all, find_decoder
    from meterhub.plugins import Plugins

    plugins = Plugins(Clock(), Path(), lambda owner, coroutine: coroutine.close(), None)
    decoder = find_decoder(plugins, arguments.protocol)
    code = 0
    for decoded, text in explain_all(decoder, ["".join(arguments.hex)] if arguments.hex else sys.stdin):
        sys.stdout.write(text + "\n")
        code = code if decoded else 1
    return code


def _user_add(arguments: argparse.Namespace) -> int:
    import asyncio
    import getpass

    from meterhub.people.commands import add_user

    if sys.stdin.isatty():
        password = getpass.getpass(f"password of {arguments.name}: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    asyncio.run(add_user(_data_dir(arguments), arguments.name, arguments.role, password))
    return 0


def _token_create(arguments: argparse.Namespace) -> int:
    import asyncio

    from meterhub.people.commands import create_token

    sys.stdout.write(asyncio.run(create_token(_data_dir(arguments), arguments.user, arguments.name)) + "\n")
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from meterhub.store.backup import backup

    backup(_data_dir(arguments), arguments.file)
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from meterhub.store.backup import restore

    restore(arguments.file, _data_dir(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
