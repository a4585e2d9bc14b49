"""A checkpoint's own chat template: a jinja2 text, rendered in a sandbox.

The environment is that of Hugging Face's ``apply_chat_template`` (trim_blocks, lstrip_blocks, loop controls, JSON
without HTML escapes, ``raise_exception``), because the templates are written for it. One thing is left out on
purpose: ``strftime_now``. A prompt that contains today's date is another prompt tomorrow; the templates that know the
function fall back to a fixed date without it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import SpecError
from harness.types import Message

if TYPE_CHECKING:
    import jinja2


def render_chat_template(
    template: str, messages: Sequence[Message], *, bos_token: str = "", eos_token: str = ""
) -> str:
    """Render a conversation with a checkpoint's jinja2 chat template, up to where the model's reply begins.

    Args:
        template: The template's text (``chat_template`` of the tokenizer's configuration).
        messages: The conversation; the last message is the user's.
        bos_token: Text of the beginning-of-sequence token; empty where whoever tokenises adds it, so that it is
            not there twice.
        eos_token: Text of the end-of-sequence token.

    Raises:
        SpecError: The template is broken, does what the sandbox forbids, or refuses the conversation.
    """
    import jinja2

    try:
        return _compile(template).render(
            messages=[{"role": message.role, "content": message.content} for message in messages],
            add_generation_prompt=True,
            bos_token=bos_token,
            eos_token=eos_token,
            tools=None,
            documents=None,
        )
    except jinja2.TemplateError as error:
        raise SpecError(
            f"the chat template cannot render this conversation: {error.message or error}",
            "use another --format, or correct the checkpoint's chat template",
        ) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SpecError(
            f"the chat template fails: {type(error).__name__}: {error}",
            "use another --format, or correct the checkpoint's chat template",
        ) from error


@functools.lru_cache(maxsize=8)
def _compile(template: str) -> jinja2.Template:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    # Prompts are plain text for a model; HTML escapes would change what was asked.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, autoescape=False, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = raise_exception
    environment.filters["tojson"] = tojson
    return environment.from_string(template)
