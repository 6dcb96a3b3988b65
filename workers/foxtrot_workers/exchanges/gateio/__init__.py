"""Gate.io v4: spot, and perpetual and dated futures."""
