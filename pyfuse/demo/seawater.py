"""Density of sea water by the international equation of state of 1980 (EOS-80)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]

# Salinity (PSS-78), temperature (deg C, IPTS-68), pressure (bar above one atmosphere), density (kg/m3).
# Source: Fofonoff and Millard 1983, UNESCO Technical Papers in Marine Science 44, page 19.
PUBLISHED_DENSITIES = (
    (0.0, 5.0, 0.0, 999.96675),
    (0.0, 5.0, 1000.0, 1044.12802),
    (0.0, 25.0, 0.0, 997.04796),
    (0.0, 25.0, 1000.0, 1037.90204),
    (35.0, 5.0, 0.0, 1027.67547),
    (35.0, 5.0, 1000.0, 1069.48914),
    (35.0, 25.0, 0.0, 1023.34306),
    (35.0, 25.0, 1000.0, 1062.53817),
)
# The same points; secant bulk modulus (bar).
PUBLISHED_BULK_MODULI = (
    (0.0, 5.0, 0.0, 20337.80375),
    (0.0, 5.0, 1000.0, 23643.52599),
    (0.0, 25.0, 0.0, 22100.72106),
    (0.0, 25.0, 1000.0, 25405.09717),
    (35.0, 5.0, 0.0, 22185.93358),
    (35.0, 5.0, 1000.0, 25577.49819),
    (35.0, 25.0, 0.0, 23726.34949),
    (35.0, 25.0, 1000.0, 27108.94504),
)
PUBLISHED_ROUNDING = 5e-6  # half a unit of the last printed decimal, in kg/m3 and in bar

_DECIBAR_PER_BAR = 10.0


def density(salinity: Field, temperature: Field, pressure: Field) -> Field:
    """Density of sea water in place.

    Args:
        salinity: practical salinity (PSS-78, no unit), 0 to 42.
        temperature: degrees Celsius on IPTS-68, -2 to 40.
        pressure: sea pressure (above one atmosphere) in decibar, 0 to 10,000.
            The three shapes broadcast.

    Returns:
        kg/m3, of the broadcast shape.

    Source: Millero and Poisson 1981, Deep-Sea Research 28A, 625-629; UNESCO Technical Papers in Marine Science 44.
    """
    bar = pressure / 10.0
    return surface_density(salinity, temperature) / (1.0 - bar / secant_bulk_modulus(salinity, temperature, bar))


def pure_water_density(temperature: Field) -> Field:
    """Density (kg/m3) of standard mean ocean water without salt, at one atmosphere and ``temperature`` (deg C).

    Source: Bigg 1967, as equation 14 of UNESCO Technical Papers in Marine Science 44.
    """
    t = temperature
    return 999.842594 + t * (
        6.793952e-2 + t * (-9.095290e-3 + t * (1.001685e-4 + t * (-1.120083e-6 + t * 6.536332e-9)))
    )


def surface_density(salinity: Field, temperature: Field) -> Field:
    """Density (kg/m3) of sea water at one atmosphere, ``salinity`` (PSS-78) and ``temperature`` (deg C).

    Source: Millero and Poisson 1981, equation 13 of UNESCO Technical Papers in Marine Science 44.
    """
    s, t = salinity, temperature
    linear = 8.24493e-1 + t * (-4.0899e-3 + t * (7.6438e-5 + t * (-8.2467e-7 + t * 5.3875e-9)))
    root = -5.72466e-3 + t * (1.0227e-4 - t * 1.6546e-6)
    square = 4.8314e-4
    return pure_water_density(t) + s * (linear + root * np.sqrt(s) + square * s)


def secant_bulk_modulus(salinity: Field, temperature: Field, pressure: Field) -> Field:
    """Mean bulk modulus (bar) of sea water between one atmosphere and ``pressure``.

    Args:
        salinity: practical salinity (PSS-78).
        temperature: degrees Celsius on IPTS-68.
        pressure: sea pressure in bar (not decibar).

    Source: equations 15 to 19 of UNESCO Technical Papers in Marine Science 44.
    """
    s, t = salinity, temperature
    root_s = np.sqrt(s)

    pure = 19652.21 + t * (148.4206 + t * (-2.327105 + t * (1.360477e-2 - t * 5.155288e-5)))
    pure_slope = 3.239908 + t * (1.43713e-3 + t * (1.16092e-4 - t * 5.77905e-7))
    pure_bend = 8.50935e-5 + t * (-6.12293e-6 + t * 5.2787e-8)

    salt = 54.6746 + t * (-0.603459 + t * (1.09987e-2 - t * 6.1670e-5))
    salt_root = 7.944e-2 + t * (1.6483e-2 - t * 5.3009e-4)
    salt_slope = 2.2838e-3 + t * (-1.0981e-5 - t * 1.6078e-6)
    salt_bend = -9.9348e-7 + t * (2.0816e-8 + t * 9.1697e-10)

    at_surface = pure + s * (salt + salt_root * root_s)
    slope = pure_slope + s * (salt_slope + 1.91075e-4 * root_s)
    bend = pure_bend + s * salt_bend
    return at_surface + pressure * (slope + pressure * bend)


def make_inputs(points: int) -> tuple[Field, Field, Field]:
    """A model-like ocean of about ``points`` grid points.

    Args:
        points: wanted grid points, at least 1.

    Returns:
        Salinity (PSS-78) and temperature (deg C, IPTS-68), both of shape (time, depth, lat, lon), and pressure
        (decibar) of shape (depth, 1, 1).
    """
    times, depths = (4, 25) if points >= 10_000 else (1, 5)
    latitudes = max(1, round((points / (times * depths) / 2.0) ** 0.5))
    longitudes = max(1, round(points / (times * depths * latitudes)))
    shape = (times, depths, latitudes, longitudes)

    random = np.random.default_rng(1983)
    depth = np.linspace(0.0, 1.0, depths)[:, np.newaxis, np.newaxis] ** 2 * 5500.0  # metres, finer at the top
    latitude = np.radians(np.linspace(-75.0, 75.0, latitudes))[:, np.newaxis]
    season = np.sin(2.0 * np.pi * np.arange(times) / 12.0)[:, np.newaxis, np.newaxis, np.newaxis]

    surface = 28.0 * np.cos(latitude) ** 2 + 2.0 * season * np.sin(latitude)
    temperature = 1.5 + surface * np.exp(-depth / 600.0) + 0.2 * random.standard_normal(shape)
    evaporation = np.cos(2.0 * (np.abs(latitude) - np.radians(25.0)))
    salinity = 34.7 + 1.2 * evaporation * np.exp(-depth / 400.0) + 0.05 * random.standard_normal(shape)
    pressure = 1.0076 * depth + 2.3e-6 * depth**2
    return salinity, np.maximum(temperature, -1.9), pressure


def check(function: Callable[..., Any]) -> tuple[str, ...]:
    """Compare ``function``, ``density`` or a faster form of it, with the published densities.

    Returns:
        One sentence for each published value that is missed by more than its rounding; empty when all agree.
    """
    salinity, temperature, bar, published = np.array(PUBLISHED_DENSITIES).T.copy()
    computed = function(salinity, temperature, bar * _DECIBAR_PER_BAR)
    return tuple(
        f"density at S={s:g}, t={t:g} deg C, p={p:g} bar is {found:.6f} kg/m3, published is {wanted:.5f}"
        for s, t, p, wanted, found in zip(salinity, temperature, bar, published, computed, strict=True)
        if not abs(found - wanted) <= PUBLISHED_ROUNDING
    )
