// history writes two-hour blocks of made-up series, as a server would have cut them, without a server and without waiting.
//
//	history --out DIR --series 30000 --hours 24 --end 2026-11-01T00:00:00Z
//
// Counters, gauges and idle series in equal parts, every 15 seconds: about 1.7 bytes a sample, and chunks as hard to
// compress as those of a real server. The same arguments give the same samples.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"math/rand"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	blockRange = 2 * time.Hour
	interval   = 15 * time.Second
)

type series struct {
	labels labels.Labels
	ref    storage.SeriesRef
	value  float64
	step   float64
	kind   int
	random *rand.Rand
}

func (s *series) next() float64 {
	switch s.kind {
	case 0: // a counter with integer steps
		s.value += math.Floor(s.random.Float64() * s.step)
	case 1: // a gauge with a few decimals
		s.value = math.Round((s.value+s.random.NormFloat64()*s.step)*100) / 100
	}
	return s.value // kind 2 stands still
}

func makeSeries(count int) []*series {
	all := make([]*series, count)
	for i := range all {
		random := rand.New(rand.NewSource(int64(i) + 1))
		all[i] = &series{
			kind:   i % 3,
			step:   math.Pow(10, random.Float64()*4),
			value:  math.Floor(random.Float64() * 1e6),
			random: random,
			labels: labels.FromStrings(
				"__name__", "metric_"+strconv.Itoa(i%400), "instance", "host-"+strconv.Itoa(i/400)+":9100",
				"job", "node", "device", "device-"+strconv.Itoa(i%7)),
		}
	}
	return all
}

func writeBlock(out string, all []*series, start time.Time) error {
	writer, err := tsdb.NewBlockWriter(slog.New(slog.NewTextHandler(io.Discard, nil)), out, blockRange.Milliseconds())
	if err != nil {
		return err
	}
	defer writer.Close()
	ctx := context.Background()
	for _, s := range all {
		s.ref = 0
	}
	for at := start; at.Before(start.Add(blockRange)); at = at.Add(interval) {
		appender := writer.Appender(ctx)
		for _, s := range all {
			if s.ref, err = appender.Append(s.ref, s.labels, at.UnixMilli(), s.next()); err != nil {
				return err
			}
		}
		if err := appender.Commit(); err != nil {
			return err
		}
	}
	_, err = writer.Flush(ctx)
	return err
}

func main() {
	out := flag.String("out", "", "directory that gets the blocks")
	count := flag.Int("series", 30000, "series")
	hours := flag.Int("hours", 24, "hours of history, a multiple of 2")
	end := flag.String("end", "", "end of the last block, RFC 3339; default: the last full two hours")
	flag.Parse()
	last := time.Now().UTC().Truncate(blockRange)
	if *end != "" {
		parsed, err := time.Parse(time.RFC3339, *end)
		if err != nil {
			log.Fatal(err)
		}
		last = parsed.UTC().Truncate(blockRange)
	}
	if *out == "" || *hours < 2 {
		log.Fatal("history needs --out and at least --hours 2")
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		log.Fatal(err)
	}
	all := makeSeries(*count)
	for start := last.Add(-time.Duration(*hours) * time.Hour); start.Before(last); start = start.Add(blockRange) {
		if err := writeBlock(*out, all, start); err != nil {
			log.Fatal(err)
		}
		fmt.Println(start.Format(time.RFC3339))
	}
}
