package pool

import "gcli2api/pipeline/config"

// SettingsOf reads the settings of the pool, which Check has passed.
func SettingsOf(c *config.Snapshot) Settings {
	rules, shared, _ := tables(c)
	return Settings{CallsPerRotation: c.Int("pool.calls_per_rotation"), APIKeys: c.Strings("pool.gemini_api_keys"), VertexKeys: c.Strings("pool.vertex_api_keys"),
		AutoBan: c.Bool("pool.auto_ban"), AutoBanCodes: c.Ints("pool.auto_ban_error_codes"),
		Rotation: c.String("pool.rotation"), AccountConcurrency: c.Int("pool.account_concurrency"), KeyConcurrency: c.Int("pool.key_concurrency"),
		QueueWait: c.Duration("pool.queue_wait"), QueueLength: c.Int("pool.queue_length"),
		EnvExclusive: c.String("pool.env_creds_exclusive"),
		DailyPro:     int64(c.Int("pool.daily_limit_pro")), DailyTotal: int64(c.Int("pool.daily_limit_total")),
		DailyReset: config.TimeOfDay(c.String("pool.daily_reset")), EnforceLimits: c.Bool("pool.enforce_limits"),
		QuotaRefresh: c.Duration("pool.quota_refresh"), Rules: rules, Shared: shared}
}
