"""The outside of the mesh: who sends transactions open-loop, who calls the gateway, who watches decisions.

Used by the launcher, the benchmarks and the fault tests. Nothing here prints: progress goes to a callback, results are dataclasses.
"""

from simbank.driver.corebank import Calls, CoreBank
from simbank.driver.producer import OpenLoopProducer, Sent
from simbank.driver.watcher import DecisionWatcher, Seen

__all__ = ["Calls", "CoreBank", "DecisionWatcher", "OpenLoopProducer", "Seen", "Sent"]
