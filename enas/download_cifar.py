"""Downloads CIFAR-10 from its authors.

`python -m enas.download_cifar --help` says how; the code is in
enas/images/cifar_download.py.
"""

from enas.images.cifar_download import main

if __name__ == "__main__":
    main()
