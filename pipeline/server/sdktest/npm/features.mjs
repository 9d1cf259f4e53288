// The features of a model's name in the official npm clients. What is asked comes from Go, a request for each
// case: {family, do, gateway, secret, retries, model, prompt, more, extra}; more are members that the clients have types for.
import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream.mjs';
import { ResponseStream } from 'openai/lib/responses/ResponseStream.mjs';
import { arrived, report } from './report.mjs';
import { note } from './toolset.mjs';

const { PASSWORD, ASKS } = process.env;
const user = (content) => ({ role: 'user', content });

// heads notes what the headers of an answer say.
function heads(seen, get) {
  Object.assign(seen, { dropped: get('x-dropped-params') ?? '', fallback: get('x-model-fallback') ?? '' });
}

// hear adds a piece of text to what was heard.
function hear(seen, text) {
  arrived(seen);
  seen.text += text;
}

const begin = (seen) => Object.assign(seen, { text: '', thoughts: '', finishes: 0, finish: '' });

// end compares the answer that the client has put together with its pieces.
function end(seen, gather, answer) {
  const { text, thoughts, finishes } = seen;
  gather(seen, answer);
  seen.same = text === seen.text;
  Object.assign(seen, { thoughts: thoughts || seen.thoughts, finishes });
}

// cite is a place in the text, counted in characters, and what it rests on.
const cite = (text, { type, start_index, end_index, url }) => `${type} ${[...text].slice(start_index, end_index).join('')}@${url}`;

const chat = {
  client: (gateway, retries = 0, secret = PASSWORD) => new OpenAI({ baseURL: `${gateway}/v1`, apiKey: secret, maxRetries: retries }),
  create: ({ gateway, retries, secret, model, more, extra }, params) => chat.client(gateway, retries, secret).chat.completions.create({ model, ...more, ...extra, ...params }).withResponse(),
  count(seen, usage) {
    if (!usage) return;
    seen.usage = { prompt: usage.prompt_tokens, answer: usage.completion_tokens, total: usage.total_tokens, thoughts: usage.completion_tokens_details?.reasoning_tokens ?? 0 };
  },
  gather(seen, answer) {
    const [{ message, finish_reason }] = answer.choices;
    Object.assign(seen, { model: answer.model, text: message.content ?? '', thoughts: message.reasoning_content ?? '', finish: finish_reason, finishes: 1 });
    seen.cited = (message.annotations ?? []).map(({ type, url_citation }) => cite(seen.text, { type, ...url_citation }));
    chat.count(seen, answer.usage);
  },
  async whole(seen, ask) {
    const { data, response } = await chat.create(ask, { messages: [user(ask.prompt)] });
    heads(seen, (name) => response.headers.get(name));
    chat.gather(seen, data);
  },
  async stream(seen, ask) {
    const { data, response } = await chat.create(ask, { messages: [user(ask.prompt)], stream: true, stream_options: { include_usage: true } });
    heads(seen, (name) => response.headers.get(name));
    begin(seen);
    const stream = ChatCompletionStream.fromReadableStream(data.toReadableStream());
    for await (const { choices, usage } of stream) {
      for (const { delta, finish_reason } of choices) {
        if (delta.content) hear(seen, delta.content);
        seen.thoughts += delta.reasoning_content ?? '';
        if (finish_reason) seen.finishes += 1;
      }
      chat.count(seen, usage);
    }
    end(seen, chat.gather, await stream.finalChatCompletion());
  },
  async talk(seen, ask) {
    const { data } = await chat.create(ask, { messages: [user(ask.prompt)] });
    const { data: next } = await chat.create(ask, { messages: [user(ask.prompt), data.choices[0].message, user('!describe')] });
    chat.gather(seen, next);
  },
  // complete is a stream in the old format.
  async complete(seen, { gateway, model, prompt }) {
    begin(seen);
    for await (const piece of await chat.client(gateway).completions.create({ model, prompt, stream: true, stream_options: { include_usage: true } })) {
      seen.model = piece.model;
      for (const { text, finish_reason } of piece.choices) {
        if (text) hear(seen, text);
        if (finish_reason) Object.assign(seen, { finish: finish_reason, finishes: seen.finishes + 1 });
      }
      chat.count(seen, piece.usage);
    }
  },
  async list(seen, { gateway }) {
    seen.names = [];
    for await (const found of chat.client(gateway).models.list()) seen.names.push(found.id);
  },
  async get(seen, { gateway, model }) { seen.names = [(await chat.client(gateway).models.retrieve(model)).id]; },
};

