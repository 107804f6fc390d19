"""What a greenlet is parked for, in words for people: who parks says them."""

SLOT = "a slot"
ANSWER = "an answer"
PAUSE = "a pause"
PARTS = "its parts"
