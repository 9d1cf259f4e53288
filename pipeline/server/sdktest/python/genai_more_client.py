"""Chat sessions, functions, files and vectors with the official Python client of Google."""

import base64
import io
import os
from typing import Literal

from google import genai
from google.genai import errors, types
from pydantic import BaseModel
from report import report
from toolset import FUNCTIONS, MODELS, errand, work

STORY, SOUND, DOCUMENT = os.environ["STORY"], os.environ["SOUND"], os.environ["DOCUMENT"]
FLASH, EMBEDDING = "gemini-2.5-flash", "gemini-embedding-001"
client = genai.Client(api_key=os.environ["PASSWORD"], http_options=types.HttpOptions(base_url=os.environ["GATEWAY"]))
DECLARED = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, description=description, parameters_json_schema=parameters)
            for name, (description, parameters, _) in FUNCTIONS.items()
        ]
    )
]


class Recipe(BaseModel):
    name: str
    kind: Literal["soup", "cake"]
    minutes: int


def finished(seen, said):
    seen.update(text=said.text, finish=said.candidates[0].finish_reason.value)


def session(seen):
    chat = client.chats.create(model=FLASH, config=types.GenerateContentConfig(system_instruction="Be brief."))
    chat.send_message("first")
    seen["text"] = ""
    for piece in chat.send_message_stream(STORY):
        seen.arrived()
        seen["text"] += piece.text or ""
    seen["names"] = [seen["text"]]
    finished(seen, chat.send_message("!describe"))


def answers(seen, calls):
    return [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response=work(seen, call.name, call.args)))
        for call in calls
    ]


def errands(seen, model):
    """Answers what a chat calls until it calls nothing more."""
    seen.update(calls=[], steps=1)
    chat = client.chats.create(model=model, config=types.GenerateContentConfig(tools=DECLARED))
    said = chat.send_message(errand(seen["mark"]))
    while said.function_calls:
        said = chat.send_message(answers(seen, said.function_calls))
        seen["steps"] += 1
    finished(seen, said)


def streamed(seen, model):
    """Does the errands with streams: the client's chat makes a turn of every event."""
    seen.update(calls=[], steps=0)
    config = types.GenerateContentConfig(tools=DECLARED, automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    chat = client.chats.create(model=model, config=config)
    message, calls = errand(seen["mark"]), None
    while calls is None or calls:
        calls, seen["text"] = [], ""
        for piece in chat.send_message_stream(message):
            calls += piece.function_calls or []
            seen["text"] += piece.text or ""
            if reason := piece.candidates[0].finish_reason:
                seen["finish"] = reason.value
        message = answers(seen, calls)
        seen["steps"] += 1


def automatic(seen, model):
    """Leaves the loop to the client, which calls these functions."""
    seen["calls"] = []

    def get_weather(city: str) -> dict:
        """Weather of a city"""
        return work(seen, "get_weather", {"city": city})

    def get_time(zone: str) -> dict:
        """Time of a zone"""
        return work(seen, "get_time", {"zone": zone})

    def add(a: int, b: int) -> dict:
        """Sum of two numbers"""
        return work(seen, "add", {"a": a, "b": b})

    config = types.GenerateContentConfig(tools=[get_weather, get_time, add])
    said = client.models.generate_content(model=model, contents=errand(seen["mark"]), config=config)
    finished(seen, said)
    seen["steps"] = 1 + sum(turn.role == "model" for turn in said.automatic_function_calling_history)


def look(seen, mime_type, data):
    part = types.Part.from_bytes(data=base64.b64decode(data), mime_type=mime_type)
    finished(seen, client.models.generate_content(model=FLASH, contents=["!describe", part]))


def parse(seen):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Recipe)
    said = client.models.generate_content(model=FLASH, contents="A recipe", config=config)
    finished(seen, said)
    seen["parsed"] = said.parsed.model_dump()


def embed(seen, contents, config=None):
    got = client.models.embed_content(model=EMBEDDING, contents=contents, config=config)
    seen["vectors"] = [one.values for one in got.embeddings]


CASES = {
    "chat_session": session,
    "tools_3": lambda seen: errands(seen, MODELS[3]),
    "tools_25": lambda seen: errands(seen, MODELS[25]),
    "tools_fake": lambda seen: streamed(seen, MODELS["fake"]),
    "tools_stream": lambda seen: streamed(seen, MODELS[3]),
    "tools_automatic_3": lambda seen: automatic(seen, MODELS[3]),
    "tools_automatic_25": lambda seen: automatic(seen, MODELS[25]),
    "audio": lambda seen: look(seen, "audio/wav", SOUND),
    "file": lambda seen: look(seen, "application/pdf", DOCUMENT),
    "parse": parse,
    "embed": lambda seen: embed(seen, ["a fox", "a crow"]),
    "embed_small": lambda seen: embed(seen, "a fox", types.EmbedContentConfig(output_dimensionality=16, task_type="RETRIEVAL_QUERY")),
    "files": lambda seen: client.files.upload(file=io.BytesIO(b"a fox"), config=types.UploadFileConfig(mime_type="text/plain")),
    "files_list": lambda seen: list(client.files.list()),
    "caches": lambda seen: client.caches.create(model=FLASH, config=types.CreateCachedContentConfig(contents="a fox", ttl="60s")),
    "batches": lambda seen: client.batches.create(model=FLASH, src=[types.InlinedRequest(contents="a fox")]),
}


def describe(error):
    return {"official": isinstance(error, errors.APIError), "status": getattr(error, "code", 0)}


report(CASES, describe)
