# A guest that goes and comes again.
balance
--replay
balance/vanish.samples
