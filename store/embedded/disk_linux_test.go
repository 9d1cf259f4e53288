package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// disk is one that can be made full and have room again.
type disk struct {
	fill, free func() error
	says       string // what a write on it fails with
}

// child is one of the tests below, in a process of its own: it has a limit, a mount or a user that
// the others must not have. What it prints is an error, and exit 3 says that it is not allowed to.
func child(name, path string) int {
	err := map[string]func(string) error{
		"limit": limited, "tmpfs": mounted, "readonly": mountedReadOnly, "user": unprivileged,
	}[name](path)
	switch {
	case errors.Is(err, errNotAllowed):
		fmt.Println(err)
		return 3
	case err != nil:
		fmt.Println(err)
		return 1
	}
	return 0
}

var errNotAllowed = errors.New("not allowed here")

// inChild runs one of them, and skips where the system does not let it.
func inChild(t *testing.T, name, path string, mount bool) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+name, envPath+"="+path)
	if mount {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
	}
	out, err := cmd.CombinedOutput()
	if mount && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3) {
		t.Skipf("no mounts for this user: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestDiskLimit: a file that may not grow is what a full disk looks like, and works everywhere.
func TestDiskLimit(t *testing.T) { inChild(t, "limit", t.TempDir(), false) }

// TestDiskFull does it with a disk.
func TestDiskFull(t *testing.T) { inChild(t, "tmpfs", t.TempDir(), true) }

// TestDiskReadOnly: a volume that is mounted for reading only.
func TestDiskReadOnly(t *testing.T) { inChild(t, "readonly", t.TempDir(), true) }

// TestNotMine: files and folders of somebody else.
func TestNotMine(t *testing.T) {
	dir, err := os.MkdirTemp("", "embedded-user-") // not t.TempDir, which only its owner can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"creds", "closed"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, filepath.Join(dir, "creds", "db"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"creds/db": 0o444, "closed": 0o555, ".": 0o755} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "closed"), 0o755) })
	inChild(t, "user", dir, false)
}

func limited(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		return err
	}
	most := now.Cur
	set := func(cur uint64) error {
		now.Cur = cur
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now)
	}
	return filled(filepath.Join(dir, "db"), disk{
		says: "file too large",
		fill: func() error {
			info, err := os.Stat(filepath.Join(dir, "db"))
			if err != nil {
				return set(0)
			}
			return set(uint64(info.Size()))
		},
		free: func() error { return set(most) },
	})
}

func mount(dir, options string, flags uintptr) error {
	_ = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		return fmt.Errorf("%w: %w", errNotAllowed, err)
	}
	return nil
}

func mounted(dir string) error {
	if err := mount(dir, "size=8m", 0); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	return filled(filepath.Join(dir, "db"), disk{
		says: "no space left on device",
		fill: func() error {
			err := os.WriteFile(ballast, make([]byte, 16<<20), 0o600)
			if !errors.Is(err, syscall.ENOSPC) {
				return fmt.Errorf("the disk does not get full: %v", err)
			}
			return nil
		},
		free: func() error { return os.Remove(ballast) },
	})
}

func mountedReadOnly(dir string) error {
	if err := mount(dir, "size=8m", 0); err != nil {
		return err
	}
	path := filepath.Join(dir, "db")
	db, err := embedded.Open(embedded.Options{Path: path})
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}
	if err != nil {
		return err
	}
	for _, path := range []string{path, filepath.Join(dir, "new"), filepath.Join(dir, "sub", "new")} {
		_, err := embedded.Open(embedded.Options{Path: path})
		if err := oneLine(err, path, "read-only"); err != nil {
			return err
		}
	}
	return nil
}

func unprivileged(dir string) error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	for _, name := range []string{"creds/db", "closed/db", "closed/sub/db"} {
		path := filepath.Join(dir, name)
		_, err := embedded.Open(embedded.Options{Path: path})
		if err := oneLine(err, path, "permission denied", fmt.Sprint("uid ", os.Getuid())); err != nil {
			return err
		}
	}
	return nil
}

// filled goes through all of it: full while it is made, full while it runs, full at the next start.
func filled(path string, d disk) error {
	if err := d.fill(); err != nil {
		return err
	}
	_, err := embedded.Open(embedded.Options{Path: path})
	if err := oneLine(err, path, d.says, "free some space"); err != nil {
		return err
	}
	if err := d.free(); err != nil {
		return err
	}
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	f := filler{db: db, d: d}
	if err := errors.Join(f.some(20), f.untilFull(), f.readable(), d.free(), f.some(20), f.untilFull(), f.readable(), db.Close()); err != nil {
		return err
	}
	if f.db, err = embedded.Open(embedded.Options{Path: path}); err != nil {
		return fmt.Errorf("a full disk at the start: %w", err)
	}
	return errors.Join(f.readable(), d.free(), f.some(20), f.readable(), f.db.Close(), check(path))
}

// filler writes, and knows what was acknowledged.
type filler struct {
	db    store.Store
	d     disk
	n     int
	count int64
}

func (f *filler) id(n int) string { return fmt.Sprint("doc/", n) }
func (f *filler) body(n int) []byte {
	return []byte(`"` + strings.Repeat(fmt.Sprint(n, " "), 3000) + `"`)
}

func (f *filler) put() error {
	_, err := f.db.Put(context.Background(), "full", store.Doc{ID: f.id(f.n), Body: f.body(f.n)}, store.Any)
	if err == nil {
		f.n++
		err = f.db.Add(context.Background(), []store.Delta{{Counter: "n", N: 1}})
		if err == nil {
			f.count++
		}
	}
	return err
}

func (f *filler) some(n int) error {
	for range n {
		if err := f.put(); err != nil {
			return fmt.Errorf("with room: %w", err)
		}
	}
	return nil
}

func (f *filler) untilFull() error {
	if err := f.d.fill(); err != nil {
		return err
	}
	for range 2000 { // there may be room inside the file
		if err := f.put(); err != nil {
			if again := f.put(); again == nil || !strings.Contains(again.Error(), f.d.says) {
				return fmt.Errorf("full, the second time: %v", again)
			}
			return oneLine(err, f.d.says)
		}
	}
	return errors.New("it does not get full")
}

func (f *filler) readable() error {
	for n := range f.n {
		d, err := f.db.Get(context.Background(), "full", f.id(n))
		if err != nil || string(d.Body) != string(f.body(n)) {
			return fmt.Errorf("document %d of %d: %v", n, f.n, err)
		}
	}
	sums, err := f.db.Counters(context.Background(), "n")
	if err != nil || sums["n"] != f.count {
		return fmt.Errorf("counted %d, want %d: %v", sums["n"], f.count, err)
	}
	return nil
}
