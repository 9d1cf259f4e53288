package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// Server is the server's part of the settings table; the stages add theirs with Options.Params.
func Server() []Param {
	var all []Param
	for _, s := range ServerSections() {
		all = append(all, s.Params...)
	}
	// The owner of [models] decodes it with Section.
	return append(all, Param{Key: "models", Type: Table, Help: "known models, aliases and fallbacks"})
}

// ServerSections are the server's settings table by table, for Reference. [models] comes without
// settings; its owner gives them by a section of the same name.
func ServerSections() []Section {
	return []Section{
		{Name: "server", Help: "Where the gateway listens, who may ask, and how much it takes.", Params: serverParams()},
		{Name: "pipeline", Help: "The list of stages that a request walks down. Each stage has a table of its own below.", Params: pipelineParams()},
		{Name: "models", Help: "Known models, aliases and fallbacks."},
		{Name: "pool", Help: "Credentials: where they come from and how they take turns.", Params: poolParams(), Example: poolExample},
		{Name: "keys", Help: "API keys that the operator hands out.", Params: keyParams()},
		{Name: "usage", Help: "What is counted and written down, and for how long.", Params: usageParams()},
		{Name: "store", Help: "Where everything is kept: the first of Redis, Postgres and MongoDB that has an address here, else a file in the credentials folder. Gateways with the same address and prefix share everything.", Params: storeParams()},
		{Name: "backup", Help: "Backups of everything that a running gateway writes by itself, encrypted where there is a SECRET_KEY.", Params: backupParams()},
		{Name: "google", Help: "Google's addresses and what the gateway says about itself there.", Params: googleParams()},
		{Name: "outbound", Help: "Calls to the outside.", Params: outboundParams()},
		{Name: "log", Help: "What is logged, and where.", Params: logParams()},
	}
}

func serverParams() []Param {
	return []Param{
		{Key: "server.host", Flat: "host", Env: []string{"HOST"}, Type: String, Default: "0.0.0.0", Min: new(1.0), AfterRestart: true,
			Help: "address to listen on; loopback only while nobody has set a password"},
		{Key: "server.port", Flat: "port", Env: []string{"PORT"}, Type: Int, Default: 7861, Min: new(1.0), Max: new(65535.0), AfterRestart: true,
			Help: "port to listen on"},
		{Key: "server.password", Flat: "password", Env: []string{"PASSWORD"}, Type: String, Default: "", Secret: true,
			Help: "password of chat routes and panel; overrides the two below. While none is set it is \"pwd\", from loopback only"},
		{Key: "server.api_password", Flat: "api_password", Env: []string{"API_PASSWORD"}, Type: String, Default: "", Secret: true,
			Help: "password of the chat routes"},
		{Key: "server.panel_password", Flat: "panel_password", Env: []string{"PANEL_PASSWORD"}, Type: String, Default: "", Secret: true,
			Help: "password of the panel"},
		{Key: "server.run_as_uid", Env: []string{"RUN_AS_UID"}, Type: Int, Default: 0, Min: new(0.0), Max: new(4294967294.0), AfterRestart: true,
			Help: "user that a gateway started as root goes on as, after giving it the credentials folder; 0 stays root. For containers"},
		{Key: "server.public_models", Env: []string{"PUBLIC_MODELS"}, Type: Bool, Default: false,
			Help: "true answers the model list without a password or key"},
		{Key: "server.gemini_stream_default", Env: []string{"GEMINI_STREAM_DEFAULT"}, Type: String, Default: "array", OneOf: []string{"array", "sse"},
			Help: "form of :streamGenerateContent without alt=sse: a JSON array, as Google does, or server-sent events"},
		{Key: "server.body_limit", Env: []string{"BODY_LIMIT"}, Type: Size, Default: "100MB", Min: new(1024.0),
			AfterRestart: true, Help: "largest request body, after decompression; a larger one is 413"},
		{Key: "server.body_budget", Env: []string{"BODY_BUDGET"}, Type: Size, Default: "512MB", Min: new(1024.0),
			AfterRestart: true, Help: "all request bodies in flight together; beyond it the answer is 503"},
		{Key: "server.write_timeout", Type: Duration, Default: "30s", Min: new(1.0),
			AfterRestart: true, Help: "how long one event may wait for the client's socket to take it"},
		{Key: "server.drain_timeout", Type: Duration, Default: "30s",
			Help: "how long running requests may take to finish when the gateway stops"},
	}
}

// DefaultOrder is the list of stages that nobody has changed.
func DefaultOrder() []string {
	return []string{"auth", "quota", "format", "model", "translate", "thinking", "search", "compat", "fakestream", "antitrunc", "credential", "upstream", "retry", "shape", "usage"}
}

