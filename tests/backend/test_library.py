"""Is the C library cut into the right definitions, and handed out with all that they need, in a fixed order?"""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyfuse.backend.c_library.library import closure, functions, prelude
from pyfuse.backend.c_text import function_name
from pyfuse.errors import CannotFuse
from pyfuse.graph.infer import FUSED_CODES, resolve
from pyfuse.graph.nodes import code_of
from pyfuse.graph.ops import OPERATIONS


def test_every_definition_is_found_under_its_own_name() -> None:
    for name in functions():
        function = functions()[name]
        assert function.name == name
        assert re.search(rf"\b{name}\b", function.text)


def test_no_placeholder_of_a_family_is_left_in_a_text() -> None:
    assert [name for name in functions() if "$" in functions()[name].text] == []


def test_the_prelude_defines_the_type_of_every_fused_dtype() -> None:
    for code in sorted(FUSED_CODES):
        assert re.search(rf"\bpf_{code};", prelude()), code
        if np.dtype(code).itemsize > 1:
            assert f"pf_{code}_unaligned" in prelude(), code


def test_a_closure_holds_each_definition_once_after_all_that_it_needs() -> None:
    for name in functions():
        seen: set[str] = set()
        for function in closure([name]):
            assert function.name not in seen
            assert set(function.needs) <= seen, f"{function.name} stands before what it needs"
            seen.add(function.name)
        assert name in seen


def test_a_closure_depends_on_names_not_on_their_order() -> None:
    names = list(functions())[:40]
    assert closure(names) == closure(reversed(names)) == closure(names * 2)


def test_a_name_that_is_not_there_is_an_error() -> None:
    assert "pf_no_such_function" not in functions()
    with pytest.raises(KeyError):
        closure(["pf_no_such_function"])


def test_every_word_of_the_library_in_a_text_is_named_as_needed() -> None:
    known = set(functions())
    for name in functions():
        function = functions()[name]
        mentioned = {word for word in re.findall(r"\bpf_\w+", _without_comments(function.text)) if word in known}
        assert mentioned - {name} <= set(function.needs)


def test_what_a_function_takes_last_is_read_from_its_parameters() -> None:
    for name in functions():
        function = functions()[name]
        parameters = function.text[function.text.index(name) :].partition(")")[0]
        assert function.takes_status == ("unsigned *status" in parameters)
        assert function.takes_careful == parameters.rstrip().endswith("const int careful")


def test_a_function_that_calls_one_with_status_has_a_status_to_give() -> None:
    for name in functions():
        function = functions()[name]
        if any(functions()[needed].takes_status for needed in function.needs):
            assert function.takes_status or "status" in function.text, name


def test_no_name_of_the_library_is_made_twice_from_operations_and_dtypes() -> None:
    """``pf_<operation>_<codes>`` reads one way only: no operation's name is another's with a dtype code behind it."""
    names = {f"pf_{operation}_{code}" for operation in OPERATIONS for code in FUSED_CODES}
    assert len(names) == len(OPERATIONS) * len(FUSED_CODES)


def test_results_have_the_type_that_numpy_gives_them() -> None:
    for operation in OPERATIONS.values():
        if not operation.is_ufunc or operation.result_count != 1:
            continue
        for code in sorted(FUSED_CODES):
            try:
                loop, results = resolve(operation, [np.dtype(code)] * operation.operand_count)
            except CannotFuse:
                continue
            name = function_name(operation.name, loop)
            if name in functions():
                declared = functions()[name].text.partition(f" {name}")[0].split()[-1]
                assert declared == f"pf_{code_of(results[0])}", name


def _without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
