# The policy that is the default.
balance
--print-policy
