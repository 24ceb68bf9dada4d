package coraza

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

// order is JSON as shops send it, of about size bytes.
func order(size int) string {
	var b strings.Builder
	b.WriteString(`{"customer":"c-19f3","email":"mary.o'brien@example.com","items":[`)
	for i := 0; b.Len() < size-80; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"A%05d","name":"Blue garden chair, large","count":%d,"price":19.90}`, i, i%5+1)
	}
	b.WriteString(`],"note":"please ring twice"}`)
	return b.String()
}

func BenchmarkInspect(b *testing.B) {
	for _, c := range []struct {
		name string
		r    *waf.Request
	}{
		{"GET", request("GET", "/orders/17?limit=20&sort=date", "", "")},
		{"POST1K", request("POST", "/orders", plainJSON, order(1<<10))},
		{"POST5K", request("POST", "/orders", plainJSON, order(5<<10))},
	} {
		for _, mode := range []route.FirewallMode{route.FirewallOff, route.FirewallAlert} {
			r := *c.r
			r.Setting.Mode = mode
			b.Run(c.name+"/"+string(mode), func(b *testing.B) {
				e := open(b)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Inspect(context.Background(), &r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkCompile also reports the heap that a compiled rule set keeps. Coraza
// remembers expressions, so only the first run of a process tells: run it alone
// with -benchtime=1x.
func BenchmarkCompile(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var kept []*Engine
	for b.Loop() {
		e, err := New(Config{})
		if err != nil {
			b.Fatal(err)
		}
		if len(kept) == 0 {
			kept = append(kept, e)
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-kept")
	runtime.KeepAlive(kept)
}
