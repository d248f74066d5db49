"""The command that trains a string of a log, and what is told of it."""

import random

import pytest

import search_arc_cifar
import train_arc_cifar
import train_arc_mnist
from enas.flags.recipes import RECIPES
from enas.report.train_command import train_command
from enas.report.train_cost import below_command
from enas.space.arc import random_arc
from tests.analyses import ARC, command_flags, only
from tests.log_files import (
    search_log,
)


@pytest.mark.parametrize(
    ("changed", "passed"),
    [
        ({}, []),
        ({"num_epochs": 3, "child_lr_max": 0.01, "output_dir": "mine"}, []),
        ({"child_scheme": "binarize"}, ["--child_scheme=binarize"]),
        ({"child_first_scheme": "float"}, ["--child_first_scheme=float"]),
        ({"child_n_bits": 8, "channel": 3}, ["--channel=3", "--child_n_bits=8"]),
        ({"child_out_filters": 36}, ["--child_out_filters=36"]),
        ({"train_limit": 200}, ["--train_limit=200"]),
        ({"child_out_filters": 16}, []),  # is the train script's default
        ({"child_num_layers": 4}, ["--child_num_layers=4"]),
        ({"child_pool_layers": "1, 3"}, ["--child_pool_layers=1, 3"]),
        ({"child_use_aux_heads": False}, ["--child_use_aux_heads=False"]),
        (
            {"random_flip": True, "img_size": 64, "random_rotation": 10},
            ["--img_size=64", "--random_flip=True", "--random_rotation=10.0"],
        ),
        ({"child_pool_layers": "1 3 "}, ["--child_pool_layers=1 3 "]),
        ({"train_data_dir": "my $HOME/x"}, ["--train_data_dir=my $HOME/x"]),
        ({"img_size": "3x"}, []),  # damaged
        ({"recipe": "best"}, []),  # likewise
        ({"child_shortcut": True}, ["--child_shortcut=True"]),
        (RECIPES["faithful"] | {"recipe": "faithful"}, ["--recipe=faithful"]),
        (
            RECIPES["faithful"] | {"recipe": "faithful", "child_node_mean": True},
            ["--recipe=faithful", "--child_node_mean=True"],
        ),
    ],
)
def test_train_command(changed, passed):
    run = only(search_log(1, changed=changed))
    given_flags, words = command_flags(train_command(ARC, run.flags))
    assert words == passed
    assert given_flags.fixed_arc == str(ARC)


def test_train_command_where_the_script_s_recipe_was_edited(monkeypatch):
    monkeypatch.setitem(train_arc_mnist.CONSTANTS, "recipe", "faithful")
    faithful = RECIPES["faithful"] | {"recipe": "faithful"}
    for changed, passed in (
        ({}, ["--recipe=recommended"]),
        (faithful, []),
        (faithful | {"child_node_mean": True}, ["--child_node_mean=True"]),
    ):
        run = only(search_log(1, changed=changed))
        assert command_flags(train_command(ARC, run.flags))[1] == passed


def test_train_command_of_other_searches():
    """Also of those that are older than recipes, and thus faithful."""
    faithful = "--recipe=faithful"
    cifar = {
        "data_path": "/data/cifar10",
        "child_num_layers": "6",
        "num_valids": "5000",
    }
    command = train_command(ARC, cifar)
    assert command_flags(command)[1] == [faithful]
    assert "train_arc_cifar.py" in command and command.endswith(">> cifar_arc.txt")
    cifar |= {"child_num_layers": "8", "data_path": "pictures"}
    assert command_flags(train_command(ARC, cifar))[1] == [
        faithful,
        "--data_path=pictures",
        "--child_num_layers=8",
    ]
    cifar = {"data_path": "pictures", "child_pool_layers": "1 3 6"}
    cifar["child_num_layers"] = "6"  # of which the third reduction is
    assert command_flags(train_command(ARC, cifar))[1] == [
        faithful,
        "--data_path=pictures",
        "--child_num_layers=6",
        "--child_pool_layers=1 3 6",
    ]
    older_mnist = {"data_path": "/data/mnist", "img_size": "24", "channel": "1"}
    assert command_flags(train_command(ARC, older_mnist))[1] == [
        faithful,
        "--img_size=24",
    ]
    settings_, words = command_flags(train_command(random_arc(3, random.Random(1)), {}))
    assert words == [faithful, "--child_num_cells=3"] and settings_.child_num_cells == 3


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("./data/mnist/train", "mnist"),
        ("my_images/train", "my_images"),
        ("/disk/my cats & dogs/train.zip", "my_cats_dogs"),
        ("../train", "train"),
        ("flowers", "flowers"),
        ("..", "images"),
        ("x" * 300 + "/train", "x" * 40),
    ],
)
def test_the_log_is_named_after_the_images(folder, name):
    command = train_command(ARC, {"train_data_dir": folder})
    assert command.endswith(f" >> {name}_arc.txt")
    assert train_command(ARC, {}).endswith(" >> mnist_arc.txt")


