"""Every mistake in a configuration is found and named by its key; correct values are accepted."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.config.check import SinkChecker, check_document, default_config, no_sinks, parse_config
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import (
    CONNECTIONS_MAX,
    ConnectionConfig,
    ExchangeInfo,
    FoxtrotConfig,
    SinkCheck,
    SupervisorConfig,
)

EXCHANGES = {
    "sim": ExchangeInfo(exchange="SIM", channels=["trade", "quote", "book"], topics_max=1000),
    "binance": ExchangeInfo(
        exchange="BINANCE",
        channels=["trade", "agg_trade", "quote", "book"],
        topics_max=6,
        absent={"funding": "this is a spot market", "bar": "fold them from trades"},
        testnet_url="wss://stream.testnet.binance.vision",
        testnet_rest_url="https://testnet.binance.vision",
    ),
    "okx": ExchangeInfo(exchange="OKX", channels=["trade"], topics_max=0),
    "broken": ExchangeInfo(error="No module named 'nothing'"),
}

CONNECTION = """
[[connections]]
name = "one"
exchange = "binance"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


def parse(text: str, files: tuple[str, ...] = ("/etc/foxtrot/ca.pem",), sinks: SinkChecker = no_sinks) -> FoxtrotConfig:
    return parse_config(
        text,
        source="foxtrot.toml",
        folder="/etc/foxtrot",
        exchanges=EXCHANGES,
        is_file=lambda path: path in files,
        sinks=sinks,
    )


def problems(text: str) -> list[str]:
    """The problems of `text` as lines, without the file's name."""
    with pytest.raises(ConfigInvalid) as caught:
        parse(text)
    assert all(line.startswith("foxtrot.toml: ") for line in caught.value.lines())
    assert str(caught.value) == "\n".join(caught.value.lines())
    return [line.removeprefix("foxtrot.toml: ") for line in caught.value.lines()]


def test_a_minimal_file_has_every_default() -> None:
    config = parse(CONNECTION)
    assert config.supervisor == SupervisorConfig()
    assert config == FoxtrotConfig(
        connections=[ConnectionConfig(name="one", exchange="binance", channels=["trade"], symbols=["BTCUSDT"])]
    )


def test_a_full_file_is_read() -> None:
    config = parse(
        """
        [supervisor]
        run_dir = "run"
        start_method = "spawn"
        stop_ask_s = 3
        restart = "transient"
        [engine]
        handlers = ["my_strategy:setup", "pkg.other:Strategies.make"]
        numbers = "decimal"
        queue_limit = 7
        slow_handler_ms = 0.5
        [ring]
        size_mib = 8
        full_wait_s = 0
        [[connections]]
        name = "binance-spot"
        exchange = "binance"
        channels = ["trade", "quote", "book"]
        symbols = ["BTCUSDT", "ETHUSDT"]
        redundancy = 2
        backfill = true
        stale_after_s = 30.0
        rotate_after_s = 82800
        client = "websockets"
        url = "wss://127.0.0.1:9001/ws"
        rest_url = "https://127.0.0.1:9002"
        ca_file = "ca.pem"
        proxy = "http://proxy.example:3128"
        restart = "temporary"
        essential = false
        """
    )
    assert config.supervisor.run_dir == "/etc/foxtrot/run"
    assert config.supervisor.stop_ask_s == 3.0
    assert isinstance(config.supervisor.stop_ask_s, float)
    assert config.engine.handlers == ["my_strategy:setup", "pkg.other:Strategies.make"]
    assert config.ring.full_wait_s == 0.0
    connection = config.connections[0]
    assert connection.ca_file == "/etc/foxtrot/ca.pem"
    assert connection.rotate_after_s == 82800.0
    assert connection.redundancy == 2
    assert connection.essential is False


def test_every_problem_is_listed_at_once() -> None:
    assert problems(
        """
        zzz = 1
        [supervisor]
        stop_asks_s = 3
        hello_s = -1
        backoff_jitter = 1.5
        [engine]
        numbers = "double"
        [[connections]]
        name = "one"
        exchange = "binnance"
        channels = []
        symbols = []
        [[connections]]
        name = "one"
        exchange = "okx"
        channels = ["trade", "quote"]
        symbols = "BTC-USDT"
        """
    ) == [
        "zzz: is not a known key",
        'supervisor.stop_asks_s: is not a known key; did you mean "stop_ask_s"?',
        "supervisor.hello_s: must be more than 0 and at most 604800, not -1",
        "supervisor.backoff_jitter: must be at least 0 and at most 1, not 1.5",
        'engine.numbers: must be one of "float", "decimal", "text", not the text "double"',
        "connections[0].channels: is empty: nothing would be subscribed",
        'connections[0].exchange: "binnance" is not known; did you mean "binance"? (known: binance, broken, okx, sim)',
        "connections[0].symbols: is empty: nothing would be subscribed",
        'connections[1].symbols: must be a list of texts, not the text "BTC-USDT"',
        'connections[1].channels[1]: okx has no channel "quote" (it has: trade)',
        'connections[1].name: "one" is the name of connections[0] too',
    ]


