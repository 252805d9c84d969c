"""Which statements become regions, with which names, around statements that stay Python."""

from __future__ import annotations

import ast

import pytest

from pyfuse.frontend.name_flow import name_flow, use_of
from pyfuse.frontend.regions import Blame, mentions, region_function, split


def function(text: str) -> ast.FunctionDef:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def split_text(text: str, *hard_lines: int, scalars: tuple[str, ...] = ("n",)) -> str:
    """The driver and the regions of a function, of which the statements on some lines cannot fuse."""
    node = function(text)
    hard = {(child.lineno, child.col_offset) for child in ast.walk(node) if isinstance(child, ast.stmt)}
    blame = Blame(frozenset(place for place in hard if place[0] in hard_lines), frozenset())
    found = split(node, blame, scalars)
    if found is None:
        return ""
    parts = [found.driver, *(region_function(region, node) for region in found.regions)]
    return "\n".join(ast.unparse(part) for part in parts)


def test_a_region_takes_what_it_needs_and_gives_what_is_needed_later() -> None:
    text = """
def f(a, b, n):
    x = a + b
    y = x * 2
    w = solve(x, b)
    z = w + y
    u = z - x
    return u * z
"""
    assert (
        split_text(text, 5)
        == """\
def f(a, b, n):
    x, y = region_0(a, b)
    w = solve(x, b)
    return region_1(w, x, y)
def f(a, b):
    x = a + b
    y = x * 2
    return (x, y)
def f(w, x, y):
    z = w + y
    u = z - x
    return u * z"""
    )


def test_loops_keep_their_headers() -> None:
    text = """
def f(a, n):
    for i in range(n):
        t = a * i
        show(t)
        if i > 3:
            a = t + a
            break
        a = a + 1
    return a * 2
"""
    assert split_text(text, 5).startswith("""\
def f(a, n):
    for i in range(n):
        t = region_0(a, i)
        show(t)
        if i > 3:
            a = region_1(a, t)
            break
        a = region_2(a)
    return region_3(a)
""")


def test_a_loops_else_belongs_to_the_loop_around_it() -> None:
    text = """
def f(a, n):
    for i in range(n):
        for j in range(3):
            a = a * 2
        else:
            if n > 2:
                continue
        show(a)
    return a + 1
"""
    driver = split_text(text, 9)
    assert "for j in range(3):\n            a = region_0(a)\n        else:" in driver


def test_what_a_handler_may_read_is_there_when_an_exception_comes() -> None:
    text = """
def f(a):
    try:
        u = a + 1
        v = u * 2
        check(v)
    except ValueError:
        return u * 2
    return v
"""
    driver = split_text(text, 6)
    assert "u = region_0(a)\n        v = region_1(u)" in driver
    assert "return u * 2" in driver  # 'u' may have no value there


def test_a_name_that_may_have_no_value_is_no_argument() -> None:
    text = """
def f(a, n):
    for i in range(n):
        if i:
            b = p + a
        p = a * i
        show(p)
    return b * 2
"""
    driver = split_text(text, 7)
    assert "b = p + a" in driver and "p = region_0(a, i)" in driver and "return b * 2" in driver


def test_a_value_that_is_perhaps_assigned_goes_through() -> None:
    text = """
def f(a, n):
    b = a
    show(b)
    if n > 2:
        b = a * 2
    show(b)
    return b + 1
"""
    assert "b = region_0(a, b, n)" in split_text(text, 4, 7)


def test_statements_of_numbers_alone_are_no_regions() -> None:
    text = """
def f(a, n):
    k = n * 2 + 1
    show(k)
    b = a + k
    k = k + 1
    return b
"""
    assert split_text(text, 4).startswith("""\
def f(a, n):
    k = n * 2 + 1
    show(k)
    b = region_0(a, k)
    k = k + 1
    return b
""")


@pytest.mark.parametrize("word", ["locals()", "eval('a')", "vars()", "a.__private", "super().f"])
def test_a_function_that_looks_at_itself_is_left_alone(word: str) -> None:
    assert split_text(f"def f(a):\n    b = a + 1\n    show({word})\n    return b * 2", 3) == ""


