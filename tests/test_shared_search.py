"""Searches that two workers share: from start to end, ended, and with one lost."""

import json
import os
import re
import signal

import pytest

from tests.finished import made_once
from tests.hashed_search import BEGINNING
from tests.runs import CONTINUED, LINES, count, difference, variables
from tests.together import ends, read_until, start

SCRIPT = "search_arc_mnist.py"
HASHED = "tests/hashed_search.py"  # the same, which tells of its variables
FLAGS = (
    "--child_num_layers=1",
    "--child_num_cells=1",
    "--child_out_filters=4",
    "--child_pool_layers=0 1",
    "--child_use_aux_heads=False",
    "--img_size=8",
    "--train_limit=100",
    "--eval_limit=250",
    "--batch_size=10",
    "--num_epochs=2",
    "--log_every=1",
    "--controller_train_steps=2",
    "--controller_num_aggregate=3",
)
SEED = "--seed=7"
LOST = "is gone, and the others end; start all of them again"


def without_minutes(lines):
    return [line.partition("mins")[0] for line in lines if "output_dir" not in line]


def search_undisturbed(folder):
    """Lets two workers search in a folder, and keeps what the chief printed."""
    (folder / "temporary").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder / "temporary"))
        both = start(2, HASHED, *FLAGS, SEED, f"--output_dir={folder / 'out'}")
    (status, lines, errors), (other, silence, others) = ends(both)
    assert (status, other) == (0, 0), errors
    hashes = [line for line in errors if line.startswith(BEGINNING)]
    # Both have the same variables after each epoch, and each epoch has others.
    assert hashes == [line for line in others if line.startswith(BEGINNING)]
    assert len(set(hashes)) == len(hashes) == 2
    assert silence == []
    assert list((folder / "temporary").iterdir()) == []
    (folder / "printed.json").write_text(json.dumps([lines, errors]))


@pytest.fixture(scope="module")
def undisturbed(shared_folder):
    """The log and the last variables of a search that nothing ended."""
    folder = made_once(shared_folder, "shared_search", search_undisturbed)
    lines, errors = json.loads((folder / "printed.json").read_text())
    out = str(folder / "out")
    return out, lines, errors, variables(out)


def test_two_workers_share_a_search(undisturbed):
    out, lines, errors, values = undisturbed
    for line in lines:
        assert any(re.match(pattern, line) for pattern in LINES), line
    # 100 images are 5 steps of twice 10 images.
    assert count(lines, "epoch =") == 10
    assert all("/ 20" in line for line in lines if line.startswith("epoch ="))
    assert "workers".ljust(79, ".") + "2" in lines
    # The chief tells of its own samples, which are half of 2 × 6.
    assert count(lines, "ctrl_step") == 6
    assert count(lines, "val_acc") == 20
    assert values["global_step"] == 10 and values["progress/epochs"] == 2
    assert values["controller_training/updates"] == 4
    assert os.path.exists(os.path.join(out, "ranking.json"))
    assert any(line.startswith("mean of 10 controller") for line in errors)


def test_all_leave_together_and_go_on(tmp_path, undisturbed):
    """If one is told to; and if one is killed, the other names it and ends. The seed
    of the second start is the chief's, which alone has the folder."""
    _, whole, _, expected = undisturbed
    flags = (*FLAGS, f"--output_dir={tmp_path / 'out'}")
    both = start(2, SCRIPT, *flags, SEED)
    read_until(both[0], "epoch = 0     ch_step = 3 ")
    both[1].process.send_signal(signal.SIGTERM)
    for status, _, errors in ends(both):
        assert status == 143
        assert "interrupted and saved; to go on, start all workers" in errors[-1]
    step = int(variables(tmp_path / "out")["global_step"])
    assert 3 <= step < 10
    both = start(2, SCRIPT, *flags, CONTINUED)
    lines = read_until(both[0], "ctrl_step = 3 ")
    assert any(f"ch_step = {step + 1} " in line for line in lines)
    both[1].process.kill()
    status, _, errors = both[0].end()
    assert status == 1
    assert errors[-1].startswith("search_arc_mnist.py: worker 1 (127.0.0.1:")
    assert LOST in errors[-1]
    assert both[1].end()[0] == -9
    (status, lines, errors), (other, _, _) = ends(start(2, SCRIPT, *flags, CONTINUED))
    assert (status, other) == (0, 0), errors
    tail = without_minutes(lines)[-40:]
    assert tail == without_minutes(whole)[-40:]
    assert difference(variables(tmp_path / "out"), expected) is None