@pytest.mark.parametrize(
    ("supervisor", "expected"),
    [
        ("hello_s = nan", "supervisor.hello_s: must be more than 0 and at most 604800, not nan"),
        ("hello_s = inf", "supervisor.hello_s: must be more than 0 and at most 604800, not inf"),
        ("ready_s = 0", "supervisor.ready_s: must be more than 0 and at most 604800, not 0"),
        ("shutdown_s = 604801", "supervisor.shutdown_s: must be more than 0 and at most 604800, not 604801"),
        ("stop_ask_s = -0.1", "supervisor.stop_ask_s: must be at least 0 and at most 604800, not -0.1"),
        ("stop_ask_s = true", "supervisor.stop_ask_s: must be a number, not true"),
        ("stop_ask_s = false", "supervisor.stop_ask_s: must be a number, not false"),
        ('stop_ask_s = "3"', 'supervisor.stop_ask_s: must be a number, not the text "3"'),
        ("stop_ask_s = [3]", "supervisor.stop_ask_s: must be a number, not a list"),
        ("stop_ask_s = {a = 3}", "supervisor.stop_ask_s: must be a number, not a table"),
        ("stop_ask_s = 2024-01-01", "supervisor.stop_ask_s: must be a number, not the date 2024-01-01"),
        ("restart_intensity = 1.5", "supervisor.restart_intensity: must be a whole number, not 1.5"),
        ("restart_intensity = -1", "supervisor.restart_intensity: must be at least 0 and at most 1000000, not -1"),
        (
            'restart = "always"',
            'supervisor.restart: must be one of "permanent", "transient", "temporary", not the text "always"',
        ),
        ('run_dir = ""', "supervisor.run_dir: is empty or holds a NUL"),
        ("run_dir = 3", "supervisor.run_dir: must be text, not 3"),
        ("hung_s = 0.5", "supervisor.hung_s: must be more than heartbeat_s (1)"),
        ("late_s = 11", "supervisor.late_s: must lie between heartbeat_s and hung_s"),
        ("backoff_max_s = 0.1", "supervisor.backoff_max_s: must be at least backoff_s (0.5)"),
        (
            "worker_memory_mib = 127",
            "supervisor.worker_memory_mib: must be at least 128 and at most 1048576, not 127",
        ),
        ("engine_memory_mib = 512.5", "supervisor.engine_memory_mib: must be a whole number, not 512.5"),
        ("open_files = 3", "supervisor.open_files: must be at least 64 and at most 1048576, not 3"),
        ("core_dumps = 1", "supervisor.core_dumps: must be true or false, not 1"),
        ('"a.b" = 1', 'supervisor."a.b": is not a known key'),
    ],
)
def test_supervisor_values(supervisor: str, expected: str) -> None:
    assert problems(f"[supervisor]\n{supervisor}\n{CONNECTION}") == [expected]


def test_limits_are_read_and_absent_by_default() -> None:
    limited = parse(
        "[supervisor]\nworker_memory_mib = 256\nengine_memory_mib = 512\nopen_files = 1024\ncore_dumps = true\n"
        + CONNECTION
    ).supervisor
    assert (limited.worker_memory_mib, limited.engine_memory_mib) == (256, 512)
    assert (limited.open_files, limited.core_dumps) == (1024, True)
    default = parse(CONNECTION).supervisor
    assert (default.worker_memory_mib, default.engine_memory_mib) == (None, None)
    assert (default.open_files, default.core_dumps) == (None, False)


def test_a_run_dir_too_long_for_a_socket_is_refused() -> None:
    (line,) = problems(f'[supervisor]\nrun_dir = "/{"x" * 100}"\n{CONNECTION}')
    assert line.startswith("supervisor.run_dir: socket path has more than 107 bytes")


