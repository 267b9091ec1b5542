package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

const (
	blockRange = 2 * time.Hour
	// Series come from targets of this size; every second target is replaceable, as a pod is.
	targetSize = 200
	workers    = 2
)

// series is a counter, a gauge or (every second one) stands still: about 2 bytes a sample together, and chunks as hard to compress
// as those of a real server.
type series struct {
	labels labels.Labels
	kind   int
	value  float64
	step   float64
	random *rand.Rand
}

func (s *series) next() float64 {
	switch s.kind {
	case 0, 1: // counters with whole steps
		s.value += math.Floor(s.random.Float64() * s.step)
	case 2: // a gauge with two decimals
		s.value = math.Round((s.value+s.random.NormFloat64()*s.step)*100) / 100
	}
	return s.value
}

type target struct {
	number, life int
	size         int
	offset       int64 // of its scrapes within the interval, in milliseconds
	ends         time.Time
	random       *rand.Rand
	series       []*series
}

// history is a set of targets and the moment up to which their samples are made. It moves on in whole blocks, except that
// the last one may be given out in parts.
type history struct {
	interval time.Duration
	churn    time.Duration
	now      time.Time
	targets  []*target
}

func newHistory(count int, interval, churn time.Duration, start time.Time) *history {
	h := &history{interval: interval, churn: churn, now: start}
	for number := 0; count > 0; number++ {
		t := &target{number: number, size: min(count, targetSize), random: rand.New(rand.NewPCG(uint64(number), 0))}
		t.offset = t.random.Int64N(interval.Milliseconds())
		t.ends = start.Add(time.Duration(t.random.Float64() * float64(churn)))
		t.fill()
		h.targets = append(h.targets, t)
		count -= t.size
	}
	return h
}

func (t *target) fill() {
	instance := fmt.Sprintf("10.%d.%d.%d:9100", t.number/250, t.number%250, t.life%250+2)
	t.series = make([]*series, t.size)
	for i := range t.series {
		random := rand.New(rand.NewPCG(uint64(t.number), uint64(t.life+1)<<32+uint64(i)))
		t.series[i] = &series{
			kind:   i % 6,
			step:   math.Pow(10, random.Float64()*4),
			value:  math.Floor(random.Float64() * 1e6),
			random: random,
			labels: labels.FromStrings(
				"__name__", fmt.Sprintf("application_metric_%d_total", i%40), "device", fmt.Sprintf("device-%d", i/40),
				"instance", instance, "job", "application", "pod", fmt.Sprintf("service-%02d-%05x", t.number%15, t.number<<8+t.life)),
		}
	}
}

// replace gives the replaceable targets whose time is over new series. Called at the start of a block's time only.
func (h *history) replace() {
	for _, t := range h.targets {
		if h.churn > 0 && t.number%2 == 1 && !t.ends.After(h.now) {
			t.life++
			t.ends = h.now.Add(time.Duration((0.5 + t.random.Float64()) * float64(h.churn)))
			t.fill()
		}
	}
}

// each calls work for every target, on all workers at once.
func (h *history) each(work func(t *target)) {
	var group sync.WaitGroup
	for worker := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := worker; i < len(h.targets); i += workers {
				work(h.targets[i])
			}
		}()
	}
	group.Wait()
}

// times are the scrapes of the target in [from, to), in milliseconds.
func (h *history) times(t *target, from, to time.Time) []int64 {
	step := h.interval.Milliseconds()
	first := from.UnixMilli() - t.offset
	var times []int64
	for at := (first+step-1)/step*step + t.offset; at < to.UnixMilli(); at += step {
		times = append(times, at)
	}
	return times
}

// skip moves on to a later moment without giving the samples out.
func (h *history) skip(to time.Time) {
	for h.now.Before(to) {
		h.replace()
		end := h.now.Add(blockRange)
		h.each(func(t *target) {
			for range h.times(t, h.now, end) {
				for _, s := range t.series {
					s.next()
				}
			}
		})
		h.now = end
	}
}

func (h *history) sorted() []*series {
	var all []*series
	for _, t := range h.targets {
		all = append(all, t.series...)
	}
	slices.SortFunc(all, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	return all
}
