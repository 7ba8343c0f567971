"""Moving money: what a policy lets be asked for, how what was approved is sent once, and what became of it."""
