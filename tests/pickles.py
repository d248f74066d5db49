"""Hostile pickles, made of opcodes at random, read in a process of little memory.

    python -m tests.pickles COUNT

prints how many were read, refused, and went wrong.
"""

import pickle
import random
import resource
import struct
import sys
import time
from collections import Counter

from enas.images import safe_pickle

MEMORY = 2**30  # bytes of address space
SLOW = 10.0  # seconds of computing
LARGE = b"a" * 2**16


def _text(rng: random.Random) -> bytes:
    """An opcode that pushes a string, most often a short one."""
    content = LARGE if rng.random() < 0.1 else rng.choice([b"data", b"u1", b"latin1"])
    opcode = rng.choice([b"X", b"T", b"B"])
    return opcode + struct.pack("<I", len(content)) + content


def hostile(rng: random.Random) -> bytes:
    """A pickle that makes much of little, or asks for what it should not."""
    memo = rng.randrange(1, 8)
    plain = [b"}", b"]", b")", b"(", b"N", b"K\x05", b"J\xff\xff\xff\x7f", b"\x88"]
    names = [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n"]
    names += [b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"]
    made = [
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"a",
        b"e",
        b"s",
        b"u",
        b"R",
        b"b",
        b"\x93",
    ]
    content = b"\x80\x02"
    for number in range(memo):
        content += rng.choice([_text(rng), *plain[:3], *names]) + b"q" + bytes([number])
    # What was made is used again and again, as a key, an item or an argument.
    for _ in range(rng.randrange(1, 40)):
        piece = b""
        for _ in range(rng.randrange(1, 6)):
            again = b"h" + bytes([rng.randrange(memo)])
            piece += rng.choice([again, rng.choice(made), _text(rng), *plain])
        content += piece * rng.choice([1, 1, 2, 300])
    if rng.random() < 0.3:
        keys = rng.choice([b"s", b"Ns", b"NNs"])
        content = b"\x80\x02}" + _text(rng) + b"q\x00Ns" + (b"h\x00" + keys) * 2000
    return content + b"."


def outcome(content: bytes) -> str:
    start = time.process_time()
    try:
        safe_pickle.load(content)
        result = "read"
    except ValueError:
        result = "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return result if time.process_time() - start < SLOW else "slow"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    counts: Counter = Counter()
    for seed in range(int(sys.argv[1])):
        rng = random.Random(seed)
        content = hostile(rng) if seed % 10 else pickle.dumps({"a": [seed]}, 2)
        result = outcome(content)
        if result not in ("read", "refused"):
            print(f"seed {seed}: {result}", file=sys.stderr)
            result = "wrong"
        counts[result] += 1
    print(counts["read"], counts["refused"], counts["wrong"])


if __name__ == "__main__":
    main()
