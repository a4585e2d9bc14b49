import email.utils
import gzip
import hashlib
import socket
import threading
import time

import pytest

from harness.datasets import DataStore, Patience
from harness.errors import DataError

PATH = "/data/ours.jsonl"


def leftovers(cache):
    """What lies in the cache besides locks, stamps and whole files."""
    return [p.name for p in cache.rglob("*") if p.is_file() and p.suffix in (".part", ".tmp", ".json")]


def ranges(server):
    return [headers.get("Range") for _, headers in server.asked]


def test_a_good_server_is_asked_once_and_the_file_is_whole(server, store, cache, body, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body)))
    path = store.fetch(pin)
    assert path == cache / "data" / pin.sha256 / "ours.jsonl"
    assert path.read_bytes() == body
    assert store.fetch(pin) == path
    assert len(server.asked) == 1
    assert leftovers(cache) == []
    assert server.asked[0][1]["User-Agent"].startswith("wizard-harness/")
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_progress_names_the_data_set_the_bytes_and_the_total(server, cache, body, make_pin):
    told = []
    store = DataStore([], cache, progress=lambda *one: told.append(one))
    store.fetch(make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body))))
    assert told[-1] == ("ours", len(body), len(body))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_connection_cut_in_the_middle_is_resumed_with_a_range_and_the_etag(server, store, body, make_pin):
    def cut(handler, seen):
        start = handler.start_of_range()
        rest = body[start:]
        status, more = (206, {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}) if start else (200, {})
        handler.reply(rest[:60_000], status, length=len(rest), ETag='"v1"', **more)

    pin = make_pin("url:" + server.url(PATH, cut))
    assert store.bytes(pin) == body
    assert ranges(server)[:3] == [None, "bytes=60000-", "bytes=120000-"]
    assert server.asked[1][1]["If-Range"] == '"v1"'


def test_a_weak_etag_is_not_used_to_resume_but_the_date_is(server, store, body, make_pin):
    date = email.utils.formatdate(0, usegmt=True)

    def cut(handler, seen):
        start = handler.start_of_range()
        if seen == 0:
            return handler.reply(body[:1000], length=len(body), ETag='W/"v1"', Last_Modified=date)
        return handler.reply(body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")

    assert store.bytes(make_pin("url:" + server.url(PATH, cut))) == body
    assert server.asked[1][1]["If-Range"] == date


def test_a_server_without_ranges_is_downloaded_from_the_beginning(server, store, body, make_pin):
    def cut_once(handler, seen):
        handler.reply(body if seen else body[:50_000], length=len(body))

    assert store.bytes(make_pin("url:" + server.url(PATH, cut_once))) == body
    assert ranges(server) == [None, "bytes=50000-"]


def test_416_falls_back_to_a_full_download(server, store, body, make_pin):
    def cut_then_416(handler, seen):
        if handler.start_of_range():
            return handler.send_error(416)
        return handler.reply(body if seen else body[:50_000], length=len(body))

    assert store.bytes(make_pin("url:" + server.url(PATH, cut_then_416))) == body
    assert ranges(server) == [None, "bytes=50000-", None]


def test_another_range_than_asked_for_is_not_appended(server, store, body, make_pin):
    def wrong_range(handler, seen):
        if handler.start_of_range():
            return handler.reply(body[7:], 206, Content_Range=f"bytes 7-{len(body) - 1}/{len(body)}")
        return handler.reply(body if seen else body[:50_000], length=len(body))

    assert store.bytes(make_pin("url:" + server.url(PATH, wrong_range))) == body


def test_a_file_that_changed_between_two_tries_is_downloaded_afresh(server, store, body, make_pin):
    """The server ignores If-Range and appends the new file's tail to the old one's head."""

    def changed(handler, seen):
        start = handler.start_of_range()
        if seen == 0:
            return handler.reply(b"x" * 50_000, length=len(body))
        if start:
            return handler.reply(body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        return handler.reply(body)

    assert store.bytes(make_pin("url:" + server.url(PATH, changed))) == body
    assert ranges(server) == [None, "bytes=50000-", None]


def test_a_length_announced_too_long_does_no_harm(server, store, body, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body, length=len(body) + 1000)))
    assert store.bytes(pin) == body
    assert len(server.asked) == 1


