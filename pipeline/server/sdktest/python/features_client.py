"""The features of a model's name in the official Python clients. What is asked comes from Go, a request for
each case: family, do, gateway, secret, retries, model, prompt, more, extra; more are members that the clients have types for."""

import json
import os
from functools import cache

import anthropic
import openai
from google import genai
from google.genai import errors, types
from openai.lib.streaming.chat import ChatCompletionStream
from openai.lib.streaming.responses import ResponseStream
from report import report
from toolset import note

PASSWORD, ASKS = os.environ["PASSWORD"], json.loads(os.environ["ASKS"])


def user(content):
    return {"role": "user", "content": content}


def heads(seen, headers):
    """Notes what the headers of an answer say."""
    seen.update(dropped=headers.get("x-dropped-params", ""), fallback=headers.get("x-model-fallback", ""))


def hear(seen, text):
    """Adds a piece of text to what was heard."""
    seen.arrived()
    seen["text"] += text


def begin(seen):
    seen.update(text="", thoughts="", finishes=0, finish="")


def end(seen, gather, answer):
    """Compares the answer that the client has put together with its pieces."""
    heard = {name: seen[name] for name in ("text", "thoughts", "finishes")}
    gather(seen, answer)
    seen["same"] = heard["text"] == seen["text"]
    seen.update(thoughts=heard["thoughts"] or seen["thoughts"], finishes=heard["finishes"])


def cite(text, place):
    """A place in the text, counted in characters, and what it rests on."""
    return f"{place.type} {text[place.start_index:place.end_index]}@{place.url}"


class Chat:
    """Chat completions."""

    def __init__(self, gateway, retries, secret):
        self.client = openai.OpenAI(base_url=gateway + "/v1", api_key=secret, max_retries=retries)

    def create(self, ask, messages, **params):
        create = self.client.chat.completions.with_raw_response.create
        return create(model=ask["model"], messages=messages, extra_body=ask.get("extra"), **ask.get("more", {}), **params)

    def count(self, seen, usage):
        if usage:
            details = usage.completion_tokens_details
            seen["usage"] = {
                "prompt": usage.prompt_tokens,
                "answer": usage.completion_tokens,
                "total": usage.total_tokens,
                "thoughts": details.reasoning_tokens or 0 if details else 0,
            }

    def gather(self, seen, answer):
        message, finish = answer.choices[0].message, answer.choices[0].finish_reason
        thoughts = getattr(message, "reasoning_content", None) or ""
        seen.update(model=answer.model, text=message.content or "", thoughts=thoughts, finish=finish, finishes=1)
        seen["cited"] = [cite(seen["text"], found.url_citation.model_copy(update={"type": found.type})) for found in message.annotations or []]
        self.count(seen, answer.usage)

    def whole(self, seen, ask):
        raw = self.create(ask, [user(ask["prompt"])])
        heads(seen, raw.headers)
        self.gather(seen, raw.parse())

    def stream(self, seen, ask):
        raw = self.create(ask, [user(ask["prompt"])], stream=True, stream_options={"include_usage": True})
        heads(seen, raw.headers)
        begin(seen)
        with ChatCompletionStream(raw_stream=raw.parse(), response_format=openai.omit, input_tools=openai.omit) as stream:
            for event in stream:
                if event.type != "chunk":
                    continue
                for choice in event.chunk.choices:
                    if choice.delta.content:
                        hear(seen, choice.delta.content)
                    seen["thoughts"] += getattr(choice.delta, "reasoning_content", None) or ""
                    seen["finishes"] += bool(choice.finish_reason)
                self.count(seen, event.chunk.usage)
            end(seen, self.gather, stream.get_final_completion())

    def talk(self, seen, ask):
        first = self.create(ask, [user(ask["prompt"])]).parse()
        self.gather(seen, self.create(ask, [user(ask["prompt"]), first.choices[0].message, user("!describe")]).parse())

    def complete(self, seen, ask):
        """A stream in the old format."""
        begin(seen)
        create = self.client.completions.create
        for piece in create(model=ask["model"], prompt=ask["prompt"], stream=True, stream_options={"include_usage": True}):
            seen["model"] = piece.model
            for choice in piece.choices:
                if choice.text:
                    hear(seen, choice.text)
                if choice.finish_reason:
                    seen["finish"] = choice.finish_reason
                    seen["finishes"] += 1
            self.count(seen, piece.usage)

    def list(self, seen, _):
        seen["names"] = [found.id for found in self.client.models.list()]

    def get(self, seen, ask):
        seen["names"] = [self.client.models.retrieve(ask["model"]).id]


