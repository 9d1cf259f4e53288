package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strings"
	"time"

	"gcli2api/pipeline/server"
	"gcli2api/store/oauth"

	"github.com/gofiber/fiber/v2"
)

// cookiePrefix begins the name of the cookie that tells who began a sign-in; each sign-in has its own.
const cookiePrefix = "gcli2api_signin_"

func cookieName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return cookiePrefix + hex.EncodeToString(sum[:8])
}

func setCookie(c *fiber.Ctx, b oauth.Begun) {
	c.Cookie(&fiber.Cookie{Name: cookieName(b.State), Value: b.State + "." + b.Owner, Path: "/", MaxAge: int(b.ExpireIn.Seconds()),
		HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Secure: c.Secure()})
}

func dropCookie(c *fiber.Ctx, state string) {
	if c.Cookies(cookieName(state)) != "" {
		c.Cookie(&fiber.Cookie{Name: cookieName(state), Path: "/", MaxAge: -1, Expires: time.Unix(1, 0), HTTPOnly: true,
			SameSite: fiber.CookieSameSiteLaxMode, Secure: c.Secure()})
	}
}

// cookieOf is the secret that this browser has of a sign-in, "" for none.
func cookieOf(c *fiber.Ctx, state string) string {
	of, secret, _ := strings.Cut(c.Cookies(cookieName(state)), ".")
	if of != state {
		return ""
	}
	return secret
}

// mostCookies is how many sign-ins of one browser are looked at: it cannot have more that are open.
const mostCookies = 8

// ownSignIn is the state of an open sign-in that this browser began; of several the last in its cookies.
func (s Services) ownSignIn(ctx context.Context, c *fiber.Ctx) (state string) {
	seen := 0
	c.Request().Header.VisitAllCookie(func(name, value []byte) {
		if seen >= mostCookies || !strings.HasPrefix(string(name), cookiePrefix) {
			return
		}
		seen++
		of, secret, _ := strings.Cut(string(value), ".")
		if string(name) == cookieName(of) && s.SignIn.Owns(ctx, of, secret) {
			state = of
		}
	})
	return state
}

// peerOf is the client that limits are held against. IPv6 gives everybody a whole network, so that counts
// as one.
func peerOf(c *fiber.Ctx) string {
	ip := server.PeerOf(c.Context())
	if ip.To4() == nil {
		ip = ip.Mask(net.CIDRMask(64, 128))
	}
	return ip.String()
}
