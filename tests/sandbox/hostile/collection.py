"""The hostile set: the table that the package ships, and what is too slow or too much for it."""

from harness.sandbox.attacks import TABLE, Attack
from tests.sandbox.hostile.bare import BARE
from tests.sandbox.hostile.escapes import ESCAPES
from tests.sandbox.hostile.forgeries import FORGERIES
from tests.sandbox.hostile.hanging import TIME
from tests.sandbox.hostile.hiding import HIDING
from tests.sandbox.hostile.kernel import KERNEL
from tests.sandbox.hostile.liars import LIARS
from tests.sandbox.hostile.resources import RESOURCES
from tests.sandbox.hostile.texts import TEXTS

GROUPS: tuple[tuple[Attack, ...], ...] = (
    TABLE, ESCAPES, KERNEL, LIARS, FORGERIES, TIME, RESOURCES, HIDING, BARE, TEXTS
)  # fmt: skip
ATTACKS: tuple[Attack, ...] = tuple(attack for group in GROUPS for attack in group)
BY_NAME: dict[str, Attack] = {attack.name: attack for attack in ATTACKS}
