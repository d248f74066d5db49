"""A search that tells on stderr a hash of all its variables whenever it saves.

A worker that is not the chief saves nothing, but tells the hash as well.

    python tests/hashed_search.py [--flag=value …]
"""

import hashlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from enas.loop import main
from search_arc_mnist import CONSTANTS

BEGINNING = "variables: "
_loaded = main._loaded


def loaded(task: str):
    """Loads TensorFlow as ever; nothing may load it earlier."""
    found = _loaded(task)
    import tensorflow as tf

    from enas.session.session import Session

    write = Session.save

    def save(session: Session) -> None:
        variables = sorted(tf.compat.v1.global_variables(), key=lambda one: one.name)
        hashed = hashlib.sha256()
        for value in session.run(variables):
            hashed.update(value.tobytes())
        print(f"{BEGINNING}{hashed.hexdigest()}", file=sys.stderr)
        write(session)

    Session.save = save
    return found


if __name__ == "__main__":
    main._loaded = loaded
    sys.argv[0] = "search_arc_mnist.py"
    main.main("search", CONSTANTS)
