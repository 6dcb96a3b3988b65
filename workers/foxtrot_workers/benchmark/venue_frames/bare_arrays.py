"""Exchanges that send arrays under the number of a channel, which its acknowledgement gives. Data only.

Source: Bitfinex documentation, WebSocket API v2, public channels.
"""

from __future__ import annotations

from foxtrot_workers.benchmark.venue_frames.series import FrameSeries, VenueFrames

__all__ = ["BARE_ARRAYS"]

_SUBSCRIBED = '{"event":"subscribed","channel":"%s","chanId":7,"symbol":"tBTCUSD",%s"pair":"BTCUSD"}'

# each frame of a connection has the number after the one before: the acknowledgement is the only other one
BARE_ARRAYS: dict[str, VenueFrames] = {
    "bitfinex": VenueFrames(
        trade=FrameSeries(
            "trade",
            "tBTCUSD",
            '[7,"te",[%(id)d,%(ms)d,-%(size)s,%(price)s],%(id)d,%(ms)d]',
            "trade",
            before=(_SUBSCRIBED % ("trades", ""),),
        ),
        quote=FrameSeries(
            "ticker",
            "tBTCUSD",
            "[7,[42500,60157.36709703,42501,48578.50804052,250.5,0.0262,%(price)s,101459.39453471,42828,42061],"
            "%(id)d,%(ms)d]",
            "ticker",
            before=(_SUBSCRIBED % ("ticker", ""),),
        ),
        book=FrameSeries(
            "book",
            "tBTCUSD",
            "[7,[%(price)s,2,%(size)s],%(id)d,%(ms)d]",
            "delta",
            level=("[%(price)s,1,%(size)s]", "[%(price)s,1,-%(size)s]"),
            levels=1,
            before=(
                _SUBSCRIBED % ("book", '"prec":"P0","freq":"F0","len":"100",'),
                "[7,[%(bids)s,%(asks)s],%(id)d,%(ms)d]",
            ),
        ),
    ),
}
"""By exchange."""
