"""The cases of the official Python client of Anthropic."""

import json
import os
from typing import Literal

import anthropic
from anthropic import beta_tool
from pydantic import BaseModel
from report import BREAKS, SILENCES, broken, report
from toolset import FUNCTIONS, MODELS, errand, note, work

STORY, PICTURE, PICTURE_URL, DOCUMENT = (os.environ[name] for name in ("STORY", "PICTURE", "PICTURE_URL", "DOCUMENT"))
FLASH = "gemini-2.5-flash"
TOOLS = [{"name": name, "description": description, "input_schema": shape} for name, (description, shape, _) in FUNCTIONS.items()]
THINKING = {"type": "enabled", "budget_tokens": 2048}


def connect(**credential):
    """The client's own retries are off: what the gateway says is what the test sees."""
    return anthropic.Anthropic(base_url=os.environ["GATEWAY"], max_retries=0, **credential)


client = connect(api_key=os.environ["PASSWORD"])
bearer = connect(auth_token=os.environ["PASSWORD"])
stranger = connect(api_key="wrong")


def user(content):
    return [{"role": "user", "content": content}]


def gather(seen, message):
    seen.update(id=message.id, model=message.model, finish=message.stop_reason, stop=message.stop_sequence or "")
    seen["items"] = [block.type for block in message.content]
    seen["text"] = "".join(block.text for block in message.content if block.type == "text")
    thoughts = [block for block in message.content if block.type == "thinking"]
    seen.update(thoughts="".join(block.thinking for block in thoughts), signed=sum(bool(block.signature) for block in thoughts))
    seen["usage"] = {"prompt": message.usage.input_tokens, "answer": message.usage.output_tokens}


def create(seen, messages, by=client, model=FLASH, max_tokens=4096, **params):
    gather(seen, by.messages.create(model=model, max_tokens=max_tokens, messages=messages, **params))


def stream(seen, messages, by=client, model=FLASH, **params):
    heard = ""
    seen["text"] = ""
    with by.messages.stream(model=model, max_tokens=4096, messages=messages, **params) as events:
        for event in events:
            if event.type == "text":
                seen.arrived()
                heard += event.text
                seen["text"] = heard
            elif event.type.startswith(("message_", "content_block_")):
                note(seen, event.type)
        gather(seen, events.get_final_message())
    seen["same"] = heard == seen["text"]


def stream_raw(seen):
    seen.update(text="", finish="")
    for event in client.messages.create(model=FLASH, max_tokens=4096, messages=user(STORY), stream=True):
        seen.arrived()
        note(seen, event.type)
        if event.type == "message_start":
            seen["model"] = event.message.model
        elif event.type == "content_block_delta":
            seen["text"] += event.delta.text
        elif event.type == "message_delta":
            seen["finish"] = event.delta.stop_reason


def whole(**params):
    return client.messages.create(**params)


def streamed(**params):
    with client.messages.stream(**params) as events:
        return events.get_final_message()


def agent(seen, model, ask, **more):
    """Goes on until the model calls nothing more; its answers go back as they came."""
    seen.update(calls=[], steps=0)
    messages = user(errand(seen["mark"]))
    while True:
        message = ask(model=model, max_tokens=4096, messages=messages, tools=TOOLS, **more)
        seen["steps"] += 1
        note(seen, f"{message.stop_reason}: {' '.join(block.type for block in message.content)}")
        messages.append({"role": "assistant", "content": message.content})
        if message.stop_reason != "tool_use":
            return gather(seen, message)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": json.dumps(work(seen, block.name, block.input))}
            for block in message.content
            if block.type == "tool_use"
        ]
        messages.append({"role": "user", "content": results})


def runner(seen, stream):
    """Leaves the loop to the client."""
    seen.update(calls=[], steps=0)

    @beta_tool
    def get_weather(city: str) -> str:
        """Weather of a city"""
        return json.dumps(work(seen, "get_weather", {"city": city}))

    @beta_tool
    def get_time(zone: Literal["CET", "UTC"]) -> str:
        """Time of a zone"""
        return json.dumps(work(seen, "get_time", {"zone": zone}))

    @beta_tool
    def add(a: int, b: int) -> str:
        """Sum of two numbers"""
        return json.dumps(work(seen, "add", {"a": a, "b": b}))

    run = client.beta.messages.tool_runner(
        model=MODELS[3], max_tokens=4096, messages=user(errand(seen["mark"])), tools=[get_weather, get_time, add], stream=stream
    )
    for answer in run:
        seen["steps"] += 1
        last = answer.get_final_message() if stream else answer
    gather(seen, last)


class Fox(BaseModel):
    name: str
    colour: Literal["red", "grey"]
    legs: int
    friends: list[str]


def parse(seen):
    message = client.messages.parse(model=FLASH, max_tokens=4096, messages=user("A fox"), output_format=Fox)
    seen.update(parsed=message.parsed_output.model_dump(), finish=message.stop_reason)


