"""The cases of the official Python client of OpenAI."""

import os

import openai
from report import BREAKS, SILENCES, broken, report

STORY, PICTURE = os.environ["STORY"], os.environ["PICTURE"]
FLASH = "gemini-2.5-flash"


def connect(key):
    """The client's own retries are off: what the gateway says is what the test sees."""
    return openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=key, max_retries=0)


client = connect(os.environ["PASSWORD"])
stranger = connect("wrong")


def user(content):
    return [{"role": "user", "content": content}]


def count(seen, usage):
    if usage:
        details = usage.completion_tokens_details
        seen["usage"] = {
            "prompt": usage.prompt_tokens,
            "answer": usage.completion_tokens,
            "total": usage.total_tokens,
            "thoughts": details.reasoning_tokens or 0 if details else 0,
        }


def chat(seen, messages, by=client, model=FLASH, **more):
    answer = by.chat.completions.create(model=model, messages=messages, **more)
    choice = answer.choices[0]
    seen.update(model=answer.model, text=choice.message.content, finish=choice.finish_reason)
    seen["thoughts"] = getattr(choice.message, "reasoning_content", None) or ""
    count(seen, answer.usage)


def stream(seen, messages, by=client, model=FLASH, **more):
    seen.update(text="", thoughts="", finish="")
    for chunk in by.chat.completions.create(model=model, messages=messages, stream=True, **more):
        seen.arrived()
        count(seen, chunk.usage)
        for choice in chunk.choices:
            seen["model"] = chunk.model
            seen["text"] += choice.delta.content or ""
            seen["thoughts"] += getattr(choice.delta, "reasoning_content", None) or ""
            seen["finish"] = choice.finish_reason or seen["finish"]


def models(seen):
    seen["names"] = [found.id for found in client.models.list()]


def model(seen):
    seen["names"] = [client.models.retrieve("gemini-2.5-pro").id]


CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "And polite."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "second"},
    {"role": "user", "content": [{"type": "text", "text": "!describe"}]},
]
LOOK = [{"type": "text", "text": "!describe"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
USAGE = {"include_usage": True}

CASES = {
    "chat": lambda seen: chat(seen, user("Hello")),
    "stream": lambda seen: stream(seen, user(STORY)),
    "stream_usage": lambda seen: stream(seen, user(STORY), stream_options=USAGE),
    "system": lambda seen: chat(seen, CONVERSATION),
    "image_in": lambda seen: chat(seen, user(LOOK)),
    "thinking": lambda seen: chat(seen, user("think about it"), reasoning_effort="high"),
    "thinking_stream": lambda seen: stream(seen, user("think about it"), reasoning_effort="high", stream_options=USAGE),
    "image_out": lambda seen: chat(seen, user("a fox"), model="gemini-2.5-flash-image"),
    "wrong_password": lambda seen: chat(seen, user("Hello"), by=stranger),
    "wrong_password_stream": lambda seen: stream(seen, user("Hello"), by=stranger),
    "unknown_model": lambda seen: chat(seen, user("Hello"), model="gemini-nobody"),
    "unknown_model_stream": lambda seen: stream(seen, user("Hello"), model="gemini-nobody"),
    "models": models,
    "model": model,
    "silence_error": lambda seen: stream(seen, user("!fault slow-first 30s 400")),
    "silence_plain": lambda seen: chat(seen, user("!fault slow-first 30s")),
}
for name, fault in SILENCES.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, user("!fault " + fault))
for name, fault in BREAKS.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, user(broken(fault)))


def describe(error):
    return {
        "official": isinstance(error, openai.APIError),
        "status": getattr(error, "status_code", 0),
        "code": getattr(error, "code", None) or "",
        "kind": getattr(error, "type", None) or "",
    }


report(CASES, describe)
