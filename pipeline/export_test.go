package pipeline

// Fresh makes x fresh, so that a benchmark measures the walk and not the making of exchanges.
func Fresh(x *Exchange) {
	x.next, x.ran, x.turns, x.began = 0, 0, 0, false
	x.Reply = Reply{}
}
