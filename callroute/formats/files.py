"""Reading the text files of this room, with errors a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without the byte order mark that some editors put before it.

    Raises:
        InputError: the file is missing, unreadable or not UTF-8.
    """
    try:
        # Bytes, since reading as text would change the line breaks.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(
            str(path), "", "there is no such file", "Give the path of an existing file"
        ) from error
    except OSError as error:
        raise InputError(
            str(path), "", f"it cannot be read ({error.strerror})", "Give a file that you may read"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            str(path), f"byte {error.start}", "this is not UTF-8 text", "Save the file as UTF-8"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8, line ends as they are.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            str(path), "", f"it cannot be written ({error.strerror})", "Give a file that you may write"
        ) from error
