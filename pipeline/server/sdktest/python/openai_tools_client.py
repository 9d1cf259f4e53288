"""Function calling with the official Python client of OpenAI."""

import json
import os
from typing import Literal

import openai
from pydantic import BaseModel
from report import report
from toolset import FUNCTIONS, MODELS, errand, note, work

client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["PASSWORD"], max_retries=0)


def function(name, description, parameters):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters, "strict": True}}


TOOLS = [function(name, description, parameters) for name, (description, parameters, _) in FUNCTIONS.items()]


class Weather(BaseModel):
    """Weather of a city"""

    city: str


class Time(BaseModel):
    """Time of a zone"""

    zone: Literal["CET", "UTC"]


class Add(BaseModel):
    """Sum of two numbers"""

    a: int
    b: int


PARSED = [openai.pydantic_function_tool(shape, name=name) for shape, name in ((Weather, "get_weather"), (Time, "get_time"), (Add, "add"))]


def user(text):
    return [{"role": "user", "content": text}]


def whole(**params):
    return client.chat.completions.create(**params).choices[0]


def streamed(seen):
    def ask(**params):
        with client.chat.completions.stream(**params) as stream:
            for event in stream:
                if event.type != "chunk":
                    note(seen, event.type)
            return stream.get_final_completion().choices[0]

    return ask


def parsed(**params):
    return client.chat.completions.parse(**params).choices[0]


def arguments(call):
    """What the client made of the arguments where it parses them."""
    shape = getattr(call.function, "parsed_arguments", None)
    return shape.model_dump() if isinstance(shape, BaseModel) else json.loads(call.function.arguments)


def agent(seen, model, ask, tools=TOOLS, **more):
    """Goes on until the model calls nothing more."""
    seen.update(calls=[], steps=0)
    messages = user(errand(seen["mark"]))
    while True:
        choice = ask(model=model, messages=messages, tools=tools, **more)
        seen["steps"] += 1
        messages.append(choice.message)
        if not choice.message.tool_calls:
            seen.update(text=choice.message.content, finish=choice.finish_reason)
            return
        for call in choice.message.tool_calls:
            result = json.dumps(work(seen, call.function.name, arguments(call)))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def choose(seen, choice):
    answer = whole(model=MODELS[3], messages=user("Hello"), tools=TOOLS, tool_choice=choice)
    seen.update(text=answer.message.content or "", finish=answer.finish_reason)
    seen["calls"] = [call.function.name for call in answer.message.tool_calls or []]


ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]},
}

CASES = {
    "tools_3": lambda seen: agent(seen, MODELS[3], whole, reasoning_effort="low"),
    "tools_25": lambda seen: agent(seen, MODELS[25], whole, reasoning_effort="low"),
    "tools_stream_3": lambda seen: agent(seen, MODELS[3], streamed(seen), reasoning_effort="low"),
    "tools_stream_25": lambda seen: agent(seen, MODELS[25], streamed(seen), reasoning_effort="low"),
    "tools_fake": lambda seen: agent(seen, MODELS["fake"], streamed(seen), reasoning_effort="low"),
    "tools_runner": lambda seen: agent(seen, MODELS[3], parsed, PARSED),
    "tools_runner_stream": lambda seen: agent(seen, MODELS[3], streamed(seen), PARSED),
    "choice_named": lambda seen: choose(seen, {"type": "function", "function": {"name": "add"}}),
    "choice_required": lambda seen: choose(seen, "required"),
    "choice_allowed": lambda seen: choose(seen, ALLOWED),
    "choice_none": lambda seen: choose(seen, "none"),
}


def describe(error):
    return {
        "official": isinstance(error, openai.APIError),
        "status": getattr(error, "status_code", 0),
        "code": getattr(error, "code", None) or "",
        "kind": getattr(error, "type", None) or "",
    }


report(CASES, describe)