def test_the_folder_of_bundles_is_beside_the_file() -> None:
    assert (
        parse(f'[supervisor]\nbundles_directory = "b"\n{CONNECTION}').supervisor.bundles_directory == "/etc/foxtrot/b"
    )
    for path in ("", "a\\u0000b"):
        found = problems(f'[supervisor]\nbundles_directory = "{path}"\n{CONNECTION}')
        assert found == ["supervisor.bundles_directory: is empty or holds a NUL"]


def test_the_spool_of_a_sink_is_beside_the_file() -> None:
    def accepted(tables: Sequence[tuple[str, Mapping[str, Any]]], folder: str) -> list[SinkCheck]:
        return [SinkCheck() for _ in tables]

    def checked(spool: str) -> FoxtrotConfig:
        text = f'{CONNECTION}[[sinks]]\nname = "tape"\nkind = "k"\nspool_directory = "{spool}"\n'
        return parse(text, sinks=accepted)

    assert checked("spool").sinks[0].spool_directory == "/etc/foxtrot/spool"
    assert checked("/var/tape/").sinks[0].spool_directory == "/var/tape"
    for path in ("", "a\\u0000b"):
        with pytest.raises(ConfigInvalid, match=r"sinks\[0\].spool_directory: is empty or holds a NUL"):
            checked(path)


def test_where_no_sinks_can_be_each_is_refused() -> None:
    text = CONNECTION + "".join(f'[[sinks]]\nname = "{name}"\nkind = "k"\n' for name in "ab")
    assert problems(text) == [f"sinks[{index}].kind: sinks cannot be used here" for index in (0, 1)]


def test_a_short_hung_time_needs_no_late_time() -> None:
    late_s = parse(f"[supervisor]\nheartbeat_s = 0.2\nhung_s = 1.0\n{CONNECTION}").supervisor.late_s
    assert 0.2 < late_s < 1.0
    assert parse(f"[supervisor]\nlate_s = 2\n{CONNECTION}").supervisor.late_s == 2.0


def test_the_folder_of_recordings_is_beside_the_file() -> None:
    recorded = CONNECTION + 'record = "raw"\n'
    config = parse('[recorder]\ndirectory = "rec"\n' + recorded)
    assert (config.recorder.directory, config.connections[0].record) == ("/etc/foxtrot/rec", "raw")
    for text, problem in [
        (recorded, "connections[0].record: needs a folder for the recordings: [recorder] directory"),
        ('[recorder]\ndirectory = ""\n' + CONNECTION, "recorder.directory: is empty or holds a NUL"),
        ("[recorder]\nlevel = 20\n" + CONNECTION, "recorder.level: must be at least -20 and at most 19, not 20"),
    ]:
        with pytest.raises(ConfigInvalid) as refused:
            parse(text)
        assert problem in str(refused.value)


