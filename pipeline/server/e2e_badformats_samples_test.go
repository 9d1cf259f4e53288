package server_test

// The samples have every documented member of their format, each with a value that is served. Members
// that exclude each other stand in different samples. Nothing in them is fetched from anywhere.

const (
	pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

	sampleSchema = `{"type":"object","description":"d","title":"T","properties":{"city":{"type":"string","minLength":1,"maxLength":9,"pattern":"^a","format":"date"},` +
		`"days":{"type":["integer","null"],"minimum":1,"maximum":9,"default":2},"kind":{"enum":["a","b"]},"list":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":3},` +
		`"either":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/d"}]},"fixed":{"const":"c"},"all":{"allOf":[{"type":"object","properties":{"x":{"type":"boolean"}}},{"required":["x"]}]}},` +
		`"required":["city"],"additionalProperties":false,"$defs":{"d":{"type":"object","properties":{"n":{"type":"integer"}}}}}`

	smallSchema = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`

	chatTools = `{"model":"gemini-2.5-flash","messages":[{"role":"developer","content":"be brief"},{"role":"system","content":[{"type":"text","text":"be kind"}]},` +
		`{"role":"user","name":"ann","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `","detail":"low"}},` +
		`{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}}]},` +
		`{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}},` +
		`{"id":"c2","type":"custom","custom":{"name":"shell","input":"ls"}}]},` +
		`{"role":"tool","tool_call_id":"c1","content":"{\"warm\":true}"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"a.txt"}]},` +
		`{"role":"assistant","content":[{"type":"text","text":"so"},{"type":"refusal","refusal":"no"}]},{"role":"user","content":"and now"}],` +
		`"tools":[{"type":"function","function":{"name":"get_weather","description":"d","strict":true,"parameters":` + sampleSchema + `}},` +
		`{"type":"custom","custom":{"name":"shell","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}],` +
		`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"get_weather"}}]}},"parallel_tool_calls":false,` +
		`"max_completion_tokens":200,"metadata":{"a":"b"},"user":"u","store":false,"service_tier":"auto","prompt_cache_key":"k","safety_identifier":"s","verbosity":"low","prediction":{"type":"content","content":"x"}}`

	chatSettings = `{"model":"gemini-2.5-flash","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"messages":[{"role":"user","content":"tell me"}],` +
		`"temperature":1,"top_p":0.5,"top_k":20,"n":1,"stop":["END","STOP"],"seed":7,"max_tokens":200,"presence_penalty":0,"frequency_penalty":0,"logit_bias":{},` +
		`"modalities":["text"],"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","strict":true,"schema":` + smallSchema + `}},` +
		`"extra_body":{"google":{"thinking_config":{"thinking_budget":64,"include_thoughts":true},"safety_settings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}}}`

	chatFunctions = `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"go"},{"role":"assistant","content":"","function_call":{"name":"get_weather","arguments":"{}"}},` +
		`{"role":"function","name":"get_weather","content":"warm"},{"role":"user","content":"on"}],"functions":[{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{}}}],` +
		`"function_call":{"name":"get_weather"},"reasoning_effort":"low","thinking":null}`

	chatLogprobs = `{"model":"gemini-2.0-flash","messages":[{"role":"user","content":"tell me"}],"logprobs":true,"top_logprobs":2,"reasoning_effort":null,"response_format":{"type":"json_object"},"google":{"cached_content":null}}`

	completionSample = `{"model":"gemini-2.5-flash","prompt":["tell me"],"echo":true,"suffix":"","best_of":1,"logprobs":0,"stream":false,"stream_options":null,"temperature":1,"top_p":1,"top_k":3,` +
		`"max_tokens":200,"frequency_penalty":0,"presence_penalty":0,"seed":1,"stop":"END","n":1,"logit_bias":{},"user":"u"}`

	embedSample = `{"model":"gemini-embedding-001","input":["one","two"],"dimensions":16,"encoding_format":"float","user":"u"}`

	drawSample = `{"model":"gemini-2.5-flash-image","prompt":"a fox","n":1,"size":"1024x1024","response_format":"b64_json","stream":false,"partial_images":0,"background":"auto","output_format":"png",` +
		`"output_compression":50,"quality":"high","style":"vivid","moderation":"low","safety_identifier":"s","user":"u"}`

	responsesTools = `{"model":"gemini-2.5-flash","instructions":"be brief","input":[{"type":"message","role":"developer","content":"be kind"},` +
		`{"type":"message","id":"msg_1","status":"completed","role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,` + pixel + `","detail":"auto"},` +
		`{"type":"input_file","file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]},` +
		`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"},` +
		`{"type":"function_call","id":"fc_1","call_id":"c1","name":"get_weather","arguments":"{\"city\":\"Oslo\"}","status":"completed"},{"type":"custom_tool_call","call_id":"c2","name":"shell","input":"ls"},` +
		`{"type":"function_call_output","call_id":"c1","output":"warm"},{"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"a.txt"}]},` +
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"so","annotations":[]},{"type":"refusal","refusal":"no"}]},{"role":"user","content":"and now"}],` +
		`"tools":[{"type":"function","name":"get_weather","description":"d","strict":true,"parameters":` + smallSchema + `},{"type":"custom","name":"shell","description":"d","format":{"type":"text"}}],` +
		`"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"get_weather"}]},"parallel_tool_calls":false,"max_tool_calls":3,"store":false,"metadata":{"a":"b"},` +
		`"include":["reasoning.encrypted_content"],"truncation":"disabled","background":false,"user":"u","service_tier":"auto","prompt_cache_key":"k","safety_identifier":"s"}`

	responsesSettings = `{"model":"gemini-2.5-flash","stream":true,"stream_options":{"include_obfuscation":false},"input":"tell me","temperature":1,"top_p":0.5,"max_output_tokens":200,"top_logprobs":0,` +
		`"reasoning":{"effort":"low","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","description":"d","strict":true,"schema":` + smallSchema + `}},` +
		`"store":true,"metadata":null,"previous_response_id":null,"conversation":null,"prompt":null}`

	messagesTools = `{"model":"gemini-2.5-flash","max_tokens":500,"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"5m"}}],"messages":[` +
		`{"role":"user","content":[{"type":"text","text":"look","citations":null},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}},` +
		`{"type":"document","title":"t","context":"c","citations":{"enabled":false},"source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},` +
		`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"}},{"type":"search_result","title":"t","source":"s","content":[{"type":"text","text":"found"}]}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"AAAA"},{"type":"redacted_thinking","data":"AAAA"},{"type":"text","text":"so"},` +
		`{"type":"tool_use","id":"t1","name":"get_weather","input":{"city":"Oslo"}},{"type":"tool_use","id":"t2","name":"bash","input":{"command":"ls"}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"warm","is_error":false},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"a.txt"},` +
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]},{"type":"text","text":"and now"}]}],` +
		`"tools":[{"name":"get_weather","type":"custom","description":"d","strict":true,"cache_control":{"type":"ephemeral"},"input_schema":` + smallSchema + `},{"type":"bash_20250124","name":"bash"}],` +
		`"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"metadata":{"user_id":"u"},"service_tier":"auto"}`

	messagesSettings = `{"model":"gemini-2.5-flash","max_tokens":500,"stream":true,"system":"be brief","messages":[{"role":"user","content":"tell me"}],"temperature":1,"top_p":0.5,"top_k":20,` +
		`"stop_sequences":["END"],"thinking":{"type":"enabled","budget_tokens":64,"display":"summarized"},"output_config":{"format":{"type":"json_schema","schema":` + smallSchema + `}},"cache_control":{"type":"ephemeral"}}`

	countMessages = `{"model":"gemini-2.5-flash","system":"be brief","messages":[{"role":"user","content":"tell me"}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}],` +
		`"tool_choice":{"type":"any"},"thinking":{"type":"disabled"}}`

	geminiTools = `{"systemInstruction":{"role":"user","parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"` + pixel + `"}}]},` +
		`{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"id":"c1","name":"get_weather","args":{"city":"Oslo"}},"thoughtSignature":"AAAA"}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"get_weather","response":{"warm":true}}}]},{"role":"model","parts":[{"text":"so"}]},{"role":"user","parts":[{"text":"and now"}]}],` +
		`"tools":[{"functionDeclarations":[{"name":"get_weather","description":"d","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}},"required":["city"]}}]}],` +
		`"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}`

	geminiSettings = `{"contents":[{"role":"user","parts":[{"text":"tell me"}]}],"generationConfig":{"temperature":1,"topP":0.5,"topK":20,"candidateCount":1,"maxOutputTokens":200,"stopSequences":["END"],"seed":7,` +
		`"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},"thinkingConfig":{"thinkingBudget":64,"includeThoughts":true}},` +
		`"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}`

	geminiSnake = `{"system_instruction":{"parts":[{"text":"be brief"}]},"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"` + pixel + `"}},{"text":"tell me"}]}],` +
		`"generation_config":{"max_output_tokens":200,"top_k":20,"thinking_config":{"thinking_budget":64}}}`

	geminiCount = `{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[{"role":"user","parts":[{"text":"tell me"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]}}}`

	geminiEmbed = `{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"t","outputDimensionality":16}`

	geminiEmbeds = `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]},"outputDimensionality":16},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"two"}]}}]}`
)
