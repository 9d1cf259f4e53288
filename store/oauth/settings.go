package oauth

import (
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/outbound"
)

// SettingsOf reads the settings of a configuration whose addresses were checked before.
func SettingsOf(c *config.Snapshot, userAgent string) Settings {
	where, _ := outbound.EndpointsOf(c).Validate() // a configuration with wrong ones never comes into force
	if c.Origin("google.metadata_service_url").Source == "" {
		where.Metadata = "" // nobody said that this machine is one of Google's
	}
	return Settings{Endpoints: where, UserAgent: userAgent,
		ClientID: c.String("google.oauth_client_id"), ClientSecret: c.String("google.oauth_client_secret")}
}