def test_addresses_of_metrics_and_files_of_alerts_are_read() -> None:
    for listen, more in (
        ("127.0.0.1:9464", ""),
        ("localhost:0", ""),
        ("[::1]:1", ""),
        ("127.8.9.1:1", ""),
        ("0.0.0.0:1", "insecure = true"),
        ("0.0.0.0:1", 'token_file = "ca.pem"'),
    ):
        assert parse(f'[metrics]\nlisten = "{listen}"\n{more}\n{CONNECTION}').metrics.listen == listen
    text = '[alerts]\ncommand = "a \'b"\nshell = true\nwebhook_file = "ca.pem"\n'
    alerts = parse(text + CONNECTION).alerts
    assert (alerts.command, alerts.webhook_file) == ("a 'b", "/etc/foxtrot/ca.pem")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("[engine]\nqueue_limit = 0", "engine.queue_limit: must be at least 1 and at most 100000000, not 0"),
        (
            "[engine]\nslow_handler_ms = 0",
            "engine.slow_handler_ms: must be more than 0 and at most 604800000, not 0",
        ),
        (
            "[engine]\nsuspend_after = 0",
            "engine.suspend_after: must be at least 1 and at most 1000000, not 0",
        ),
        ('[engine]\nconflate = [""]', "engine.conflate: names an event that is empty"),
        (
            '[engine]\nblock = ["eTick."]\nnever_drop = ["eTick."]',
            'engine: names "eTick." more than once: in block and never_drop',
        ),
        (
            '[engine]\nbars_from_trades = ["1m", "7m"]',
            'engine.bars_from_trades[1]: "7m" is no interval '
            "(known: 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d)",
        ),
        ('[engine]\nbars_from_trades = ["1m", "1m"]', 'engine.bars_from_trades: lists "1m" more than once'),
        (
            '[engine]\nticks = "always"',
            'engine.ticks: must be one of "off", "change", "trade", "interval", not the text "always"',
        ),
        ('[engine]\nhandlers = ["nocolon"]', 'engine.handlers[0]: must be "module:function", not "nocolon"'),
        ('[engine]\nhandlers = ["a..b:c"]', 'engine.handlers[0]: must be "module:function", not "a..b:c"'),
        ('[engine]\nhandlers = ["a:"]', 'engine.handlers[0]: must be "module:function", not "a:"'),
        ('[engine]\nhandlers = ["a:b", "a:b"]', 'engine.handlers: lists "a:b" more than once'),
        ('[engine]\nhandlers = ["a:b", 3]', "engine.handlers: must be a list of texts, not 3 (element 1)"),
        ("[ring]\nsize_mib = 0", "ring.size_mib: must be at least 1 and at most 1024, not 0"),
        ("[ring]\nsize_mib = 1025", "ring.size_mib: must be at least 1 and at most 1024, not 1025"),
        ("[ring]\nfull_wait_s = -1", "ring.full_wait_s: must be at least 0 and at most 604800, not -1"),
        ('[metrics]\nlisten = "9464"', 'metrics.listen: must be host:port, not "9464"'),
        ('[metrics]\nlisten = "127.0.0.1:99999"', 'metrics.listen: must have a port from 0 to 65535, not "99999"'),
        (
            '[metrics]\nlisten = "::1:9464"',
            'metrics.listen: must have its IPv6 address in brackets, as "[::1]:9464", not "::1:9464"',
        ),
        ('[metrics]\nlisten = "http://a:1"', 'metrics.listen: has no usable host: "http://a"'),
        (
            '[metrics]\nlisten = "0.0.0.0:9464"',
            'metrics.listen: "0.0.0.0:9464" can be reached by others: set token_file, or insecure = true',
        ),
        ('[metrics]\ntoken_file = "t"', "metrics.token_file: there is no file /etc/foxtrot/t"),
        ('[alerts]\nwebhook_file = "w"', "alerts.webhook_file: there is no file /etc/foxtrot/w"),
        ('[alerts]\ncommand = "a \'b"', "alerts.command: cannot be split into words: No closing quotation"),
        ('[alerts]\ncommand = " "', "alerts.command: is empty"),
        ("[alerts]\nshell = true", "alerts.shell: needs command"),
        ("[alerts]\ncalls_per_minute = 0", "alerts.calls_per_minute: must be at least 1 and at most 600, not 0"),
        ("[rings]\nsize_mib = 1", 'rings: is not a known key; did you mean "ring"?'),
        ("[[ring]]\nsize_mib = 1", "ring: must be a table, headed [ring], not a list"),
    ],
)
def test_other_sections(section: str, expected: str) -> None:
    assert problems(f"{section}\n{CONNECTION}") == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("redundancy = 3", "redundancy: must be at least 1 and at most 2, not 3"),
        ("redundancy = 0", "redundancy: must be at least 1 and at most 2, not 0"),
        ("backfill = 1", "backfill: must be true or false, not 1"),
        ("stale_after_s = 0", "stale_after_s: must be more than 0 and at most 604800, not 0"),
        ('client = "curl"', 'client: must be one of "picows", "websockets", not the text "curl"'),
        ('url = "http://host"', "url: must begin with ws:// or wss://"),
        ('url = "wss://"', "url: names no host"),
        ('url = "wss://host:99999"', "url: is not a URL: Port out of range 0-65535"),
        (
            'url = "wss://me:hush@host"',
            "url: must not hold a user or password: this file must not contain secrets",
        ),
        (
            'url = "wss://host/?listenKey=hush"',
            'url: must not hold the parameter "listenKey": this file must not contain secrets',
        ),
        ('url = "wss://a"\nmore_urls = ["wss://b", "http://b"]', "more_urls[1]: must begin with ws:// or wss://"),
        ('more_urls = ["wss://b"]', "more_urls: needs url: they are further addresses beside it"),
        (
            'url = "wss://a"\nmore_urls = ["wss://a"]',
            "more_urls: names an address that stands there or as url already",
        ),
        (
            'url = "wss://a"\nmore_urls = ["' + '", "'.join(f"wss://h{n}" for n in range(17)) + '"]',
            "more_urls: must hold at most 16 addresses, not 17",
        ),
        ('rest_url = "ws://host"', "rest_url: must begin with http:// or https://"),
        ('proxy = "ftp://host"', "proxy: must begin with http:// or https://"),
        ('proxy = "socks5://host:1080"', "proxy: must begin with http:// or https://"),
        ('proxy = "http://host:3128/path"', "proxy: must end after the port: a proxy has no path, query or fragment"),
        ('ca_file = "none.pem"', "ca_file: there is no file /etc/foxtrot/none.pem"),
        ('restart = "never"', 'restart: must be one of "permanent", "transient", "temporary", not the text "never"'),
        ('symbol = "BTCUSDT"', 'symbol: is not a known key; did you mean "symbols"?'),
    ],
)
def test_connection_values(line: str, expected: str) -> None:
    lines = problems(f"{CONNECTION}\n{line}")
    assert lines == [f"connections[0].{expected}"]
    assert "hush" not in lines[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"one"', '"One"', 'name: must be at most 40 of a-z, 0-9 and "-", not beginning with "-", not "One"'),
        ('"one"', '"a/b"', 'name: must be at most 40 of a-z, 0-9 and "-", not beginning with "-", not "a/b"'),
        ('"one"', '""', 'name: must be at most 40 of a-z, 0-9 and "-", not beginning with "-", not ""'),
        (
            '"one"',
            f'"{"n" * 70}"',
            f'name: must be at most 40 of a-z, 0-9 and "-", not beginning with "-", not "{"n" * 57}..."',
        ),
        ('["BTCUSDT"]', '["A", "A"]', 'symbols: lists "A" more than once'),
        ('["BTCUSDT"]', '[""]', "symbols[0]: is empty"),
        ('["BTCUSDT"]', '["A B"]', "symbols[0]: holds a space or a control character: 'A B'"),
        ('["BTCUSDT"]', '["A\\u0001"]', "symbols[0]: holds a space or a control character: 'A\\x01'"),
        ('["BTCUSDT"]', f'["{"A" * 65}"]', "symbols[0]: has more than 64 characters"),
        ('["BTCUSDT"]', "[1]", "symbols: must be a list of texts, not 1 (element 0)"),
        ('["trade"]', '["trade", "trade"]', 'channels: lists "trade" more than once'),
        (
            '["trade"]',
            '["trades"]',
            'channels[0]: binance has no channel "trades"; did you mean "trade"? '
            "(it has: agg_trade, book, quote, trade)",
        ),
        (
            '["trade"]',
            '["funding"]',
            'channels[0]: binance has no channel "funding": this is a spot market '
            "(it has: agg_trade, book, quote, trade)",
        ),
        (
            '["trade"]',
            '["bar_1m"]',
            'channels[0]: binance has no channel "bar_1m": fold them from trades '
            "(it has: agg_trade, book, quote, trade)",
        ),
        ('"binance"', '"broken"', "exchange: \"broken\" cannot be used: No module named 'nothing'"),
        (
            '["BTCUSDT"]',
            '["kind:swap"]',
            "symbols[0]: names no kind of instrument: 'swap' (there are future, index, option, other, perpetual, spot)",
        ),
        ('["BTCUSDT"]', '["!A*", "!B"]', 'symbols: only excludes: name what is to be subscribed, such as "*"'),
        ('symbols = ["BTCUSDT"]', "", "symbols: is missing"),
        ('name = "one"', "", "name: is missing"),
        ('exchange = "binance"', "", "exchange: is missing"),
        ('channels = ["trade"]', "", "channels: is missing"),
    ],
)
def test_required_connection_values(old: str, new: str, expected: str) -> None:
    assert problems(CONNECTION.replace(old, new)) == [f"connections[0].{expected}"]