def below(changed=None, facts=None, minutes=1.0):
    """What stands below the command, in one line; a step takes 2 · minutes seconds."""
    run = only(search_log(1, changed=changed, facts=facts))
    steps = [step._replace(minutes=step.minutes * minutes) for step in run.child_steps]
    text = below_command(ARC, run._replace(child_steps=steps))
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_what_the_training_takes():
    same = {"child_out_filters": 16}
    text = below(same, {})
    assert text.startswith(
        "That is 300 epochs of 165,000 images (55,000, and 2 altered copies of each): "
        "387,000 steps. A step of the search took 2 s; at that speed they take some 9 "
        "days. This is an estimate: "
    )
    assert text.endswith("--n_aug_img=1 and --train_limit make it shorter.")
    text = below({"child_out_filters": 8, "train_limit": 200}, {"train_images": 200})
    assert "600 images (200, and" in text and "1,500 steps" in text
    assert "some 50 minutes" in text and "shorter" not in text
    assert "some 4 days" in below({}, {}, minutes=0.5)  # of 20 filters, which become 16
    assert "took 1 s; in proportion to its size one here takes 0.8 s" in (
        below({}, {}, minutes=0.5)
    )
    assert below(same) == "That is 300 epochs."  # an older log, without facts
    assert below(same, {}, minutes=0).endswith("387,000 steps.")


def test_what_a_training_on_cifar_takes(monkeypatch):
    """It trains on the images, too, that the search set aside for validation."""
    flags = {name: str(value) for name, value in search_arc_cifar.CONSTANTS.items()}
    run = only(search_log(1, facts={}))._replace(flags=flags)
    run.facts["train_images"] = "45000"
    text = " ".join(below_command(ARC, run).split())
    assert "310 epochs of 50,000 images: 484,530 steps" in text
    assert "n_aug_img" not in text
    assert "one here takes 0.85 s" in text  # 2 · 17/8 · 0.8/4
    assert (
        "The search had 6 layers and 20 filters. The train script has its own default, "
        "15 and 16: add --child_num_layers=6 and --child_out_filters=20 to keep"
    ) in text
    monkeypatch.setitem(train_arc_cifar.CONSTANTS, "num_epochs", 7)
    assert "That is 7 epochs" in below_command(ARC, run)


def test_why_sizes_are_others():
    assert "The search had 20 filters." in below()
    for filters in (16, 36):  # the train script's own, and one that is passed
        assert "The search had" not in below({"child_out_filters": filters})


def test_dots_of_a_path(tmp_path, monkeypatch):
    """The log's line does not tell `./images`, `../images` and `/images` apart."""
    (tmp_path / "here").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "here" / "train.zip").touch()
    monkeypatch.chdir(tmp_path / "here")
    flags = {"train_data_dir": "./train", "val_data_dir": "../images"}
    flags["test_data_dir"] = "./" + "long" * 30
    run = only(search_log(1, changed=flags))
    assert command_flags(train_command(ARC, run.flags))[1] == [
        f"--{name}={value}" for name, value in flags.items()
    ]
