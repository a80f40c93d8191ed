# No balloon, a QEMU that does not answer, statistics of years ago, no KSM.
balance
--replay
balance/deaf.samples
