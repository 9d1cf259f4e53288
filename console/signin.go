package console

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/server"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// notice stands before the link (protocol 0.1).
const (
	notice = "Before you sign in: Google's documentation of Gemini CLI says that using its sign-in from other software, such as this gateway, " +
		"breaches Google's terms and may lead to the suspension of your account. Since 18 June 2026 it serves only holders of a Gemini Code Assist " +
		"Standard or Enterprise licence with their own Cloud project. An API key of Google AI Studio has no such clause."
	noticeZh = "登录之前请注意：Gemini CLI 的官方文档写明，用其他软件（例如本网关）借用它的登录违反 Google 的服务条款，可能导致账号被停用。" +
		"自 2026 年 6 月 18 日起，Google 只为持有 Gemini Code Assist Standard 或 Enterprise 许可并有自己的 Cloud 项目的账号服务。使用 Google AI Studio 的 API 密钥没有这一限制。"
)

// begun is the answer of /auth/start (behaviour 1.4.2); what has to be read first stands first.
type begun struct {
	Notice   string  `json:"notice"`
	NoticeZh string  `json:"notice_zh"`
	AuthURL  string  `json:"auth_url"`
	State    string  `json:"state"`
	Auto     bool    `json:"auto_project_detection"`
	Detected *string `json:"detected_project_id"`
	All      bool    `json:"get_all_projects"`
	Port     int     `json:"callback_port"`
	Redirect string  `json:"redirect_uri"`
	CodeURL  string  `json:"code_page_url"`
	Expires  int     `json:"expires_in"`
}

// signInBody is what the three routes take, each its part.
type signInBody struct {
	State   string `json:"state"`
	Code    string `json:"code"`
	URL     string `json:"callback_url"`
	Project string `json:"project_id"`
	All     bool   `json:"get_all_projects"`
	Hint    string `json:"login_hint"`
}

// signInRequest reads the body; an empty one stands for {}. Pages of other sites have no business here:
// what they can do is use up the places of the visitor.
func (s Services) signInRequest(c *fiber.Ctx) (in signInBody, ok bool, err error) {
	if s.SignIn == nil {
		return in, false, refuse(c, fiber.StatusServiceUnavailable, "this gateway does not let anybody sign in")
	}
	if foreignPage(c) {
		return in, false, refuse(c, fiber.StatusForbidden, "a page of another site asks for this; a page of this gateway sends its JSON as application/json")
	}
	body, err := smallBody(c)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return in, false, refuse(c, fiber.StatusBadRequest, misread(err))
	}
	in.State, in.Code = strings.TrimSpace(in.State), strings.TrimSpace(in.Code)
	return in, true, nil
}

// misread says what is wrong with a small body that was not taken, and where.
func misread(err error) string {
	var member *json.UnmarshalTypeError
	switch {
	case errors.Is(err, server.ErrUploadTooLarge):
		return "the body is longer than " + strconv.Itoa(maxSmall>>10) + " KB"
	case errors.As(err, &member) && member.Field != "" && member.Type.Kind() == reflect.Bool:
		return strconv.Quote(member.Field) + " must be true or false"
	case errors.As(err, &member) && member.Field != "":
		return strconv.Quote(member.Field) + " must be a text"
	}
	return `the body must be a JSON object, such as {"state": "..."}, or empty`
}

// foreignPage tells a request of a page of another site. Browsers say so themselves, but not to a
// gateway without TLS in the local network; then it is told by the type of the body: what a page may
// send elsewhere without asking first is never application/json.
func foreignPage(c *fiber.Ctx) bool {
	if strings.EqualFold(c.Get("Sec-Fetch-Site"), "cross-site") {
		return true
	}
	kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)) // "" for what cannot be read
	return c.Get(fiber.HeaderOrigin) != "" && kind != fiber.MIMEApplicationJSON
}

