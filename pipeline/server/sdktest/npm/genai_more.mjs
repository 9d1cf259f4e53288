// Chat sessions, functions, files and vectors with the official npm client of Google.
import { ApiError, GoogleGenAI } from '@google/genai';
import { arrived, report } from './report.mjs';
import { errand, functions, models, work } from './toolset.mjs';

const { GATEWAY, PASSWORD, STORY, SOUND, DOCUMENT } = process.env;
const model = 'gemini-2.5-flash';
const client = new GoogleGenAI({ apiKey: PASSWORD, httpOptions: { baseUrl: GATEWAY } });
const declared = [{ functionDeclarations: Object.entries(functions).map(([name, { description, parameters }]) => ({ name, description, parametersJsonSchema: parameters })) }];
const answer = (seen) => ({ id, name, args }) => ({ functionResponse: { id, name, response: work(seen, name, args) } });

// errands answers what a chat calls until it calls nothing more.
async function errands(seen, of) {
  Object.assign(seen, { calls: [], steps: 1 });
  const chat = client.chats.create({ model: of, config: { tools: declared } });
  let said = await chat.sendMessage({ message: errand(seen.mark) });
  for (; said.functionCalls?.length; seen.steps += 1) {
    said = await chat.sendMessage({ message: said.functionCalls.map(answer(seen)) });
  }
  Object.assign(seen, { text: said.text, finish: said.candidates[0].finishReason });
}

// streamed does the errands with streams: the client's chat makes a turn of every event.
async function streamed(seen, of) {
  Object.assign(seen, { calls: [], steps: 0 });
  const chat = client.chats.create({ model: of, config: { tools: declared } });
  let message = errand(seen.mark);
  for (let called; called === undefined || called.length > 0; seen.steps++) {
    called = [];
    seen.text = '';
    for await (const piece of await chat.sendMessageStream({ message })) {
      called.push(...(piece.functionCalls ?? []));
      seen.text += piece.text ?? '';
      seen.finish = piece.candidates[0].finishReason ?? seen.finish;
    }
    message = called.map(answer(seen));
  }
}

// automatic leaves the loop to the client.
async function automatic(seen, of) {
  seen.calls = [];
  const tool = { tool: async () => declared[0], callTool: async (calls) => calls.map(answer(seen)) };
  const said = await client.models.generateContent({ model: of, contents: errand(seen.mark), config: { tools: [tool] } });
  Object.assign(seen, { text: said.text, finish: said.candidates[0].finishReason });
  seen.steps = said.automaticFunctionCallingHistory.filter((turn) => turn.role === 'model').length + 1;
}

const look = async (seen, mimeType, data) => {
  seen.text = (await client.models.generateContent({ model, contents: [{ role: 'user', parts: [{ text: '!describe' }, { inlineData: { mimeType, data } }] }] })).text;
};

const schema = {
  type: 'object', required: ['name', 'kind', 'minutes'],
  properties: { name: { type: 'string' }, kind: { type: 'string', enum: ['soup', 'cake'] }, minutes: { type: 'integer' } },
};

const cases = {
  async chat_session(seen) {
    const chat = client.chats.create({ model, config: { systemInstruction: 'Be brief.' } });
    await chat.sendMessage({ message: 'first' });
    seen.text = '';
    for await (const piece of await chat.sendMessageStream({ message: STORY })) {
      arrived(seen);
      seen.text += piece.text ?? '';
    }
    seen.names = [seen.text];
    seen.text = (await chat.sendMessage({ message: '!describe' })).text;
  },
  tools_3: (seen) => errands(seen, models[3]),
  tools_25: (seen) => errands(seen, models[25]),
  tools_fake: (seen) => streamed(seen, models.fake),
  tools_stream: (seen) => streamed(seen, models[3]),
  tools_automatic_3: (seen) => automatic(seen, models[3]),
  tools_automatic_25: (seen) => automatic(seen, models[25]),
  audio: (seen) => look(seen, 'audio/wav', SOUND),
  file: (seen) => look(seen, 'application/pdf', DOCUMENT),
  async parse(seen) {
    const said = await client.models.generateContent({ model, contents: 'A recipe', config: { responseMimeType: 'application/json', responseJsonSchema: schema } });
    Object.assign(seen, { parsed: JSON.parse(said.text), finish: said.candidates[0].finishReason });
  },
  async embed(seen) {
    const got = await client.models.embedContent({ model: 'gemini-embedding-001', contents: ['a fox', 'a crow'] });
    seen.vectors = got.embeddings.map((one) => one.values);
  },
  async embed_small(seen) {
    const got = await client.models.embedContent({ model: 'gemini-embedding-001', contents: 'a fox', config: { outputDimensionality: 16, taskType: 'RETRIEVAL_QUERY' } });
    seen.vectors = got.embeddings.map((one) => one.values);
  },
  async files() { await client.files.upload({ file: new Blob(['a fox'], { type: 'text/plain' }), config: { mimeType: 'text/plain' } }); },
  async files_list() { for await (const _ of await client.files.list()); },
  async caches() { await client.caches.create({ model, config: { contents: 'a fox', ttl: '60s' } }); },
  async batches() { await client.batches.create({ model, src: [{ contents: 'a fox' }] }); },
};

await report(cases, (error) => ({ official: error instanceof ApiError, status: error.status ?? 0 }));
