"""The demonstration's programs give the published values, plain and fused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pyfuse
from pyfuse.demo import black_scholes, great_circle, run, seawater
from pyfuse.demo.difference import difference
from pyfuse.demo.programs import PROGRAMS, Program

POINTS = 2_000


def program_names(program: Program) -> str:
    """What pytest calls a program in its reports."""
    return program.name.replace(" ", "-")


every_program = pytest.mark.parametrize("program", PROGRAMS, ids=program_names)


# Plain NumPy


@every_program
def test_a_program_meets_its_published_values(program: Program) -> None:
    assert program.check(program.function) == ()


@every_program
def test_a_program_makes_about_as_many_points_as_asked(program: Program) -> None:
    for points in (1, 100, POINTS, 100_000):
        result = program.function(*program.make_inputs(points))
        elements = (result[0] if isinstance(result, tuple) else result).size
        assert 0.5 * points <= elements <= max(2 * points, 10)


@every_program
def test_a_program_gives_finite_double_precision_without_warning(program: Program) -> None:
    with np.errstate(all="raise", under="ignore"):
        result = program.function(*program.make_inputs(POINTS))
    for values in result if isinstance(result, tuple) else (result,):
        assert values.dtype == np.float64
        assert np.isfinite(values).all()


@every_program
def test_a_check_notices_a_wrong_result(program: Program) -> None:
    def slightly_off(*arguments: object) -> object:
        result = program.function(*arguments)
        return tuple(values * 1.02 for values in result) if isinstance(result, tuple) else result * 1.02

    assert program.check(slightly_off) != ()


@pytest.mark.parametrize(("salinity", "temperature", "bar", "published"), seawater.PUBLISHED_DENSITIES)
def test_sea_water_density_is_the_published_one(
    salinity: float, temperature: float, bar: float, published: float
) -> None:
    computed = seawater.density(np.array([salinity]), np.array([temperature]), np.array([10.0 * bar]))
    assert computed[0] == pytest.approx(published, rel=0.0, abs=seawater.PUBLISHED_ROUNDING)


@pytest.mark.parametrize(("salinity", "temperature", "bar", "published"), seawater.PUBLISHED_BULK_MODULI)
def test_secant_bulk_modulus_is_the_published_one(
    salinity: float, temperature: float, bar: float, published: float
) -> None:
    computed = seawater.secant_bulk_modulus(np.array([salinity]), np.array([temperature]), np.array([bar]))
    assert computed[0] == pytest.approx(published, rel=0.0, abs=seawater.PUBLISHED_ROUNDING)


def test_sea_water_inputs_broadcast_over_time_depth_latitude_and_longitude() -> None:
    salinity, temperature, pressure = seawater.make_inputs(100_000)
    times, depths, latitudes, longitudes = salinity.shape
    assert temperature.shape == (times, depths, latitudes, longitudes)
    assert pressure.shape == (depths, 1, 1)
    assert seawater.density(salinity, temperature, pressure).shape == salinity.shape


def test_sea_water_inputs_stay_where_the_equation_of_state_holds() -> None:
    salinity, temperature, pressure = seawater.make_inputs(100_000)
    assert 0.0 <= salinity.min() <= salinity.max() <= 42.0
    assert -2.0 <= temperature.min() <= temperature.max() <= 40.0
    assert 0.0 <= pressure.min() <= pressure.max() <= 10_000.0


def test_call_minus_put_is_spot_minus_discounted_strike() -> None:
    spot, strike, years, rate, volatility = black_scholes.make_inputs(POINTS)
    call, put = black_scholes.prices(spot, strike, years, rate, volatility)
    np.testing.assert_allclose(call - put, spot - strike * np.exp(-rate * years), rtol=0.0, atol=1e-10)


def test_prices_alone_are_those_that_come_with_the_greeks() -> None:
    book = black_scholes.make_inputs(POINTS)
    call, put = black_scholes.prices(*book)
    together = dict(zip(black_scholes.RESULT_NAMES, black_scholes.prices_and_greeks(*book), strict=True))
    np.testing.assert_allclose(call, together["call"], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(put, together["put"], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("argument", "sign", "call_greek", "put_greek"),
    [
        (0, 1.0, "call_delta", "put_delta"),
        (2, -1.0, "call_theta", "put_theta"),
        (3, 1.0, "call_rho", "put_rho"),
        (4, 1.0, "vega", "vega"),
    ],
    ids=["delta", "theta", "rho", "vega"],
)
def test_a_greek_is_the_slope_of_the_price(argument: int, sign: float, call_greek: str, put_greek: str) -> None:
    book = black_scholes.make_inputs(POINTS)
    greeks = dict(zip(black_scholes.RESULT_NAMES, black_scholes.prices_and_greeks(*book), strict=True))
    step = 1e-4 * book[argument]
    higher, lower = list(book), list(book)
    higher[argument], lower[argument] = book[argument] + step, book[argument] - step
    for above, below, greek in zip(
        black_scholes.prices(*higher), black_scholes.prices(*lower), (call_greek, put_greek), strict=True
    ):
        np.testing.assert_allclose(sign * (above - below) / (2.0 * step), greeks[greek], rtol=1e-4, atol=1e-4)


def test_gamma_is_the_slope_of_delta() -> None:
    spot, strike, years, rate, volatility = black_scholes.make_inputs(POINTS)
    step = 1e-4 * spot
    above = black_scholes.prices_and_greeks(spot + step, strike, years, rate, volatility)[2]
    below = black_scholes.prices_and_greeks(spot - step, strike, years, rate, volatility)[2]
    gamma = black_scholes.prices_and_greeks(spot, strike, years, rate, volatility)[4]
    np.testing.assert_allclose((above - below) / (2.0 * step), gamma, rtol=1e-4, atol=1e-7)


def test_the_normal_distribution_is_within_its_stated_error() -> None:
    x = np.linspace(-40.0, 40.0, 80_001)
    exact = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in x])
    assert np.max(np.abs(black_scholes.normal_cdf(x) - exact)) < 1e-14


@pytest.mark.parametrize(("start", "end", "known"), great_circle.CITY_DISTANCES)
def test_the_distance_between_two_cities_is_known_but_for_the_flattening(start: str, end: str, known: float) -> None:
    here, there = np.array(great_circle.CITIES[start]), np.array(great_circle.CITIES[end])
    computed = great_circle.distance(here[:1], here[1:], there[:1], there[1:])
    assert computed[0] == pytest.approx(known, rel=great_circle.FLATTENING_ERROR)


def test_the_distance_from_nashville_to_los_angeles_is_the_published_haversine() -> None:
    # Rosetta Code, "Haversine formula": 2886.44444283798 km on a sphere of radius 6371 km.
    nashville, los_angeles = np.array([36.12, -86.67]), np.array([33.94, -118.40])
    computed = great_circle.distance(nashville[:1], nashville[1:], los_angeles[:1], los_angeles[1:])
    assert computed[0] * 6371.0 / great_circle.EARTH_RADIUS == pytest.approx(2886.44444283798, rel=1e-13)


def test_poles_antipodes_and_a_quarter_of_the_equator_have_exact_distances() -> None:
    latitude, longitude = np.array([[90.0], [0.0], [0.0]]), np.array([[0.0], [0.0], [0.0]])
    to_latitude, to_longitude = np.array([[-90.0, 0.0, 0.0]]), np.array([[0.0, 180.0, 90.0]])
    half = math.pi * great_circle.EARTH_RADIUS
    expected = [[half, half / 2, half / 2], [half / 2, half, half / 2], [half / 2, half, half / 2]]
    np.testing.assert_allclose(
        great_circle.distance(latitude, longitude, to_latitude, to_longitude), expected, rtol=1e-15
    )


def test_a_distance_is_the_same_both_ways_and_nothing_to_oneself() -> None:
    latitude, longitude, _, _ = great_circle.make_inputs(POINTS)
    table = great_circle.distance(latitude, longitude, latitude.T, longitude.T)
    np.testing.assert_allclose(table, table.T, rtol=1e-14)
    assert not np.diagonal(table).any()


# The comparison


def test_difference_counts_the_steps_between_neighbouring_numbers() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        values = np.array([1.0, -1.0, 0.0, 1e-3], dtype=dtype)
        towards = np.nextafter(values, np.array(2.0, dtype=dtype), dtype=dtype)
        assert difference(values, values.copy()).ulp == 0
        assert difference(values, towards).ulp == 1
    assert difference(np.array([0.0]), np.array([-0.0])).ulp == 1
    assert difference(np.array([-5e-324]), np.array([5e-324])).ulp == 3
    assert difference(np.array([-(2**31)], np.int32), np.array([2**31 - 1], np.int32)).ulp == 2**32 - 1
    assert difference(np.array([1 + 1j]), np.array([1 + 1j * np.nextafter(1.0, 2.0)])).ulp == 1


def test_difference_takes_nan_for_nan_but_not_for_a_number() -> None:
    found = difference(np.array([np.nan, 1.0]), np.array([-np.nan, 1.0]))
    assert (found.mismatch, found.ulp, found.relative) == ("", 0, 0.0)
    for wrong in (1.0, np.inf):
        assert difference(np.array([np.nan]), np.array([wrong])).relative == math.inf
        assert difference(np.array([wrong]), np.array([np.nan])).relative == math.inf
    assert difference(np.array([np.inf]), np.array([-np.inf])).relative == math.inf


def test_difference_names_what_is_unlike_besides_the_values() -> None:
    one = np.zeros(2)
    assert difference(one, np.zeros(3)).mismatch == "shape (3,) instead of (2,)"
    assert difference(one, np.zeros(2, np.float32)).mismatch == "dtype float32 instead of float64"
    assert difference((one, one), (one,)).mismatch == "1 results instead of 2"
    assert difference(one, (one,)).mismatch == "type tuple instead of ndarray"


# Fused


@every_program
def test_a_program_becomes_one_kernel_and_every_call_is_fused(program: Program) -> None:
    fused = pyfuse.fuse(program.function)
    inputs = program.make_inputs(POINTS)
    expected = program.function(*inputs)
    calls = 3
    for _ in range(calls):
        found = difference(expected, fused(*inputs))
        assert found.mismatch == ""
        assert found.relative <= program.max_relative
        assert found.ulp == 0 or program.max_relative > 0.0
    counters = fused.cache_info()
    assert counters.fallback_calls == 0, fused.fallback_reasons()
    assert counters.partly_fused_calls == 0, fused.fallback_reasons()
    assert counters.fused_calls == calls
    assert counters.kernels == 1


@every_program
def test_another_size_of_the_same_layout_uses_the_same_kernel(program: Program) -> None:
    fused = pyfuse.fuse(program.function)
    for points in (20_000, 80_000):
        inputs = program.make_inputs(points)
        found = difference(program.function(*inputs), fused(*inputs))
        assert found.mismatch == ""
        assert found.relative <= program.max_relative
    counters = fused.cache_info()
    assert (counters.fused_calls, counters.fallback_calls, counters.kernels) == (2, 0, 1)


@every_program
def test_a_fused_program_meets_its_published_values(program: Program) -> None:
    fused = pyfuse.fuse(program.function)
    assert program.check(fused) == ()
    assert fused.cache_info().fallback_calls == 0, fused.fallback_reasons()
    assert fused.cache_info().fused_calls > 0


def test_the_demonstration_prints_one_line_for_each_program_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--points", "1000", "--repeats", "2"]) == 0
    printed = capsys.readouterr().out
    for program in PROGRAMS:
        assert printed.count(program.name) == 1
    assert "WRONG" not in printed


def test_the_demonstration_fails_when_a_published_value_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(seawater, "PUBLISHED_DENSITIES", ((35.0, 25.0, 1000.0, 1062.6),))
    assert run.main(["--points", "1000", "--repeats", "1"]) == 1
    assert "wrong: sea-water density: density at S=35" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["0", "-5", "many"])
def test_the_demonstration_refuses_a_size_that_is_no_positive_number(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run.main([f"--points={word}"])
    assert "--points" in capsys.readouterr().err
