// Asks for a wide picture and saves it: node picture.mjs http://127.0.0.1:7861 fox.png
import { writeFile } from 'node:fs/promises';
import { GoogleGenAI } from '@google/genai';

const [baseUrl, file] = process.argv.slice(2);
const client = new GoogleGenAI({ apiKey: 'pwd', httpOptions: { baseUrl } });

const answer = await client.models.generateContent({
  model: 'gemini-2.5-flash-image',
  contents: 'Draw a fox that looks at a crow',
  config: { imageConfig: { aspectRatio: '16:9' } },
});
for (const part of answer.candidates[0].content.parts) {
  if (part.text) console.log(part.text);
  if (part.inlineData) {
    await writeFile(file, Buffer.from(part.inlineData.data, 'base64'));
    console.log(`saved ${part.inlineData.mimeType}`);
  }
}