def test_names_that_inner_functions_see_are_assigned_by_the_driver() -> None:
    text = """
def f(a):
    b = a + 1
    g = lambda: b * 2
    b = b * 3
    c = a * 2 + b
    return c + g()
"""
    driver = split_text(text, 5).partition("\ndef")[0]
    assert "b = a + 1" in driver and "b = b * 3" in driver and "g = lambda: b * 2" in driver and "region_0" in driver


def test_a_name_that_nobody_needs_stays_local() -> None:
    text = """
def f(a):
    if show(t):
        pass
    t = a + 1
    u = t * 2
    return u
"""
    assert "if False:\n        t = None" in split_text(text, 3)


def test_region_names_are_free() -> None:
    assert "region__0(" in split_text("def f(a):\n    region_0 = a + 1\n    show(a)\n    return region_0 * 2", 3)


def test_statements_that_mention_a_name() -> None:
    text = "def f(a, s):\n    b = a + 1\n    if b:\n        c = s @ b\n    while s:\n        b += 1\n    return c"
    assert mentions(function(text), "s") == ((4, 8), (5, 4))


@pytest.mark.parametrize(
    ("text", "reads", "writes"),
    [
        ("x = y", {"y"}, {"x"}),
        ("x += y", {"x", "y"}, {"x"}),
        ("x[i] = y", {"x", "i", "y"}, set()),
        ("x.a += y", {"x", "y"}, set()),
        ("z = [v + w for v in y if v > u]", {"y", "w", "u"}, {"z"}),
        ("z = [(q := v) for v in y]", {"y"}, {"z", "q"}),
        ("z = lambda v, w=u: v + t", {"u", "t"}, {"z"}),
        ("import a.b, c as d", set(), {"a", "d"}),
        ("del x", {"x"}, {"x"}),
        ("for i, (j, k) in y: pass", {"y"}, {"i", "j", "k"}),
        ("with open(x) as y: pass", {"open", "x"}, {"y"}),
        ("def g(a, b=c):\n    d = a\n    return d + e", {"c", "e"}, {"g"}),
        ("match x:\n    case [a, *b]: pass\n    case {'k': c, **d}: pass", {"x"}, {"a", "b", "c", "d"}),
        ("try: pass\nexcept E as e: pass", {"E"}, {"e"}),
    ],
)
def test_names_that_are_read_and_written(text: str, reads: set[str], writes: set[str]) -> None:
    use = use_of(ast.parse(text))
    assert (use.reads, use.writes) == (reads, writes)


def assigned_at_the_end(body: str) -> set[str]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    node = function(f"def f(a):\n{lines}    return a")
    return set(name_flow(node).assigned[id(node.body[-1])])


@pytest.mark.parametrize(
    ("body", "assigned"),
    [
        ("b = a", {"b"}),
        ("if a:\n    b = c = 1\nelse:\n    b = 2", {"b"}),
        ("if a:\n    return 1\nelse:\n    b = 2", {"b"}),
        ("for i in a:\n    b = 1", set()),
        ("while a:\n    b = 1", set()),
        ("b = 1\ndel b", set()),
        ("a and (b := 1)", set()),
        ("try:\n    b = 1\nexcept E:\n    b = 2", {"b"}),
        ("try:\n    b = 1\nexcept E:\n    pass", set()),
        ("try:\n    b = 1\nexcept E:\n    raise\nelse:\n    c = 2", {"b", "c"}),
        ("try:\n    b = 1\nfinally:\n    c = 1", {"b", "c"}),
        ("with a as b:\n    c = 1", {"b"}),
        ("with np.errstate() as b:\n    c = 1", {"b", "c"}),
        ("e = 1\ntry:\n    pass\nexcept E as e:\n    pass", set()),
    ],
)
def test_names_that_surely_have_a_value(body: str, assigned: set[str]) -> None:
    assert assigned_at_the_end(body) == assigned | {"a"}
