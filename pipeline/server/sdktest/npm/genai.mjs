// The cases of the official npm client of Google.
import { ApiError, GoogleGenAI } from '@google/genai';
import { arrived, breaks, broken, report, silences } from './report.mjs';

const { GATEWAY, PASSWORD, STORY, PICTURE } = process.env;
const model = 'gemini-2.5-flash';

const connect = (apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: GATEWAY } });
const client = connect(PASSWORD);
const stranger = connect('wrong');

// gather adds one answer, or one piece of a streamed one, to what was seen.
function gather(seen, answer) {
  seen.model = answer.modelVersion;
  const usage = answer.usageMetadata;
  if (usage) {
    seen.usage = {
      prompt: usage.promptTokenCount ?? 0, answer: usage.candidatesTokenCount ?? 0, total: usage.totalTokenCount ?? 0,
      thoughts: usage.thoughtsTokenCount ?? 0,
    };
  }
  for (const candidate of answer.candidates ?? []) {
    seen.finish = candidate.finishReason ?? seen.finish;
    for (const part of candidate.content?.parts ?? []) {
      if (part.text) seen[part.thought ? 'thoughts' : 'text'] += part.text;
    }
  }
}

async function chat(seen, contents, config, by = client, of = model) {
  Object.assign(seen, { text: '', thoughts: '', finish: '' });
  gather(seen, await by.models.generateContent({ model: of, contents, config }));
}

async function stream(seen, contents, config, by = client, of = model) {
  Object.assign(seen, { text: '', thoughts: '', finish: '' });
  for await (const piece of await by.models.generateContentStream({ model: of, contents, config })) {
    arrived(seen);
    gather(seen, piece);
  }
}

const conversation = [
  { role: 'user', parts: [{ text: 'first' }] }, { role: 'model', parts: [{ text: 'second' }] }, { role: 'user', parts: [{ text: '!describe' }] },
];
const look = [{ role: 'user', parts: [{ text: '!describe' }, { inlineData: { mimeType: 'image/png', data: PICTURE } }] }];
const thinking = { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } };

const cases = {
  chat: (seen) => chat(seen, 'Hello'),
  stream: (seen) => stream(seen, STORY),
  system: (seen) => chat(seen, conversation, { systemInstruction: 'Be brief.' }),
  image_in: (seen) => chat(seen, look),
  thinking: (seen) => chat(seen, 'think about it', thinking),
  thinking_stream: (seen) => stream(seen, 'think about it', thinking),
  wrong_password: (seen) => chat(seen, 'Hello', undefined, stranger),
  wrong_password_stream: (seen) => stream(seen, 'Hello', undefined, stranger),
  unknown_model: (seen) => chat(seen, 'Hello', undefined, client, 'gemini-nobody'),
  unknown_model_stream: (seen) => stream(seen, 'Hello', undefined, client, 'gemini-nobody'),
  silence_error: (seen) => stream(seen, '!fault slow-first 30s 400'),
  silence_plain: (seen) => chat(seen, '!fault slow-first 30s'),

  async models(seen) {
    seen.names = [];
    for await (const found of await client.models.list()) seen.names.push(found.name);
  },
  async model(seen) {
    seen.names = [(await client.models.get({ model: 'gemini-2.5-pro' })).name];
  },
  async count(seen) {
    seen.tokens = (await client.models.countTokens({ model, contents: STORY })).totalTokens;
  },
};
for (const [name, fault] of Object.entries(silences)) cases[name] = (seen) => stream(seen, `!fault ${fault}`);
for (const [name, fault] of Object.entries(breaks)) cases[name] = (seen) => stream(seen, broken(fault));

await report(cases, (error) => ({ official: error instanceof ApiError, status: error.status ?? 0 }));
