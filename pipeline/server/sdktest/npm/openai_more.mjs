// What the official npm client of OpenAI does beside plain chats: structured output, pictures from
// elsewhere, sound and files, vectors, drawing, the old completions, and what is refused.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { arrived, report } from './report.mjs';
import { note } from './toolset.mjs';

const { GATEWAY, PASSWORD, STORY, PICTURE, PICTURE_URL, SOUND, DOCUMENT } = process.env;
const model = 'gemini-2.5-flash';
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: PASSWORD, maxRetries: 0 });
const user = (content) => [{ role: 'user', content }];

const Recipe = z.object({
  name: z.string(), kind: z.enum(['soup', 'cake']), minutes: z.int(), vegan: z.boolean(), note: z.string().nullable(),
  steps: z.array(z.object({ order: z.int(), text: z.string() })),
});
const recipe = { model, messages: user('A recipe'), response_format: zodResponseFormat(Recipe, 'recipe') };

async function chat(seen, content, more = {}) {
  const answer = await client.chat.completions.create({ model, messages: user(content), ...more });
  Object.assign(seen, { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason });
}

const look = (part) => [{ type: 'text', text: '!describe' }, part];

async function embed(seen, more) {
  const answer = await client.embeddings.create({ model: 'gemini-embedding-001', input: ['a fox', 'a crow'], ...more });
  Object.assign(seen, { model: answer.model, vectors: answer.data.map((one) => one.embedding), usage: { prompt: answer.usage.prompt_tokens, total: answer.usage.total_tokens } });
}

const cases = {
  async parse(seen) {
    const { message, finish_reason } = (await client.chat.completions.parse(recipe)).choices[0];
    Object.assign(seen, { parsed: message.parsed, finish: finish_reason });
  },
  async parse_stream(seen) {
    const stream = client.chat.completions.stream(recipe);
    stream.on('content.delta', () => note(seen, 'content.delta'));
    const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
    Object.assign(seen, { parsed: message.parsed, finish: finish_reason });
  },
  image_data: (seen) => chat(seen, look({ type: 'image_url', image_url: { url: `data:image/png;base64,${PICTURE}` } })),
  image_url: (seen) => chat(seen, look({ type: 'image_url', image_url: { url: PICTURE_URL, detail: 'low' } })),
  image_missing: (seen) => chat(seen, look({ type: 'image_url', image_url: { url: `${PICTURE_URL}-nothing` } })),
  audio: (seen) => chat(seen, look({ type: 'input_audio', input_audio: { data: SOUND, format: 'wav' } })),
  file: (seen) => chat(seen, look({ type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${DOCUMENT}` } })),
  embed: (seen) => embed(seen, {}),
  embed_float: (seen) => embed(seen, { encoding_format: 'float' }),
  embed_small: (seen) => embed(seen, { dimensions: 16 }),
  async embed_one(seen) {
    const answer = await client.embeddings.create({ model: 'gemini-embedding-001', input: 'a fox' });
    seen.vectors = answer.data.map((one) => one.embedding);
  },
  async draw(seen) {
    const answer = await client.images.generate({ model: 'gemini-2.5-flash-image', prompt: 'a fox', response_format: 'b64_json', size: '1024x1024' });
    seen.pictures = answer.data.map((one) => one.b64_json);
  },
  async complete(seen) {
    const answer = await client.completions.create({ model, prompt: 'Hello', max_tokens: 100 });
    Object.assign(seen, { model: answer.model, text: answer.choices[0].text, finish: answer.choices[0].finish_reason });
    seen.usage = { prompt: answer.usage.prompt_tokens, answer: answer.usage.completion_tokens, total: answer.usage.total_tokens };
  },
  async complete_stream(seen) {
    seen.text = '';
    for await (const piece of await client.completions.create({ model, prompt: STORY, stream: true })) {
      arrived(seen);
      seen.model = piece.model;
      seen.text += piece.choices[0]?.text ?? '';
      seen.finish = piece.choices[0]?.finish_reason ?? seen.finish;
    }
  },
  blocked: (seen) => chat(seen, '!fault blocked'),
  bad_role: async () => { await client.chat.completions.create({ model, messages: [{ role: 'wizard', content: 'Hello' }] }); },
  bad_temperature: (seen) => chat(seen, 'Hello', { temperature: 'hot' }),
};

await report(cases, (error) => ({
  official: error instanceof OpenAI.APIError, status: error.status ?? 0, code: error.code ?? '', kind: error.type ?? '', param: error.param ?? '',
}));
