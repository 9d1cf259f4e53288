package apikey

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/seal"
)

// Options are what a Book stands on.
type Options struct {
	Store    store.Store
	Log      *slog.Logger
	Settings func() Settings     // asked at each use; nil is the defaults
	Hide     func(secret string) // keeps a new key out of the log; nil hides nothing
	Now      func() time.Time    // nil is time.Now
	Ring     *seal.Ring          // seals copies of keys; nil seals none, and then Settings.Reveal makes no keys
	Old      string              // folder in which the old product may have left keys and costs; "" is none
}

// Settings are the [keys] table.
type Settings struct {
	Reveal      bool
	DefaultCost int64
	Grace       time.Duration // how long calls go on while a store that nodes share is away (store.grace)
}

// SettingsOf reads the [keys] table.
func SettingsOf(c *config.Snapshot) Settings {
	return Settings{c.Bool("keys.reveal"), int64(c.Int("keys.default_cost")), c.Duration("store.grace")}
}

// Book is all there is about keys.
type Book struct {
	Keys   *Keys
	Costs  *Costs
	Ledger *Ledger
}

// Open reads what the store has. Close it before the store.
func Open(ctx context.Context, o Options) (*Book, error) {
	if o.Settings == nil {
		o.Settings = func() Settings { return Settings{DefaultCost: 1} }
	}
	if o.Hide == nil {
		o.Hide = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := takeOver(ctx, o); err != nil {
		return nil, err
	}
	keys, err := openKeys(ctx, o)
	if err != nil {
		return nil, err
	}
	costs, err := openCosts(ctx, o)
	if err != nil {
		return nil, err
	}
	ledger, err := openLedger(ctx, o, keys, costs)
	if err != nil {
		costs.close()
		return nil, err
	}
	keys.spent = func(ctx context.Context, one *Key) (int64, error) {
		b, err := ledger.Balance(ctx, one)
		return b.Used, err
	}
	keys.start()
	return &Book{Keys: keys, Costs: costs, Ledger: ledger}, nil
}

// Close ends what is under way, and writes what is only in memory.
func (b *Book) Close() error {
	b.Costs.close()
	return errors.Join(b.Keys.close(), b.Ledger.Close())
}
