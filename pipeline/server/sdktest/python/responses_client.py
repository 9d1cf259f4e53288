"""The Responses API with the official Python client of OpenAI."""

import json
import os
from typing import Literal

import openai
from pydantic import BaseModel
from report import BREAKS, SILENCES, broken, report
from toolset import FUNCTIONS, MODELS, errand, note, work

STORY, PICTURE = os.environ["STORY"], os.environ["PICTURE"]
FLASH = "gemini-2.5-flash"
client = openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key=os.environ["PASSWORD"], max_retries=0)
TOOLS = [
    {"type": "function", "name": name, "description": description, "parameters": parameters, "strict": True}
    for name, (description, parameters, _) in FUNCTIONS.items()
]
LOW = {"effort": "low"}
HIGH = {"effort": "high", "summary": "auto"}


class Fox(BaseModel):
    name: str
    colour: Literal["red", "grey"]
    legs: int
    friends: list[str]


def gather(seen, answer):
    seen.update(id=answer.id, model=answer.model, text=answer.output_text, finish=answer.status)
    seen["items"] = [item.type for item in answer.output]
    seen["thoughts"] = "".join(part.text for item in answer.output if item.type == "reasoning" for part in item.summary)
    if answer.usage:
        seen["usage"] = {
            "prompt": answer.usage.input_tokens,
            "answer": answer.usage.output_tokens,
            "total": answer.usage.total_tokens,
            "thoughts": answer.usage.output_tokens_details.reasoning_tokens,
        }


def create(seen, model=FLASH, **params):
    gather(seen, client.responses.create(model=model, **params))


def whole(**params):
    return client.responses.create(**params)


def streamed(seen):
    def ask(**params):
        with client.responses.stream(**params) as stream:
            for event in stream:
                note(seen, event.type)
            return stream.get_final_response()

    return ask


def results(seen, answer):
    """Does what an answer asks for."""
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": json.dumps(work(seen, item.name, json.loads(item.arguments)))}
        for item in answer.output
        if item.type == "function_call"
    ]


def chain(seen, model, ask):
    """Goes on with the id of the last answer, which the gateway has kept."""
    seen.update(calls=[], steps=1)
    answer = ask(model=model, input=errand(seen["mark"]), tools=TOOLS, reasoning=LOW)
    while done := results(seen, answer):
        answer = ask(model=model, previous_response_id=answer.id, input=done, tools=TOOLS, reasoning=LOW)
        seen["steps"] += 1
    gather(seen, answer)


def carry(seen):
    """Keeps nothing at the gateway and sends everything back."""
    seen.update(calls=[], steps=0)
    turns = [{"role": "user", "content": errand(seen["mark"])}]
    done = True
    while done:
        answer = whole(model=MODELS[3], input=turns, tools=TOOLS, store=False, include=["reasoning.encrypted_content"], reasoning=LOW)
        seen["steps"] += 1
        done = results(seen, answer)
        turns += answer.output + done
    gather(seen, answer)


def stream(seen, prompt):
    """Notes every event; one that says that the answer failed is the end of it too."""
    seen.update(text="", finish="")
    for event in client.responses.create(model=FLASH, input=prompt, stream=True):
        note(seen, event.type)
        if event.type == "response.output_text.delta":
            seen.arrived()
            seen["text"] += event.delta
        elif event.type == "response.completed":
            gather(seen, event.response)
        elif event.type == "response.failed":
            seen["finish"] = event.response.status


def stream_helper(seen):
    with client.responses.stream(model=FLASH, input=STORY) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                seen.arrived()
        gather(seen, events.get_final_response())


def stream_thinking(seen):
    with client.responses.stream(model=FLASH, input="think about it", reasoning=HIGH) as events:
        for event in events:
            seen.arrived()
            note(seen, event.type)
        gather(seen, events.get_final_response())


def previous(seen):
    first = whole(model=FLASH, instructions="Be brief.", input="Hello")
    second = whole(model=FLASH, previous_response_id=first.id, input="And then?")
    create(seen, previous_response_id=second.id, input="!describe")


