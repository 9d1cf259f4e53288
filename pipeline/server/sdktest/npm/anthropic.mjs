// The cases of the official npm client of Anthropic.
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { arrived, breaks, broken, report, silences } from './report.mjs';
import { errand, functions, models, note, work } from './toolset.mjs';

const { GATEWAY, PASSWORD, STORY, PICTURE, PICTURE_URL, DOCUMENT } = process.env;
const model = 'gemini-2.5-flash';

const connect = (credential) => new Anthropic({ baseURL: GATEWAY, maxRetries: 0, ...credential });
const client = connect({ apiKey: PASSWORD });
const bearer = connect({ apiKey: null, authToken: PASSWORD });
const stranger = connect({ apiKey: 'wrong' });

const base = { model, max_tokens: 4096 };
const user = (content) => [{ role: 'user', content }];
const thinking = { type: 'enabled', budget_tokens: 2048 };
const tools = Object.entries(functions).map(([name, { description, parameters }]) => ({ name, description, input_schema: parameters }));

function gather(seen, message) {
  const of = (type) => message.content.filter((block) => block.type === type);
  Object.assign(seen, {
    id: message.id, model: message.model, finish: message.stop_reason, items: message.content.map((block) => block.type),
    text: of('text').map((block) => block.text).join(''), thoughts: of('thinking').map((block) => block.thinking).join(''),
    signed: of('thinking').filter((block) => block.signature).length, stop: message.stop_sequence ?? '',
    usage: { prompt: message.usage.input_tokens, answer: message.usage.output_tokens },
  });
}

const create = async (seen, params, by = client) => gather(seen, await by.messages.create({ ...base, ...params }));

async function stream(seen, params, by = client) {
  const events = by.messages.stream({ ...base, ...params });
  seen.text = '';
  events.on('streamEvent', ({ type }) => note(seen, type));
  events.on('text', (text) => { arrived(seen); seen.text += text; });
  const message = await events.finalMessage();
  const heard = seen.text;
  gather(seen, message);
  seen.same = heard === seen.text;
}

// agent goes on until the model calls nothing more; its answers go back as they came.
async function agent(seen, of, ask, more = {}) {
  Object.assign(seen, { calls: [], steps: 0 });
  const messages = user(errand(seen.mark));
  for (;;) {
    const message = await ask({ ...base, model: of, messages, tools, ...more });
    seen.steps += 1;
    note(seen, `${message.stop_reason}: ${message.content.map((block) => block.type).join(' ')}`);
    messages.push({ role: 'assistant', content: message.content });
    if (message.stop_reason !== 'tool_use') return gather(seen, message);
    const results = message.content.filter((block) => block.type === 'tool_use').map(({ id, name, input }) => ({
      type: 'tool_result', tool_use_id: id, content: JSON.stringify(work(seen, name, input)),
    }));
    messages.push({ role: 'user', content: results });
  }
}

const whole = (params) => client.messages.create(params);
const streamed = (params) => client.messages.stream(params).finalMessage();

// runner leaves the loop to the client.
async function runner(seen, stream) {
  seen.calls = [];
  const shapes = { get_weather: z.object({ city: z.string() }), get_time: z.object({ zone: z.enum(['CET', 'UTC']) }), add: z.object({ a: z.int(), b: z.int() }) };
  const runnable = Object.entries(shapes).map(([name, inputSchema]) => betaZodTool({
    name, inputSchema, description: functions[name].description, run: (args) => JSON.stringify(work(seen, name, args)),
  }));
  const run = client.beta.messages.toolRunner({ ...base, model: models[3], messages: user(errand(seen.mark)), tools: runnable, stream });
  seen.steps = 0;
  for await (const _ of run) seen.steps += 1;
  gather(seen, await run.done());
}

const picture = (source) => user([{ type: 'text', text: '!describe' }, { type: 'image', source }]);
const Fox = z.object({ name: z.string(), colour: z.enum(['red', 'grey']), legs: z.int(), friends: z.array(z.string()) });
const fox = { ...base, messages: user('A fox'), output_config: { format: zodOutputFormat(Fox) } };
const cached = { cache_control: { type: 'ephemeral' } };

