package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"go.etcd.io/bbolt"
)

// ErrHeld begins the error of Open about a file that another process has.
var ErrHeld = errors.New("another gcli2api holds the folder")

// open gives a checked and complete file to bbolt. The lock is taken first, and on the same handle
// that bbolt gets: looking at a file that somebody writes would find damage where there is none.
func open(o Options) (*bbolt.DB, error) {
	f, err := openFile(o.Path)
	if err != nil {
		return nil, err
	}
	held := fmt.Errorf("%w %s (its store %s is locked): stop that one, or give this one a folder of its own", ErrHeld, filepath.Dir(o.Path), o.Path)
	if locked, err := lock(f, o.LockWait); err != nil || !locked {
		f.Close()
		if err != nil {
			return nil, cannot("lock", o.Path, err)
		}
		return nil, held
	}
	fresh, err := examine(f, o.Path)
	if err != nil {
		f.Close()
		return nil, err
	}
	db, err := begin(o, f, fresh)
	switch {
	case errors.Is(err, bbolt.ErrTimeout):
		return nil, held
	case err != nil:
		return nil, cannot("open", o.Path, err)
	}
	return db, nil
}

func openFile(path string) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, cannot("make the folder of", path, err)
	}
	// Not every file can be opened without waiting for somebody at its other end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot open the store %s: it is a %s and not a file: move it away", path, kind(info))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, cannot("open", path, err)
	}
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		_ = f.Chmod(0o600) // tokens lie in it; a file system without modes is no reason to stop
	}
	return f, nil
}

func kind(info fs.FileInfo) string {
	if info.IsDir() {
		return "folder"
	}
	return "device"
}

// begin hands the file over. A store that is new gets its buckets and its format in one
// transaction, so that there is never half of one.
func begin(o Options, f *os.File, fresh bool) (db *bbolt.DB, err error) {
	err = careful(func() error {
		db, err = bbolt.Open(o.Path, 0o600, boltOptions(o, f))
		return err
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	// The file grows in steps of this size. The default is 16 MiB, more than most stores ever hold.
	db.AllocSize = 1 << 20
	if !fresh {
		return db, nil
	}
	if err := careful(func() error { return db.Update(furnish) }); err != nil {
		db.Close()
		return nil, err
	}
	syncFolder(filepath.Dir(o.Path))
	return db, nil
}

func boltOptions(o Options, f *os.File) *bbolt.Options {
	opts := &bbolt.Options{
		Timeout:  o.LockWait,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		// The list of free pages in a map: the array gets slow in a file that is written often, which
		// ours is. It stays out of the file, where every commit would write all of it, after much was
		// removed more than everything else: a start looks for free pages, which it has in memory just
		// then, because examine has read them. A list that is in the file is read, and taken out.
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
		// Nobody reads the statistics, and they cost each read a lock. NoGrowSync stays off: without
		// the sync behind it the new length of the file can be lost on ext4, and pages with it.
		NoStatistics: true,
	}
	// While the file fits into the map there is no need to map it anew, and a writer need not wait for
	// readers to end. It costs addresses, not memory. On Windows the file itself would get that long,
	// and on 32 bits addresses are scarce.
	if runtime.GOOS != "windows" && strconv.IntSize == 64 {
		opts.InitialMmapSize = 256 << 20
	}
	return opts
}

func furnish(tx *bbolt.Tx) error {
	for _, b := range []bucket{inInfo, inDocs, inDue, inCounters} {
		made, err := tx.CreateBucket([]byte(b))
		if err != nil {
			return err
		}
		if err := made.Put([]byte(guard), seal(b, []byte(guard), room(0))); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(inInfo)).Put([]byte(keyFormat), sealNumber(inInfo, []byte(keyFormat), format))
}

// syncFolder makes the name of a new file last. Some systems cannot do that, and need not.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// cannot is the one line about a file that cannot be had, with what to do about it.
func cannot(verb, path string, err error) error {
	do := "look at the disk"
	switch {
	case errors.Is(err, errDamaged):
		do = "nothing was changed"
	case errors.Is(err, syscall.EROFS):
		do = "it is on a file system that is mounted read-only: mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		do = fmt.Sprintf("the gateway runs as uid %d: give that user the folder and what is in it (chown), or run it as their owner", os.Getuid())
	case full(err):
		do = "free some space on its disk"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		do = "a part of its path is a file and not a folder: move that away or name another folder"
	}
	return fmt.Errorf("cannot %s the store %s: %w: %s", verb, path, err, do)
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
