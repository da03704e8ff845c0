"""Writes privacy_reference.json: references for Tests/PrivacyTests, computed with mpmath (60 digits) and scipy, never with the code under test.

Run: python privacy_reference.py   (needs mpmath, scipy, numpy; versions are recorded in the file)
"""
import json
import math
import pathlib
import random

import mpmath as mp
import numpy
import scipy
from scipy import optimize, stats

mp.mp.dps = 60


def phi_cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def delta(eps, mu):
    return phi_cdf(mu / 2 - eps / mu) - mp.e**eps * phi_cdf(-mu / 2 - eps / mu)


def solve(f, low, high):
    """Root of an increasing f by bisection."""
    low, high = mp.mpf(low), mp.mpf(high)
    for _ in range(190):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return (low + high) / 2


def renyi(mu, d):
    def bound(t):
        a = 1 + math.exp(t)
        return a * mu * mu / 2 + math.log1p(-1 / a) - (math.log(d) + math.log(a)) / (a - 1)

    grid = numpy.linspace(-25, 25, 2001)
    best = min(grid, key=bound)
    return optimize.minimize_scalar(bound, bounds=(best - 0.1, best + 0.1), method="bounded", options={"xatol": 1e-12}).fun


def de_long(h0, h1):
    """AUC and variance by the definition, O(n0 n1)."""
    kernel = [[1.0 if b > a else 0.5 if b == a else 0.0 for a in h0] for b in h1]
    v1 = [sum(row) / len(h0) for row in kernel]
    v0 = [sum(row[j] for row in kernel) / len(h1) for j in range(len(h0))]
    return sum(v1) / len(v1), float(numpy.var(v1, ddof=1) / len(h1) + numpy.var(v0, ddof=1) / len(h0))


def main():
    rng = random.Random(20240601)
    curve = []
    for mu in [0.001, 0.01, 0.1, 0.5, 1, 2, 3.19, 10, 45, 140.8, 1000, 3186, 9000]:
        for d in [0.3, 1e-2, 1e-5, 1e-10, 1e-30]:
            m = mp.mpf(repr(mu))
            target = mp.mpf(repr(d))
            eps = 0 if delta(mp.mpf(0), m) <= target else solve(lambda e: target - delta(e, m), 0, m * m + 60 * m)
            curve.append({"mu": mu, "delta": d, "epsilon": float(eps), "renyi": renyi(mu, d)})
    noise = []
    for eps in [0, 0.01, 0.1, 0.5, 1, 4, 8, 32, 1000, 1e6]:
        for d in [1e-2, 1e-5, 1e-12]:
            e, target = mp.mpf(repr(eps)), mp.mpf(repr(d))
            mu = solve(lambda m: delta(e, m) - target, mp.mpf(10) ** -15, 3 * mp.sqrt(e + 1) + 3)
            noise.append({"epsilon": eps, "delta": d, "mu": float(mu)})
    log_delta = [
        {"epsilon": e, "mu": m, "log_delta": float(mp.log(delta(mp.mpf(repr(e)), mp.mpf(repr(m)))))}
        for e, m in [(0, 1e-3), (1, 0.05), (5, 0.3), (50, 2), (1e4, 140.8), (1e4, 100), (1e6, 1400), (1e7, 4500), (1e6, 1e3), (2, 500)]
    ]
    normal = [
        {"z": z, "log_cumulative": float(mp.log(phi_cdf(mp.mpf(repr(z)))))}
        for z in [-1e4, -300, -40, -37.5, -10, -7.001, -7, -6.999, -3, -1, -0.1, 0, 0.1, 1, 3, 7, 8, 9, 20]
    ]
    quantile = [{"p": p, "z": float(solve(lambda z: phi_cdf(z) - mp.mpf(p), -50, 50))}
                for p in [1e-300, 1e-30, 1e-5, 0.01, 0.025, 0.3, 0.5, 0.7, 0.975, 0.999999]]
    binomial = []
    for k, n in [(0, 1), (1, 1), (0, 1000), (3, 10), (10, 1000), (999, 1000), (500_000, 1_000_000), (0, 5_000_000), (37, 41)]:
        interval = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        binomial.append({"successes": k, "trials": n, "lower": float(interval.low), "upper": float(interval.high)})
    games = []
    for n0, n1, shift, grain in [(7, 6, 0.5, 1), (60, 45, 0.5, 1), (60, 45, 1.0, 2), (30, 50, 2.0, 64), (200, 200, 0.0, 8)]:
        h0 = [round(rng.gauss(0, 1) * grain) / grain if grain < 64 else rng.gauss(0, 1) for _ in range(n0)]
        h1 = [round(rng.gauss(shift, 1) * grain) / grain if grain < 64 else rng.gauss(shift, 1) for _ in range(n1)]
        auc, variance = de_long(h0, h1)
        games.append({"h0": h0, "h1": h1, "auc": auc, "variance": variance})
    fixture = {
        "versions": {"mpmath": mp.__version__, "scipy": scipy.__version__, "numpy": numpy.__version__},
        "curve": curve, "noise": noise, "log_delta": log_delta, "normal": normal, "quantile": quantile, "binomial": binomial, "games": games,
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(fixture, indent=0) + "\n")
    print(path, path.stat().st_size)


main()
