// The cases of the official npm client of OpenAI.
import OpenAI from 'openai';
import { arrived, breaks, broken, report, silences } from './report.mjs';

const { GATEWAY, PASSWORD, STORY, PICTURE } = process.env;
const model = 'gemini-2.5-flash';

// The client's own retries are off: what the gateway says is what the test sees.
const connect = (apiKey) => new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey, maxRetries: 0 });
const client = connect(PASSWORD);
const stranger = connect('wrong');
const user = (content) => [{ role: 'user', content }];

function count(seen, usage) {
  if (usage) {
    seen.usage = {
      prompt: usage.prompt_tokens, answer: usage.completion_tokens, total: usage.total_tokens,
      thoughts: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    };
  }
}

async function chat(seen, messages, more = {}, by = client) {
  const answer = await by.chat.completions.create({ model, messages, ...more });
  const choice = answer.choices[0];
  Object.assign(seen, { model: answer.model, text: choice.message.content, thoughts: choice.message.reasoning_content ?? '', finish: choice.finish_reason });
  count(seen, answer.usage);
}

async function stream(seen, messages, more = {}, by = client) {
  Object.assign(seen, { text: '', thoughts: '', finish: '' });
  for await (const chunk of await by.chat.completions.create({ model, messages, stream: true, ...more })) {
    arrived(seen);
    count(seen, chunk.usage);
    for (const choice of chunk.choices) {
      seen.model = chunk.model;
      seen.text += choice.delta.content ?? '';
      seen.thoughts += choice.delta.reasoning_content ?? '';
      seen.finish = choice.finish_reason ?? seen.finish;
    }
  }
}

const conversation = [
  { role: 'system', content: 'Be brief.' }, { role: 'developer', content: 'And polite.' }, { role: 'user', content: 'first' },
  { role: 'assistant', content: 'second' }, { role: 'user', content: [{ type: 'text', text: '!describe' }] },
];
const look = [{ type: 'text', text: '!describe' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } }];

const cases = {
  chat: (seen) => chat(seen, user('Hello')),
  stream: (seen) => stream(seen, user(STORY)),
  stream_usage: (seen) => stream(seen, user(STORY), { stream_options: { include_usage: true } }),
  system: (seen) => chat(seen, conversation),
  image_in: (seen) => chat(seen, user(look)),
  thinking: (seen) => chat(seen, user('think about it'), { reasoning_effort: 'high' }),
  thinking_stream: (seen) => stream(seen, user('think about it'), { reasoning_effort: 'high', stream_options: { include_usage: true } }),
  image_out: (seen) => chat(seen, user('a fox'), { model: 'gemini-2.5-flash-image' }),
  wrong_password: (seen) => chat(seen, user('Hello'), {}, stranger),
  wrong_password_stream: (seen) => stream(seen, user('Hello'), {}, stranger),
  unknown_model: (seen) => chat(seen, user('Hello'), { model: 'gemini-nobody' }),
  unknown_model_stream: (seen) => stream(seen, user('Hello'), { model: 'gemini-nobody' }),
  silence_error: (seen) => stream(seen, user('!fault slow-first 30s 400')),
  silence_plain: (seen) => chat(seen, user('!fault slow-first 30s')),

  async models(seen) {
    seen.names = [];
    for await (const found of client.models.list()) seen.names.push(found.id);
  },
  async model(seen) {
    seen.names = [(await client.models.retrieve('gemini-2.5-pro')).id];
  },
};
for (const [name, fault] of Object.entries(silences)) cases[name] = (seen) => stream(seen, user(`!fault ${fault}`));
for (const [name, fault] of Object.entries(breaks)) cases[name] = (seen) => stream(seen, user(broken(fault)));

await report(cases, (error) => ({ official: error instanceof OpenAI.APIError, status: error.status ?? 0, code: error.code ?? '', kind: error.type ?? '' }));
