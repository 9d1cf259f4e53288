package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Completion is what somebody hands in to end a sign-in.
type Completion struct {
	Returned        // without a code: the one that the browser came back with
	From     string // client address
	Project  string // explicit, "" for what the sign-in was begun with
	All      bool   // a credential for every project of the account
	Operator bool   // the operator asks: the secret of the OAuth client is no secret to them
	Owner    string // secret of who began the sign-in, if this is them
	Ask      bool   // which of several projects is left to the person; else the likely one is taken

	// Import takes a credential file into the pool and gives its name there. The error is for the
	// operator and holds no secret.
	Import func(name string, data []byte) (file string, err error)
}

// SignedIn is a sign-in that has ended well.
type SignedIn struct {
	Email   string
	Project string
	Name    string // of the project, where it is known
	File    string
	Tier    string
	Auto    bool   // the project was found, not named
	Secret  []byte // the credential as JSON, tokens included; nil where neither who began the sign-in nor the operator asks
	Other   bool   // who began it asks, but somebody else signed in

	Several       bool // there is one for each of several projects; then all above but Email is empty
	Success, Lost []ProjectDone
}

// ProjectDone is what became of one of several projects.
type ProjectDone struct {
	ID    string `json:"project_id"`
	Name  string `json:"project_name"`
	File  string `json:"file_path,omitempty"`
	Error string `json:"error,omitempty"`
}

// Complete ends a sign-in: the code is exchanged, the project found, the credential taken into the
// pool. A *SignInError that has Manual, Choices or Link leaves the sign-in open for an answer with the
// same state, and so does trouble of the moment.
func (s *SignIns) Complete(ctx context.Context, in Completion) (SignedIn, *SignInError) {
	ctx, cancel := context.WithTimeout(ctx, completing)
	defer cancel()
	if why := CheckProject(in.Project); why != "" {
		return SignedIn{}, wrong(why)
	}
	f, fail := s.claim(ctx, in)
	if fail != nil {
		return SignedIn{}, fail
	}
	if f.Denied != "" && f.Code == "" && f.Grant == nil {
		return SignedIn{}, s.gaveUp(ctx, f, in)
	}
	if f.Grant == nil {
		if fail := s.redeem(ctx, f, in); fail != nil {
			return SignedIn{}, fail
		}
	}
	done, fail := s.settle(ctx, f, in)
	// What comes of it has to be written although the time may be over.
	last, enough := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer enough()
	if fail != nil {
		f.Busy = time.Time{}
		if gone := s.put(last, f); gone != nil {
			return SignedIn{}, gone
		}
		return SignedIn{}, fail
	}
	s.over(last, f)
	if f.Project != "" {
		s.noteProject(last, f, true)
	}
	return done, nil
}

// gaveUp ends a sign-in that Google sent back without a code.
func (s *SignIns) gaveUp(ctx context.Context, f *flow, in Completion) *SignInError {
	if _, fail := s.try(ctx, in.From); fail != nil {
		f.Busy = time.Time{}
		if gone := s.put(ctx, f); gone != nil {
			return gone
		}
		return fail // it keeps its place until its time
	}
	s.over(ctx, f)
	return denied(f.Denied)
}

// claim takes a sign-in for this request alone, with the code that it brings.
func (s *SignIns) claim(ctx context.Context, in Completion) (*flow, *SignInError) {
	f, fail := s.find(ctx, in.State)
	if fail != nil {
		return nil, fail
	}
	if s.c.o.Now().Before(f.Busy) {
		return nil, &SignInError{Status: http.StatusConflict, Says: "this sign-in is being completed by another request"}
	}
	if f.Grant == nil && in.Code != "" {
		if fail := in.check(); fail != nil {
			return nil, fail
		}
		f.Code, f.Page, f.Denied, f.Other = in.Code, in.CodePage, "", !f.ownedBy(in.Owner)
	}
	if in.Denied != "" {
		f.Denied = in.Denied
	}
	if f.Code == "" && f.Denied == "" && f.Grant == nil {
		return nil, late()
	}
	f.Busy = s.c.o.Now().Add(completing)
	return f, s.put(ctx, f)
}

// redeem exchanges the code and keeps the tokens with the sign-in, for whatever comes next. How many
// codes an address may try in vain is limited.
func (s *SignIns) redeem(ctx context.Context, f *flow, in Completion) *SignInError {
	try, fail := s.try(ctx, in.From)
	again := true
	if fail == nil {
		redirect := f.Redirect
		if f.Page {
			redirect = CodePage
		}
		var got grant
		if got, again, fail = s.exchange(ctx, f, f.Code, redirect); fail == nil {
			f.Grant, f.Code = &got, ""
			s.free(ctx, try)
			return s.put(ctx, f)
		}
		if again {
			s.free(ctx, try) // it is not their fault
		}
	}
	if !again {
		f.Code = ""
		f.Failed++
	}
	if f.Failed >= maxFailed {
		s.over(ctx, f)
		return fail
	}
	f.Busy = time.Time{}
	if gone := s.put(ctx, f); gone != nil {
		return gone
	}
	return fail
}

