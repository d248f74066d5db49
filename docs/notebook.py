"""A small search and a short training, as a notebook would do them.

    enas_env/bin/python docs/notebook.py

It takes half a minute on two cores. Each part can be a cell of its own.
"""

import statistics

import enas

# A search of two epochs over small images; settings have the names of flags.
sizes = {"child_out_filters": 4, "img_size": 16, "child_num_layers": 2, "seed": 1}
searched = enas.search(
    num_epochs=2,
    train_limit=1000,
    eval_limit=200,
    controller_train_steps=2,
    output_dir="outputs_notebook",
    **sizes,
)
best = searched.ranking[0]
print(f"{best.arc}: {best.accuracy:.3f} ± {best.error:.3f}, drawn by {best.source}")

# The log as records: pandas.DataFrame(records) makes a table of them.
records = enas.read_log(f"{searched.folder}/log.txt")
for epoch in (1, 2):
    found = [r for r in records if r["kind"] == "architecture" and r["epoch"] == epoch]
    mean = statistics.fmean(record["accuracy"] for record in found)
    print(f"after epoch {epoch}: {len(found)} strings, mean val_acc {mean:.3f}")

# Its cells as a figure, which a notebook shows by itself.
enas.draw_arc(best.arc).savefig("outputs_notebook/best.png")

# The string alone, from new weights.
trained = enas.train(
    best.arc,
    num_epochs=1,
    train_limit=1000,
    eval_limit=200,
    n_aug_img=1,
    output_dir="outputs_notebook_arc",
    **sizes,
)
print(f"test accuracy {trained.evaluations[-1].test:.3f}")

# The same network as a Keras model, with new weights, to train in any other way.
model = enas.keras_model(best.arc, **sizes)
print(f"the Keras model has {model.count_params()} numbers")
