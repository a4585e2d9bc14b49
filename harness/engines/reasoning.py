"""Reasoning is not an answer: it is cut from the text and kept in its own field.

Three ways in which a server delivers it:

1. In a field of its own (``reasoning_content``, or ``reasoning``) beside ``content``.
2. In the text, as ``<think>...</think>`` at its start.
3. In the text with only ``</think>``, where the prompt or the chat template opened ``<think>`` itself.

Reasoning that was opened and never closed (the reply ended at its token limit) leaves no answer: the text is empty,
and whatever was thought is never graded.
"""

from __future__ import annotations

OPEN = "<think>"
CLOSE = "</think>"


def split_reasoning(
    text: str, reasoning_content: str | None = None, *, opened: bool = False, lone_close: bool = True
) -> tuple[str, str | None]:
    """Part a reply into its answer and its reasoning.

    A ``<think>`` counts only at the start (after white space): an answer that speaks of the tag further on is left
    alone. A ``</think>`` without any opening before it counts only where ``lone_close`` says so.

    Args:
        text: The reply as the server sent it.
        reasoning_content: The server's own field; where it holds something, the server has already parted the two,
            and only a ``<think>`` at the start of the text is still looked for.
        opened: The prompt (or the server's chat template) ends with ``<think>``: the reply begins inside it.
        lone_close: Whether a ``</think>`` without an opening ends reasoning. Off for code, where the string may be
            part of the program.

    Returns:
        The answer, and the reasoning or None. Line breaks between the two belong to neither.
    """
    given = reasoning_content if reasoning_content and reasoning_content.strip() else None
    start = text.lstrip()
    if start.startswith(OPEN):
        return _join(given, start[len(OPEN) :])
    if given is not None:
        return text, given
    if opened:
        return _join(None, text)
    if lone_close:
        before, close, _ = text.partition(CLOSE)
        if close and OPEN not in before:
            return _join(None, text)
    return text, None


def _join(given: str | None, inside: str) -> tuple[str, str | None]:
    """Split text that begins inside reasoning at its close; without one all of it is reasoning."""
    thought, close, answer = inside.partition(CLOSE)
    parts = [part.strip() for part in (given, thought) if part and part.strip()]
    reasoning = "\n".join(parts) or None
    # Only line breaks go: a continuation's indentation is part of the program.
    return (answer.lstrip("\r\n") if close else ""), reasoning