func pipelineParams() []Param {
	return []Param{
		{Key: orderKey, Type: StringList, Help: "the stages in the order of time",
			Default: DefaultOrder()},
		{Key: "pipeline.open", Type: Bool, Default: false,
			Help: "true lets the gateway listen beyond loopback with the stage auth switched off: everybody may ask"},
	}
}

func poolParams() []Param {
	return []Param{
		{Key: "pool.credentials_dir", Flat: "credentials_dir", Env: []string{"CREDENTIALS_DIR"}, Type: Path, Default: "./creds", Min: new(1.0), AfterRestart: true,
			Help: "folder with one JSON file a credential; files can be dropped in and removed at any time"},
		{Key: "pool.gemini_api_keys", Env: []string{"GEMINI_API_KEY", "GEMINI_API_KEYS"}, Type: StringList, Default: []string{}, Secret: true,
			Help: "API keys of Google AI Studio; in the environment separated by commas or line breaks"},
		{Key: "pool.vertex_api_keys", Env: []string{"VERTEX_API_KEY", "VERTEX_API_KEYS"}, Type: StringList, Default: []string{}, Secret: true,
			Help: "API keys of Vertex AI in express mode; likewise. Service accounts come as files"},
		{Key: "pool.calls_per_rotation", Flat: "calls_per_rotation", Env: []string{"CALLS_PER_ROTATION"}, Type: Int, Default: 10, Min: new(1.0),
			Help: "requests that one credential serves before the next one takes over, where turns are counted"},
		{Key: "pool.rotation", Env: []string{"ROTATION"}, Type: String, Default: "counted", OneOf: []string{"counted", "least_used", "random", "sticky"},
			Help: "how credentials take turns: so many requests in a row (calls_per_rotation), whoever had the fewest calls of the day, by chance, or a conversation stays with the credential that has it in its cache"},
		{Key: "pool.account_concurrency", Env: []string{"ACCOUNT_CONCURRENCY"}, Type: Int, Default: 2, Min: new(0.0), Max: new(1e6),
			Help: "calls at a time with one signed-in account, over all its projects; 0 is no limit"},
		{Key: "pool.key_concurrency", Env: []string{"KEY_CONCURRENCY"}, Type: Int, Default: 0, Min: new(0.0), Max: new(1e6),
			Help: "calls at a time with one API key or Vertex AI credential; 0 is no limit"},
		{Key: "pool.queue_wait", Env: []string{"POOL_QUEUE_WAIT"}, Type: Duration, Default: "30s", Max: new(3600.0),
			Help: "how long a request waits while every credential for it has as many calls as it may; then the answer is 503. 0 does not wait"},
		{Key: "pool.queue_length", Env: []string{"POOL_QUEUE_LENGTH"}, Type: Int, Default: 1000, Min: new(1.0), Max: new(1e6),
			Help: "requests that wait so at most, of all callers; they are served in turn, caller by caller"},
		{Key: "pool.auto_ban", Flat: "auto_ban_enabled", Env: []string{"AUTO_BAN"}, Type: Bool, Default: true,
			Help: "switch a credential off when Google refuses it for good; false lets it rest for 30 minutes instead, unless its sign-in is dead or Google has banned it"},
		{Key: "pool.auto_ban_error_codes", Flat: "auto_ban_error_codes", Env: []string{"AUTO_BAN_ERROR_CODES"}, Type: IntList, Default: []int{403}, Min: new(400.0), Max: new(599.0), Check: checkBans,
			Help: "HTTP status codes that are such a refusal where Google gives no reason that the gateway knows; what is known has a row of its own (GET /creds/rules). 400 is the client's fault and not allowed"},
		{Key: "pool.shared", Type: Table, Help: "models that draw on one quota"},
		{Key: "pool.rule", Type: Tables, Help: "what errors of Google mean, before the built-in table"},
		{Key: "pool.auto_load_env_creds", Flat: "auto_load_env_creds", Env: []string{"AUTO_LOAD_ENV_CREDS"}, Type: Bool, Default: false, AfterRestart: true,
			Help: "true reads the credentials in the environment variables GCLI_CREDS_* at start; those in GOOGLE_CREDENTIALS and GOOGLE_CREDENTIALS_n are always read"},
		{Key: "pool.env_creds_exclusive", Env: []string{"ENV_CREDS_EXCLUSIVE"}, Type: String, Default: "auto", OneOf: []string{"auto", "always", "never"},
			Help: "whether credentials of the environment that were read keep those of the folder out of use; auto: those that are read at the start by themselves do"},
		{Key: "pool.daily_reset", Env: []string{"DAILY_RESET"}, Type: String, Default: "07:00", Check: checkTimeOfDay,
			Help: "time of day, in UTC, at which the daily counters of a credential begin anew"},
		{Key: "pool.daily_limit_pro", Env: []string{"DAILY_LIMIT_PRO"}, Type: Int, Default: 100, Min: new(0.0),
			Help: "calls of gemini-2.5-pro a day that a credential is believed to have, unless it was given a limit of its own"},
		{Key: "pool.daily_limit_total", Env: []string{"DAILY_LIMIT_TOTAL"}, Type: Int, Default: 1000, Min: new(0.0),
			Help: "the same for calls of all models"},
		{Key: "pool.enforce_limits", Env: []string{"ENFORCE_LIMITS"}, Type: Bool, Default: false,
			Help: "true leaves a credential out until the daily reset when it is at a limit: for Pro models, or for all; false only shows the limits"},
		{Key: "pool.quota_refresh", Env: []string{"QUOTA_REFRESH"}, Type: Duration, Default: "15m", Max: new(86400.0),
			Help: "how often Google is asked what is left for the accounts in use; a hint for the choice of credentials, 0 is never"},
	}
}

