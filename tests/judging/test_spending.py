"""Prices, forecasts and budgets."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import JudgeError, SpecError, UsageError
from harness.judging import spending
from harness.judging.build import Call
from harness.types import Message


def test_the_shipped_prices_have_a_date_and_fall_back_to_a_models_stem() -> None:
    table = spending.read_prices(spending.shipped_prices())
    assert table.date >= "2025"
    assert table.of("gpt-4o-2024-08-06") == table.of("gpt-4o") == spending.Price(prompt=2.5, completion=10)
    assert table.of("gpt-4-1106-preview") == spending.Price(prompt=10, completion=30)
    assert table.of("my-own-model") is None
    # versions that cost something else than their stem have a price of their own
    assert table.of("gpt-3.5-turbo-0613") == spending.Price(prompt=1.5, completion=2)
    assert table.of("gpt-4-0125-preview") == table.of("gpt-4-turbo-2024-04-09") == table.of("gpt-4-turbo")
    assert "genai-prices@" in table.source


def test_money_is_never_told_without_the_age_of_its_prices() -> None:
    table = spending.PriceTable(date="2026-01-01", prices={})
    price = spending.Price(prompt=10, completion=30)
    call = Call(turn=0, order=None, messages=(Message(role="user", content="x"),), prompt_sha256="")
    assert "prices of 2026-01-01; --prices FILE" in spending.forecast([call], usual=1, limit=1, price=price).line(
        "j", table
    )
    money = spending.Spending(price, None, "m")
    assert money.line(table) is None
    money.add(1_000_000, 0)
    assert money.line(table) == "m answered 1 calls: $10.00 (by prices of 2026-01-01; --prices FILE for others)"
    unpriced = spending.Spending(None, None, "m")
    unpriced.add(1, 1)
    assert unpriced.line(table) == "m answered 1 calls: no price is known for it"


@pytest.mark.parametrize(
    "text", ["", "date = 1", 'date = "x"\n[prices]\n"m" = { prompt = -1, completion = 0 }', "not toml ["]
)
def test_a_wrong_price_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match="--prices"):
        spending.read_prices(path)


def test_a_forecast_counts_calls_tokens_and_money() -> None:
    call = Call(turn=0, order=None, messages=(Message(role="user", content="x" * 4000),), prompt_sha256="")
    price = spending.Price(prompt=10, completion=30)
    found = spending.forecast([call] * 10, usual=100, limit=1000, price=price)
    assert (found.calls, found.prompt_tokens, found.completion_tokens) == (10, 10040, 1000)
    assert found.usd == pytest.approx((10040 * 10 + 1000 * 30) / 1e6)
    assert found.most_usd == pytest.approx((10040 * 10 + 10000 * 30) / 1e6)
    table = spending.PriceTable(date="2026-01-01", prices={})
    assert "no price" in spending.forecast([call], usual=1, limit=1, price=None).line("j", table)


def test_a_budget_without_a_price_cannot_be_kept() -> None:
    with pytest.raises(UsageError, match="no price of m"):
        spending.Spending(None, 1.0, "m")


def test_a_spent_budget_refuses_the_next_call() -> None:
    money = spending.Spending(spending.Price(prompt=1e6, completion=0), 2.0, "m")
    money.check()
    money.add(2, 0)
    with pytest.raises(JudgeError, match="is spent") as caught:
        money.check()
    assert caught.value.code == "budget"
