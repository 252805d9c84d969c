"""Where the texts of the stages go: ``PYFUSE_DEBUG`` to stderr, ``PYFUSE_DUMP_DIR`` to files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from pyfuse.config import Config

_SUFFIXES = {"source": "c", "asm": "s", "driver": "py"}


class Dump:
    """Shows one function's stage texts as the settings ask; a callable of topic and text."""

    def __init__(self, config: Config, function_name: str, number: int) -> None:
        self._config = config
        self._function_name = function_name
        self._number = number
        self._written: dict[str, int] = {}

    @property
    def _name(self) -> str:
        """Of the function, as a file may be called. Not made for each call: compiling the pattern takes 0.2 ms."""
        return re.sub(r"[^A-Za-z0-9_.-]", "_", self._function_name)

    def wants(self, topic: str) -> bool:
        """Whether anybody looks at a topic's text."""
        return topic in self._config.debug or self._config.dump_dir is not None

    def __call__(self, topic: str, text: str | Callable[[], str]) -> None:
        """Show a text; a callable is asked for it only if somebody looks."""
        if not self.wants(topic):
            return
        shown = text() if callable(text) else text
        if topic in self._config.debug:
            print(
                f"--- pyfuse {topic}: {self._name}\n{shown}", file=sys.stderr, end="" if shown.endswith("\n") else "\n"
            )
        if self._config.dump_dir is not None:
            self._write(topic, shown)

    def _write(self, topic: str, text: str) -> None:
        count = self._written[topic] = self._written.get(topic, 0) + 1
        name = f"{self._name}.{self._number}.{topic}{count if count > 1 else ''}.{_SUFFIXES.get(topic, 'txt')}"
        assert self._config.dump_dir is not None
        try:
            self._config.dump_dir.mkdir(parents=True, exist_ok=True)
            (self._config.dump_dir / name).write_text(text, encoding="utf-8")
        except OSError as error:
            print(f"pyfuse: cannot write {self._config.dump_dir / name}: {error}", file=sys.stderr)