// poolExample begins each line with a space: nobody should share quotas by uncommenting everything.
const poolExample = ` Models that draw on one quota: when it is used up, all of them rest. A name of your own = the models.
 [pool.shared]
 pro = ["gemini-2.5-pro", "gemini-3.1-pro-preview"]

 What an error of Google means: the first rule that fits counts, before the built-in table.
 pass: to the client, at once; next: another credential; retry: once more, then another one;
 rest: the model rests on the credential; rest-all: the credential rests; ban: it is switched off;
 break: Google is in trouble, and no credential is to blame.
 [[pool.rule]]
 name = "proxy page"   # shown by GET /creds/rules
 status = [403, 429]   # HTTP status, or a list of them
 text = "blocked by the proxy"   # part of the message, in any case
 reason = "SOME_REASON"   # of Google's error details
 model = "gemini-*-pro"   # "*" stands for any text
 kind = "codeassist"   # of credentials: codeassist, gemini, vertex
 action = "rest"   # pass, next, retry, rest, rest-all, ban or break
 for = "10m"   # with rest and rest-all only
`

// checkBans: a client that sends nonsense must not be able to switch off every credential.
func checkBans(value any) error {
	if slices.Contains(value.([]int), 400) {
		return errors.New("must not name 400: it is the client's own mistake, and would ban every credential in turn")
	}
	return nil
}

func googleParams() []Param {
	address := func(name, env, flat, value, help string) Param {
		return Param{Key: "google." + name, Flat: flat, Env: []string{env}, Type: URL, Default: value, Help: help}
	}
	return []Param{
		address("oauth_proxy_url", "OAUTH_PROXY_URL", "oauth_proxy_url", "https://oauth2.googleapis.com", "tokens: code exchange and refresh"),
		address("oauth_auth_url", "OAUTH_AUTH_URL", "", "https://accounts.google.com/o/oauth2/v2/auth", "the sign-in page"),
		address("googleapis_proxy_url", "GOOGLEAPIS_PROXY_URL", "googleapis_proxy_url", "https://www.googleapis.com", "e-mail of an account"),
		address("resource_manager_api_url", "RESOURCE_MANAGER_API_URL", "resource_manager_api_url", "https://cloudresourcemanager.googleapis.com", "projects of an account"),
		address("service_usage_api_url", "SERVICE_USAGE_API_URL", "service_usage_api_url", "https://serviceusage.googleapis.com", "switches the needed APIs of a project on"),
		address("metadata_service_url", "METADATA_SERVICE_URL", "metadata_service_url", "http://metadata.google.internal", "project of the machine, inside Google's cloud; asked only where this is set"),
		address("code_assist_endpoint", "CODE_ASSIST_ENDPOINT", "code_assist_endpoint", "https://cloudcode-pa.googleapis.com", "Code Assist: calls with Gemini CLI credentials"),
		address("gemini_api_base_url", "GEMINI_API_BASE_URL", "", "https://generativelanguage.googleapis.com", "Gemini API: calls with API keys"),
		address("vertex_base_url", "VERTEX_BASE_URL", "", "https://aiplatform.googleapis.com", "Vertex AI; Google's own becomes the host of the location below"),
		{Key: "google.vertex_location", Env: []string{"VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION"}, Type: String, Default: "global", Check: checkLocation,
			Help: "where service accounts call Vertex AI: global, us, eu, or a region such as europe-west4; previews from Gemini 3 on are asked for in global all the same"},
		{Key: "google.oauth_client_id", Env: []string{"OAUTH_CLIENT_ID", "GCLI_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_ID"}, Type: String, Min: new(1.0),
			Default: "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com",
			Help:    "OAuth client for sign-in, and for credential files that name none; the default is Gemini CLI's public one"},
		{Key: "google.oauth_client_secret", Env: []string{"OAUTH_CLIENT_SECRET", "GCLI_OAUTH_CLIENT_SECRET", "GOOGLE_OAUTH_CLIENT_SECRET"}, Type: String, Default: "", Secret: true,
			Help: "secret of that client; none is built in"},
		{Key: "google.oauth_callback_port", Flat: "oauth_callback_port", Env: []string{"OAUTH_CALLBACK_PORT"}, Type: Int, Default: 0, Min: new(0.0), Max: new(65535.0), AfterRestart: true,
			Help: "second port to which Google sends the browser back after signing in; 0 is none: the gateway's own port"},
		{Key: "google.user_agent", Env: []string{"GCLI_USER_AGENT"}, Type: String, Min: new(1.0),
			Default: "GeminiCLI/0.56.0/{model} ({platform}; {arch}; terminal)", Check: checkUserAgent,
			Help: "User-Agent of Code Assist calls; {model}, {platform} and {arch} are filled in"},
	}
}

