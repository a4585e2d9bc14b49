import pytest

from harness.errors import DataError


@pytest.fixture
def records(store, tmp_path, make_pin, put):
    def read(content: bytes, **fields):
        return store.records(make_pin(f"file:{put(tmp_path / 'file', content)}", content, **fields))

    return read


def test_jsonl_skips_blank_lines_and_knows_one_line_end(records):
    line = '{"text": "a\u2028b\x85c", "n": 1}'
    assert records(("\ufeff" + line + "\n\n \r\n" + line + "\r\n").encode()) == [{"text": "a\u2028b\x85c", "n": 1}] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n\n{"a": \n', r"\(file\): line 3: not JSON \(Expecting value at column"),
        (b'{"a": 1}\n[1]\n', "line 2: not an object"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: not JSON .*utf-8"),
        (b"[" * 200_000, "line 1: not JSON .*nested too deeply"),
    ],
)
def test_jsonl_errors_have_the_line(records, content, message):
    with pytest.raises(DataError, match=message):
        records(content)


def test_an_integer_longer_than_python_reads_by_itself(records):
    digits = "7" * 5000
    [record] = records(f'{{"a": {digits}, "b": -{digits}, "c": 1}}'.encode())
    assert record["a"] % 10**8 == 77777777
    assert record["a"] // 10**4999 == 7
    assert record["b"] == -record["a"]
    assert record["c"] == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"a": 1}]', [{"a": 1}]),
        ('{"canary": "x", "examples": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        ('{"M/1": {"a": 1}, "M/2": {"a": 2}}', [{"key": "M/1", "a": 1}, {"key": "M/2", "a": 2}]),
        ('{"M/1": "x"}', [{"key": "M/1", "value": "x"}]),
        ('{"x": [{"a": 1}], "y": [{"a": 2}]}', [{"key": "x", "value": [{"a": 1}]}, {"key": "y", "value": [{"a": 2}]}]),
        ("[]", []),
    ],
)
def test_json(records, content, expected):
    assert records(content.encode(), format="json") == expected


@pytest.mark.parametrize("content", ["[1]", '"x"', "{", ""])
def test_json_of_another_shape_is_refused(records, content):
    with pytest.raises(DataError, match="data set ours"):
        records(content.encode(), format="json")


def test_csv_keeps_line_ends_in_fields_and_takes_fields_of_any_size(records):
    big = "x" * 200_000
    assert records(f'\ufeffid,text\r\n1,"a\r\nb, ""c"""\r\n2,{big}\r\n'.encode(), format="csv") == [
        {"id": "1", "text": 'a\r\nb, "c"'},
        {"id": "2", "text": big},
    ]
    assert records(b"", format="csv") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1\n", "line 2: 1 fields"),
        (b"a,a\n1,2\n", "twice"),
        (b'a\n"x', "not CSV"),
        (b"a\n\xff\n", "line 2: not UTF-8"),
    ],
)
def test_csv_errors_have_the_line(records, content, message):
    with pytest.raises(DataError, match=message):
        records(content, format="csv")


def test_text_is_kept_to_the_byte(records):
    assert records(b"a\r\n\xef\xbb\xbfb\n", format="text") == [{"text": "a\r\n\ufeffb\n"}]


def test_a_wrong_number_of_records_is_an_error(records):
    with pytest.raises(DataError, match="expected 3 records, found 2"):
        records(b"{}\n{}\n", records=3)


@pytest.fixture
def samples(store, tmp_path, make_pin, put, make_task):
    def read(content: bytes, **fields):
        return store.samples(make_task(make_pin(f"file:{put(tmp_path / 'file', content)}", content, **fields)))

    return read


def test_ids_are_strings_or_row_numbers(samples):
    content = b'{"n": 7, "s": "a"}\n{"n": 9, "s": "b"}\n'
    assert [one.id for one in samples(content, id="n")] == ["7", "9"]
    assert [one.id for one in samples(content, id="s")] == ["a", "b"]
    assert [one.id for one in samples(content)] == ["0", "1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"n": 7}\n{"n": "7"}\n', "records 0 and 1 have the same n '7'"),
        (b'{"n": 7}\n{"m": 8}\n', "record 1 has no field 'n'; it has 'm'"),
        (b'{"n": null}\n', "identifies nothing"),
        (b'{"n": true}\n', "identifies nothing"),
        (b'{"n": ""}\n', "identifies nothing"),
        (b'{"n": 1.5}\n', "identifies nothing"),
    ],
)
def test_ids_that_identify_nothing_are_refused(samples, content, message):
    with pytest.raises(DataError, match=message):
        samples(content, id="n")


def test_texts_are_whole_files(store, tmp_path, make_pin, put, humaneval, make_task):
    few_shot = put(tmp_path / "few.txt", "q: ü\r\n".encode())
    pins = {"few": make_pin(f"file:{few_shot}", few_shot.read_bytes())}
    assert store.texts(make_task(humaneval, texts=pins)) == {"few": "q: ü\r\n"}
    latin = put(tmp_path / "latin.txt", b"\xfc")
    with pytest.raises(DataError, match="text few of ours/test"):
        store.texts(make_task(humaneval, texts={"few": make_pin(f"file:{latin}", b"\xfc")}))
