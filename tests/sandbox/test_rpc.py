"""The Stellar RPC stub behaves as FACTS A says the real server does."""

import json
from collections.abc import Iterator

import pytest
import requests
from stellar_sdk import SorobanServer, StrKey, scval
from stellar_sdk.client.requests_client import RequestsClient
from stellar_sdk.exceptions import SorobanRpcErrorResponse

from novaops.sandbox import ledgers, rpc
from novaops.sandbox.world import world
from tests.sandbox.http import serving

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def _served() -> Iterator[str]:
    with serving(rpc.rpc_app("primary")) as url:
        yield url


@pytest.fixture
def url(_served: str) -> Iterator[str]:
    rpc.reset()
    yield _served
    rpc.reset()


def ask(url: str, method: str, **params: object) -> dict:
    asked = {"jsonrpc": "2.0", "id": 8675309, "method": method} | ({"params": params} if params else {})
    answer = requests.post(url, json=asked, timeout=5)
    assert answer.status_code == 200
    assert answer.json()["id"] == 8675309
    return answer.json()


def error(url: str, method: str, **params: object) -> tuple[int, str]:
    failure = ask(url, method, **params)["error"]
    return failure["code"], failure["message"]


def result(url: str, method: str, **params: object) -> dict:
    return ask(url, method, **params)["result"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/health", {}, 404, id="there is no health page"),
        pytest.param("POST", "/other", JSON, 404, id="any other path"),
        pytest.param("GET", "/", {}, 405, id="any other verb"),
        pytest.param("POST", "/", {"Content-Type": "text/plain"}, 415, id="any other content type"),
    ],
)
def test_it_answers_only_posted_json_at_the_root(url, method, path, headers, status):
    assert requests.request(method, url + path, headers=headers, data=b"{}", timeout=5).status_code == status


def test_it_refuses_a_body_over_512_kib(url):
    assert requests.post(url, headers=JSON, data=b" " * (512 * 1024 + 1), timeout=5).status_code == 413


def test_a_batch_gets_an_array_of_answers(url):
    batch = [{"jsonrpc": "2.0", "id": n, "method": "getNetwork"} for n in (1, 2)]
    assert [each["id"] for each in requests.post(url, json=batch, timeout=5).json()] == [1, 2]


def test_positional_parameters_are_refused(url):
    asked = {"jsonrpc": "2.0", "id": 1, "method": "getHealth", "params": [1]}
    assert requests.post(url, json=asked, timeout=5).json()["error"]["code"] == -32602


def test_an_unknown_method_is_an_error_over_200(url):
    assert error(url, "getTransaction") == (-32601, "method not found")


def test_health_names_the_range_with_close_times_as_text(url):
    health = result(url, "getHealth")
    assert health["status"] == "healthy"
    assert health["latestLedger"] - health["oldestLedger"] + 1 == health["ledgerRetentionWindow"] == 120_960
    assert int(health["latestLedgerCloseTime"]) > int(health["oldestLedgerCloseTime"])


def test_a_stuck_node_becomes_unhealthy_by_a_json_rpc_error(url):
    rpc.nodes["primary"].stuck_at = ledgers.network.latest() - 10
    code, message = error(url, "getHealth")
    assert code == -32603
    assert message.startswith("[-32603] latency (")
    assert message.endswith("s) since last known ledger closed is too high (>30s)")


def test_a_stuck_node_says_nothing_of_newer_ledgers(url):
    rpc.nodes["primary"].stuck_at = ledgers.network.latest() - 10
    assert result(url, "getLatestLedger")["sequence"] == rpc.nodes["primary"].stuck_at


def test_a_starting_node_has_no_data(url):
    rpc.nodes["primary"].starting = True
    assert error(url, "getHealth") == (-32603, "[-32603] data stores are not initialized")


def test_a_node_that_is_down_answers_503(url):
    rpc.nodes["primary"].down = True
    assert requests.post(url, json={}, timeout=5).status_code == 503


def test_an_overloaded_node_names_its_queue(url):
    rpc.nodes["primary"].overloaded = True
    assert error(url, "getEvents", startLedger=1) == (
        -32098,
        "rpc queue for getEvents surpassed queue limit of 1000 requests",
    )


def test_the_same_ledger_always_has_the_same_events(url):
    first = ledgers.network.latest() - 50
    stable = [
        [
            {**event, "ledgerClosedAt": ""}
            for event in result(url, "getEvents", startLedger=first, endLedger=first + 20)["events"]
        ]
        for _ in range(2)
    ]
    assert stable[0] == stable[1] != []


def test_another_seed_has_other_events():
    ledger = ledgers.FIRST_LEDGER
    chains = [ledgers.Network(seed=seed) for seed in (1, 2)]
    assert (
        len({str([event["txHash"] for n in range(20) for _, event in chain.events(ledger + n)]) for chain in chains})
        == 2
    )


def test_following_the_cursor_reads_every_event_once(url):
    first = ledgers.network.latest() - 300
    rpc.nodes["primary"].stuck_at = ledgers.network.latest()
    whole = [
        event["id"] for event in result(url, "getEvents", startLedger=first, pagination={"limit": 10_000})["events"]
    ]
    page = result(url, "getEvents", startLedger=first, pagination={"limit": 7})
    read = [event["id"] for event in page["events"]]
    while page["events"]:
        page = result(url, "getEvents", pagination={"cursor": page["cursor"], "limit": 7})
        read += [event["id"] for event in page["events"]]
    assert read == whole
    assert len(set(read)) == len(read) > 100