class Responses(Chat):
    """The Responses API."""

    def create(self, ask, items, **params):
        create = self.client.responses.with_raw_response.create
        return create(model=ask["model"], input=items, extra_body=ask.get("extra"), **ask.get("more", {}), **params)

    def gather(self, seen, answer):
        texts = [part for item in answer.output if item.type == "message" for part in item.content]
        thoughts = [part.text for item in answer.output if item.type == "reasoning" for part in item.summary]
        seen.update(id=answer.id, model=answer.model, text=answer.output_text, thoughts="".join(thoughts), finish=answer.status, finishes=1)
        seen["items"] = [item.type for item in answer.output]
        seen["cited"] = [cite(part.text, found) for part in texts for found in part.annotations]
        usage = answer.usage
        seen["usage"] = {
            "prompt": usage.input_tokens,
            "answer": usage.output_tokens,
            "total": usage.total_tokens,
            "thoughts": usage.output_tokens_details.reasoning_tokens,
        }

    def whole(self, seen, ask):
        raw = self.create(ask, ask["prompt"])
        heads(seen, raw.headers)
        self.gather(seen, raw.parse())

    def stream(self, seen, ask):
        raw = self.create(ask, ask["prompt"], stream=True)
        heads(seen, raw.headers)
        begin(seen)
        with ResponseStream(raw_stream=raw.parse(), text_format=openai.omit, input_tools=openai.omit, starting_after=None) as stream:
            for event in stream:
                note(seen, event.type)
                if event.type == "response.output_text.delta":
                    hear(seen, event.delta)
                seen["finishes"] += event.type == "response.completed"
            end(seen, self.gather, stream.get_final_response())

    def kept(self, seen, ask):
        """Looks at a streamed answer once more."""
        self.stream(seen, ask)
        end(seen, self.gather, self.client.responses.retrieve(seen["id"]))

    def talk(self, seen, ask):
        first = self.create(ask, ask["prompt"], store=False).parse()
        self.gather(seen, self.create(ask, [user(ask["prompt"]), *first.output, user("!describe")]).parse())


class Messages:
    """Anthropic's messages."""

    def __init__(self, gateway, retries, secret):
        self.client = anthropic.Anthropic(base_url=gateway, max_retries=retries, api_key=secret)

    def params(self, ask, *messages):
        messages = messages or (user(ask["prompt"]),)
        return {"model": ask["model"], "max_tokens": 9000, "messages": messages, "extra_body": ask.get("extra"), **ask.get("more", {})}

    def gather(self, seen, message):
        texts = [block for block in message.content if block.type == "text"]
        seen.update(model=message.model, finish=message.stop_reason, finishes=1, text="".join(block.text for block in texts))
        seen["items"] = [block.type for block in message.content]
        seen["thoughts"] = "".join(block.thinking for block in message.content if block.type == "thinking")
        seen["cited"] = [f"{found.type} {found.cited_text}@{found.url}" for block in texts for found in block.citations or []]
        seen["usage"] = {"prompt": message.usage.input_tokens, "answer": message.usage.output_tokens}

    def whole(self, seen, ask):
        raw = self.client.messages.with_raw_response.create(**self.params(ask))
        heads(seen, raw.headers)
        self.gather(seen, raw.parse())

    def stream(self, seen, ask):
        begin(seen)
        with self.client.messages.stream(**self.params(ask)) as stream:
            heads(seen, stream.response.headers)
            for event in stream:
                if event.type == "text":
                    hear(seen, event.text)
                elif event.type.startswith(("message_", "content_block_")):
                    note(seen, event.type)
                seen["finishes"] += event.type == "message_delta" and bool(event.delta.stop_reason)
            end(seen, self.gather, stream.get_final_message())

    def talk(self, seen, ask):
        first = self.client.messages.create(**self.params(ask))
        turns = [user(ask["prompt"]), {"role": "assistant", "content": first.content}, user("!describe")]
        self.gather(seen, self.client.messages.create(**self.params(ask, *turns)))

    def list(self, seen, _):
        seen["names"] = [found.id for found in self.client.models.list()]

    def get(self, seen, ask):
        seen["names"] = [self.client.models.retrieve(ask["model"]).id]


