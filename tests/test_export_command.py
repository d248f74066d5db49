"""What the export and the training say of a network that cannot be written."""

from types import SimpleNamespace

import pytest

from enas.export.walk import why_no_network
from enas.loop import export_command, trained
from enas.network.network import TooLarge
from tests.networks import random_child
from tests.runs import SMALL, SMALL_ARC, run_here

ERRORS = [
    (TooLarge("too many bits"), "too many bits; train with fewer bits (--child_n_bits"),
    (NotImplementedError("knows no X"), "knows no X; enas/export/walk.py must be"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
def test_one_line_says_why(error, message, monkeypatch, capsys, tmp_path):
    def opened(settings):
        raise error

    settings = SimpleNamespace(child_scheme="quantize", output_dir="mine")
    monkeypatch.setattr(export_command, "settings_of", lambda *_: settings)
    monkeypatch.setattr(trained, "opened", opened)
    target = tmp_path / "export"
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path), f"--output={target}"])
    with pytest.raises(SystemExit) as leaving:
        export_command.main()
    out, err = capsys.readouterr()
    assert (leaving.value.code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("export: the network in mine cannot be exported: ")
    assert message in err and not target.exists()


def test_sums_of_more_than_53_bits_are_too_large():
    with pytest.raises(TooLarge, match="more than 53 bits") as caught:
        random_child("quantize", 16, out_filters=16)
    assert "--child_out_filters" in why_no_network(caught.value)


def test_such_a_network_can_be_trained(tmp_path):
    words = ["--child_scheme=quantize", "--child_n_bits=16", "--num_epochs=1"]
    words += ["--train_limit=20", "--eval_limit=20", "--child_use_aux_heads=False"]
    process = run_here(
        "train_arc_mnist.py",
        f"-fixed_arc={SMALL_ARC}",
        *SMALL,
        *words,
        f"--output_dir={tmp_path / 'out'}",
    )
    assert process.returncode == 0, process.stderr
    assert "the network cannot be packed: the sums of step" in process.stderr
    assert not (tmp_path / "out" / "network.lbn").exists()
