"""Recipes: sets of flags that go together, by name.

A recipe stands behind the command line and before the scripts' constants, which are the
recommended one. To add a recipe, write its entry; TensorFlow is not imported here.
"""

RECIPES = {
    # The scripts' constants.
    "recommended": {},
    # As the older codes trained: without the operations' shortcuts, and Adam without an
    # average of gradients, and with an epsilon above most of them.
    "faithful": {
        "child_shortcut": False,
        "child_op_shortcut": False,
        "child_op_scale": 1.0,
        "child_node_mean": False,
        "child_share_output_kernel": False,
        "child_adam_beta1": 0.0,
        "child_adam_epsilon": 1e-3,
        "child_lr_max": 0.05,
        "controller_lr": 0.0035,
        "controller_adam_epsilon": 1e-3,
        "controller_bl_of_update": False,
    },
}
# The recipe of runs whose version had no recipes yet, or lacked some of their flags.
OLDER = "faithful"