def test_a_length_announced_too_short_is_refused_as_wrong_bytes(server, store, cache, body, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body, length=1000)))
    with pytest.raises(DataError) as caught:
        store.fetch(pin)
    assert caught.value.code == "wrong-bytes"
    assert pin.sha256 in str(caught.value)
    assert leftovers(cache) == []


def test_no_length_and_an_early_end_is_tried_once_more(server, store, body, make_pin):
    def silent_cut(handler, seen):
        handler.reply(body if seen else body[:1000], length=None)

    assert store.bytes(make_pin("url:" + server.url(PATH, silent_cut))) == body


@pytest.mark.parametrize("length", ["abc", "-5", "1e3"])
def test_a_length_that_is_no_number_is_ignored(server, store, body, make_pin, length):
    def odd(handler, seen):
        handler.reply(body, length=None, Content_Length=length)

    assert store.bytes(make_pin("url:" + server.url(PATH, odd))) == body


def test_a_server_that_always_cuts_is_given_up_and_the_part_is_kept(server, store, cache, body, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body[:5000], length=len(body))))
    with pytest.raises(DataError, match=r"cut at 5000 of \d+ bytes, 3 times in a row.*kept and continued"):
        store.fetch(pin)
    assert (cache / "partial" / f"{pin.sha256}.part").read_bytes() == body[:5000]
    assert not (cache / "data").exists()


def test_an_error_of_the_server_is_tried_again(server, store, body, make_pin):
    def stumble(handler, seen):
        if seen < 2:
            return handler.send_error(500 + 3 * seen)
        return handler.reply(body)

    assert store.bytes(make_pin("url:" + server.url(PATH, stumble))) == body


def test_retry_after_is_waited_for(server, cache, body, make_pin):
    def busy(handler, seen):
        if seen == 0:
            return handler.reply(b"", 429, Retry_After="1")
        return handler.reply(body)

    store = DataStore([], cache, patience=Patience(first_delay=0.001, longest_delay=0.3))
    begin = time.monotonic()
    assert store.bytes(make_pin("url:" + server.url(PATH, busy))) == body
    assert time.monotonic() - begin >= 0.29


def test_404_says_url_status_and_the_way_out(server, store, make_pin):
    url = server.url("/nothing.jsonl")
    with pytest.raises(DataError) as caught:
        store.fetch(make_pin("url:" + url))
    text = str(caught.value)
    assert url in text
    assert "404" in text
    assert "--data-dir" in text
    assert caught.value.code == "http-404"
    assert len(server.asked) == 1


def test_wrong_bytes_are_refused_with_both_digests_and_never_cached(server, store, cache, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(b"something else\n")))
    with pytest.raises(DataError) as caught:
        store.fetch(pin)
    text = str(caught.value)
    assert pin.sha256 in text
    assert hashlib.sha256(b"something else\n").hexdigest() in text
    assert server.url(PATH) in text
    assert leftovers(cache) == []
    assert not list((cache / "data").glob("*/*"))


def test_a_redirect_is_followed(server, store, body, make_pin):
    server.url("/there", lambda h, _: h.reply(body))
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(b"", 302, Location="/there")))
    assert store.bytes(pin) == body


def test_a_redirect_to_a_local_file_is_refused(server, store, tmp_path, body, make_pin):
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(body)
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(b"", 302, Location=secret.as_uri())))
    with pytest.raises(DataError):
        store.fetch(pin)


def test_a_redirect_in_a_circle_ends(server, store, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(b"", 302, Location=PATH)))
    with pytest.raises(DataError, match="302"):
        store.fetch(pin)


def test_a_packed_body_is_unpacked_whatever_it_is_called(server, store, body, packed, make_pin):
    plain_name = make_pin("url:" + server.url("/a.jsonl", lambda h, _: h.reply(packed, Content_Encoding="gzip")))
    assert store.bytes(plain_name) == body


def test_a_gz_file_is_unpacked_and_loses_its_suffix(server, store, body, packed, make_pin):
    path = store.fetch(make_pin("url:" + server.url("/a.jsonl.gz", lambda h, _: h.reply(packed))))
    assert path.name == "a.jsonl"
    assert path.read_bytes() == body


