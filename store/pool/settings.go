package pool

import "gcli2api/pipeline/config"

// SettingsOf reads the settings of the pool.
func SettingsOf(c *config.Snapshot) Settings {
	return Settings{CallsPerRotation: c.Int("pool.calls_per_rotation"), APIKeys: c.Strings("pool.gemini_api_keys"),
		AutoBan: c.Bool("pool.auto_ban"), AutoBanCodes: c.Ints("pool.auto_ban_error_codes"),
		EnvExclusive: c.String("pool.env_creds_exclusive"), QuotaRefresh: c.Duration("pool.quota_refresh")}
}
