// The Responses API with the official npm client of OpenAI.
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { arrived, breaks, broken, report, silences } from './report.mjs';
import { errand, functions, models, note, work } from './toolset.mjs';

const { GATEWAY, PASSWORD, STORY, PICTURE } = process.env;
const model = 'gemini-2.5-flash';
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: PASSWORD, maxRetries: 0 });
const tools = Object.entries(functions).map(([name, { description, parameters }]) => ({ type: 'function', name, description, parameters, strict: true }));
const Fox = z.object({ name: z.string(), colour: z.enum(['red', 'grey']), legs: z.int(), friends: z.array(z.string()) });

function gather(seen, answer) {
  const { usage } = answer;
  Object.assign(seen, { id: answer.id, model: answer.model, text: answer.output_text ?? seen.text, finish: answer.status, items: answer.output.map((item) => item.type) });
  seen.thoughts = answer.output.filter((item) => item.type === 'reasoning').flatMap((item) => item.summary.map((part) => part.text)).join('');
  if (usage) {
    seen.usage = { prompt: usage.input_tokens, answer: usage.output_tokens, total: usage.total_tokens, thoughts: usage.output_tokens_details.reasoning_tokens };
  }
}

const create = async (seen, params) => gather(seen, await client.responses.create({ model, ...params }));

// chain goes on with the id of the last answer, which the gateway has kept.
async function chain(seen, of, ask) {
  Object.assign(seen, { calls: [], steps: 0 });
  let answer = await ask({ model: of, input: errand(seen.mark), tools, reasoning: { effort: 'low' } });
  for (seen.steps = 1; ; seen.steps += 1) {
    const called = answer.output.filter((item) => item.type === 'function_call');
    if (called.length === 0) return gather(seen, answer);
    const input = called.map(({ call_id, name, arguments: args }) => ({ type: 'function_call_output', call_id, output: JSON.stringify(work(seen, name, JSON.parse(args))) }));
    answer = await ask({ model: of, previous_response_id: answer.id, input, tools, reasoning: { effort: 'low' } });
  }
}

// carry keeps nothing at the gateway and sends everything back.
async function carry(seen) {
  Object.assign(seen, { calls: [], steps: 0 });
  const input = [{ role: 'user', content: errand(seen.mark) }];
  for (;;) {
    const answer = await client.responses.create({ model: models[3], input, tools, store: false, include: ['reasoning.encrypted_content'], reasoning: { effort: 'low' } });
    seen.steps += 1;
    input.push(...answer.output);
    const called = answer.output.filter((item) => item.type === 'function_call');
    if (called.length === 0) return gather(seen, answer);
    for (const { call_id, name, arguments: args } of called) {
      input.push({ type: 'function_call_output', call_id, output: JSON.stringify(work(seen, name, JSON.parse(args))) });
    }
  }
}

const whole = (params) => client.responses.create(params);
const streamed = (seen) => async (params) => {
  const stream = client.responses.stream(params);
  stream.on('event', (event) => note(seen, event.type));
  return stream.finalResponse();
};

// stream notes every event; one that says that the answer failed is the end of it too.
async function stream(seen, input) {
  seen.text = '';
  for await (const event of await client.responses.create({ model, input, stream: true })) {
    note(seen, event.type);
    if (event.type === 'response.output_text.delta') {
      arrived(seen);
      seen.text += event.delta;
    }
    if (event.type === 'response.completed') gather(seen, event.response);
    if (event.type === 'response.failed') seen.finish = event.response.status;
  }
}

