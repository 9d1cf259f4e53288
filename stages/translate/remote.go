package translate

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"sync"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Pictures gets what clients name by address.
type Pictures interface {
	FetchImage(ctx context.Context, address string) (outbound.Picture, *apierror.Error)
}

const (
	mostPictures = 16       // a request may name so many
	mostFetched  = 20 << 20 // bytes of all pictures of a request together: Google takes no larger one
	fetchers     = 4        // of one request at a time
	mostFetchers = 16       // of all requests at a time: each may hold a whole picture
)

// remote is a part of the hub request that names a picture.
type remote struct {
	from, to int // its place in the request
	address  string
	picture  outbound.Picture
	fail     *apierror.Error
}

// inline puts the pictures that a rewritten request names into it.
func (s *stage) inline(x *pipeline.Exchange, hub []byte) ([]byte, *apierror.Error) {
	list := remotes(hub)
	switch {
	case len(list) == 0:
		return hub, nil
	case len(list) > mostPictures:
		return nil, blame(x, &list[mostPictures], apierror.Newf(apierror.BadRequest, "the request names %d remote pictures, and at most %d are fetched for one", len(list), mostPictures))
	case s.pictures == nil:
		return nil, blame(x, &list[0], apierror.New(apierror.BadRequest, "remote pictures are not fetched by this gateway: send them as data:<mime>;base64,<data>"))
	}
	s.fetchOnce(x, list)
	size := len(hub)
	for i := range list {
		if f := list[i].fail; f != nil {
			return nil, blame(x, &list[i], f)
		}
		size += base64.StdEncoding.EncodedLen(len(list[i].picture.Data)) + 64
	}
	out, from := make([]byte, 0, size), 0
	for i := range list {
		r := &list[i]
		out = append(out, hub[from:r.from]...)
		out = append(append(out, `{"inlineData":{"mimeType":"`...), r.picture.MIME...)
		out = base64.StdEncoding.AppendEncode(append(out, `","data":"`...), r.picture.Data)
		out, from = append(out, `"}}`...), r.to
	}
	return append(out, hub[from:]...), nil
}

// remotes finds the parts that Draft.Remote has written.
func remotes(hub []byte) (list []remote) {
	for turns := wire.ArrayOf(wire.Get(hub, "contents")); turns.Next(); {
		for parts := wire.ArrayOf(wire.Get(turns.Value, "parts")); parts.Next(); {
			if !bytes.Contains(parts.Value, []byte(`"fileData"`)) {
				continue
			}
			if p := gemini.PartOf(parts.Value); p.FileData != nil {
				address, _ := wire.Text(wire.Get(p.FileData, "fileUri"))
				from := cap(hub) - cap(parts.Value) // all slices of hub end where its memory ends
				list = append(list, remote{from: from, to: from + len(parts.Value), address: address})
			}
		}
	}
	return list
}

type fetchedKey struct{}

// fetchOnce keeps the pictures where the request may be made again for a fallback, and has them then.
func (s *stage) fetchOnce(x *pipeline.Exchange, list []remote) {
	before, _ := x.Note(fetchedKey{}).([]remote)
	same := func(a, b remote) bool { return a.address == b.address }
	if slices.EqualFunc(before, list, same) {
		for i := range list {
			list[i].picture, list[i].fail = before[i].picture, before[i].fail
		}
		return
	}
	s.fetch(x.Context(), list)
	if _, may := s.catalogue.Fallback(x.Model.Base); may && x.Fallback == "" {
		x.Keep(fetchedKey{}, list)
	}
}

// fetch gets each address once, a few at a time. The first failure ends the others and is the only one.
func (s *stage) fetch(ctx context.Context, list []remote) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wait  sync.WaitGroup
		lock  sync.Mutex
		bad   = -1 // which failed first
		total int
		slots = make(chan struct{}, fetchers)
		first = map[string]int{}
		uses  = map[string]int{} // how often each is put into the request
	)
	for i := range list {
		uses[list[i].address]++
	}
	for i := range list {
		if _, again := first[list[i].address]; again {
			continue
		}
		first[list[i].address] = i
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			picture, fail := s.one(ctx, list[i].address)
			lock.Lock()
			defer lock.Unlock()
			if total += len(picture.Data) * uses[list[i].address]; fail == nil && total > mostFetched {
				fail = apierror.Newf(apierror.TooLarge, "the remote pictures of the request are larger than %d MB together", mostFetched>>20)
			}
			list[i].picture = picture
			if fail != nil && bad < 0 {
				bad, list[i].fail = i, fail
				cancel()
			}
		})
	}
	wait.Wait()
	for i := range list {
		list[i].picture = list[first[list[i].address]].picture
	}
}

// one fetches a picture when it is its turn.
func (s *stage) one(ctx context.Context, address string) (outbound.Picture, *apierror.Error) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
		return s.pictures.FetchImage(ctx, address)
	case <-ctx.Done():
		return outbound.Picture{}, apierror.Wrap(apierror.ClientGone, "the request was cancelled", ctx.Err())
	}
}

// blame says where in the request the picture is named; one of an earlier request has no place in it.
func blame(x *pipeline.Exchange, r *remote, f *apierror.Error) *apierror.Error {
	body, fail := x.In.Body()
	if fail != nil {
		return f
	}
	place := placeOf(body, r.address)
	if place == "" {
		return f.Naming("image_url")
	}
	f = f.Naming(place)
	f.Message = place + ": " + f.Message
	return f
}
