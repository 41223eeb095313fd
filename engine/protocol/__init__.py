"""The protocol between the process that trains and its viewers: frozen types with JSON in and out.

A viewer sends `commands`, one a line of `commands.jsonl`. The session emits `events`, one a line of `events.jsonl`; the
event of a command has its outcome, one of `outcomes`. `states` names the states of a run. A message has codes and
values; the program that shows it words it.
"""
