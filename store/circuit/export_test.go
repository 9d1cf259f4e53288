package circuit

import "time"

// Longer is the next pause between two looks.
func Longer(pause time.Duration) time.Duration { return longer(pause) }
