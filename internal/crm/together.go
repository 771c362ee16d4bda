package crm

import "sync"

// together does pieces of work at the same time, the first of them here: there
// is mostly just one.
func together(pieces int, work func(piece int)) {
	if pieces == 0 {
		return
	}
	var running sync.WaitGroup
	for piece := 1; piece < pieces; piece++ {
		running.Go(func() { work(piece) })
	}
	work(0)
	running.Wait()
}
