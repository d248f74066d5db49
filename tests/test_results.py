"""The commands of docs/results.md can be run by their numbers."""

import pytest

from benchmarks import results

PAGE = """# Results

```sh
python a.py \\
--flag >> log.txt
```

## More

```text
not a command
```

```sh
first
second
```
"""


def test_commands_of_a_page():
    assert results.commands(PAGE) == [
        ("Results", "python a.py  --flag >> log.txt"),
        ("More", "first"),
        ("More", "second"),
    ]


def test_the_page_s_commands_start_the_project_s_python(capsys):
    found = results.commands(results.PAGE.read_text(encoding="utf-8"))
    assert len(found) > 4
    assert all(one.line.startswith("enas_env/bin/python ") for one in found)
    assert results.main([]) == 0
    told = capsys.readouterr().out
    assert all(one.line in told and one.heading in told for one in found)


def test_a_command_is_run_where_it_would_be_pasted(monkeypatch, tmp_path):
    page, seen = tmp_path / "page.md", tmp_path / "seen"
    page.write_text(f"# A\n```sh\ntrue\npwd > {seen}; exit 3\n```\n")
    monkeypatch.setattr(results, "PAGE", page)
    assert results.main(["2"]) == 3
    assert seen.read_text().strip() == str(results.ROOT)


@pytest.mark.parametrize("number", ["0", "99", "two"])
def test_numbers_that_are_none(number, capsys):
    with pytest.raises(SystemExit) as ended:
        results.main([number])
    assert ended.value.code == 2
    assert capsys.readouterr().err