def custom(seen):
    shell = [{"type": "custom", "name": "shell", "description": "Runs a command"}]
    first = whole(model=MODELS[3], input=f'({seen["mark"]}) call shell {{"input":"ls -l"}}', tools=shell)
    [called] = [item for item in first.output if item.type == "custom_tool_call"]
    seen["calls"] = [f"{called.name} {called.input}"]
    done = [{"type": "custom_tool_call_output", "call_id": called.call_id, "output": "total 0"}]
    create(seen, MODELS[3], previous_response_id=first.id, tools=shell, input=done)


def kept(seen):
    made = whole(model=FLASH, input="Hello", metadata={"colour": "red"})
    gather(seen, client.responses.retrieve(made.id))
    seen["same"] = seen["id"] == made.id
    seen["names"] = [f"{item.type} {item.role} {item.content[0].text}" for item in client.responses.input_items.list(made.id)]


def deleted(seen):
    made = whole(model=FLASH, input="Hello")
    client.responses.delete(made.id)
    client.responses.retrieve(made.id)
    seen["text"] = "still there"


def not_kept(seen):
    made = whole(model=FLASH, input="Hello", store=False)
    client.responses.retrieve(made.id)
    seen["text"] = "kept all the same"


def parse(seen):
    answer = client.responses.parse(model=FLASH, input="A fox", text_format=Fox)
    seen.update(parsed=answer.output_parsed.model_dump(), finish=answer.status)


def parse_stream(seen):
    with client.responses.stream(model=FLASH, input="A fox", text_format=Fox) as events:
        answer = events.get_final_response()
    seen.update(parsed=answer.output_parsed.model_dump(), finish=answer.status)


TURNS = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "second"},
    {"role": "user", "content": [{"type": "input_text", "text": "!describe"}]},
]
LOOK = [
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "!describe"},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + PICTURE},
        ],
    }
]
LONG = "a prompt that is longer than its answer may be"

CASES = {
    "create": lambda seen: create(seen, input="Hello"),
    "instructions": lambda seen: create(seen, instructions="Be brief.", temperature=0.25, max_output_tokens=2345, input=TURNS),
    "image_in": lambda seen: create(seen, input=LOOK),
    "thinking": lambda seen: create(seen, input="think about it", reasoning=HIGH),
    "incomplete": lambda seen: create(seen, input=LONG, max_output_tokens=16, temperature=0),
    "unknown_model": lambda seen: create(seen, "gemini-nobody", input="Hello"),
    "blocked": lambda seen: create(seen, input="!fault blocked"),
    "bad_input": lambda seen: create(seen, input=7),
    "stream": lambda seen: stream(seen, STORY),
    "stream_helper": stream_helper,
    "stream_thinking": stream_thinking,
    "previous": previous,
    "previous_unknown": lambda seen: create(seen, previous_response_id="resp_nobody", input="Hello"),
    "tools_3": lambda seen: chain(seen, MODELS[3], whole),
    "tools_25": lambda seen: chain(seen, MODELS[25], whole),
    "tools_stream_3": lambda seen: chain(seen, MODELS[3], streamed(seen)),
    "tools_fake": lambda seen: chain(seen, MODELS["fake"], streamed(seen)),
    "tools_carried": carry,
    "custom": custom,
    "kept": kept,
    "deleted": deleted,
    "not_kept": not_kept,
    "parse": parse,
    "parse_stream": parse_stream,
    "silence_plain": lambda seen: create(seen, input="!fault slow-first 30s"),
    "silence_error": lambda seen: stream(seen, "!fault slow-first 30s 400"),
}
for name, fault in SILENCES.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, "!fault " + fault)
for name, fault in BREAKS.items():
    CASES[name] = lambda seen, fault=fault: stream(seen, broken(fault))


def describe(error):
    return {
        "official": isinstance(error, openai.APIError),
        "status": getattr(error, "status_code", 0),
        "code": getattr(error, "code", None) or "",
        "kind": getattr(error, "type", None) or "",
        "param": getattr(error, "param", None) or "",
    }


report(CASES, describe, warm=lambda seen: stream(seen, "hello"))