def test_a_gz_file_packed_once_more_on_the_way_is_unpacked_twice(server, store, body, packed, make_pin):
    twice = gzip.compress(packed)
    pin = make_pin("url:" + server.url("/a.jsonl.gz", lambda h, _: h.reply(twice, Content_Encoding="gzip")))
    assert store.bytes(pin) == body


def test_a_packed_download_is_resumed_too(server, store, body, packed, make_pin):
    def cut(handler, seen):
        start = handler.start_of_range()
        rest = packed[start:]
        more = {"Content_Range": f"bytes {start}-{len(packed) - 1}/{len(packed)}"} if start else {}
        handler.reply(rest[:20_000], 206 if start else 200, length=len(rest), **more)

    assert store.bytes(make_pin("url:" + server.url("/a.jsonl.gz", cut))) == body
    assert len(server.asked) > 3


def test_a_damaged_packed_body_is_refused(server, store, cache, packed, make_pin):
    broken = packed[:5000] + b"\0" * 100 + packed[5100:]
    with pytest.raises(DataError, match="damaged"):
        store.fetch(make_pin("url:" + server.url("/a.jsonl.gz", lambda h, _: h.reply(broken))))
    assert leftovers(cache) == []


def test_a_slow_drip_arrives(server, store, body, make_pin):
    def drip(handler, seen):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 20_000):
            handler.wfile.write(body[start : start + 20_000])
            handler.wfile.flush()
            time.sleep(0.01)

    assert store.bytes(make_pin("url:" + server.url(PATH, drip))) == body


def test_a_server_that_falls_silent_is_left_and_resumed(server, cache, body, make_pin):
    done = threading.Event()

    def silent(handler, seen):
        start = handler.start_of_range()
        if start:
            return handler.reply(body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.reply(body[:1000], length=len(body))
        done.wait(10)
        return None

    store = DataStore([], cache, patience=Patience(first_delay=0.01, timeout=0.2))
    assert store.bytes(make_pin("url:" + server.url(PATH, silent))) == body
    done.set()
    assert ranges(server) == [None, "bytes=1000-"]


def test_a_trickle_too_slow_to_end_counts_as_cut(server, cache, body, make_pin):
    done = threading.Event()

    def trickle(handler, seen):
        start = handler.start_of_range()
        if start:
            return handler.reply(body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.reply(body[:1], length=len(body))
        sent = 1
        while not done.wait(0.03):
            handler.wfile.write(body[sent : sent + 1])
            handler.wfile.flush()
            sent += 1
        return None

    store = DataStore([], cache, patience=Patience(first_delay=0.01, timeout=5, slowest=1000, window=0.2))
    assert store.bytes(make_pin("url:" + server.url(PATH, trickle))) == body
    done.set()
    assert len(server.asked) == 2
    assert ranges(server)[1] is not None


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_no_network_names_file_url_and_remedy(store, cache, make_pin, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://127.0.0.1:{free_port()}/ours.jsonl"
    with pytest.raises(DataError) as caught:
        store.fetch(make_pin("url:" + url))
    assert caught.value.code == "no-network"
    assert url in str(caught.value)
    assert "HARNESS_DATA_DIR" in str(caught.value)
    assert "--data-dir" in str(caught.value)
    assert not (cache / "data").exists()


def test_a_name_that_does_not_resolve_is_no_network(store, make_pin, monkeypatch):
    def nowhere(*_args, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(DataError, match="Name or service not known") as caught:
        store.fetch(make_pin("url:http://data.invalid/ours.jsonl"))
    assert caught.value.code == "no-network"


def test_a_server_that_hangs_up_or_talks_nonsense_is_no_traceback(server, store, make_pin):
    def nonsense(handler, seen):
        handler.wfile.write(b"GARBAGE\r\n\r\n" if seen else b"")
        handler.wfile.flush()

    with pytest.raises(DataError, match="times in a row"):
        store.fetch(make_pin("url:" + server.url(PATH, nonsense)))


def test_offline_downloads_nothing(server, cache, body, make_pin):
    pin = make_pin("url:" + server.url(PATH, lambda h, _: h.reply(body)))
    store = DataStore([], cache, offline=True)
    with pytest.raises(DataError) as caught:
        store.fetch(pin)
    assert caught.value.code == "offline"
    assert store.locate(pin) is None
    assert server.asked == []
