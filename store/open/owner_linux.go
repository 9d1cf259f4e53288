package open

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// TakeOver makes a process that was started as root go on as another user for good, after giving it
// the folder and the files in it: a container's mounted folder belongs to whoever made it. For uid 0
// it does nothing. A process that was not started as root stays what it is. In both cases a folder
// that this user cannot write is an error, in one line for the operator.
func TakeOver(dir string, uid int) error {
	if uid == 0 {
		return nil
	}
	if os.Getuid() != 0 {
		return usable(dir, false, nil)
	}
	// Some file systems know no owners, or let nobody change them. What counts is whether the user
	// can work with the folder afterwards.
	given := give(dir, uid)
	if err := StepDown(uid); err != nil {
		return err
	}
	return usable(dir, true, given)
}

// StepDown makes a process that was started as root go on as another user for good, with no right
// of root left in any of its threads. For any other process, and for uid 0, it does nothing.
func StepDown(uid int) error {
	if uid == 0 || os.Getuid() != 0 {
		return nil
	}
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(uid) },
		func() error { return syscall.Setuid(uid) }, // last: afterwards nothing of this is allowed
	} {
		if err := step(); err != nil {
			return fmt.Errorf("cannot go on as uid %d: %w: that takes the capabilities SETUID and SETGID; "+
				"start the gateway as the user itself (--user), or set RUN_AS_UID=0 to stay what it is", uid, err)
		}
	}
	if syscall.Setuid(0) == nil { // the kernel can be told to leave the rights where they are
		return fmt.Errorf("cannot go on as uid %d: the way back to root stays open; start the gateway as the user itself (--user)", uid)
	}
	return nil
}

// give hands over the folder and what lies in it, as far as it can; the error is the first one.
func give(dir string, uid int) error {
	dir = filepath.Clean(dir)
	// The user has to get through the folders above.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, failed := d.Readdirnames(-1)
	for _, name := range names {
		if err := giveFile(d, name, uid); failed == nil {
			failed = err
		}
	}
	// The folder last: while it is root's, nobody else changes what lies in it.
	if err := d.Chown(uid, uid); err != nil {
		return err
	}
	return failed
}

// Flags that package syscall does not name; they are the same on all of Go's Linuxes.
const (
	openPath  = 0x200000 // O_PATH: a handle to change its owner by, which opens nothing
	emptyPath = 0x1000   // AT_EMPTY_PATH: the handle itself
)

// giveFile hands over one file. It holds the file while it looks at it, so that nobody can put
// another one in its place. Links are left alone: one that points, because it may point anywhere;
// a second name of a file, because the first may be a file of the system.
func giveFile(d *os.File, name string, uid int) error {
	fd, err := syscall.Openat(int(d.Fd()), name, openPath|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return &fs.PathError{Op: "open", Path: filepath.Join(d.Name(), name), Err: err}
	}
	defer syscall.Close(fd)
	var is syscall.Stat_t
	if err := syscall.Fstat(fd, &is); err != nil {
		return &fs.PathError{Op: "stat", Path: filepath.Join(d.Name(), name), Err: err}
	}
	if is.Mode&syscall.S_IFMT != syscall.S_IFREG || is.Nlink > 1 || int(is.Uid) == uid && int(is.Gid) == uid {
		return nil
	}
	if err := syscall.Fchownat(fd, "", uid, uid, emptyPath); err != nil {
		return &fs.PathError{Op: "chown", Path: filepath.Join(d.Name(), name), Err: err}
	}
	return nil
}

// usable says what is wrong with the folder for the user of this process, and what to do about it.
// root tells that it was started as root, given why the folder could not be handed over then.
func usable(dir string, root bool, given error) error {
	const readWriteEnter = 4 | 2 | 1
	err := syscall.Access(dir, readWriteEnter)
	if err == nil || !root && errors.Is(err, fs.ErrNotExist) {
		return nil // where there is none the store makes one, or says why it cannot
	}
	uid, why := os.Getuid(), ""
	if given != nil {
		why = fmt.Sprintf("it could not be given to that user (%v); ", given)
	}
	do := fmt.Sprintf("make it writable for uid %d where it comes from (chown %d), and the folders above it passable", uid, uid)
	switch info, statErr := os.Stat(dir); {
	case errors.Is(err, syscall.EROFS) || errors.Is(given, syscall.EROFS): // the modes are asked first
		err, why, do = syscall.EROFS, "", "mount it for writing"
	case statErr == nil && !info.IsDir():
		why, do = "", "it is a file: put a folder in its place"
	case !root:
		do += ", or start as root (a container without --user): then the gateway takes it over itself"
	case given != nil && statErr == nil && owner(info) > 0:
		do += fmt.Sprintf(", or set RUN_AS_UID=%d, its owner", owner(info))
	}
	return fmt.Errorf("cannot write the folder %s as uid %d: %w: %s%s", dir, uid, err, why, do)
}

func owner(info fs.FileInfo) int {
	if is, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(is.Uid)
	}
	return 0
}
