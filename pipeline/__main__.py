"""`python -m pipeline` is the same program as the console script `repath`."""

from pipeline.cli.main import main

if __name__ == "__main__":
    main()
