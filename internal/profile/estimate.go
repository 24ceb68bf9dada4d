package profile

import "math"

// Estimate says how much of a workload's behaviour units independent
// observations have shown, of which once held something no other held and
// twice something that just two held.
//
// The share of observations that were alone with something is the
// leave-one-out chance that an observation is new: the estimator of Good and
// Turing (Good, Biometrika 40, 1953), taken over observations instead of
// single features, because what happens inside one observation is not
// independent. Two things make it err. The count of lone observations
// scatters: Clopper-Pearson (Biometrika 26, 1934) bounds that exactly and,
// unlike Wilson's or the normal interval, holds for the small counts that
// matter here; with nothing new it takes 59 observations to say 95 %. And the
// unseen part scatters about its mean, with a variance that what was seen
// twice estimates (Esty, Annals of Statistics 11, 1983). The bound adds the
// two as independent errors.
func Estimate(units, once, twice int64) Coverage {
	if units <= 0 {
		return Coverage{}
	}
	once = min(max(once, 0), units)
	n, k := float64(units), float64(once)
	scatter := clopperPearson(once, units) - k/n
	drift := z95 * math.Sqrt(2*float64(max(twice, 0))) / n
	upper := k/n + math.Hypot(scatter, drift)
	return Coverage{Share: 1 - k/n, Lower: 1 - min(upper, 1), Units: units}
}

const (
	risk = 0.05  // one-sided
	z95  = 1.645 // the normal distribution's 95 % point
)

// clopperPearson returns the largest chance at which k or fewer of n would
// still be seen with probability risk.
func clopperPearson(k, n int64) float64 {
	if k >= n {
		return 1
	}
	low, high := 0.0, 1.0
	for range 50 {
		p := (low + high) / 2
		// P(X ≤ k) = 1 - I_p(k+1, n-k)
		if 1-betaRatio(p, float64(k)+1, float64(n-k)) > risk {
			low = p
		} else {
			high = p
		}
	}
	return high
}

// betaRatio is the regularised incomplete beta function I_x(a, b), by its
// continued fraction evaluated after Lentz (NIST DLMF 8.17.22).
func betaRatio(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) {
		return 1 - betaRatio(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a

	const tiny = 1e-300
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 500; m++ {
		step := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / away(1+step*d)
		c = away(1 + step/c)
		f *= c * d
		step = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / away(1+step*d)
		c = away(1 + step/c)
		f *= c * d
		if math.Abs(c*d-1) < 1e-12 {
			break
		}
	}
	return front * f
}
