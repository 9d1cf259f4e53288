"""What the official Python client of OpenAI does beside plain chats: structured output, pictures from
elsewhere, sound and files, vectors, drawing, the old completions, and what is refused."""

import os
from typing import Literal, Optional

import openai
from pydantic import BaseModel
from report import report
from toolset import note

STORY, PICTURE, PICTURE_URL, SOUND, DOCUMENT = (os.environ[name] for name in ("STORY", "PICTURE", "PICTURE_URL", "SOUND", "DOCUMENT"))
FLASH, EMBEDDING = "gemini-2.5-flash", "gemini-embedding-001"
client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["PASSWORD"], max_retries=0)


class Step(BaseModel):
    order: int
    text: str


class Recipe(BaseModel):
    name: str
    kind: Literal["soup", "cake"]
    minutes: int
    vegan: bool
    note: Optional[str]
    steps: list[Step]


def user(content):
    return [{"role": "user", "content": content}]


RECIPE = {"model": FLASH, "messages": user("A recipe"), "response_format": Recipe}


def took(seen, choice):
    seen.update(parsed=choice.message.parsed.model_dump(), finish=choice.finish_reason)


def parse(seen):
    took(seen, client.chat.completions.parse(**RECIPE).choices[0])


def parse_stream(seen):
    with client.chat.completions.stream(**RECIPE) as stream:
        for event in stream:
            if event.type == "content.delta":
                note(seen, event.type)
        took(seen, stream.get_final_completion().choices[0])


def chat(seen, content, **more):
    choice = client.chat.completions.create(model=FLASH, messages=user(content), **more).choices[0]
    seen.update(text=choice.message.content, finish=choice.finish_reason)


def look(seen, part):
    chat(seen, [{"type": "text", "text": "!describe"}, part])


def image(url):
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def embed(seen, words=("a fox", "a crow"), **more):
    answer = client.embeddings.create(model=EMBEDDING, input=list(words) if isinstance(words, tuple) else words, **more)
    seen.update(model=answer.model, vectors=[one.embedding for one in answer.data])
    seen["usage"] = {"prompt": answer.usage.prompt_tokens, "total": answer.usage.total_tokens}


def draw(seen):
    answer = client.images.generate(model="gemini-2.5-flash-image", prompt="a fox", response_format="b64_json", size="1024x1024")
    seen["pictures"] = [one.b64_json for one in answer.data]


def complete(seen):
    answer = client.completions.create(model=FLASH, prompt="Hello", max_tokens=100)
    seen.update(model=answer.model, text=answer.choices[0].text, finish=answer.choices[0].finish_reason)
    seen["usage"] = {"prompt": answer.usage.prompt_tokens, "answer": answer.usage.completion_tokens, "total": answer.usage.total_tokens}


def complete_stream(seen):
    seen.update(text="", finish="")
    for piece in client.completions.create(model=FLASH, prompt=STORY, stream=True):
        seen.arrived()
        seen["model"] = piece.model
        for choice in piece.choices:
            seen["text"] += choice.text or ""
            seen["finish"] = choice.finish_reason or seen["finish"]


CASES = {
    "parse": parse,
    "parse_stream": parse_stream,
    "image_data": lambda seen: look(seen, image("data:image/png;base64," + PICTURE)),
    "image_url": lambda seen: look(seen, image(PICTURE_URL)),
    "image_missing": lambda seen: look(seen, image(PICTURE_URL + "-nothing")),
    "audio": lambda seen: look(seen, {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}),
    "file": lambda seen: look(seen, {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + DOCUMENT}}),
    "embed": embed,
    "embed_float": lambda seen: embed(seen, encoding_format="float"),
    "embed_small": lambda seen: embed(seen, dimensions=16),
    "embed_one": lambda seen: embed(seen, "a fox"),
    "draw": draw,
    "complete": complete,
    "complete_stream": complete_stream,
    "blocked": lambda seen: chat(seen, "!fault blocked"),
    "bad_role": lambda seen: client.chat.completions.create(model=FLASH, messages=[{"role": "wizard", "content": "Hello"}]),
    "bad_temperature": lambda seen: chat(seen, "Hello", temperature="hot"),
}


def describe(error):
    return {
        "official": isinstance(error, openai.APIError),
        "status": getattr(error, "status_code", 0),
        "code": getattr(error, "code", None) or "",
        "kind": getattr(error, "type", None) or "",
        "param": getattr(error, "param", None) or "",
    }


report(CASES, describe)
