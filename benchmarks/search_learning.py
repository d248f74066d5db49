"""Compares the learning curves of search recipes.

    python -m benchmarks.search_learning [--seeds=1,2] [--epochs=3] [--jobs=1]
        [--folder=FOLDER] [RECIPE …] [-- FLAG …]

It runs search_arc_mnist.py once for each recipe (see RECIPES; all of them by default)
and each seed, --jobs of them side by side. All runs get the flags that follow `--`. It
prints the mean `val_acc` of the ten strings after each epoch, and draws the curves into
FOLDER/curves.png. Logs stay in FOLDER. A run whose log is complete is not run again,
and one that was interrupted continues.
"""

import argparse
import os
import statistics
from collections import defaultdict

from matplotlib.figure import Figure

from benchmarks.script_runs import logged_runs, parse_arguments
from enas.base.text_table import text_table
from enas.report.log_records import Run

SCRIPT = "search_arc_mnist.py"
# What each recipe adds to the script's constants.
RECIPES = {
    "recommended": (),
    "faithful": ("--recipe=faithful",),
    "shortcut": ("--child_shortcut=True",),
    "no-op-shortcut": ("--child_op_shortcut=False",),
    "op-scale-1": ("--child_op_scale=1",),
    "node-sum": ("--child_node_mean=False",),
    "output-kernels": ("--child_share_output_kernel=False",),
    "beta1-0": ("--child_adam_beta1=0",),
    "epsilon-1e-3": ("--child_adam_epsilon=1e-3",),
    "rate-0.03": ("--child_lr_max=0.03",),
}
Curve = dict[int, float]  # mean accuracy of the strings shown, by epoch


def curve(run: Run) -> Curve:
    accuracies = defaultdict(list)
    for shown in run.architectures:
        accuracies[shown.epoch].append(shown.accuracy)
    return {epoch: statistics.mean(values) for epoch, values in accuracies.items()}


def table(curves: dict[str, list[Curve]], epochs: int) -> str:
    """Makes a row for each recipe: the mean over seeds, and the range of the seeds."""
    rows = [("recipe", *(f"epoch {epoch}" for epoch in range(1, epochs + 1)))]
    for recipe, of_seeds in curves.items():
        cells = []
        for epoch in range(1, epochs + 1):
            values = [one[epoch] for one in of_seeds if epoch in one]
            spread = f" ({min(values):.3f}-{max(values):.3f})" if values[1:] else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}" if values else "")
        rows.append((recipe, *cells))
    return text_table(rows, left=(0,))


def draw(curves: dict[str, list[Curve]], path: str) -> None:
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for number, (recipe, of_seeds) in enumerate(curves.items()):
        for one in of_seeds:
            label = recipe if one is of_seeds[0] else None
            axes.plot(one.keys(), one.values(), f"C{number}o-", label=label)
    axes.set_xlabel("epochs of child training")
    axes.set_ylabel("mean accuracy of ten strings, a validation batch each")
    axes.set_ylim(0.0, 1.0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", choices=[*RECIPES, []])
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", default="search_learning")
    options, flags = parse_arguments(parser)
    os.makedirs(options.folder, exist_ok=True)
    names, flags_of = defaultdict(list), {}
    for recipe in options.recipes or RECIPES:
        for seed in map(int, options.seeds.split(",")):
            name = os.path.join(options.folder, f"{recipe}-{seed}")
            own = [f"--seed={seed}", f"--num_epochs={options.epochs}"]
            flags_of[name] = [*RECIPES[recipe], *own, *flags]
            names[recipe].append(name)
    runs = logged_runs(SCRIPT, flags_of, options.jobs)
    curves = {recipe: [curve(runs[n]) for n in of] for recipe, of in names.items()}
    print(table(curves, options.epochs))
    draw(curves, os.path.join(options.folder, "curves.png"))


if __name__ == "__main__":
    main()
