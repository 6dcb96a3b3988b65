"""Types of the compiled module `_price_side`."""

from foxtrot_workers.adapter.crossing import PurePriceSide

SOURCE_CRC: int

class PriceSide(PurePriceSide): ...
