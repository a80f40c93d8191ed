clone
--memory
refling
base