const cases = {
  create: (seen) => create(seen, { input: 'Hello' }),
  instructions: (seen) => create(seen, {
    instructions: 'Be brief.', temperature: 0.25, max_output_tokens: 2345,
    input: [{ role: 'user', content: 'first' }, { role: 'assistant', content: 'second' }, { role: 'user', content: [{ type: 'input_text', text: '!describe' }] }],
  }),
  image_in: (seen) => create(seen, {
    input: [{ role: 'user', content: [{ type: 'input_text', text: '!describe' }, { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PICTURE}` }] }],
  }),
  thinking: (seen) => create(seen, { input: 'think about it', reasoning: { effort: 'high', summary: 'auto' } }),
  incomplete: (seen) => create(seen, { input: 'a prompt that is longer than its answer may be', max_output_tokens: 16, temperature: 0 }),
  unknown_model: (seen) => create(seen, { input: 'Hello', model: 'gemini-nobody' }),
  blocked: (seen) => create(seen, { input: '!fault blocked' }),
  bad_input: (seen) => create(seen, { input: 7 }),
  stream: (seen) => stream(seen, STORY),
  async stream_helper(seen) {
    const stream = client.responses.stream({ model, input: STORY });
    stream.on('response.output_text.delta', () => arrived(seen));
    gather(seen, await stream.finalResponse());
  },
  async stream_thinking(seen) {
    const stream = client.responses.stream({ model, input: 'think about it', reasoning: { effort: 'high', summary: 'auto' } });
    stream.on('event', (event) => { arrived(seen); note(seen, event.type); });
    gather(seen, await stream.finalResponse());
  },
  async previous(seen) {
    const first = await client.responses.create({ model, instructions: 'Be brief.', input: 'Hello' });
    const second = await client.responses.create({ model, previous_response_id: first.id, input: 'And then?' });
    await create(seen, { previous_response_id: second.id, input: '!describe' });
  },
  async previous_unknown(seen) { await create(seen, { previous_response_id: 'resp_nobody', input: 'Hello' }); },
  tools_3: (seen) => chain(seen, models[3], whole),
  tools_25: (seen) => chain(seen, models[25], whole),
  tools_stream_3: (seen) => chain(seen, models[3], streamed(seen)),
  tools_fake: (seen) => chain(seen, models.fake, streamed(seen)),
  tools_carried: (seen) => carry(seen),
  async custom(seen) {
    seen.calls = [];
    const shell = [{ type: 'custom', name: 'shell', description: 'Runs a command' }];
    const first = await client.responses.create({ model: models[3], input: `(${seen.mark}) call shell {"input":"ls -l"}`, tools: shell });
    const [called] = first.output.filter((item) => item.type === 'custom_tool_call');
    seen.calls.push(`${called.name} ${called.input}`);
    await create(seen, { model: models[3], previous_response_id: first.id, tools: shell, input: [{ type: 'custom_tool_call_output', call_id: called.call_id, output: 'total 0' }] });
  },
  async kept(seen) {
    const made = await client.responses.create({ model, input: 'Hello', metadata: { colour: 'red' } });
    gather(seen, await client.responses.retrieve(made.id));
    seen.same = seen.id === made.id;
    seen.names = [];
    for await (const item of client.responses.inputItems.list(made.id)) seen.names.push(`${item.type} ${item.role} ${item.content[0].text}`);
  },
  async deleted(seen) {
    const made = await client.responses.create({ model, input: 'Hello' });
    await client.responses.delete(made.id);
    await client.responses.retrieve(made.id);
    seen.text = 'still there';
  },
  async not_kept(seen) {
    const made = await client.responses.create({ model, input: 'Hello', store: false });
    await client.responses.retrieve(made.id);
    seen.text = 'kept all the same';
  },
  silence_plain: (seen) => create(seen, { input: '!fault slow-first 30s' }),
  silence_error: (seen) => stream(seen, '!fault slow-first 30s 400'),
  async parse(seen) {
    const answer = await client.responses.parse({ model, input: 'A fox', text: { format: zodTextFormat(Fox, 'fox') } });
    Object.assign(seen, { parsed: answer.output_parsed, finish: answer.status });
  },
  async parse_stream(seen) {
    const answer = await client.responses.stream({ model, input: 'A fox', text: { format: zodTextFormat(Fox, 'fox') } }).finalResponse();
    Object.assign(seen, { parsed: answer.output_parsed, finish: answer.status });
  },
};
for (const [name, fault] of Object.entries(silences)) cases[name] = (seen) => stream(seen, `!fault ${fault}`);
for (const [name, fault] of Object.entries(breaks)) cases[name] = (seen) => stream(seen, broken(fault));

await report(cases, (error) => ({
  official: error instanceof OpenAI.APIError, status: error.status ?? 0, code: error.code ?? '', kind: error.type ?? '', param: error.param ?? '',
}));
