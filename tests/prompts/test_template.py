"""The checkpoint's own chat template, in a sandbox."""

from __future__ import annotations

import pytest

from harness.errors import SpecError
from harness.prompts import render_chat_template
from harness.types import Message

MESSAGES = (
    Message(role="system", content="S"),
    Message(role="user", content="<b>{{ 1 + 1 }}</b>"),
)

CHATML = """\
{{ bos_token }}{% for message in messages %}
    {% if message['role'] == 'assistant' %}{% continue %}{% endif %}
<|{{ message.role }}|>{{ message.content | trim }}{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>
{%- endif %}
"""


def test_renders_as_transformers_does() -> None:
    text = render_chat_template(CHATML, MESSAGES, bos_token="<s>", eos_token="</s>")
    assert text == "<s><|system|>S</s>\n<|user|><b>{{ 1 + 1 }}</b></s>\n<|assistant|>"
    # Without the tokens nothing stands in their place.
    assert render_chat_template("{{ bos_token }}x{{ eos_token }}", MESSAGES) == "x"


def test_json_is_not_escaped_for_html() -> None:
    assert render_chat_template("{{ messages[1].content | tojson }}", MESSAGES) == '"<b>{{ 1 + 1 }}</b>"'
    assert render_chat_template("{{ ['é'] | tojson(indent=1) }}", MESSAGES) == '[\n "é"\n]'


def test_no_date_enters_a_prompt() -> None:
    template = "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}fixed{% endif %}"
    assert render_chat_template(template, MESSAGES) == "fixed"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system role') }}", "no system role"),
        ("{% if %}", "cannot render"),
        ("{{ messages.append(1) }}", "cannot render"),
        ("{{ ''.__class__.__mro__ }}", "cannot render"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ range(1000000000) | list }}", "OverflowError"),
    ],
)
def test_refuses(template: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        render_chat_template(template, MESSAGES)
