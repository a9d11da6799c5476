"""`python -m sightline`, the same as the console script."""

from sightline.cli import main

if __name__ == "__main__":
    main()
