"""Recipes: sets of flags that go together, by name.

A recipe stands behind the command line and before the scripts' constants, which are the
recommended one. To add a recipe, write its entry; TensorFlow is not imported here.
"""

RECIPES = {
    # The scripts' constants.
    "recommended": {},
    # As the older codes trained: without a shortcut, and Adam without an average.
    "faithful": {
        "child_shortcut": False,
        "child_shortcut_pool": 1,
        "child_output_scale": 1.0,
        "child_adam_beta1": 0.0,
        "child_lr_max": 0.05,
        "child_lr_min": 0.0005,
    },
}
