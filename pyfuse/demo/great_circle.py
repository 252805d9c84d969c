"""Great-circle distances between two sets of places, every one with every other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Degrees = NDArray[np.float64]
Kilometres = NDArray[np.float64]

# Mean radius R1 = (2a + b) / 3 of GRS 80 (Moritz 2000, Journal of Geodesy 74, 128-133).
EARTH_RADIUS = 6371.0088  # km

# Degrees north and east.
CITIES = {
    "Buenos Aires": (-34.6037, -58.3816),
    "London": (51.5074, -0.1278),
    "Nairobi": (-1.2921, 36.8219),
    "New York": (40.7128, -74.0060),
    "Paris": (48.8566, 2.3522),
    "Sydney": (-33.8688, 151.2093),
    "Tokyo": (35.6762, 139.6503),
}
# Kilometres along the geodesic of the WGS 84 ellipsoid (Karney 2013, Journal of Geodesy 87, 43-55).
CITY_DISTANCES = (
    ("London", "Paris", 343.923),
    ("London", "New York", 5585.234),
    ("Tokyo", "Sydney", 7792.175),
    ("Nairobi", "Buenos Aires", 10409.132),
    ("Sydney", "Buenos Aires", 11823.920),
)
FLATTENING_ERROR = 0.0056  # the most that the sphere differs from the ellipsoid, as a fraction


def distance(
    from_latitude: Degrees, from_longitude: Degrees, to_latitude: Degrees, to_longitude: Degrees
) -> Kilometres:
    """Distance on the sphere by the haversine formula.

    Args:
        from_latitude: degrees north; for all pairs of N and M places, of shape (N, 1).
        from_longitude: degrees east, same shape.
        to_latitude: degrees north, of shape (1, M).
        to_longitude: degrees east, same shape.

    Returns:
        Kilometres on a sphere of radius ``EARTH_RADIUS``, of the broadcast shape (N, M).

    Source: Sinnott 1984, Sky and Telescope 68, 158. Accurate for near places; loses digits near the antipode.
    """
    return 2.0 * EARTH_RADIUS * np.arcsin(half_chord(from_latitude, from_longitude, to_latitude, to_longitude))


def half_chord(
    from_latitude: Degrees, from_longitude: Degrees, to_latitude: Degrees, to_longitude: Degrees
) -> NDArray[np.float64]:
    """Half the straight line between two places on a sphere of radius 1; arguments as for ``distance``."""
    from_phi = np.radians(from_latitude)
    to_phi = np.radians(to_latitude)
    across = np.sin(0.5 * (to_phi - from_phi))
    along = np.sin(0.5 * np.radians(to_longitude - from_longitude))
    haversine = across * across + np.cos(from_phi) * np.cos(to_phi) * along * along
    # Rounding can lift antipodes above 1. NumPy's stubs know no dtype for products of ufunc results.
    return np.minimum(np.sqrt(haversine), 1.0)  # type: ignore[no-any-return]


def make_inputs(points: int) -> tuple[Degrees, Degrees, Degrees, Degrees]:
    """Two sets of places, spread evenly over the globe, with about ``points`` pairs.

    Returns:
        Latitude and longitude (degrees) of shape (N, 1), then of shape (1, M), with N = M = the root of ``points``.
    """
    random = np.random.default_rng(1984)
    count = max(1, round(points**0.5))
    latitudes = np.degrees(np.arcsin(random.uniform(-1.0, 1.0, (2, count))))
    longitudes = random.uniform(-180.0, 180.0, (2, count))
    return (
        latitudes[0].reshape(count, 1),
        longitudes[0].reshape(count, 1),
        latitudes[1].reshape(1, count),
        longitudes[1].reshape(1, count),
    )


def check(function: Callable[..., Any]) -> tuple[str, ...]:
    """Compare ``function``, ``distance`` or a faster form of it, with known distances between cities.

    Returns:
        One sentence for each pair of cities that is off by more than the flattening of the Earth; empty when none is.
    """
    latitude, longitude = np.array(list(CITIES.values())).T.copy()
    table = function(latitude[:, np.newaxis], longitude[:, np.newaxis], latitude[np.newaxis], longitude[np.newaxis])
    place = {city: index for index, city in enumerate(CITIES)}
    return tuple(
        f"{start} to {end} is {table[place[start], place[end]]:.1f} km, known is {known:.1f} km"
        for start, end, known in CITY_DISTANCES
        if not abs(table[place[start], place[end]] - known) <= FLATTENING_ERROR * known
    )
