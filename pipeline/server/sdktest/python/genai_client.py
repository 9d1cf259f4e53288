"""The cases of the official Python client of Google."""

import base64
import os

from google import genai
from google.genai import errors, types
from report import BREAKS, SILENCES, broken, report

STORY, PICTURE = os.environ["STORY"], os.environ["PICTURE"]
FLASH = "gemini-2.5-flash"


def connect(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=os.environ["GATEWAY"]))


client = connect(os.environ["PASSWORD"])
stranger = connect("wrong")


def gather(seen, answer):
    """Adds one answer, or one piece of a streamed one, to what was seen."""
    seen["model"] = answer.model_version
    usage = answer.usage_metadata
    if usage:
        seen["usage"] = {
            "prompt": usage.prompt_token_count or 0,
            "answer": usage.candidates_token_count or 0,
            "total": usage.total_token_count or 0,
            "thoughts": usage.thoughts_token_count or 0,
        }
    for candidate in answer.candidates or []:
        if candidate.finish_reason:
            seen["finish"] = candidate.finish_reason.value
        for part in (candidate.content and candidate.content.parts) or []:
            if part.text:
                seen["thoughts" if part.thought else "text"] += part.text


def chat(seen, contents, config=None, by=client, model=FLASH):
    seen.update(text="", thoughts="", finish="")
    gather(seen, by.models.generate_content(model=model, contents=contents, config=config))


def stream(seen, contents, config=None, by=client, model=FLASH):
    seen.update(text="", thoughts="", finish="")
    for piece in by.models.generate_content_stream(model=model, contents=contents, config=config):
        seen.arrived()
        gather(seen, piece)


def models(seen):
    seen["names"] = [found.name for found in client.models.list()]


def model(seen):
    seen["names"] = [client.models.get(model="gemini-2.5-pro").name]


def count(seen):
    seen["tokens"] = client.models.count_tokens(model=FLASH, contents=STORY).total_tokens


CONVERSATION = [
    types.UserContent("first"),
    types.ModelContent("second"),
    types.UserContent("!describe"),
]
LOOK = ["!describe", types.Part.from_bytes(data=base64.b64decode(PICTURE), mime_type="image/png")]
THINKING = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2048))

CASES = {
    "chat": lambda seen: chat(seen, "Hello"),
    "stream": lambda seen: stream(seen, STORY),
    "system": lambda seen: chat(seen, CONVERSATION, types.GenerateContentConfig(system_instruction="Be brief.")),
    "image_in": lambda seen: chat(seen, LOOK),
    "thinking": lambda seen: chat(seen, "think about it", THINKING),
    "thinking_stream": lambda seen: stream(seen, "think about it", THINKING),
    "wrong_password": lambda seen: chat(seen, "Hello", by=stranger),
    "wrong_password_stream": lambda seen: stream(seen, "Hello", by=stranger),
    "unknown_model": lambda seen: chat(seen, "Hello", model="gemini-nobody"),
    "unknown_model_stream": lambda seen: stream(seen, "Hello", model="gemini-nobody"),
    "models": models,
    "model": model,
    "count": count,
    "silence_error": lambda seen: stream(seen, "!fault slow-first 30s 400"),
    "silence_plain": lambda seen: chat(seen, "!fault slow-first 30s"),
}
for name, fault in SILENCES.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, "!fault " + fault)
for name, fault in BREAKS.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, broken(fault))


def describe(error):
    return {"official": isinstance(error, errors.APIError), "status": getattr(error, "code", 0)}


report(CASES, describe)
