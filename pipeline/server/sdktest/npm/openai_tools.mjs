// Function calling with the official npm client of OpenAI.
import OpenAI from 'openai';
import { report } from './report.mjs';
import { errand, functions, models, note, work } from './toolset.mjs';

const { GATEWAY, PASSWORD } = process.env;
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: PASSWORD, maxRetries: 0 });
const tools = Object.entries(functions).map(([name, { description, parameters }]) => ({ type: 'function', function: { name, description, parameters, strict: true } }));

// agent goes on until the model calls nothing more.
async function agent(seen, model, ask) {
  Object.assign(seen, { calls: [], steps: 0 });
  const messages = [{ role: 'user', content: errand(seen.mark) }];
  for (;;) {
    const { message, finish_reason } = await ask({ model, messages, tools, reasoning_effort: 'low' });
    seen.steps += 1;
    messages.push(message);
    if (!message.tool_calls?.length) {
      Object.assign(seen, { text: message.content, finish: finish_reason });
      return;
    }
    for (const { id, function: called } of message.tool_calls) {
      messages.push({ role: 'tool', tool_call_id: id, content: JSON.stringify(work(seen, called.name, JSON.parse(called.arguments))) });
    }
  }
}

const whole = async (params) => (await client.chat.completions.create(params)).choices[0];

const streamed = (seen) => async (params) => {
  const stream = client.chat.completions.stream(params);
  for (const kind of ['content.delta', 'content.done', 'tool_calls.function.arguments.delta', 'tool_calls.function.arguments.done']) {
    stream.on(kind, () => note(seen, kind));
  }
  return (await stream.finalChatCompletion()).choices[0];
};

// runner leaves the loop to the client.
async function runner(seen, stream) {
  seen.calls = [];
  const runnable = Object.entries(functions).map(([name, { description, parameters }]) => ({
    type: 'function', function: { name, description, parameters, parse: JSON.parse, function: (args) => JSON.stringify(work(seen, name, args)) },
  }));
  const run = client.chat.completions.runTools({ model: models[3], messages: [{ role: 'user', content: errand(seen.mark) }], tools: runnable, stream });
  seen.text = await run.finalContent();
  const all = run.allChatCompletions();
  Object.assign(seen, { steps: all.length, finish: all.at(-1).choices[0].finish_reason });
}

async function choose(seen, tool_choice) {
  const { message, finish_reason } = await whole({ model: models[3], messages: [{ role: 'user', content: 'Hello' }], tools, tool_choice });
  Object.assign(seen, { text: message.content ?? '', finish: finish_reason, calls: (message.tool_calls ?? []).map((call) => call.function.name) });
}

const cases = {
  tools_3: (seen) => agent(seen, models[3], whole),
  tools_25: (seen) => agent(seen, models[25], whole),
  tools_stream_3: (seen) => agent(seen, models[3], streamed(seen)),
  tools_stream_25: (seen) => agent(seen, models[25], streamed(seen)),
  tools_fake: (seen) => agent(seen, models.fake, streamed(seen)),
  tools_runner: (seen) => runner(seen, false),
  tools_runner_stream: (seen) => runner(seen, true),
  choice_named: (seen) => choose(seen, { type: 'function', function: { name: 'add' } }),
  choice_required: (seen) => choose(seen, 'required'),
  choice_allowed: (seen) => choose(seen, { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'get_time' } }] } }),
  choice_none: (seen) => choose(seen, 'none'),
};

await report(cases, (error) => ({ official: error instanceof OpenAI.APIError, status: error.status ?? 0, code: error.code ?? '', kind: error.type ?? '' }));
