package outbound

import (
	"fmt"
	"strings"

	"gcli2api/pipeline/config"
)

// SettingsOf reads the [outbound] table.
func SettingsOf(c *config.Snapshot) Settings {
	return Settings{
		Proxy:           c.String("outbound.proxy"),
		Connect:         c.Duration("outbound.connect_timeout"),
		FirstByte:       c.Duration("outbound.first_byte_timeout"),
		Idle:            c.Duration("outbound.idle_timeout"),
		Total:           c.Duration("outbound.total_timeout"),
		MaxConnsPerHost: c.Int("outbound.max_conns_per_host"),
		ImageFetch:      c.Bool("outbound.image_fetch"),
		ImageFetchAllow: c.Strings("outbound.image_fetch_allow"),
	}
}

// EndpointsOf reads the addresses of the [google] table.
func EndpointsOf(c *config.Snapshot) Endpoints {
	return Endpoints{
		CodeAssist:      c.String("google.code_assist_endpoint"),
		Gemini:          c.String("google.gemini_api_base_url"),
		Vertex:          c.String("google.vertex_base_url"),
		OAuthToken:      c.String("google.oauth_proxy_url"),
		OAuthAuth:       c.String("google.oauth_auth_url"),
		GoogleAPIs:      c.String("google.googleapis_proxy_url"),
		ResourceManager: c.String("google.resource_manager_api_url"),
		ServiceUsage:    c.String("google.service_usage_api_url"),
		Metadata:        c.String("google.metadata_service_url"),
	}
}

// Check says what of these settings New and Validate would refuse, and where it is written.
func Check(c *config.Snapshot) error {
	if _, err := EndpointsOf(c).Validate(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":") // it begins with the key
		return fmt.Errorf("%s: google.%w", c.Place("google."+key), err)
	}
	if _, err := parseProxy(c.String("outbound.proxy")); err != nil {
		return fmt.Errorf("%s: outbound.%w", c.Place("outbound.proxy"), err)
	}
	if _, err := parseRanges(c.Strings("outbound.image_fetch_allow")); err != nil {
		return fmt.Errorf("%s: outbound.%w", c.Place("outbound.image_fetch_allow"), err)
	}
	return nil
}