class Gemini:
    """Google's own format."""

    def __init__(self, gateway, retries, secret):
        own = types.HttpRetryOptions(attempts=retries + 1) if retries else None
        self.client = genai.Client(api_key=secret, http_options=types.HttpOptions(base_url=gateway, retry_options=own))

    def config(self, ask):
        return types.GenerateContentConfig.model_validate(ask.get("more", {}))

    def gather(self, seen, answer):
        """Adds one answer, or one piece of a streamed one, to what was seen."""
        heads(seen, answer.sdk_http_response.headers)
        seen["model"] = answer.model_version
        if usage := answer.usage_metadata:
            seen["usage"] = {
                "prompt": usage.prompt_token_count or 0,
                "answer": usage.candidates_token_count or 0,
                "total": usage.total_token_count or 0,
                "thoughts": usage.thoughts_token_count or 0,
            }
        candidate = answer.candidates[0]
        for part in (candidate.content and candidate.content.parts) or []:
            if part.thought:
                seen["thoughts"] += part.text
            elif part.text:
                hear(seen, part.text)
        if candidate.finish_reason:
            seen["finish"] = candidate.finish_reason.value
            seen["finishes"] += 1
        ground = candidate.grounding_metadata
        return ground if ground and ground.grounding_supports else None

    def cite(self, seen, ground):
        """Reads the places of the whole text, which count bytes."""
        seen.update(cited=[], same=True)
        for support in ground.grounding_supports if ground else []:
            place = support.segment
            said = seen["text"].encode()[place.start_index or 0 : place.end_index].decode()
            for n in support.grounding_chunk_indices:
                where = "web" if said == place.text else "elsewhere"
                seen["cited"].append(f"{where} {place.text}@{ground.grounding_chunks[n].web.uri}")

    def whole(self, seen, ask):
        begin(seen)
        answer = self.client.models.generate_content(model=ask["model"], contents=ask["prompt"], config=self.config(ask))
        self.cite(seen, self.gather(seen, answer))

    def stream(self, seen, ask):
        begin(seen)
        ground = None
        for piece in self.client.models.generate_content_stream(model=ask["model"], contents=ask["prompt"], config=self.config(ask)):
            ground = self.gather(seen, piece) or ground
        self.cite(seen, ground)

    def talk(self, seen, ask):
        session = self.client.chats.create(model=ask["model"], config=self.config(ask))
        for _ in session.send_message_stream(ask["prompt"]):
            pass
        begin(seen)
        self.cite(seen, self.gather(seen, session.send_message("!describe")))

    def list(self, seen, _):
        seen["names"] = [found.name for found in self.client.models.list()]

    def get(self, seen, ask):
        seen["names"] = [self.client.models.get(model=ask["model"]).name]


FAMILIES = {"openai": cache(Chat), "responses": cache(Responses), "anthropic": cache(Messages), "genai": cache(Gemini)}


def client(ask):
    return FAMILIES[ask["family"]](ask["gateway"], ask.get("retries", 0), ask.get("secret", PASSWORD))


for ask in ASKS.values():
    client(ask)


def case(ask):
    return lambda seen: getattr(client(ask), ask["do"])(seen, ask)


def describe(error):
    return {
        "official": isinstance(error, (openai.APIError, anthropic.APIError, errors.APIError)),
        "status": getattr(error, "status_code", 0) or (error.code if isinstance(error, errors.APIError) else 0),
        "code": (getattr(error, "code", None) or "") if isinstance(error, openai.APIError) else "",
        "kind": getattr(error, "type", None) or "",
        "param": getattr(error, "param", None) or "",
        "after": error.response.headers.get("retry-after", "") if isinstance(error, (openai.APIStatusError, anthropic.APIStatusError)) else "",
    }


report({name: case(ask) for name, ask in ASKS.items()}, describe)
