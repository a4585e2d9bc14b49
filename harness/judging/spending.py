"""Money: price tables, what judging will cost, and a budget that is kept."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from harness.errors import JudgeError, SpecError, UsageError
from harness.judging.build import Call
from harness.types import Message, Spec

CHARACTERS_A_TOKEN = 4
"""Characters of English text that a token covers, roughly; forecasts say that they are rough."""

BATCH_PRICE = 0.5
"""What OpenAI's Batch API costs of the usual price."""

_MESSAGE_TOKENS = 4
_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")


class Price(Spec, frozen=True, kw_only=True):
    """USD per million tokens."""

    prompt: float
    completion: float


def batched(price: Price | None) -> Price | None:
    """The price of calls that are submitted together."""
    if price is None:
        return None
    return Price(prompt=price.prompt * BATCH_PRICE, completion=price.completion * BATCH_PRICE)


class PriceTable(Spec, frozen=True, kw_only=True):
    """Prices of one provider on one day.

    Attributes:
        date: When they held, ISO 8601.
        source: Where they were listed.
        prices: Model -> price; a model with a version at its end (``gpt-4o-2024-08-06``) falls back to its stem.
    """

    date: str
    source: str = ""
    prices: Mapping[str, Price]

    @property
    def told(self) -> str:
        """How old the prices are, wherever money is printed."""
        return f"by prices of {self.date}; --prices FILE for others"

    def of(self, model: str) -> Price | None:
        """The price of a model; None where the table has none."""
        name = model.rpartition("/")[2]
        return self.prices.get(name) or self.prices.get(_VERSION.sub("", name))


def read_prices(path: Path) -> PriceTable:
    """Read a price table.

    Raises:
        UsageError: There is no such file, or it cannot be read.
        SpecError: It is no price table.
    """
    try:
        table = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), PriceTable)
    except OSError as error:
        raise UsageError(f"--prices {path}: cannot be read ({error.strerror})", "name a TOML file of prices") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SpecError(f"--prices {path}: {error}", "see judges/prices/openai.toml for the form") from error
    for model, price in table.prices.items():
        if not all(math.isfinite(one) and one >= 0 for one in (price.prompt, price.completion)):
            raise SpecError(f"--prices {path}: {model}: a price is a finite number from 0")
    return table


def shipped_prices() -> Path:
    """The table that ships with the harness."""
    from harness.catalog.folders import shipped

    return shipped() / "judges" / "prices" / "openai.toml"


def tokens_of(messages: Iterable[Message]) -> int:
    """A rough count of the tokens of messages."""
    return sum(len(one.content) // CHARACTERS_A_TOKEN + _MESSAGE_TOKENS for one in messages)


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What judging will take.

    Attributes:
        calls: Questions to the judge that have no readable verdict yet.
        prompt_tokens: In all of them, roughly.
        completion_tokens: If each reply is a usual one.
        usd: What that costs; None without a price.
        most_usd: If every reply goes to its limit; None without a price.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    most_usd: float | None

    def line(self, judge: str, table: PriceTable) -> str:
        """One sentence for people."""
        tokens = f"about {self.prompt_tokens:,} prompt and {self.completion_tokens:,} reply tokens"
        said = f"{judge}: {self.calls} calls, {tokens}"
        if not self.calls:
            return f"{judge}: nothing to ask, every verdict is there"
        if self.usd is None or self.most_usd is None:
            return f"{said}; no price is known for it (--prices FILE)"
        return f"{said}; about ${self.usd:.2f}, at most ${self.most_usd:.2f} ({table.told})"


def forecast(calls: Iterable[Call], *, usual: int, limit: int, price: Price | None) -> Forecast:
    """Add up what ``calls`` will take.

    Args:
        calls: The questions still to be asked.
        usual: Tokens of a usual reply.
        limit: Tokens of the longest reply.
        price: Of the judge's model; None where none is known.
    """
    sizes = [tokens_of(call.messages) for call in calls]
    prompt, number = sum(sizes), len(sizes)
    return Forecast(
        calls=number,
        prompt_tokens=prompt,
        completion_tokens=number * min(usual, limit),
        usd=cost(price, prompt, number * min(usual, limit)),
        most_usd=cost(price, prompt, number * limit),
    )


def cost(price: Price | None, prompt_tokens: int, completion_tokens: int) -> float | None:
    """What so many tokens cost in USD; None without a price."""
    if price is None:
        return None
    return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6


class Spending:
    """What one command spends on a judge, and its limit.

    Args:
        price: Of the judge's model; None where none is known.
        budget: USD that this command may spend; None: no limit.
        model: The judge's model, for messages.
        batch: Calls are submitted together at half the price, so what they may cost is counted before they are.

    Raises:
        UsageError: There is a budget and no price to keep it by.
    """

    def __init__(self, price: Price | None, budget: float | None, model: str, *, batch: bool = False) -> None:
        if budget is not None and price is None:
            raise UsageError(f"--budget: no price of {model} is known", "give a table with --prices FILE")
        self.price = batched(price) if batch else price
        self.budget = budget
        self._model = model
        self._batch = batch
        self._reserved = 0.0
        self.usd = 0.0
        self.calls = 0

    def check(self, messages: Iterable[Message] = (), tokens: int = 0) -> float:
        """Refuse another call once the budget is spent; only what is in flight then may go beyond it.

        Args:
            messages: What would be sent.
            tokens: Of a usual reply.

        Returns:
            What is reserved for the call, for `add` or `release`; 0 unless calls are submitted together.

        Raises:
            JudgeError: It is spent.
        """
        wanted = cost(self.price, tokens_of(messages), tokens) or 0.0 if self._batch else 0.0
        if self.budget is not None and self.usd + self._reserved + wanted >= self.budget:
            raise JudgeError(
                f"the budget of ${self.budget:.2f} is spent (${self.usd:.2f} on {self.calls} calls)",
                "the same command with another --budget goes on where this one stopped",
                code="budget",
            )
        self._reserved += wanted
        return wanted

    def release(self, reserved: float) -> None:
        """Give back what was reserved for a call, answered or not."""
        self._reserved -= reserved

    def add(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Count one answered call; returns its cost."""
        usd = cost(self.price, prompt_tokens, completion_tokens)
        self.calls += 1
        self.usd += usd or 0.0
        return usd

    def line(self, table: PriceTable) -> str | None:
        """What this command spent, in a sentence; None where nobody was asked."""
        if not self.calls:
            return None
        money = "no price is known for it" if self.price is None else f"${self.usd:.2f} ({table.told})"
        return f"{self._model} answered {self.calls} calls: {money}"
