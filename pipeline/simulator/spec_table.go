package simulator

// specText lists the messages of Google's request bodies as far as this twin knows them: a message name on a line of its
// own, its fields below, indented: name, type, and marks. A type is string, bool, int32, int64, double, bytes, struct,
// value, map:Message, enum:Name or the name of a message; [] in front makes it a list. "@a,v" limits a field to dialects
// (a = Code Assist, s = AI Studio, v = Vertex); "%data" makes it a member of the oneof of that name. "enum" lines list
// enumerations; a trailing * makes the words case-insensitive.
const specText = `
AssistGenerate
 model string
 project string
 userPromptId string
 request Request
 enabledCreditTypes []string
AssistCount
 request CountRequest
CountRequest
 model string
 contents []Content
 systemInstruction Content
 tools []Tool
 generationConfig GenerationConfig
StudioCount
 model string
 contents []Content
 generateContentRequest Request
VertexCount
 model string
 contents []Content
 systemInstruction Content
 tools []Tool
 generationConfig GenerationConfig
Request
 model string @s
 contents []Content
 systemInstruction Content
 tools []Tool
 toolConfig ToolConfig
 safetySettings []SafetySetting
 generationConfig GenerationConfig
 sessionId string @a
 cachedContent string @s,v
 labels struct @v
 modelArmorConfig struct @v
 store bool @s
 serviceTier enum:ServiceTier @s
Content
 role string
 parts []Part
Part
 text string %data
 inlineData Blob %data
 fileData FileData %data
 functionCall FunctionCall %data
 functionResponse FunctionResponse %data
 executableCode ExecutableCode %data
 codeExecutionResult CodeExecutionResult %data
 toolCall struct %data @s
 toolResponse struct %data @s
 thought bool
 thoughtSignature bytes
 videoMetadata VideoMetadata
 mediaResolution PartResolution
 partMetadata struct @s
Blob
 mimeType string
 data bytes
 displayName string @a,v
FileData
 mimeType string
 fileUri string
 displayName string @a,v
VideoMetadata
 startOffset string
 endOffset string
 fps double
PartResolution
 level enum:PartResolutionLevel
 numTokens int32
FunctionCall
 id string @a,s
 name string
 args struct
 partialArgs []value @v
 willContinue bool @v
FunctionResponse
 id string @a,s
 name string
 response struct
 parts []FunctionResponsePart
 willContinue bool
 scheduling string
FunctionResponsePart
 inlineData Blob
 fileData FileData
ExecutableCode
 id string
 language enum:Language
 code string
CodeExecutionResult
 id string
 outcome enum:Outcome
 output string
Tool
 functionDeclarations []FunctionDeclaration
 googleSearch GoogleSearch
 googleSearchRetrieval GoogleSearchRetrieval
 urlContext Empty
 codeExecution Empty
 googleMaps struct
 computerUse struct
 fileSearch struct @s
 enterpriseWebSearch struct @v
 retrieval struct @v
Empty
GoogleSearch
 timeRangeFilter TimeRange
 searchTypes struct @s
 excludeDomains []string @v
 blockingConfidence string @v
TimeRange
 startTime string
 endTime string
GoogleSearchRetrieval
 dynamicRetrievalConfig DynamicRetrievalConfig
DynamicRetrievalConfig
 mode enum:DynamicMode
 dynamicThreshold double
FunctionDeclaration
 name string
 description string
 parameters Schema
 parametersJsonSchema value
 response Schema
 responseJsonSchema value
 behavior enum:Behavior
ToolConfig
 functionCallingConfig FunctionCallingConfig
 retrievalConfig struct
 includeServerSideToolInvocations bool @s
FunctionCallingConfig
 mode enum:CallingMode
 allowedFunctionNames []string
 streamFunctionCallArguments bool @v
SafetySetting
 category enum:HarmCategory
 threshold enum:HarmBlockThreshold
 method enum:HarmBlockMethod @a,v
GenerationConfig
 temperature double
 topP double
 topK double
 candidateCount int32
 maxOutputTokens int32
 stopSequences []string
 responseLogprobs bool
 logprobs int32
 presencePenalty double
 frequencyPenalty double
 seed int32
 responseMimeType string
 responseSchema Schema
 responseJsonSchema value
 routingConfig struct @a,v
 modelSelectionConfig struct @a,v
 audioTimestamp bool @a,v
 responseModalities []enum:Modality
 mediaResolution enum:MediaResolution
 speechConfig struct
 thinkingConfig ThinkingConfig
 imageConfig ImageConfig
 responseFormat struct @s
 enableEnhancedCivicAnswers bool @s
ThinkingConfig
 includeThoughts bool
 thinkingBudget int32
 thinkingLevel enum:ThinkingLevel
ImageConfig
 aspectRatio string
 imageSize string
 personGeneration string @v
 outputMimeType string @v
 outputCompressionQuality int32 @v
Schema
 type enum:Type
 format string
 title string
 description string
 nullable bool
 enum []string
 items Schema
 minItems int64
 maxItems int64
 properties map:Schema
 required []string
 minProperties int64
 maxProperties int64
 minimum double
 maximum double
 minLength int64
 maxLength int64
 pattern string
 example value
 anyOf []Schema
 propertyOrdering []string
 default value
 ref string @v
 defs map:Schema @v
 additionalProperties value @v
EmbedContent
 model string
 content Content
 taskType enum:TaskType
 title string
 outputDimensionality int32
BatchEmbed
 requests []EmbedContent
LoadCodeAssist
 cloudaicompanionProject string
 metadata ClientMetadata
 mode enum:LoadMode
OnboardUser
 tierId string
 cloudaicompanionProject string
 metadata ClientMetadata
UserQuota
 project string
 userAgent string
ClientMetadata
 ideType enum:IdeType
 ideVersion string
 ideName string
 pluginVersion string
 platform enum:Platform
 updateChannel string
 duetProject string
 pluginType enum:PluginType
EnableService
BatchEnable
 serviceIds []string
enum Type* TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL
enum ThinkingLevel* THINKING_LEVEL_UNSPECIFIED MINIMAL LOW MEDIUM HIGH
enum Modality* MODALITY_UNSPECIFIED TEXT IMAGE AUDIO
enum MediaResolution MEDIA_RESOLUTION_UNSPECIFIED MEDIA_RESOLUTION_LOW MEDIA_RESOLUTION_MEDIUM MEDIA_RESOLUTION_HIGH
enum PartResolutionLevel MEDIA_RESOLUTION_UNSPECIFIED MEDIA_RESOLUTION_LOW MEDIA_RESOLUTION_MEDIUM MEDIA_RESOLUTION_HIGH MEDIA_RESOLUTION_ULTRA_HIGH
enum CallingMode MODE_UNSPECIFIED AUTO ANY NONE VALIDATED
enum DynamicMode MODE_UNSPECIFIED MODE_DYNAMIC
enum Behavior UNSPECIFIED BLOCKING NON_BLOCKING
enum Language LANGUAGE_UNSPECIFIED PYTHON
enum Outcome OUTCOME_UNSPECIFIED OUTCOME_OK OUTCOME_FAILED OUTCOME_DEADLINE_EXCEEDED
enum ServiceTier* UNSPECIFIED STANDARD FLEX PRIORITY
enum HarmBlockMethod HARM_BLOCK_METHOD_UNSPECIFIED SEVERITY PROBABILITY
enum HarmBlockThreshold HARM_BLOCK_THRESHOLD_UNSPECIFIED BLOCK_LOW_AND_ABOVE BLOCK_MEDIUM_AND_ABOVE BLOCK_ONLY_HIGH BLOCK_NONE OFF
enum HarmCategory HARM_CATEGORY_UNSPECIFIED HARM_CATEGORY_HARASSMENT HARM_CATEGORY_HATE_SPEECH HARM_CATEGORY_SEXUALLY_EXPLICIT HARM_CATEGORY_DANGEROUS_CONTENT HARM_CATEGORY_CIVIC_INTEGRITY
enum HarmCategory @a,v HARM_CATEGORY_IMAGE_HATE HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT HARM_CATEGORY_IMAGE_HARASSMENT HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT HARM_CATEGORY_JAILBREAK
enum TaskType TASK_TYPE_UNSPECIFIED RETRIEVAL_QUERY RETRIEVAL_DOCUMENT SEMANTIC_SIMILARITY CLASSIFICATION CLUSTERING QUESTION_ANSWERING FACT_VERIFICATION CODE_RETRIEVAL_QUERY
enum LoadMode MODE_UNSPECIFIED FULL_ELIGIBILITY_CHECK HEALTH_CHECK
enum IdeType IDE_UNSPECIFIED VSCODE INTELLIJ VSCODE_CLOUD_WORKSTATION INTELLIJ_CLOUD_WORKSTATION CLOUD_SHELL GEMINI_CLI ANTIGRAVITY
enum Platform PLATFORM_UNSPECIFIED DARWIN_AMD64 DARWIN_ARM64 LINUX_AMD64 LINUX_ARM64 WINDOWS_AMD64
enum PluginType PLUGIN_UNSPECIFIED CLOUD_CODE GEMINI AIPLUGIN_INTELLIJ AIPLUGIN_STUDIO
`
