"""`sealyard-trainer` as one of several, whose second epoch comes to nothing: its loss is no number.

What its processes do is changed in each of them, before it is told what that is.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = f"""#!{sys.executable}
import sys
from functools import wraps

from sealyard_trainer import assignment, main, other_node


def with_a_lost_epoch(work):
    @wraps(work)
    def changed(assigned):
        from sealyard_trainer import several

        recover = several.OneOfSeveral._handle_nan_recovery

        def lose(trainer, epoch):
            if epoch == trainer.start_epoch + 1 and not trainer.nan_recovery_attempts:
                trainer.loss = trainer.loss * float("nan")
            went_back = recover(trainer, epoch)
            if went_back:
                print(f"went back to epoch {{epoch}}", flush=True)
            return went_back

        several.OneOfSeveral._handle_nan_recovery = lose
        return work(assigned)

    return changed


if __name__ == "__mp_main__":
    assignment.lead = with_a_lost_epoch(assignment.lead)
    other_node._support = with_a_lost_epoch(other_node._support)
if __name__ == "__main__":
    sys.exit(main.main())
"""


def losing_an_epoch(folder: Path) -> str:
    """The path of the program, for `Pod.run`."""
    path = folder / "losing-an-epoch"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return str(path)
