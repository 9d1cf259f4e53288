"""The functions that the model may call, and a prompt that makes the simulated model call them in three
steps, two at once in the first. The mark makes the calls to Google of one case findable."""

import json


def schema(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


FUNCTIONS = {
    "get_weather": ("Weather of a city", schema(city={"type": "string"}), lambda city: {"city": city, "degrees": 3}),
    "get_time": ("Time of a zone", schema(zone={"type": "string", "enum": ["CET", "UTC"]}), lambda zone: {"zone": zone, "time": "12:00"}),
    "add": ("Sum of two numbers", schema(a={"type": "integer"}, b={"type": "integer"}), lambda a, b: {"sum": a + b}),
}

# The models that the errands are run with: one must have its thought signatures back, one may; fake is the
# first one with a stream that is cut from an answer in one piece.
MODELS = {3: "gemini-3.1-flash-lite", 25: "gemini-2.5-flash", "fake": "假流式/gemini-3.1-flash-lite"}


def errand(mark):
    return (
        f'({mark}) call get_weather {{"city":"Oslo"}} call get_time {{"zone":"CET"}} '
        'then call add {"a":1,"b":2} then call get_time {"zone":"UTC"}'
    )


def work(seen, name, args):
    """Does what the model asked for and notes it."""
    seen["calls"].append(name + " " + json.dumps(args, separators=(",", ":")))
    return FUNCTIONS[name][2](**args)


def note(seen, kind):
    """Adds the kind of an event to those seen, once for many in a row."""
    events = seen.setdefault("events", [])
    if not events or events[-1] != kind:
        events.append(kind)