// settle finds the project, or several, and hands the credential over.
func (s *SignIns) settle(ctx context.Context, f *flow, in Completion) (SignedIn, *SignInError) {
	g := f.Grant
	if g.Email == "" { // it is shown only: a sign-in without it is as good
		g.Email, _ = s.c.UserInfo(ctx, g.Access)
	}
	named := first(in.Project, f.Project)
	if named == "" && (in.All || f.All) {
		return s.several(ctx, f, in)
	}
	found, err := s.project(ctx, g.Access, named, in.Ask)
	if err != nil {
		return SignedIn{}, s.notFound(err)
	}
	file, err := s.takeOver(f, in, found.Project)
	if err != nil {
		return SignedIn{}, &SignInError{Status: http.StatusInternalServerError, Says: err.Error()}
	}
	s.c.o.Log.Info("signed in", "file", file, "project", found.Project, "tier", found.Tier)
	done := SignedIn{Email: g.Email, Project: found.Project, File: file, Tier: found.Tier, Auto: named == ""}
	if own := f.ownedBy(in.Owner); in.Operator || own && !f.Other {
		done.Secret = s.forPerson(f, in, found.Project)
	} else {
		done.Other = own
	}
	return done, nil
}

// project finds the project, or judges the one that was named, and switches on what is needed there.
func (s *SignIns) project(ctx context.Context, token, named string, ask bool) (Found, error) {
	if named != "" {
		s.enable(ctx, token, named) // else Google may refuse to look at it
	}
	found, err := discovery{c: s.c, ctx: ctx, token: token, ask: ask}.find(named)
	if named != "" && said(err).Reason == "SERVICE_DISABLED" {
		return Found{Project: named}, nil // it takes some minutes to be on
	}
	if err == nil && found.Project != named {
		s.enable(ctx, token, found.Project)
	}
	return found, err
}

// takeOver makes a file of the credential for a project and hands it to the pool.
func (s *SignIns) takeOver(f *flow, in Completion, project string) (string, error) {
	file, err := in.Import(s.names.of(project, s.c.o.Now()), s.layout(f, project, s.c.settings().ClientSecret, false))
	if err != nil {
		s.c.o.Log.Error("the credential of a sign-in could not be taken over", "project", project, "error", err)
		return "", errors.New("signed in, but the credential could not be taken over: the log of the gateway says why")
	}
	return file, nil
}

// enable switches on what Code Assist needs in a project. Many users may not, and need not.
func (s *SignIns) enable(ctx context.Context, token, project string) {
	for _, name := range []string{service(CodeAssist), assistService} {
		if err := s.c.enableService(ctx, token, project, name); err != nil {
			s.c.o.Log.Info("a service could not be enabled", "project", project, "service", name, "error", err)
		}
	}
}

// notFound says why there is no project, and what the person can do.
func (s *SignIns) notFound(err error) *SignInError {
	var several *choice
	if errors.As(err, &several) {
		return &SignInError{Status: http.StatusBadRequest, Says: several.Error() + ": answer with its project_id", Choices: several.projects}
	}
	var why *DiscoverError
	if !errors.As(err, &why) {
		return &SignInError{Status: http.StatusBadGateway, Says: "the project of the account could not be looked for: try again"}
	}
	s.c.o.Log.Warn("no project was found for a sign-in", "reason", why.Reason)
	fail := &SignInError{Status: http.StatusBadRequest, Says: first(why.Says, why.Reason), Manual: why.Manual}
	if u, err := url.Parse(why.Link); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		fail.Link = why.Link
	}
	switch {
	case why.Manual:
		fail.Says += ": answer with the project_id of a Google Cloud project of yours that Gemini Code Assist is licensed for"
	case fail.Link != "":
		fail.Says += ": open the link, then try again"
	case why.cause != nil && passing(why.cause):
		fail.Status, fail.Says = http.StatusBadGateway, fail.Says+": try again"
	}
	return fail
}

// forPerson is the credential as who signed in gets it. The secret of the public client is in it, that of
// an operator's own client only for the operator.
func (s *SignIns) forPerson(f *flow, in Completion, project string) []byte {
	secret := s.c.settings().ClientSecret
	if f.ClientID != OfficialClientID && !in.Operator {
		secret = ""
	}
	return s.layout(f, project, secret, true)
}

// layout is the credential in the form of the old product, which most tools read. whole is for the person
// who signed in; the file of the folder has no access token.
func (s *SignIns) layout(f *flow, project, clientSecret string, whole bool) []byte {
	g := f.Grant
	out := struct {
		ClientID     string   `json:"client_id"`
		ClientSecret string   `json:"client_secret,omitempty"`
		Token        string   `json:"token,omitempty"`
		AccessToken  string   `json:"access_token,omitempty"`
		RefreshToken string   `json:"refresh_token"`
		Scopes       []string `json:"scopes"`
		TokenURI     string   `json:"token_uri"`
		Project      string   `json:"project_id"`
		Expiry       string   `json:"expiry,omitempty"`
		Email        string   `json:"email,omitempty"`
	}{ClientID: f.ClientID, ClientSecret: clientSecret, RefreshToken: g.Refresh, Scopes: g.Scopes,
		TokenURI: "https://oauth2.googleapis.com/token", Project: project, Email: g.Email}
	if whole {
		out.Token, out.AccessToken = g.Access, g.Access
		out.Expiry = g.Expiry.UTC().Format("2006-01-02T15:04:05+00:00")
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("oauth: a credential cannot be written: %v", err)) // there is nothing but text in it
	}
	return data
}
