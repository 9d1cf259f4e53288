package config

// keyParams are the settings of API keys; their prices by tokens stand with the stage quota.
func keyParams() []Param {
	return []Param{
		{Key: "keys.reveal", Env: []string{"REVEAL_KEYS"}, Type: Bool, Default: false,
			Help: "true keeps a copy of each new key, encrypted with secret_key, so that the panel can show it again"},
		{Key: "keys.secret_key", Env: []string{"SECRET_KEY"}, Type: String, Default: "", Secret: true, AfterRestart: true,
			Help: "what secrets are sealed with in the store and in credential files that the gateway writes, and copies of keys with reveal; at least 16 characters, better 64 random hex digits (openssl rand -hex 32)"},
		{Key: "keys.old_secret_keys", Env: []string{"OLD_SECRET_KEYS"}, Type: StringList, Default: []string{}, Secret: true, AfterRestart: true,
			Help: "earlier secret keys, to open what was sealed with them; rotate-secret seals it anew"},
		{Key: "keys.default_cost", Env: []string{"DEFAULT_COST"}, Type: Int, Default: 1, Min: new(0.0), Max: new(1e9),
			Help: "units that a call costs when neither the cost table nor the model's family says so"},
	}
}

// usageParams are how long is kept what was counted and written down.
func usageParams() []Param {
	return []Param{
		{Key: "usage.keep_hours", Env: []string{"USAGE_KEEP_HOURS"}, Type: Int, Default: 192, Min: new(24.0), Max: new(2232.0),
			Help: "hours whose figures are kept one by one; older ones by the day"},
		{Key: "usage.keep_days", Env: []string{"USAGE_KEEP_DAYS"}, Type: Int, Default: 92, Min: new(1.0), Max: new(3660.0),
			Help: "days whose figures are kept one by one; older ones in one sum"},
		{Key: "usage.keep_requests", Env: []string{"USAGE_KEEP_REQUESTS"}, Type: Duration, Default: "168h", Max: new(366.0 * 24 * 3600),
			Help: "how long the log of requests goes back, an hour at least; 0 keeps none"},
		{Key: "usage.keep_audit", Env: []string{"USAGE_KEEP_AUDIT"}, Type: Duration, Default: "8760h", Min: new(24.0 * 3600), Max: new(10.0 * 366 * 24 * 3600),
			Help: "how long the list of changes made in the panel goes back"},
	}
}
