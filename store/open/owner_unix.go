//go:build unix

package open

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// TakeOver makes a process that was started as root go on as another user for good, after giving it
// the folder and the files in it: a container's mounted folder belongs to whoever made it. For any
// other process, and for uid 0, it does nothing.
func TakeOver(dir string, uid int) error {
	if uid == 0 || os.Getuid() != 0 {
		return nil
	}
	if err := give(dir, uid); err != nil {
		return fmt.Errorf("cannot give the folder %s to uid %d: %w", dir, uid, err)
	}
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(uid) },
		func() error { return syscall.Setuid(uid) }, // last: afterwards nothing of this is allowed
	} {
		if err := step(); err != nil {
			return fmt.Errorf("cannot go on as uid %d: %w", uid, err)
		}
	}
	return nil
}

// give hands over what lies in the folder itself. Links are left alone: they may point anywhere.
func give(dir string, uid int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if !d.Type().IsRegular() {
			continue
		}
		if err := os.Lchown(filepath.Join(dir, d.Name()), uid, uid); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.Lchown(dir, uid, uid)
}
