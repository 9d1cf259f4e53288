package console

import (
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// stars stand for a secret that there is.
const stars = "***"

// detailView is all that is known of one credential.
type detailView struct {
	credView
	Rest       *restView           `json:"cooldown,omitempty"`
	Marks      map[string]markView `json:"models"`
	Strikes    int                 `json:"refusals_in_a_row"`
	Rejected   string              `json:"rejected_project,omitempty"`
	Finding    bool                `json:"looking_for_project,omitempty"`
	Refreshing bool                `json:"refreshing,omitempty"`
	Stale      bool                `json:"token_refused,omitempty"`
	RetryAt    float64             `json:"refresh_not_before,omitempty"`
	Siblings   []string            `json:"same_sign_in,omitempty"`
}

type restView struct {
	Since   float64 `json:"since,omitempty"`
	Until   float64 `json:"until,omitempty"`
	Guess   bool    `json:"guessed"`
	Code    string  `json:"code,omitempty"`
	Guesses int     `json:"guesses,omitempty"` // in a row
}

type markView struct {
	restView
	Cooling bool `json:"cooling"`
}

// detail shows one credential. Its secrets are stars: to have them whole is to download the file.
func (s Services) detail(c *fiber.Ctx) error {
	name := c.Query("filename")
	if name == "" {
		return refuse(c, fiber.StatusBadRequest, "filename is missing: /creds/detail?filename=...")
	}
	d, ok := s.Pool.Detail(name)
	if !ok {
		return refuse(c, fiber.StatusNotFound, "there is no such credential")
	}
	return c.JSON(detailOf(&d, s.lens()))
}

func detailOf(d *pool.Detail, l lens) detailView {
	v := detailView{credView: l.viewOf(&d.Status), Marks: map[string]markView{}, Strikes: d.Strikes, Rejected: d.Rejected,
		Finding: d.Finding, Refreshing: d.Refreshing, Stale: d.Stale, RetryAt: unix(d.RetryAt), Siblings: d.Siblings}
	for name, has := range map[string]bool{"api_key": d.Has.APIKey, "client_secret": d.Has.ClientSecret, "private_key": d.Has.PrivateKey,
		"refresh_token": d.Has.RefreshToken, "token": d.Has.AccessToken} {
		if has {
			v.Content[name] = stars
		}
	}
	if d.Rest != nil {
		v.Rest = new(restOf(*d.Rest))
	}
	for model, m := range d.Marks {
		v.Marks[model] = markView{restOf(m), m.Until.After(l.now)}
	}
	return v
}

func restOf(r pool.Rest) restView {
	return restView{unix(r.Since), unix(r.Until), r.Soft, string(r.Code), r.Guesses}
}
