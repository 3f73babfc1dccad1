"""Becomes a confined process: `python -I -S -B launcher.py <orders> <program> [argument …]`.

It takes from itself what the orders do not grant and executes the program, which keeps its
process id. Few modules are imported, because each costs every start milliseconds: so the package
itself is not imported, only those of its modules that do this work.
"""

import sys

HERE = __file__.rpartition("/")[0]

if __name__ == "__main__":
    sys.path.insert(0, HERE.rpartition("/plugbay/")[0])
    package = type(sys)("plugbay.isolation")
    package.__path__ = [HERE]
    sys.modules[package.__name__] = package

    from plugbay.isolation._confine import main

    main(sys.argv[1:])