const responses = {
  create: ({ gateway, retries, secret, model, more, extra }, params) => chat.client(gateway, retries, secret).responses.create({ model, ...more, ...extra, ...params }).withResponse(),
  gather(seen, answer) {
    const { usage, output } = answer;
    const texts = output.filter((item) => item.type === 'message').flatMap((item) => item.content);
    Object.assign(seen, {
      id: answer.id, model: answer.model, text: texts.map(({ text }) => text).join(''), finish: answer.status, finishes: 1, items: output.map((item) => item.type),
      thoughts: output.filter((item) => item.type === 'reasoning').flatMap((item) => item.summary.map((part) => part.text)).join(''),
      cited: texts.flatMap(({ text, annotations }) => annotations.map((annotation) => cite(text, annotation))),
      usage: { prompt: usage.input_tokens, answer: usage.output_tokens, total: usage.total_tokens, thoughts: usage.output_tokens_details.reasoning_tokens },
    });
  },
  async whole(seen, ask) {
    const { data, response } = await responses.create(ask, { input: ask.prompt });
    heads(seen, (name) => response.headers.get(name));
    responses.gather(seen, data);
  },
  async stream(seen, ask) {
    const { data, response } = await responses.create(ask, { input: ask.prompt, stream: true });
    heads(seen, (name) => response.headers.get(name));
    begin(seen);
    const stream = ResponseStream.fromReadableStream(data.toReadableStream());
    for await (const event of stream) {
      note(seen, event.type);
      if (event.type === 'response.output_text.delta') hear(seen, event.delta);
      if (event.type === 'response.completed') seen.finishes += 1;
    }
    end(seen, responses.gather, await stream.finalResponse());
  },
  // kept looks at a streamed answer once more.
  async kept(seen, ask) {
    await responses.stream(seen, ask);
    end(seen, responses.gather, await chat.client(ask.gateway).responses.retrieve(seen.id));
  },
  async talk(seen, ask) {
    const { data } = await responses.create(ask, { input: ask.prompt, store: false });
    const { data: next } = await responses.create(ask, { input: [user(ask.prompt), ...data.output, user('!describe')] });
    responses.gather(seen, next);
  },
};

const anthropic = {
  client: (gateway, retries = 0, secret = PASSWORD) => new Anthropic({ baseURL: gateway, maxRetries: retries, apiKey: secret }),
  params: ({ model, prompt, more, extra }) => ({ model, max_tokens: 9000, messages: [user(prompt)], ...more, ...extra }),
  gather(seen, message) {
    const of = (type) => message.content.filter((block) => block.type === type);
    Object.assign(seen, {
      model: message.model, finish: message.stop_reason, finishes: 1, items: message.content.map((block) => block.type),
      text: of('text').map((block) => block.text).join(''), thoughts: of('thinking').map((block) => block.thinking).join(''),
      cited: of('text').flatMap((block) => block.citations ?? []).map(({ type, cited_text, url }) => `${type} ${cited_text}@${url}`),
      usage: { prompt: message.usage.input_tokens, answer: message.usage.output_tokens },
    });
  },
  async whole(seen, ask) {
    const { data, response } = await anthropic.client(ask.gateway, ask.retries, ask.secret).messages.create(anthropic.params(ask)).withResponse();
    heads(seen, (name) => response.headers.get(name));
    anthropic.gather(seen, data);
  },
  async stream(seen, ask) {
    const { data: stream, response } = await anthropic.client(ask.gateway, ask.retries, ask.secret).messages.stream(anthropic.params(ask)).withResponse();
    heads(seen, (name) => response.headers.get(name));
    begin(seen);
    for await (const event of stream) {
      note(seen, event.type);
      if (event.delta?.type === 'text_delta') hear(seen, event.delta.text);
      if (event.delta?.stop_reason) seen.finishes += 1;
    }
    end(seen, anthropic.gather, await stream.finalMessage());
  },
  async talk(seen, ask) {
    const first = await anthropic.client(ask.gateway).messages.create(anthropic.params(ask));
    const messages = [user(ask.prompt), { role: 'assistant', content: first.content }, user('!describe')];
    anthropic.gather(seen, await anthropic.client(ask.gateway).messages.create({ ...anthropic.params(ask), messages }));
  },
  async list(seen, { gateway }) {
    seen.names = [];
    for await (const found of anthropic.client(gateway).models.list()) seen.names.push(found.id);
  },
  async get(seen, { gateway, model }) { seen.names = [(await anthropic.client(gateway).models.retrieve(model)).id]; },
};

