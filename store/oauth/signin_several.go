package oauth

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

const (
	projectsAtOnce = 4   // looked at and imported at a time
	mostProjects   = 100 // of one sign-in
)

// several makes a credential for each project that the account sees.
func (s *SignIns) several(ctx context.Context, f *flow, in Completion) (SignedIn, *SignInError) {
	all, err := s.c.Projects(ctx, f.Grant.Access)
	switch {
	case err != nil && passing(err):
		return SignedIn{}, &SignInError{Status: http.StatusBadGateway, Says: "Google does not list the projects of the account at the moment: try again"}
	case err != nil || len(all) == 0:
		return SignedIn{}, &SignInError{Status: http.StatusBadRequest, Manual: true,
			Says: "no project of the account can be seen: answer with the project_id of a Google Cloud project of yours"}
	}
	done := make([]ProjectDone, len(all))
	room := make(chan struct{}, projectsAtOnce)
	var wg sync.WaitGroup
	for i, p := range all {
		if done[i] = (ProjectDone{ID: p.ID, Name: p.Name}); i >= mostProjects {
			done[i].Error = "the account has more projects than one sign-in takes over: sign in with project_id for it"
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			s.one(ctx, f, in, &done[i])
		})
	}
	wg.Wait()
	out := SignedIn{Email: f.Grant.Email, Several: true}
	for _, p := range done {
		if p.Error == "" {
			out.Success = append(out.Success, p)
		} else {
			out.Lost = append(out.Lost, p)
		}
	}
	s.c.o.Log.Info("signed in for all projects", "taken", len(out.Success), "failed", len(out.Lost))
	return out, nil
}

// one makes the credential of one of several projects, unless Google does not serve it.
func (s *SignIns) one(ctx context.Context, f *flow, in Completion, p *ProjectDone) {
	if _, err := s.project(ctx, f.Grant.Access, p.ID, false); err != nil {
		p.Error = "no project"
		var why *DiscoverError
		if errors.As(err, &why) {
			p.Error = first(why.Says, why.Reason)
		}
		return
	}
	file, err := s.takeOver(f, in, p.ID)
	if err != nil {
		p.Error = err.Error()
		return
	}
	p.File = file
}
