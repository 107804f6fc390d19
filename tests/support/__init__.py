"""What the tests share: servers that can be told to misbehave, pools that count what they leave."""