const cases = {
  message: (seen) => create(seen, { messages: user('Hello') }),
  token: (seen) => create(seen, { messages: user('Hello') }, bearer),
  stream: (seen) => stream(seen, { messages: user(STORY) }),
  async stream_raw(seen) {
    Object.assign(seen, { text: '', finish: '' });
    for await (const event of await client.messages.create({ ...base, messages: user(STORY), stream: true })) {
      arrived(seen);
      note(seen, event.type);
      if (event.type === 'message_start') seen.model = event.message.model;
      if (event.type === 'content_block_delta') seen.text += event.delta.text;
      if (event.type === 'message_delta') seen.finish = event.delta.stop_reason;
    }
  },
  system: (seen) => create(seen, { system: 'Be brief.', messages: [...user('first'), { role: 'assistant', content: 'second' }, ...user('!describe')] }),
  system_blocks: (seen) => create(seen, {
    system: [{ type: 'text', text: 'Be brief.' }, { type: 'text', text: 'And polite.', ...cached }], metadata: { user_id: 'fox' },
    temperature: 0.25, top_p: 0.5, top_k: 40, messages: user([{ type: 'text', text: '!describe', ...cached }]),
  }),
  image_in: (seen) => create(seen, { messages: picture({ type: 'base64', media_type: 'image/png', data: PICTURE }) }),
  image_url: (seen) => create(seen, { messages: picture({ type: 'url', url: PICTURE_URL }) }),
  document: (seen) => create(seen, {
    messages: user([{ type: 'text', text: '!describe' }, { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: DOCUMENT } }]),
  }),
  async parse(seen) {
    const message = await client.messages.parse(fox);
    Object.assign(seen, { parsed: message.parsed_output, finish: message.stop_reason });
  },
  async parse_stream(seen) {
    const message = await client.messages.stream(fox).finalMessage();
    Object.assign(seen, { parsed: message.parsed_output, finish: message.stop_reason });
  },
  thinking: (seen) => create(seen, { messages: user('think about it'), thinking }),
  thinking_stream: (seen) => stream(seen, { messages: user('think about it'), thinking }),
  tools_3: (seen) => agent(seen, models[3], whole),
  tools_25: (seen) => agent(seen, models[25], whole),
  tools_stream_3: (seen) => agent(seen, models[3], streamed),
  tools_stream_25: (seen) => agent(seen, models[25], streamed),
  tools_fake: (seen) => agent(seen, models.fake, streamed),
  tools_thinking_3: (seen) => agent(seen, models[3], whole, { thinking }),
  tools_thinking_25: (seen) => agent(seen, models[25], streamed, { thinking }),
  tools_runner: (seen) => runner(seen, false),
  tools_runner_stream: (seen) => runner(seen, true),
  choice_named: (seen) => create(seen, { model: models[3], messages: user('Hello'), tools, tool_choice: { type: 'tool', name: 'add' } }),
  choice_any: (seen) => create(seen, { model: models[3], messages: user('Hello'), tools, tool_choice: { type: 'any' } }),
  choice_none: (seen) => create(seen, { model: models[3], messages: user('Hello'), tools, tool_choice: { type: 'none' } }),
  stop: (seen) => create(seen, { messages: user('say this and STOP here'), stop_sequences: ['STOP'] }),
  max_tokens: (seen) => create(seen, { messages: user('a prompt that is longer than its answer may be'), max_tokens: 3 }),
  async count(seen) {
    seen.tokens = (await client.messages.countTokens({ model, messages: user(STORY) })).input_tokens;
  },
  async models(seen) {
    seen.names = [];
    for await (const found of client.models.list()) seen.names.push(found.id);
  },
  async model(seen) {
    seen.names = [(await client.models.retrieve('gemini-2.5-pro')).id];
  },
  batches: async () => { await client.messages.batches.list(); },
  wrong_password: (seen) => create(seen, { messages: user('Hello') }, stranger),
  wrong_password_stream: (seen) => stream(seen, { messages: user('Hello') }, stranger),
  unknown_model: (seen) => create(seen, { model: 'gemini-nobody', messages: user('Hello') }),
  unknown_model_stream: (seen) => stream(seen, { model: 'gemini-nobody', messages: user('Hello') }),
  bad_role: (seen) => create(seen, { messages: [{ role: 'wizard', content: 'Hello' }] }),
  bad_result: (seen) => create(seen, { messages: user([{ type: 'tool_result', tool_use_id: 'toolu_nobody', content: 'x' }]) }),
  rate_limit: (seen) => create(seen, { model: 'gemini-2.5-pro', messages: user('!fault 429-reset 40s') }),
  silence_error: (seen) => stream(seen, { messages: user('!fault slow-first 30s 400') }),
  silence_plain: (seen) => create(seen, { messages: user('!fault slow-first 30s') }),
};
for (const [name, fault] of Object.entries(silences)) cases[name] = (seen) => stream(seen, { messages: user(`!fault ${fault}`) });
for (const [name, fault] of Object.entries(breaks)) cases[name] = (seen) => stream(seen, { messages: user(broken(fault)) });

await report(cases, (error) => ({ official: error instanceof Anthropic.APIError, status: error.status ?? 0, kind: error.type ?? '' }));