def parse_stream(seen):
    with client.messages.stream(model=FLASH, max_tokens=4096, messages=user("A fox"), output_format=Fox) as events:
        message = events.get_final_message()
    seen.update(parsed=message.parsed_output.model_dump(), finish=message.stop_reason)


def models(seen):
    seen["names"] = [found.id for found in client.models.list()]


def model(seen):
    seen["names"] = [client.models.retrieve("gemini-2.5-pro").id]


def count(seen):
    seen["tokens"] = client.messages.count_tokens(model=FLASH, messages=user(STORY)).input_tokens


def picture(**source):
    return user([{"type": "text", "text": "!describe"}, {"type": "image", "source": source}])


PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": DOCUMENT}}
CACHED = {"cache_control": {"type": "ephemeral"}}
TURNS = [*user("first"), {"role": "assistant", "content": "second"}, *user("!describe")]
SYSTEM = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "And polite.", **CACHED}]
SAMPLING = {"metadata": {"user_id": "fox"}, "extra_body": {"temperature": 0.25, "top_p": 0.5, "top_k": 40}}
LONG = "a prompt that is longer than its answer may be"


def choose(seen, choice):
    create(seen, user("Hello"), model=MODELS[3], tools=TOOLS, tool_choice=choice)


CASES = {
    "message": lambda seen: create(seen, user("Hello")),
    "token": lambda seen: create(seen, user("Hello"), by=bearer),
    "stream": lambda seen: stream(seen, user(STORY)),
    "stream_raw": stream_raw,
    "system": lambda seen: create(seen, TURNS, system="Be brief."),
    "system_blocks": lambda seen: create(seen, user([{"type": "text", "text": "!describe", **CACHED}]), system=SYSTEM, **SAMPLING),
    "image_in": lambda seen: create(seen, picture(type="base64", media_type="image/png", data=PICTURE)),
    "image_url": lambda seen: create(seen, picture(type="url", url=PICTURE_URL)),
    "document": lambda seen: create(seen, user([{"type": "text", "text": "!describe"}, PDF])),
    "parse": parse,
    "parse_stream": parse_stream,
    "models": models,
    "model": model,
    "batches": lambda seen: client.messages.batches.list(),
    "thinking": lambda seen: create(seen, user("think about it"), thinking=THINKING),
    "thinking_stream": lambda seen: stream(seen, user("think about it"), thinking=THINKING),
    "tools_3": lambda seen: agent(seen, MODELS[3], whole),
    "tools_25": lambda seen: agent(seen, MODELS[25], whole),
    "tools_stream_3": lambda seen: agent(seen, MODELS[3], streamed),
    "tools_stream_25": lambda seen: agent(seen, MODELS[25], streamed),
    "tools_fake": lambda seen: agent(seen, MODELS["fake"], streamed),
    "tools_thinking_3": lambda seen: agent(seen, MODELS[3], whole, thinking=THINKING),
    "tools_thinking_25": lambda seen: agent(seen, MODELS[25], streamed, thinking=THINKING),
    "tools_runner": lambda seen: runner(seen, False),
    "tools_runner_stream": lambda seen: runner(seen, True),
    "choice_named": lambda seen: choose(seen, {"type": "tool", "name": "add"}),
    "choice_any": lambda seen: choose(seen, {"type": "any"}),
    "choice_none": lambda seen: choose(seen, {"type": "none"}),
    "stop": lambda seen: create(seen, user("say this and STOP here"), stop_sequences=["STOP"]),
    "max_tokens": lambda seen: create(seen, user(LONG), max_tokens=3),
    "count": count,
    "wrong_password": lambda seen: create(seen, user("Hello"), by=stranger),
    "wrong_password_stream": lambda seen: stream(seen, user("Hello"), by=stranger),
    "unknown_model": lambda seen: create(seen, user("Hello"), model="gemini-nobody"),
    "unknown_model_stream": lambda seen: stream(seen, user("Hello"), model="gemini-nobody"),
    "bad_role": lambda seen: create(seen, [{"role": "wizard", "content": "Hello"}]),
    "bad_result": lambda seen: create(seen, user([{"type": "tool_result", "tool_use_id": "toolu_nobody", "content": "x"}])),
    "rate_limit": lambda seen: create(seen, user("!fault 429-reset 40s"), model="gemini-2.5-pro"),
    "silence_error": lambda seen: stream(seen, user("!fault slow-first 30s 400")),
    "silence_plain": lambda seen: create(seen, user("!fault slow-first 30s")),
}
for name, fault in SILENCES.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, user("!fault " + fault))
for name, fault in BREAKS.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, user(broken(fault)))


def describe(error):
    return {
        "official": isinstance(error, anthropic.APIError),
        "status": getattr(error, "status_code", 0),
        "kind": getattr(error, "type", None) or "",
    }


report(CASES, describe)
