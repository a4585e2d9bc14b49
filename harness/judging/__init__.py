"""Judging: a judge is a scorer that owns an engine. Prompts, verdicts, money, and the statistics of each protocol.

The way of one item: `material` (prompts, references, the other side) -> `build` (messages) -> `asking` a model, or
`recorded` verdicts -> `reading` (what a reply says) -> `outcome` (scores) -> `estimates` (the run's numbers). `scorer`
holds them together for one task, `panel` for one command; `spending` and `limiter` keep money and calls in bounds.

The protocols' own figures: `fastchat`, `alpaca` with `length_control`, `relative` (two-number reviews); `tables` takes
them from a file of verdicts, `export` writes such files. The judge itself is judged by `audit`: `evidence` from files,
`calibrate` by asking; `suspicion` flags answers that attack it.
"""
