//go:build race

package server_test

// raceDetector: the binary under test is built like the test.
const raceDetector = true