def test_an_empty_page_moves_the_cursor_by_at_most_the_scan_window(url):
    first = result(url, "getHealth")["oldestLedger"] + 100
    nothing = [{"type": "system"}]
    page = result(url, "getEvents", startLedger=first, filters=nothing)
    assert page["events"] == []
    assert ledgers.Cursor.parse(page["cursor"]).ledger == first + 9_999


def test_a_caught_up_reader_continues_by_cursor(url):
    rpc.nodes["primary"].stuck_at = latest = ledgers.network.latest()
    cursor = result(url, "getEvents", startLedger=latest)["cursor"]
    assert ledgers.Cursor.parse(cursor).ledger == latest
    assert result(url, "getEvents", pagination={"cursor": cursor})["events"] == []
    code, message = error(url, "getEvents", startLedger=latest + 1)
    assert code == -32600
    assert message.startswith("startLedger must be within the ledger range: ")


def test_a_ledger_that_is_not_kept_any_more_is_out_of_range(url):
    rpc.nodes["primary"].retention = 100
    rpc.nodes["primary"].stuck_at = latest = ledgers.network.latest()
    assert error(url, "getEvents", startLedger=latest - 100) == (
        -32600,
        f"startLedger must be within the ledger range: {latest - 99} - {latest}",
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"startLedger": 0}, "startLedger must be positive", id="no start"),
        pytest.param(
            {"startLedger": 5, "pagination": {"cursor": str(ledgers.Cursor(5))}},
            "ledger ranges and cursor cannot both be set",
            id="start and cursor",
        ),
        pytest.param({"startLedger": 5, "pagination": {"limit": 10_001}}, "limit must not exceed 10000", id="limit"),
        pytest.param({"startLedger": 5, "filters": [{}] * 6}, "maximum 5 filters per request", id="filters"),
    ],
)
def test_bad_parameters_are_named(url, params, message):
    assert error(url, "getEvents", **params) == (-32602, message)


def test_filters_choose_by_contract_and_topic(url):
    first = ledgers.network.latest() - 300
    issued = scval.to_symbol("reward_issued").to_xdr()
    filters = [{"contractIds": [ledgers.CONTRACTS[0]], "topics": [[issued, "**"]]}]
    events = result(url, "getEvents", startLedger=first, filters=filters)["events"]
    assert {(event["contractId"], event["topic"][0]) for event in events} == {(ledgers.CONTRACTS[0], issued)}


def test_missing_ranges_are_left_out_silently(url):
    latest = ledgers.network.latest()
    rpc.nodes["primary"].missing = [(latest - 50, latest)]
    assert result(url, "getEvents", startLedger=latest - 50, endLedger=latest)["events"] == []


def test_the_official_sdk_understands_every_answer(url):
    with SorobanServer(url, RequestsClient(num_retries=0, post_timeout=5)) as server:
        latest = server.get_latest_ledger().sequence
        events = server.get_events(start_ledger=latest - 100).events
        assert server.get_health().status == "healthy"
        assert server.get_network().passphrase == ledgers.PASSPHRASE
        assert server.get_version_info().protocol_version == 27
        assert server.get_fee_stats().latest_ledger >= latest
        assert len(server.get_ledgers(start_ledger=latest - 10, limit=5).ledgers) == 5
        with pytest.raises(SorobanRpcErrorResponse, match="ledger range"):
            server.get_events(start_ledger=1)
    assert all(StrKey.is_valid_contract(event.contract_id) for event in events)
    assert scval.from_symbol(events[0].topic[0]) in ledgers.KINDS
    assert scval.from_address(events[0].topic[1]).address.startswith("G")
    assert scval.from_int128(events[0].value) > 0


def test_a_cursor_is_what_the_documentation_shows():
    assert ledgers.Cursor.parse("0016010972359577600-0000000008").ledger == 3727845
    assert str(ledgers.Cursor.parse("0016010972359577600-0000000008")) == "0016010972359577600-0000000008"


def test_the_network_goes_on_where_it_stopped(tmp_path):
    state = tmp_path / "network.json"
    first = ledgers.Network()
    first.remember(state)
    seen = first.latest()
    again = ledgers.Network()
    again.remember(state)
    assert seen <= again.latest() <= seen + 2 * ledgers.REMEMBER_AHEAD


def test_a_broken_state_file_starts_the_network_anew(tmp_path):
    (tmp_path / "network.json").write_text("{")
    network = ledgers.Network()
    network.remember(tmp_path / "network.json")
    assert network.latest() >= ledgers.FIRST_LEDGER


def test_a_ledger_closes_every_five_simulated_seconds():
    network = ledgers.Network()
    gap_s = network.closed_at(network.latest() + 1) - network.closed_at(network.latest())
    assert gap_s == pytest.approx(world.seconds(5))


def test_answers_are_json(url):
    answer = requests.post(
        url, data=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getHealth"}), headers=JSON, timeout=5
    )
    assert answer.headers["Content-Type"] == "application/json"
