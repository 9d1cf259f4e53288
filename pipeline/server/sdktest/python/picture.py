"""Asks for a wide picture and saves it: python picture.py http://127.0.0.1:7861 fox.png"""

import sys

from google import genai
from google.genai.types import GenerateContentConfig, HttpOptions, ImageConfig

base_url, file = sys.argv[1:]
client = genai.Client(api_key="pwd", http_options=HttpOptions(base_url=base_url))

answer = client.models.generate_content(
    model="gemini-2.5-flash-image",
    contents="Draw a fox that looks at a crow",
    config=GenerateContentConfig(image_config=ImageConfig(aspect_ratio="16:9")),
)
for part in answer.candidates[0].content.parts:
    if part.text:
        print(part.text)
    if part.inline_data:
        with open(file, "wb") as out:
            out.write(part.inline_data.data)
        print("saved", part.inline_data.mime_type)
