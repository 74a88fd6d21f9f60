"""The pages, one file a topic: functions from the store and what is asked to a JSON object. No HTTP."""
