"""``meterhub simulate`` whose wires lose, double, delay, cut and spoil answers, and whose connections break."""

from __future__ import annotations

import sys
from pathlib import Path

from meterhub import serve
from meterhub.sim.weather import Faults, Weather

BAD = Weather(
    delay_s=(0.02, 0.3),
    mtu=24,
    flap_s=45.0,
    wire=Faults(drop=0.08, corrupt=0.04, noise=0.1, split=0.2, cut=0.04, twice=0.1, late=0.08, late_s=4.0),
)

if __name__ == "__main__":
    serve.WEATHERS = {"bad": BAD}
    sys.exit(serve.simulate(Path(sys.argv[1]), int(sys.argv[2]), 1.0, "bad"))