def test_symbols_too_large_for_a_start_message_are_refused() -> None:
    symbols = str([f"{i:064d}" for i in range(1000)]).replace("'", '"')
    (line,) = problems(CONNECTION.replace("binance", "okx").replace('["BTCUSDT"]', symbols))
    assert line == "connections[0].symbols: is 67000 bytes long, one connection carries 53248"


def test_symbols_in_other_scripts_are_symbols() -> None:
    assert parse(CONNECTION.replace("BTCUSDT", "币安人生USDT")).connections[0].symbols == ["币安人生USDT"]


def test_connections_are_required_and_are_tables() -> None:
    assert problems("") == ["connections: is missing: at least one [[connections]] is needed"]
    assert problems("connections = 3") == ["connections: must be tables, each headed [[connections]]"]
    assert problems("connections = [3]") == ["connections: must be tables, each headed [[connections]]"]
    many = "".join(CONNECTION.replace('"one"', f'"c{i}"') for i in range(CONNECTIONS_MAX + 1))
    assert problems(many) == ["connections: has 1001 connections, at most 1000 are allowed"]


def test_a_syntax_error_names_its_line() -> None:
    (line,) = problems("[supervisor]\nhello_s 3\n")
    assert line == "is not TOML: Expected '=' after a key in a key/value pair (at line 2, column 9)"


