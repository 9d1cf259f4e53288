package pool

// Hold keeps the pool from reading and writing credential files while somebody else changes one. It takes
// the change over at its next look.
func (p *Pool) Hold(change func() error) error {
	p.disk.Lock()
	defer p.disk.Unlock()
	return change()
}
