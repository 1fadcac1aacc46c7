"""Run the command line: `python -m tessera_gql …` is `tessera …`."""

from tessera_gql.cli import main

if __name__ == "__main__":
    main()
