"""``python -m layerscope``: the same as the command ``layerscope``."""

from layerscope.faces.cli import main

if __name__ == "__main__":
    main()
