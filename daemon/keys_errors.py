"""What may be wrong with the file of shared keys. Imports nothing: SQLite's are 1.2 MiB."""


class BadKeysFile(Exception):
    """The file cannot be used; names the setting and the cure."""


class KeysFileFailed(Exception):
    """The file was usable and is no more, or not now."""
