"""The lines of a log, letter by letter as the format is specified."""

from enas.report.log import (
    Log,
    architecture_lines,
    child_line,
    controller_line,
    eval_lines,
    flag_line,
    layer_line,
)


def test_child_line():
    line = child_line(
        epoch=181,
        step=77850,
        loss=0.127491,
        lr=0.0456,
        grad_norm=0.2030,
        correct=108,
        batch_size=128,
        minutes=549.07,
    )
    assert line == (
        "epoch = 181   ch_step = 77850  loss = 0.127491   lr = 0.0456   |g| = 0.2030   "
        "tr_acc = 108/128   mins = 549.07    "
    )


def test_controller_line():
    line = controller_line(
        step=5430,
        loss=0.266,
        entropy=49.17,
        lr=0.0035,
        grad_norm=0.0002,
        accuracy=0.9688,
        baseline=0.97,
        minutes=550.96,
    )
    assert line == (
        "ctrl_step = 5430   loss = 0.266   ent = 49.17   lr = 0.0035   |g| = 0.0002   "
        "acc = 0.9688   bl = 0.97   mins = 550.96"
    )


def test_architecture_lines():
    cells = [0, 2, 1, 4], [1, 3, 1, 4]
    expected = "[0 2 1 4]\n[1 3 1 4]\nval_acc = 0.9688\n" + "-" * 80
    assert architecture_lines(*cells, 0.96875) == expected


def test_eval_lines():
    assert eval_lines("valid", 78260, 5000, 0.9612) == (
        "Eval at 78260\nValid Num examples:  5000\nvalid_accuracy: 0.9612"
    )
    assert eval_lines("test", 78260, 10000, 0.9622) == (
        "Eval at 78260\nTest Num examples:  10000\ntest_accuracy: 0.9622"
    )


def test_flag_and_layer_lines():
    line = flag_line("batch_size", 128)
    assert len(line) == 80
    assert line.replace(".", "") == "batch_size128"
    assert flag_line("fixed_arc", "0 " * 40) == "fixed_arc..." + "0 " * 40
    assert layer_line(7, 4, 160) == "Layer  7: [N, 4, 4, 160]"


def test_log_writes_to_stdout_and_to_its_file(tmp_path, capsys):
    """Those before the file is known, too; a continued run appends to it."""
    path = tmp_path / "log.txt"
    for number in range(2):
        log = Log()
        log.line(f"line {number}, before")
        log.keep_in(str(path))
        log.line(f"line {number}")
        log.close()
    text = "line 0, before\nline 0\nline 1, before\nline 1\n"
    assert path.read_text() == capsys.readouterr().out == text
