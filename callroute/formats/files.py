"""Reads and writes UTF-8 text files, and reports failures as input errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Reads a UTF-8 file, dropping any byte order mark.

    Raises:
        InputError: the file is missing, unreadable or not UTF-8.
    """
    try:
        # Path.read_text would convert the line breaks.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(
            str(path), "", "there is no such file", "Provide the path of an existing file"
        ) from error
    except IsADirectoryError as error:
        raise InputError(str(path), "", "is a folder", "Provide the path of a file") from error
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputError(str(path), "", problem, "Provide the path of a readable file") from error
    except UnicodeDecodeError as error:
        raise InputError(
            str(path), f"byte {error.start}", "is not UTF-8 text", "Save the file as UTF-8"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file, preserving the line breaks in the text.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise InputError(str(path), "", problem, "Provide the path of a writable file") from error
