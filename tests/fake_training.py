"""A train script that trains nothing, so that tests can see many trainings.

It has steps, checkpoints, a log and a folder like the real ones, and takes a second.
The variable FAKE is JSON; for an arc string it may say what shall go wrong: "die" at
each start once a step is done, "die at once", or "fail" with a reason.

    python -m tests.fake_training FOLDER JOBS ARC…

trains the strings with it, as train_arcs does.
"""

import json
import os
import signal
import sys
import time

STEPS, EPOCHS = 10, 2
SECONDS = 0.05  # of a step
WRONG = {"die": 1, "die at once": 0}  # after how many steps of a start it dies


def main() -> None:
    """Is the script."""
    flags = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
    folder, arc = flags["output_dir"], flags["fixed_arc"]
    wrong = json.loads(os.environ.get("FAKE", "{}")).get(arc)
    if wrong == "fail":
        print("some words\nfake: the images are gone", file=sys.stderr)
        sys.exit(1)
    if os.path.exists(f"{folder}/flags.json") and "reset_output_dir" not in flags:
        print("fake: it would be moved aside", file=sys.stderr)
        sys.exit(1)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/flags.json", "w") as stream:
        json.dump(flags, stream)
    leaves = []
    signal.signal(signal.SIGTERM, lambda number, frame: leaves.append(number))
    done = max([0, *(int(n.split("-")[1]) for n in os.listdir(folder) if "ckpt" in n)])
    with open(f"{folder}/log.txt", "a") as log:
        for begun, step in enumerate(range(done + 1, STEPS + 1)):
            if WRONG.get(wrong) == begun:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(SECONDS)
            log.write(
                f"epoch = {step * EPOCHS // (STEPS + 1)}     ch_step = {step}      "
                f"loss = 0.100000 lr = 0.0100   |g| = 0.1000   tr_acc =  18/ 20   "
                f"mins = {step / 10:.2f}      \n"
            )
            log.flush()
            open(f"{folder}/model.ckpt-{step}-{step}.index", "w").close()
            if leaves:
                sys.exit(128 + leaves[0])
        log.write(
            f"Epoch {EPOCHS}: Eval\nEval at {STEPS}\nValid Num examples:  100\n"
            f"valid_accuracy: 0.9{arc[2]}00\nEval at {STEPS}\n"
            f"Test Num examples:  100\ntest_accuracy: 0.8000\n"
        )
    last = {"epoch": EPOCHS, "step": STEPS, "valid": 0.9, "test": 0.8}
    with open(f"{folder}/evaluations.json", "w") as stream:
        json.dump([last], stream)
    with open(f"{folder}/network.lbn", "w") as stream:
        stream.write("x" * 500)


def train(
    folder: str,
    arcs: list[str],
    jobs: int,
    engine: str = "processes",
    seeds: int = 0,
    **flags,
):
    """Trains strings with it; returns the trainings."""
    from enas.flags.table import Settings
    from enas.many import runner
    from enas.many.plan import Plan
    from enas.many.strings import Wanted

    settings = Settings(num_epochs=EPOCHS)
    plan = Plan(os.path.abspath(__file__), (), flags, settings)
    runner.plan = lambda *_: plan
    strings = [Wanted(arc, "controller", 0.5) for arc in arcs]
    return runner.run(settings, strings, [], folder, engine, jobs, None, seeds)


if __name__ == "__main__":
    if sys.argv[1].startswith("--"):
        main()
    else:
        from enas.base.program import one_line_errors

        with one_line_errors("fake"):
            train(sys.argv[1], sys.argv[3:], int(sys.argv[2]))
