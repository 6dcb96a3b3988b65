"""Prints the trades of a run: ``python client.py ipc:///run/foxtrot/tap.ipc``."""

import sys

import msgpack
import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe(b"trade.")  # or b"trade.BTCUSDT.BINANCE", or b"" for everything
while True:
    topic, body = socket.recv_multipart()
    trade = msgpack.unpackb(body)
    print(trade["symbol"], trade["side"], trade["size"], trade["price"], trade["trade_id"], flush=True)
