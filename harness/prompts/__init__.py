"""Prompts: from a record and a declaration to the exact text (or messages) that is sent. Pure; asks nobody."""

from __future__ import annotations

from harness.prompts.formats import FORMATS, PINNED_TEMPLATE, ChatFormat, chat_format_names, resolve_format
from harness.prompts.render import lookup, placeholders, render
from harness.prompts.requests import prompt_sha256, reference_text, requests, sample_seed, turns
from harness.prompts.spelling import did_you_mean
from harness.prompts.template import render_chat_template

__all__ = [
    "FORMATS",
    "PINNED_TEMPLATE",
    "ChatFormat",
    "chat_format_names",
    "did_you_mean",
    "lookup",
    "placeholders",
    "prompt_sha256",
    "reference_text",
    "render",
    "render_chat_template",
    "requests",
    "resolve_format",
    "sample_seed",
    "turns",
]
