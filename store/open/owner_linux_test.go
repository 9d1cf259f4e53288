package open_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gcli2api/store/open"
)

// child names the variable that makes the test binary do what TakeOver would do to the test itself.
const child = "GCLI_TEST_TAKE_OVER"

// order is what the child is told, outcome what it says about itself.
type order struct {
	Dir      string
	UID      int
	ReadOnly string // a folder to mount read-only first
	NoChown  bool   // without the right to give files away, as on some network drives
	StepDown bool   // instead of TakeOver
}

type outcome struct {
	Err     string
	Unable  string // why the child could not even begin
	Threads []map[string]string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(child); text != "" {
		var o order
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			panic(err)
		}
		out, err := json.Marshal(obey(o))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(out))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func obey(o order) (out outcome) {
	if o.ReadOnly != "" {
		for _, flags := range []uintptr{syscall.MS_BIND, syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY} {
			if err := syscall.Mount(o.ReadOnly, o.ReadOnly, "", flags, ""); err != nil {
				out.Unable = "mount: " + err.Error()
				return out
			}
		}
	}
	if o.NoChown {
		out.Unable = "drop CHOWN: " + dropChown(o).Error() // comes back only if it fails
		return out
	}
	stop, threads := make(chan struct{}), sync.WaitGroup{}
	var up sync.WaitGroup
	for range 8 { // more threads than one, some of them older than the change
		up.Add(1)
		threads.Go(func() {
			runtime.LockOSThread()
			up.Done()
			<-stop
		})
	}
	up.Wait()
	act := func() error { return open.TakeOver(o.Dir, o.UID) }
	if o.StepDown {
		act = func() error { return open.StepDown(o.UID) }
	}
	if err := act(); err != nil {
		out.Err = err.Error()
	}
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		panic(err)
	}
	for _, name := range tasks {
		if text, err := os.ReadFile(name); err == nil { // a thread may end meanwhile
			out.Threads = append(out.Threads, fields(string(text)))
		}
	}
	close(stop)
	threads.Wait()
	return out
}

// dropChown begins the child anew without the capability CHOWN.
func dropChown(o order) error {
	const boundingSetDrop, chown = 24, 0
	runtime.LockOSThread() // the new program is as this thread was
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, boundingSetDrop, chown, 0); errno != 0 {
		return errno
	}
	o.NoChown = false
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, []string{child + "=" + string(text)})
}

// fields reads what the kernel says of a thread.
func fields(text string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	return out
}

// send runs a child as the order says.
func send(t *testing.T, o order, attr *syscall.SysProcAttr) outcome {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if attr != nil && attr.Credential != nil { // who may not enter the folder of the test binary
		exe = copied(t, exe)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), child+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	// EINVAL: in a chroot no mount can be made private.
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("this machine does not let a test do that: %v", err)
	}
	var out outcome
	if err != nil || json.Unmarshal(b, &out) != nil {
		t.Fatalf("the child: %v, %s%s", err, b, stderr.String())
	}
	if out.Unable != "" {
		t.Skip("this machine does not let a test do that: " + out.Unable)
	}
	return out
}

func copied(t *testing.T, exe string) string {
	t.Helper()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(space(t), "child")
	// A child that is forked meanwhile would hold the file open for writing, and then it cannot be run.
	syscall.ForkLock.RLock()
	err = os.WriteFile(name, data, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// space is a folder that every user can get to.
func space(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away and go on as somebody else")
	}
}

// put makes a file with an owner.
func put(t *testing.T, name string, mode fs.FileMode, uid int) string {
	t.Helper()
	if err := os.WriteFile(name, []byte("{}"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(name, uid, uid); err != nil {
		t.Fatal(err)
	}
	return name
}

func owned(t *testing.T, name string) string {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	is := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", is.Uid, is.Gid)
}

// isOnly checks that every thread is this user and nothing else, without any right of root.
func isOnly(t *testing.T, out outcome, uid int) {
	t.Helper()
	id := strconv.Itoa(uid)
	all := strings.Join([]string{id, id, id, id}, " ")
	if len(out.Threads) < 9 {
		t.Errorf("only %d threads were looked at", len(out.Threads))
	}
	for _, thread := range out.Threads {
		if thread["Uid"] != all || thread["Gid"] != all || thread["Groups"] != "" {
			t.Errorf("a thread is Uid %q, Gid %q, Groups %q", thread["Uid"], thread["Gid"], thread["Groups"])
		}
		for _, set := range []string{"CapEff", "CapPrm", "CapAmb"} {
			if strings.Trim(thread[set], "0") != "" {
				t.Errorf("a thread has %s %s", set, thread[set])
			}
		}
	}
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	needRoot(t)
	outside := put(t, filepath.Join(space(t), "of-the-system"), 0o600, 0)
	top := space(t)
	dir := filepath.Join(top, "creds")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{".": "10001:10001", "sub": "0:0"}
	for name, uid := range map[string]int{"root.json": 0, "other.json": 1000, ".gcli2api.db": 0, "own.json": 10001} {
		put(t, filepath.Join(dir, name), 0o600, uid)
		want[name] = "10001:10001"
	}
	put(t, filepath.Join(dir, "sub", "deep.json"), 0o600, 0)
	want["sub/deep.json"] = "0:0"
	pointed := put(t, filepath.Join(space(t), "of-the-system-too"), 0o600, 0) // one name only: nothing but the link protects it
	if err := errors.Join(os.Link(outside, filepath.Join(dir, "second-name.json")), os.Symlink(pointed, filepath.Join(dir, "points.json"))); err != nil {
		t.Fatal(err)
	}
	want["second-name.json"], want["points.json"] = "0:0", "0:0"
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	want["pipe.json"] = "0:0"
	// The groups of root's session must not come along.
	out := send(t, order{Dir: dir, UID: 10001}, &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}}})
	if out.Err != "" {
		t.Error(out.Err)
	}
	isOnly(t, out, 10001)
	for name, who := range want {
		if got := owned(t, filepath.Join(dir, name)); got != who {
			t.Errorf("%s belongs to %s, want %s", name, got, who)
		}
	}
	for _, name := range []string{outside, pointed} {
		if got := owned(t, name); got != "0:0" {
			t.Errorf("%s outside of the folder belongs to %s now", name, got)
		}
	}
	if got := owned(t, top); got != "0:0" {
		t.Errorf("the folder above belongs to %s now", got)
	}
}

