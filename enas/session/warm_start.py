"""Starts a run from the weights of another one, where names and shapes agree."""

import tensorflow as tf

from enas.base.errors import InputError
from enas.base.program import note
from enas.session.checkpoint_files import found_in

MOST_NAMES = 8  # that are listed
_MOVING = ("_moving_mean", "_moving_variance")


class WarmStart:
    """The weights of another run that this one can take over.

    They are all that is trained, and the moving averages of batch norms; the optimizer
    starts anew. Make it once the graph is complete, and before the session.

    Args:
      folder: the other run's folder.

    Raises:
      InputError: it has no checkpoint that can be read, or no weight of it fits.
    """

    def __init__(self, folder: str):
        paths = found_in(folder)
        if not paths:
            raise InputError(f"init_from: {folder} has no checkpoint of a run")
        self._path = paths[-1]
        try:
            shapes = tf.train.load_checkpoint(self._path).get_variable_to_shape_map()
        except (tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
            raise InputError(f"init_from: {self._path} is damaged: {error}") from None
        wanted = {variable.op.name: variable for variable in _weights()}
        self._taken = {
            name: variable
            for name, variable in wanted.items()
            if shapes.get(name) == variable.shape.as_list()
        }
        if not self._taken:
            raise InputError(
                f"init_from: no weight of the run in {folder} has the name and shape "
                f"of one of this network"
            )
        self._missing = sorted(wanted.keys() - self._taken.keys())
        self._saver = tf.compat.v1.train.Saver(list(self._taken.values()))

    def start(self, session: tf.compat.v1.Session) -> None:
        """Gives the weights to a session whose variables have their initial values.

        It tells on stderr what was taken over, and what was not.
        """
        self._saver.restore(session, self._path)
        total = len(self._taken) + len(self._missing)
        text = f"{len(self._taken)} of {total} weight tensors start from {self._path}"
        if self._missing:
            names = ", ".join(self._missing[:MOST_NAMES])
            others = len(self._missing) - MOST_NAMES
            more = f" and {others} others" if others > 0 else ""
            text += f"; these start anew, since it has none of their shape: {names}"
            text += more
        note(text)


def _weights() -> list[tf.Variable]:
    trained = tf.compat.v1.trainable_variables()
    moving = [
        variable
        for variable in tf.compat.v1.global_variables()
        if variable.op.name.endswith(_MOVING)
    ]
    return [*trained, *(v for v in moving if all(v is not t for t in trained))]