@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 100_000}",
        f"[supervisor]\nhello_s = {'9' * 5000}",
        f"[supervisor]\nhello_s = 0x{'f' * 5000}",
        f"[supervisor]\nrun_dir = 0x{'f' * 5000}",
    ],
)
def test_absurd_input_is_refused(text: str) -> None:
    assert len(problems(text)) >= 1


@pytest.mark.parametrize(
    ("exchange", "url", "rest_url"),
    [
        ("binance", "ws://127.0.0.1:9001/stream", "http://127.0.0.1:9001"),
        ("binance", "wss://localhost:9001", "https://localhost:9001"),
        ("sim", "ws://market.example:9001", "http://market.example:9001"),
        ("binance", "wss://testnet.example", None),
        ("binance", "wss://stream.testnet.binance.vision/ws", "https://testnet.binance.vision"),
        ("binance", "wss://stream.testnet.binance.vision:443", "https://testnet.binance.vision"),
        ("okx", "wss://stream.testnet.binance.vision/ws", None),
    ],
)
def test_a_simulators_rest_address_is_derived_from_its_url(exchange: str, url: str, rest_url: str | None) -> None:
    text = CONNECTION.replace("binance", exchange) + f'url = "{url}"\n'
    assert parse(text).connections[0].rest_url == rest_url
    text += 'rest_url = "http://other"'
    assert parse(text).connections[0].rest_url == "http://other"


def test_further_addresses_follow_the_first() -> None:
    assert parse(CONNECTION).connections[0].addresses == []
    text = CONNECTION + 'url = "wss://a"\n'
    assert parse(text).connections[0].addresses == ["wss://a"]
    assert parse(text + 'more_urls = ["wss://b", "wss://c"]').connections[0].addresses == [
        "wss://a",
        "wss://b",
        "wss://c",
    ]


def test_the_default_is_the_simulated_exchange() -> None:
    (connection,) = default_config().connections
    assert (connection.name, connection.exchange) == ("sim", "sim")
    assert connection.channels == ["trade", "quote", "book"]
    assert connection.symbols == ["BTCUSDT", "ETHUSDT"]
    assert connection.url is None


_values: Any = st.recursive(
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet="aB1:/.- ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "exchange", "channels", "symbols", "url", "hello_s", "run_dir", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["supervisor", "engine", "ring", "connections", "other"]),
        _values | st.lists(st.dictionaries(st.sampled_from(["name", "exchange", "channels", "symbols"]), _values)),
    )
)
def test_no_document_whatever_breaks_the_checker(document: dict[str, Any]) -> None:
    """Whatever TOML can hold ends in a configuration or in a list of problems."""
    with contextlib.suppress(ConfigInvalid):
        check_document(document, source="x", folder="/", exchanges=EXCHANGES, is_file=lambda _path: False)


def test_an_embedding_program_may_leave_symbols_empty() -> None:
    text = CONNECTION.replace('["BTCUSDT"]', "[]")
    with pytest.raises(ConfigInvalid, match="symbols: is empty"):
        parse(text)
    config = parse_config(
        text, source="f", folder="/", exchanges=EXCHANGES, is_file=lambda _: True, without_symbols=True
    )
    assert config.connections[0].symbols == []


def test_symbols_are_normalized_before_duplicates_are_found() -> None:
    exchanges = {"sim": ExchangeInfo(channels=["trade"], symbol_case="upper")}

    def read(symbols: str) -> list[str]:
        text = f'[[connections]]\nname = "one"\nexchange = "sim"\nchannels = ["trade"]\nsymbols = {symbols}'
        config = parse_config(text, source="f", folder="/", exchanges=exchanges, is_file=lambda _: True)
        return config.connections[0].symbols

    assert read('["btcusdt", "EthUSDT"]') == ["BTCUSDT", "ETHUSDT"]
    with pytest.raises(ConfigInvalid, match='lists "BTCUSDT" more than once'):
        read('["btcusdt", "BTCUSDT"]')