// A folder that is not there is made so that the user gets to it; one behind a link is the one meant.
func TestTakeOverFinds(t *testing.T) {
	t.Parallel()
	needRoot(t)
	top := space(t)
	fresh, real, link := filepath.Join(top, "data", "a", "creds"), filepath.Join(top, "real"), filepath.Join(top, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	for dir, is := range map[string]string{fresh + "/": fresh, link: real} {
		if out := send(t, order{Dir: dir, UID: 20002}, nil); out.Err != "" {
			t.Errorf("%s: %s", dir, out.Err)
		}
		if got := owned(t, is); got != "20002:20002" {
			t.Errorf("%s belongs to %s", is, got)
		}
	}
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the new folder: %v, %v", info.Mode(), err)
	}
}

func TestTakeOverLeavesAlone(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, o := range map[string]order{"uid 0": {}, "step down to uid 0": {StepDown: true}} {
		o.Dir = space(t)
		out := send(t, o, nil)
		if got := owned(t, o.Dir); out.Err != "" || got != "0:0" || out.Threads[0]["Uid"] != "0 0 0 0" {
			t.Errorf("%s: %q, %s, %v", name, out.Err, got, out.Threads[0])
		}
	}
	dir := space(t)
	out := send(t, order{Dir: dir, UID: 20002, StepDown: true}, nil)
	isOnly(t, out, 20002)
	if got := owned(t, dir); out.Err != "" || got != "0:0" {
		t.Errorf("stepping down: %q, the folder belongs to %s", out.Err, got)
	}
}

// TestTakeOverCannot: one line with the folder, the user and what to do, and never root afterwards.
func TestTakeOverCannot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	as := func(uid uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	mounts := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	}
	only := func(uid int) *syscall.SysProcAttr { // root of a space that has this one user
		one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one}
	}
	for _, tt := range []struct {
		name string
		make func(dir string) error
		ro   bool
		attr *syscall.SysProcAttr
		uid  int // afterwards
		says []string
	}{
		{"as another user", nil, false, as(1234), 1234,
			[]string{"cannot write the folder DIR as uid 1234: permission denied", "chown 1234", "start as root (a container without --user)"}},
		{"read-only", nil, true, mounts(), 10001,
			[]string{"cannot write the folder DIR as uid 10001: read-only file system: mount it for writing"}},
		{"no folder", func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) }, false, nil, 10001,
			[]string{"DIR as uid 10001", "it is a file"}},
		{"behind a closed door", func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o700) }, false, nil, 10001,
			[]string{"DIR as uid 10001: permission denied", "the folders above it passable"}},
		{"no such user here", nil, false, only(0), 0,
			[]string{"cannot go on as uid 10001", "--user", "RUN_AS_UID=0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(space(t), "creds")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if tt.make != nil {
				if err := tt.make(dir); err != nil {
					t.Fatal(err)
				}
			}
			o := order{Dir: dir, UID: 10001}
			if tt.ro {
				o.ReadOnly = dir
			}
			out := send(t, o, tt.attr)
			for _, says := range tt.says {
				if says = strings.ReplaceAll(says, "DIR", dir); !strings.Contains(out.Err, says) || strings.Contains(out.Err, "\n") {
					t.Errorf("%q does not say %q in one line", out.Err, says)
				}
			}
			t.Log(out.Err)
			if tt.uid != 0 {
				isOnly(t, out, tt.uid)
			}
		})
	}
}

// What cannot be given away may be usable all the same: what counts is what the user can do.
func TestTakeOverWithoutChown(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, tt := range []struct {
		name  string
		mode  fs.FileMode
		owner int
		says  string // "" is well
	}{
		{"everybody may write", 0o777, 0, ""},
		{"it is the user's already", 0o700, 10001, ""},
		{"root's alone", 0o700, 0, "it could not be given to that user (chown DIR: operation not permitted); make it writable for uid 10001"},
		{"somebody else's", 0o700, 1000, "or set RUN_AS_UID=1000, its owner"},
	} {
		dir := filepath.Join(space(t), "creds")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, tt.mode), os.Chown(dir, tt.owner, tt.owner)); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "root.json"), 0o600, 0)
		out := send(t, order{Dir: dir, UID: 10001, NoChown: true}, nil)
		if says := strings.ReplaceAll(tt.says, "DIR", dir); !strings.Contains(out.Err, says) || (says == "") != (out.Err == "") {
			t.Errorf("%s: %q, want %q", tt.name, out.Err, says)
		}
		isOnly(t, out, 10001)
	}
}

// Whoever was not started as root goes on as what it is.
func TestTakeOverNotAsRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	top := space(t)
	dir := filepath.Join(top, "creds")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 1234, 1234)); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"its folder": dir, "a folder that the store will make": filepath.Join(dir, "none")} {
		out := send(t, order{Dir: dir, UID: 10001}, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 1234}})
		if out.Err != "" {
			t.Errorf("%s: %s", name, out.Err)
		}
		isOnly(t, out, 1234)
	}
}
