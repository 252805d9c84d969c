"""The user's function as pyfuse read it, printed as Python: ``PYFUSE_DEBUG=driver``."""

from __future__ import annotations

import ast
import warnings

from pyfuse.source import FunctionSource


def driver_text(source: FunctionSource) -> str:
    """Python text of a function's syntax tree, with a final newline."""
    return tree_text(source.node)


def tree_text(node: ast.AST) -> str:
    """Python text of a syntax tree, with a final newline.

    ``astor`` lays it out; the standard library does where ``astor`` does not know a node (``match``), or prints another
    tree than it was given.
    """
    return (_by_astor(node) or ast.unparse(node)).rstrip() + "\n"


def _by_astor(node: ast.AST) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astor 0.8.1 asks for ast.Num and its kin, which Python 3.12 deprecates
            import astor

            text = str(astor.to_source(node))
        is_whole = _tree(text) == _tree(ast.unparse(node))
    except Exception:  # it raises whatever it stumbles over; the text is for reading only
        return None
    return text if is_whole else None


def _tree(text: str) -> str:
    return ast.dump(ast.parse(text))
