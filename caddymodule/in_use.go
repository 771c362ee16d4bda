package caddymodule

import "sync"

// inUse counts the uses of something that ends with the last one.
type inUse struct {
	mu    sync.Mutex
	count int
	end   func()
}

// use begins a use.
func (u *inUse) use() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
}

// done ends one.
func (u *inUse) done() {
	u.mu.Lock()
	u.count--
	end := u.takeEnd()
	u.mu.Unlock()
	end()
}

// retire calls a function, once, when there is no use any more.
func (u *inUse) retire(end func()) {
	u.mu.Lock()
	u.end = end
	end = u.takeEnd()
	u.mu.Unlock()
	end()
}

func (u *inUse) takeEnd() func() {
	if u.count > 0 || u.end == nil {
		return func() {}
	}
	end := u.end
	u.end = nil
	return end
}