// startSignIn begins a sign-in.
func (s Services) startSignIn(c *fiber.Ctx) error {
	in, ok, err := s.signInRequest(c)
	if !ok {
		return err
	}
	ctx, cancel := within(c, 30*time.Second)
	defer cancel()
	redirect, port := s.Landing.redirect(string(c.Context().Host()))
	got, fail := s.SignIn.Start(ctx, oauth.Begin{From: peerOf(c), Redirect: redirect, Project: in.Project, Hint: in.Hint, All: in.All})
	if fail != nil {
		return signInFailed(c, "", fail)
	}
	setCookie(c, got)
	s.changes(c, in.Project, nil, map[string]any{"sign_in": "begun", "all_projects": in.All})
	out := begun{Notice: notice, NoticeZh: noticeZh, AuthURL: got.AuthURL, State: got.State, Auto: in.Project == "", All: in.All,
		Port: port, Redirect: redirect, CodeURL: got.CodeURL, Expires: int(got.ExpireIn / time.Second)}
	if in.Project != "" {
		out.Detected = &in.Project
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	text := json.NewEncoder(c)
	text.SetEscapeHTML(false) // people copy the links out of this
	return text.Encode(out)
}

// maxWait is how long /auth/callback waits for the browser.
const maxWait = 60 * time.Second

// awaitSignIn ends the sign-in of a state, or of this browser, when its browser has come back
// (behaviour 1.4.3).
func (s Services) awaitSignIn(c *fiber.Ctx) error {
	in, ok, err := s.signInRequest(c)
	if !ok {
		return err
	}
	ctx, cancel := within(c, maxWait)
	defer cancel()
	if in.State == "" {
		in.State = s.ownSignIn(ctx, c)
	}
	if in.State == "" {
		return refuse(c, fiber.StatusBadRequest, `"state" is missing: send the one that /auth/start gave, or begin in this browser`)
	}
	if in.Code == "" {
		if fail := s.SignIn.Wait(ctx, in.State); fail != nil {
			return signInFailed(c, in.State, fail)
		}
	}
	return s.completeSignIn(c, oauth.Completion{Ask: true, Project: in.Project, All: in.All,
		Returned: oauth.Returned{State: in.State, Code: in.Code, CodePage: in.Code != ""}})
}

// pasteSignIn ends a sign-in with the address that its browser ended on, or with the code of Google's
// code page (behaviour 1.4.4).
func (s Services) pasteSignIn(c *fiber.Ctx) error {
	in, ok, err := s.signInRequest(c)
	if !ok {
		return err
	}
	r := oauth.Returned{State: in.State, Code: in.Code, CodePage: true}
	if in.Code == "" {
		var fail *oauth.SignInError
		if r, fail = oauth.ParseReturned(in.URL); fail != nil {
			return signInFailed(c, in.State, fail)
		}
	} else if in.State == "" {
		return refuse(c, fiber.StatusBadRequest, `a bare "code" needs the "state" that /auth/start gave`)
	}
	return s.completeSignIn(c, oauth.Completion{Returned: r, Project: in.Project, All: in.All})
}

// completeSignIn answers with what became of it. The credential itself goes to who began the sign-in
// and to the operator; anybody else who completes one learns what was taken in, and no secret.
func (s Services) completeSignIn(c *fiber.Ctx, in oauth.Completion) error {
	ctx := context.Background() // a code works once: who leaves now finds the credential taken in
	in.From, in.Import = peerOf(c), s.importSignIn
	in.Operator, in.Owner = s.known(c) != "", cookieOf(c, in.State)
	done, fail := s.SignIn.Complete(ctx, in)
	c.Set(fiber.HeaderCacheControl, "no-store")
	if fail != nil {
		return signInFailed(c, in.State, fail)
	}
	dropCookie(c, in.State)
	s.changes(c, done.File, nil, signedInSaid(&done))
	if s.Kept != nil {
		if err := s.Kept(ctx); err != nil {
			s.Log.Error("what a sign-in brought is not durable", "error", err)
		}
	}
	if done.Several {
		return severalSignedIn(c, done)
	}
	out := fiber.Map{"file_path": done.File, "project_id": done.Project, "user_email": done.Email, "message": "signed in: the credential is in use",
		"auto_detected_project": done.Auto}
	if done.Tier != "" {
		out["tier"] = done.Tier
	}
	switch {
	case done.Secret != nil:
		out["credentials"] = json.RawMessage(done.Secret)
	case done.Other:
		out["message"] = "signed in: the credential is in use; it is not shown here, because another browser than this one came back from Google"
	}
	return c.JSON(out)
}

func severalSignedIn(c *fiber.Ctx, done oauth.SignedIn) error {
	list := func(of []oauth.ProjectDone) []oauth.ProjectDone { return append([]oauth.ProjectDone{}, of...) }
	out := fiber.Map{"multiple_credentials": fiber.Map{"success": list(done.Success), "failed": list(done.Lost)}, "user_email": done.Email,
		"message": strconv.Itoa(len(done.Success)) + " of " + strconv.Itoa(len(done.Success)+len(done.Lost)) + " projects are in use"}
	if len(done.Success) == 0 {
		out["error"] = "none of the projects can be used"
		c.Status(fiber.StatusBadRequest)
	}
	return c.JSON(out)
}

// importSignIn takes a credential into the pool.
func (s Services) importSignIn(name string, data []byte) (string, error) {
	in, err := s.Pool.Import(pool.Offer{Name: name, Data: data})
	return in.File, err
}

// signInFailed answers with why a sign-in does not go on. Two kinds of answers have a form of their
// own (behaviour 1.4.3); the state in them is for the next try.
func signInFailed(c *fiber.Ctx, state string, fail *oauth.SignInError) error {
	if fail.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(fail.RetryAfter.Seconds()))))
	}
	out := fiber.Map{}
	if fail.Link != "" {
		out["validation_url"] = fail.Link
	}
	switch {
	case fail.Manual:
		out["error"], out["requires_manual_project_id"], out["state"] = fail.Says, true, state
	case fail.Choices != nil:
		out["error"], out["requires_project_selection"], out["state"] = fail.Says, true, state
		list := make([]fiber.Map, 0, len(fail.Choices))
		for _, p := range fail.Choices {
			list = append(list, fiber.Map{"projectId": p.ID, "name": p.Name, "projectNumber": p.Number})
		}
		out["available_projects"] = list
	default:
		out["detail"] = fail.Says
	}
	return c.Status(fail.Status).JSON(out)
}

// signInStatus tells how far the sign-in for a project is (behaviour 1.4.6).
func (s Services) signInStatus(c *fiber.Ctx) error {
	none := fiber.Map{"status": "not_found"}
	if s.SignIn == nil {
		return c.JSON(none)
	}
	ctx, cancel := within(c, 30*time.Second)
	defer cancel()
	project, err := url.PathUnescape(c.Params("project_id"))
	if err != nil {
		return c.JSON(none)
	}
	st, found, fail := s.SignIn.Status(ctx, project)
	switch {
	case fail != nil:
		return signInFailed(c, "", fail)
	case !found:
		return c.JSON(none)
	}
	word := map[bool]string{true: "completed", false: "pending"}[st.Done]
	return c.JSON(fiber.Map{"status": word, "state": st.State, "created_at": unix(st.Created)})
}

// within bounds a request by time, and by the end of the server.
func within(c *fiber.Ctx, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	stopping := c.Context().Done()
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
