# Samples of a later exomem.
balance
--replay
balance/later.samples
