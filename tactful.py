"""The command line's front door: it only assembles commands."""


def main() -> None:
    raise SystemExit("not yet")
