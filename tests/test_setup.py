"""What setup.sh says where it cannot go on."""

import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")


def run(folder, *arguments, python=None):
    shutil.copy(os.path.join(ROOT, "setup.sh"), folder)
    environment = {key: x for key, x in os.environ.items() if key != "PYTHON"}
    environment |= {"PYTHON": str(python)} if python else {}
    return subprocess.run(
        ["bash", os.path.join(folder, "setup.sh"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder, body):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_no_suitable_python(tmp_path):
    process = run(tmp_path, python=fake_python(tmp_path, "exit 1"))
    assert process.returncode == 1
    assert "no Python 3.10 to 3.13 found" in process.stderr


def test_no_venv_module(tmp_path):
    body = 'case "$*" in *venv*) exit 1;; esac'
    process = run(tmp_path, python=fake_python(tmp_path, body))
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "has no venv module; install it" in process.stderr


def test_unknown_word(tmp_path):
    process = run(tmp_path, "serach")
    assert process.returncode == 2
    assert process.stderr == "usage: ./setup.sh [search | gpu | test]\n"


def environment(folder, base):
    """Puts an environment into a folder in which all requirements are installed."""
    enas_env = folder / "enas_env"
    interpreter(enas_env / "bin", base).rename(enas_env / "bin" / "python")
    (folder / "requirements.txt").write_text("")
    (enas_env / "installed-requirements.txt").write_text("")


@pytest.mark.parametrize("status", [0, 1])
def test_gpus_are_looked_for_once_what_they_need_is_there(status, tmp_path):
    environment(tmp_path, "3.11.9 in /a")
    (tmp_path / "requirements-gpu.txt").write_text("")
    (tmp_path / "enas_env" / "installed-requirements-gpu.txt").write_text("")
    body = f'case "$2" in *GPU*) echo looked >&2; exit {status};; esac'
    fake_python(tmp_path, body).rename(tmp_path / "enas_env" / "bin" / "python")
    process = run(tmp_path, "gpu")
    assert process.returncode == status
    looked, *said = process.stderr.splitlines()
    assert looked == "looked"
    assert len(said) == status and all("no GPU can be used" in line for line in said)


def interpreter(folder, base):
    """An interpreter that tells its version and installation, and has pip."""
    return fake_python(folder, f'case "$1" in -c) echo "{base}";; esac')


@pytest.mark.parametrize("named", ["3.11.9 in /a", "3.12.4 in /a", "3.11.9 in /b", ""])
def test_an_environment_of_another_python_stays(named, tmp_path):
    environment(tmp_path, "3.11.9 in /a")
    python = interpreter(tmp_path / "named", named) if named else None
    process = run(tmp_path, python=python)
    assert process.returncode == 0, process.stderr
    *said, last = process.stderr.splitlines()
    assert last.startswith("ready: ")
    differs = named not in ("3.11.9 in /a", "")
    assert said == differs * [
        "setup.sh: enas_env was made with Python 3.11.9 in /a and stays; remove that "
        f"folder to use {python} ({named})"
    ]


def test_what_is_no_python_does_not_stop_an_environment_s_use(tmp_path):
    environment(tmp_path, "3.11.9 in /a")
    process = run(tmp_path, python=tmp_path / "missing")
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("\n") == 2
    assert "missing (something that is no Python)" in process.stderr


def test_an_environment_knows_the_python_that_it_was_made_with(tmp_path):
    """The real one: its own interpreter and the one behind it are the same."""
    environment(tmp_path, "3.11.9 in /a")
    (tmp_path / "enas_env" / "bin" / "python").unlink()
    with open(tmp_path / "enas_env" / "bin" / "python", "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "enas_env" / "bin" / "python").chmod(0o755)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    process = run(tmp_path, python=os.path.join(sys.base_prefix, "bin", version))
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("\n") == 1
