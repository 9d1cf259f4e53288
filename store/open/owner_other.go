//go:build !linux

package open

import (
	"errors"
	"os"
)

// TakeOver refuses where it would have something to do: whoever asks for it must not believe that
// the rights of root are gone.
func TakeOver(_ string, uid int) error { return StepDown(uid) }

// StepDown refuses where it would have something to do, like TakeOver.
func StepDown(uid int) error {
	if uid == 0 || os.Getuid() > 0 {
		return nil
	}
	return errors.New("server.run_as_uid works on Linux only: unset it (RUN_AS_UID), and start the gateway as the user that it is to be")
}
