"""KuCoin: spot, and perpetual and dated futures."""