func outboundParams() []Param {
	return []Param{
		{Key: "outbound.proxy", Flat: "proxy", Env: []string{"PROXY"}, Type: URL, Default: "", OneOf: []string{"http", "https", "socks5", "socks5h"},
			Help: "proxy for every call to the outside"},
		{Key: "outbound.connect_timeout", Env: []string{"UPSTREAM_CONNECT_TIMEOUT"}, Type: Duration, Default: "10s", Min: new(0.1), Max: new(300.0),
			Help: "time to connect, TLS included"},
		{Key: "outbound.first_byte_timeout", Env: []string{"UPSTREAM_FIRST_BYTE_TIMEOUT"}, Type: Duration, Default: "300s",
			Help: "how long Google may think before it says anything; 0 is no limit"},
		{Key: "outbound.idle_timeout", Env: []string{"UPSTREAM_IDLE_TIMEOUT"}, Type: Duration, Default: "120s",
			Help: "how long an answer may fall silent in the middle; 0 is no limit"},
		{Key: "outbound.total_timeout", Env: []string{"UPSTREAM_TOTAL_TIMEOUT"}, Type: Duration, Default: "0s",
			Help: "how long one call may take in all; 0 is no limit"},
		{Key: "outbound.max_conns_per_host", Type: Int, Default: 10000, Min: new(1.0), Max: new(1e6),
			Help: "connections to one of Google's hosts at a time; a running stream holds one"},
		{Key: "outbound.image_fetch", Env: []string{"IMAGE_FETCH"}, Type: Bool, Default: true,
			Help: "fetches pictures that a request names by an http or https address, from public addresses only; false answers such a request with 400"},
		{Key: "outbound.image_fetch_allow", Env: []string{"IMAGE_FETCH_ALLOW"}, Type: StringList, Default: []string{},
			Help: "addresses and ranges (10.1.0.0/16) that pictures may be fetched from although they are not public"},
	}
}

func logParams() []Param {
	return []Param{
		{Key: "log.level", Flat: "log_level", Env: []string{"LOG_LEVEL"}, Type: String, Default: "info",
			OneOf: []string{"debug", "info", "warning", "error", "critical"}, Help: "least important lines that are logged"},
		{Key: "log.file", Flat: "log_file", Env: []string{"LOG_FILE"}, Type: Path, Default: "gcli2api.log", AfterRestart: true,
			Help: "file that gets every line as well; empty for none"},
		{Key: "log.format", Env: []string{"LOG_FORMAT"}, Type: String, Default: "text", OneOf: []string{"text", "json"}, AfterRestart: true,
			Help: "form of a line"},
	}
}

// checkLocation keeps a location to what can stand in the name of a host.
func checkLocation(value any) error {
	if !regexp.MustCompile(`^[a-z]+(-[a-z]+[0-9]{1,2})?$`).MatchString(value.(string)) {
		return errors.New("must be a location of Vertex AI, such as global, eu or us-central1")
	}
	return nil
}

// checkUserAgent keeps a template from breaking the header or carrying a name that is never
// filled in.
func checkUserAgent(value any) error {
	template := value.(string)
	if strings.ContainsFunc(template, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("must be printable ASCII, as a header is")
	}
	for _, name := range regexp.MustCompile(`\{[^}]*\}?`).FindAllString(template, -1) {
		if name != "{model}" && name != "{platform}" && name != "{arch}" {
			return errors.New("must use no other places than {model}, {platform} and {arch}")
		}
	}
	return nil
}