const genai = {
  client: (gateway, retries, secret = PASSWORD) => new GoogleGenAI({ apiKey: secret, httpOptions: { baseUrl: gateway, retryOptions: retries && { attempts: retries + 1 } } }),
  // gather adds one answer, or one piece of a streamed one, to what was seen.
  gather(seen, answer) {
    heads(seen, (name) => answer.sdkHttpResponse?.headers?.[name]);
    const usage = answer.usageMetadata ?? {};
    Object.assign(seen, { model: answer.modelVersion, usage: {
      prompt: usage.promptTokenCount ?? 0, answer: usage.candidatesTokenCount ?? 0, total: usage.totalTokenCount ?? 0, thoughts: usage.thoughtsTokenCount ?? 0,
    } });
    const [candidate] = answer.candidates;
    for (const part of candidate.content?.parts ?? []) {
      if (part.thought) seen.thoughts += part.text;
      else if (part.text) hear(seen, part.text);
    }
    if (candidate.finishReason) Object.assign(seen, { finish: candidate.finishReason, finishes: seen.finishes + 1 });
    const { groundingSupports = [], groundingChunks = [] } = candidate.groundingMetadata ?? {};
    seen.ground = groundingSupports.length ? { groundingSupports, groundingChunks } : seen.ground;
  },
  // cite reads the places of the whole text, which count bytes.
  cite(seen) {
    const { groundingSupports = [], groundingChunks = [] } = seen.ground ?? {};
    const bytes = Buffer.from(seen.text);
    seen.cited = groundingSupports.flatMap(({ segment, groundingChunkIndices }) => groundingChunkIndices.map(
      (n) => `${segment.text === bytes.subarray(segment.startIndex ?? 0, segment.endIndex).toString() ? 'web' : 'elsewhere'} ${segment.text}@${groundingChunks[n].web.uri}`,
    ));
    seen.same = true;
  },
  request: ({ model, prompt, more }) => ({ model, contents: prompt, config: more }),
  async whole(seen, ask) {
    genai.gather(begin(seen), await genai.client(ask.gateway, ask.retries, ask.secret).models.generateContent(genai.request(ask)));
    genai.cite(seen);
  },
  async stream(seen, ask) {
    begin(seen);
    for await (const piece of await genai.client(ask.gateway, ask.retries, ask.secret).models.generateContentStream(genai.request(ask))) genai.gather(seen, piece);
    genai.cite(seen);
  },
  async talk(seen, ask) {
    const session = genai.client(ask.gateway).chats.create({ model: ask.model, config: ask.more });
    for await (const _ of await session.sendMessageStream({ message: ask.prompt }));
    genai.gather(begin(seen), await session.sendMessage({ message: '!describe' }));
    genai.cite(seen);
  },
  async list(seen, { gateway }) {
    seen.names = [];
    for await (const found of await genai.client(gateway).models.list()) seen.names.push(found.name);
  },
  async get(seen, { gateway, model }) { seen.names = [(await genai.client(gateway).models.get({ model })).name]; },
};

const families = { openai: chat, responses, anthropic, genai };
const cases = {};
for (const [name, ask] of Object.entries(JSON.parse(ASKS))) cases[name] = (seen) => families[ask.family][ask.do](seen, ask);

const official = [OpenAI.APIError, Anthropic.APIError, ApiError];
await report(cases, (error) => ({
  official: official.some((type) => error instanceof type), status: error.status ?? 0, code: error.code ?? '', kind: error.type ?? '', param: error.param ?? '', after: error.headers?.get?.('retry-after') ?? '',
}));
